/**
 * A server with a handshake. A client with a session of its own has one here too; everybody else shares a pool, apart by
 * who they are and by what their client can do, so that no server asks what nobody can answer.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import { isWanted, type LogLevel, logLevels, methods } from "../../../../protocols/mcp/methods.ts"
import { isLogLevel } from "../../../../protocols/mcp/methods.ts"
import type { Exchange } from "../../../Exchange.ts"
import { capabilitiesOf } from "../capabilities.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { type Broken, broken } from "./Channel.ts"
import { failureOf } from "./failure.ts"
import { LegacySession } from "./LegacySession.ts"
import type { Call, Caller, Discovery, Interest, ListenEvents, McpTarget, Outcome, TargetFailure } from "./McpTarget.ts"
import { silent } from "./silent.ts"
import type { Wire } from "./Wire.ts"

export type OpenWire = (
  exchange: Exchange,
  unrelated: (message: JsonRpc.RpcMessage) => void,
  held: Fields | undefined,
) => Effect.Effect<Wire, Broken>

export interface LegacySettings {
  readonly name: string
  readonly runtime: McpRuntime
  readonly open: OpenWire
  /** How long a server may take to introduce itself. */
  readonly startMillis: number
  readonly idleMillis: number
  /** Whether callers that are not the same may share sessions. */
  readonly isShared: boolean
  readonly poolMax: number
  readonly poolIdleMillis: number
  /** Told that something it listed has changed. */
  readonly changed: (what: "tools" | "prompts" | "resources") => void
}

class Slot {
  readonly key: string
  readonly session: LegacySession
  readonly started: Deferred.Deferred<void, Broken>
  uses = 0
  isExclusive = false
  isGone = false
  usedMillis = 0
  starting: Fiber.Fiber<unknown, unknown> | undefined = undefined
  /** How many listeners want to know of each resource. */
  readonly watched = new Map<string, number>()

  constructor(key: string, session: LegacySession) {
    this.key = key
    this.session = session
    this.started = Deferred.makeUnsafe()
  }
}

const gatewayInfo = (version: string): Json => JSON.stringify({ name: "sluice", version })

/** Those are not ours to promise: nobody behind us could keep them. */
const unrelayed = ["tasks"]

const nothing: Interest = { tools: false, prompts: false, resources: false, updates: [], tasks: [] }

export class LegacyTarget implements McpTarget {
  readonly name: string
  private readonly settings: LegacySettings
  private readonly pools = new Map<string, Array<Slot>>()
  private readonly waiting = new Map<string, Array<() => void>>()
  private sweeping: (() => void) | undefined = undefined

  constructor(settings: LegacySettings) {
    this.name = settings.name
    this.settings = settings
  }

  private keyOf(caller: Caller): string {
    if (caller.session !== undefined) return `session ${caller.session}`
    const { fingerprint } = capabilitiesOf(caller.capabilities)
    return this.settings.isShared ? `shared ${fingerprint}` : `of ${caller.principal} ${fingerprint}`
  }

  private make(
    key: string,
    caller: Caller,
    capabilities: Json,
    held: Fields | undefined,
    before?: LegacySession,
  ): Slot {
    const { idleMillis, name, runtime } = this.settings
    const isPaired = caller.session !== undefined
    const slot = new Slot(
      key,
      new LegacySession(
        {
          target: name,
          runtime,
          capabilities,
          clientInfo: (isPaired ? caller.clientInfo : undefined) ?? gatewayInfo(runtime.version),
          idleMillis,
          noticed: (method) => this.noticed(method),
        },
        caller.exchange,
      ),
    )
    slot.usedMillis = runtime.clock.nowMillis()
    const pool = this.pools.get(key)
    if (pool === undefined) this.pools.set(key, [slot])
    else pool.push(slot)
    slot.starting = runtime.run(
      Effect.onExit(this.start(slot, held, before), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) this.forget(slot)
          Deferred.doneUnsafe(
            slot.started,
            Exit.isSuccess(exit) || !Exit.hasInterrupts(exit)
              ? exit
              : Exit.fail(broken("closed by the gateway", false)),
          )
        }),
      ),
    )
    this.sweepSoon()
    return slot
  }

  /** Opens the wire and introduces us; a session that takes the place of another one takes over what that one was told. */
  private start(slot: Slot, held: Fields | undefined, before: LegacySession | undefined): Effect.Effect<void, Broken> {
    const { session } = slot
    const { open, startMillis } = this.settings
    const opened = Effect.map(
      open(session.exchange, (message) => session.receive(message, undefined), held),
      (wire) => {
        session.wire = wire
      },
    )
    const revision = held?.string("revision")
    if (revision !== undefined) {
      session.revision = revision
      return opened
    }
    const begun = Effect.mapError(session.initialize, (failure) =>
      failure._tag === "Broken"
        ? failure
        : broken(
            `the server refused to begin: ${Fields.parse(failure.error)?.string("message") ?? "no reason"}`,
            false,
            {
              code: JsonRpc.codeOf(failure.error),
            },
          ),
    )
    return opened.pipe(
      Effect.andThen(begun),
      Effect.andThen(before === undefined ? Effect.void : this.reapply(session, before)),
      // A question may come where it belongs to no request, and be lost if nobody is there.
      Effect.andThen(Effect.suspend(() => (session.isInteractive ? Effect.ignore(session.hear) : Effect.void))),
      Effect.timeoutOrElse({
        duration: startMillis,
        orElse: () => Effect.fail(broken("no reply in time", false)),
      }),
      Effect.tapError(() => (session.wire === undefined ? Effect.void : session.close())),
    )
  }

  private reapply(session: LegacySession, before: LegacySession): Effect.Effect<void> {
    const steps: Array<Effect.Effect<unknown, Broken>> = []
    if (before.level !== undefined)
      steps.push(this.tell(session, "logging/setLevel", { level: JSON.stringify(before.level) }))
    for (const uri of before.subscribed) {
      steps.push(this.tell(session, "resources/subscribe", { uri: JSON.stringify(uri) }))
    }
    session.level = before.level
    for (const uri of before.subscribed) session.subscribed.add(uri)
    return Effect.ignore(Effect.all(steps, { concurrency: 4, discard: true }))
  }

  /** A request of our own that nobody follows. */
  private tell(
    session: LegacySession,
    method: string,
    params: Readonly<Record<string, Json>>,
  ): Effect.Effect<Outcome, Broken> {
    return session.call({
      caller: {
        principal: "",
        session: undefined,
        revision: "2025-11-25",
        capabilities: "{}",
        clientInfo: undefined,
        exchange: session.exchange,
      },
      method,
      params: Fields.of(params),
      wantsProgress: false,
      logLevel: undefined,
      paramHeaders: [],
      events: silent,
    })
  }

  private noticed(method: string): void {
    switch (method) {
      case "notifications/tools/list_changed":
        return this.settings.changed("tools")
      case "notifications/prompts/list_changed":
        return this.settings.changed("prompts")
      case "notifications/resources/list_changed":
        return this.settings.changed("resources")
      default:
    }
  }

  /** A session to use now; undefined: all there may be are taken. */
  private claim(caller: Caller, exclusive: boolean): Slot | undefined {
    const key = this.keyOf(caller)
    const pool = this.pools.get(key) ?? []
    const isPaired = caller.session !== undefined
    const free = isPaired
      ? pool.find(({ isGone }) => !isGone)
      : pool.find(({ isExclusive, isGone, uses }) => !isGone && !isExclusive && (!exclusive || uses === 0))
    const slot =
      free ??
      (pool.length < (isPaired ? 1 : this.settings.poolMax)
        ? this.make(key, caller, this.told(caller), undefined)
        : undefined)
    if (slot === undefined) return undefined
    slot.uses++
    slot.isExclusive = exclusive && !isPaired
    slot.session.exchange = caller.exchange
    return slot
  }

  /** What the server is told the client can do. */
  private told({ capabilities }: Caller): Json {
    return capabilitiesOf(capabilities)
      .fields.without(...unrelayed)
      .toJson()
  }

  private freed(key: string): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const wake = (): void => resume(Effect.void)
      const queue = this.waiting.get(key)
      if (queue === undefined) this.waiting.set(key, [wake])
      else queue.push(wake)
      return Effect.sync(() => {
        const left = (this.waiting.get(key) ?? []).filter((one) => one !== wake)
        if (left.length === 0) this.waiting.delete(key)
        else this.waiting.set(key, left)
      })
    })
  }

  private wake(key: string): void {
    const queue = this.waiting.get(key)
    const next = queue?.shift()
    if (queue?.length === 0) this.waiting.delete(key)
    next?.()
  }

  private giveBack(slot: Slot, isInterrupted: boolean): void {
    const { runtime } = this.settings
    const { clock } = runtime
    const wasExclusive = slot.isExclusive
    slot.usedMillis = clock.nowMillis()
    const done = (): void => {
      slot.uses--
      slot.isExclusive = false
      this.wake(slot.key)
    }
    if (!isInterrupted || !wasExclusive || slot.session.wire?.attributes !== false) return done()
    // What the server still says about the call that was given up must not be taken for the next one's.
    const wire = slot.session.wire as Wire & { readonly isBusy?: boolean }
    const giveUpAt = clock.nowMillis() + limits.cancelMillis
    const quiet: Effect.Effect<void> = Effect.suspend(() => {
      if (wire.isBusy !== true) return Effect.sync(done)
      if (clock.nowMillis() >= giveUpAt) {
        this.forget(slot)
        return Effect.andThen(slot.session.close(), Effect.sync(done))
      }
      return Effect.andThen(Effect.sleep(20), quiet)
    })
    runtime.run(quiet)
  }

  private forget(slot: Slot): void {
    slot.isGone = true
    const pool = this.pools.get(slot.key)?.filter((one) => one !== slot)
    if (pool === undefined || pool.length === 0) this.pools.delete(slot.key)
    else this.pools.set(slot.key, pool)
    this.wake(slot.key)
  }

  /** Runs something in a session. One the server has forgotten is replaced unseen: what it refused, it did not do. */
  private use<A>(
    caller: Caller,
    exclusive: boolean,
    run: (slot: Slot) => Effect.Effect<A, Broken>,
    healed = false,
  ): Effect.Effect<A, Broken> {
    return Effect.suspend(() => {
      const slot = this.claim(caller, exclusive)
      if (slot === undefined) {
        return Effect.andThen(this.freed(this.keyOf(caller)), this.use(caller, exclusive, run, healed))
      }
      return Effect.catch(
        Effect.onExit(
          Effect.andThen(
            Deferred.await(slot.started),
            Effect.suspend(() => run(slot)),
          ),
          (exit) => Effect.sync(() => this.giveBack(slot, Exit.isFailure(exit) && Exit.hasInterrupts(exit))),
        ),
        (failure) => {
          const isForgotten = failure.status === 404 && !failure.sent
          if (isForgotten || isClosed(slot.session.wire)) this.replace(slot, caller)
          return !healed && (isForgotten || (isClosed(slot.session.wire) && !failure.sent))
            ? this.use(caller, exclusive, run, true)
            : Effect.fail(failure)
        },
      )
    })
  }

  /** Once, however many calls found out at the same time. */
  private replace(slot: Slot, caller: Caller): void {
    if (slot.isGone) return
    this.forget(slot)
    if (caller.session !== undefined)
      this.make(slot.key, caller, slot.session.settings.capabilities, undefined, slot.session)
  }

  private named<A>(effect: Effect.Effect<A, Broken>): Effect.Effect<A, TargetFailure> {
    return Effect.mapError(effect, (failure) => failureOf(this.name, failure))
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    this.named(
      this.use(caller, false, ({ session }) =>
        Effect.succeed<Discovery>({
          era: "legacy",
          capabilities: session.introduction.get("capabilities") ?? "{}",
          serverInfo: session.introduction.get("serverInfo"),
          instructions: session.introduction.string("instructions"),
          ttlMillis: 0,
          isPublic: false,
        }),
      ),
    )

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    const { caller, method } = call
    const asks = methods.get(method)?.asks === true
    const exclusive = asks && caller.session === undefined && capabilitiesOf(caller.capabilities).fingerprint !== ""
    return this.named(
      this.use(caller, exclusive, ({ session }) => {
        if (caller.session !== undefined) return this.remembering(session, call)
        const level = call.logLevel
        const filtered: Call = { ...call, events: { ...call.events, log: filter(level, call.events.log) } }
        return level === undefined || !session.capabilities.has("logging") || !isMoreVerbose(level, session.level)
          ? session.call(filtered)
          : Effect.andThen(this.setLevel(session, level), session.call(filtered))
      }),
    )
  }

  private setLevel(session: LegacySession, level: LogLevel): Effect.Effect<void, Broken> {
    session.level = level
    return Effect.asVoid(this.tell(session, "logging/setLevel", { level: JSON.stringify(level) }))
  }

  /** What a session that takes its place would have to be told again. */
  private remembering(session: LegacySession, call: Call): Effect.Effect<Outcome, Broken> {
    const { method, params } = call
    const uri = params?.string("uri")
    return Effect.tap(session.call(call), (outcome) =>
      Effect.sync(() => {
        if (outcome._tag === "Error") return
        if (method === "logging/setLevel") session.level = params?.string("level")
        else if (method === "resources/subscribe" && uri !== undefined) session.subscribed.add(uri)
        else if (method === "resources/unsubscribe" && uri !== undefined) session.subscribed.delete(uri)
      }),
    )
  }

  readonly notify = (
    caller: Caller,
    method: string,
    params: Fields | undefined,
  ): Effect.Effect<void, TargetFailure> => {
    // Only a session of the client's own can be meant.
    if (caller.session === undefined) return Effect.void
    return this.named(this.use(caller, false, ({ session }) => session.notify(method, params, caller.exchange)))
  }

  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> => {
    const watcher: Caller =
      caller.session === undefined ? { ...caller, capabilities: "{}", session: `watch ${caller.principal}` } : caller
    return this.named(
      this.use(watcher, false, (slot) => {
        const { session } = slot
        let watched: ReadonlyArray<string> | undefined
        const acknowledged = (): void => {
          if (watched !== undefined) return events.acknowledged(honouredBy(session.capabilities, interest, watched))
          const updates =
            caller.session === undefined ? this.watch(slot, interest.updates) : Effect.succeed(interest.updates)
          this.settings.runtime.run(
            Effect.map(updates, (uris) => {
              watched = uris
              events.acknowledged(honouredBy(session.capabilities, interest, uris))
            }),
          )
        }
        return Effect.ensuring(
          Effect.flatMap(session.listen(events, acknowledged), (isOffered) => {
            if (isOffered) return Effect.void
            // A server that tells nothing is not asked again and again.
            events.acknowledged(nothing)
            return Effect.never
          }),
          Effect.sync(() => this.unwatch(slot, interest.updates)),
        )
      }),
    )
  }

  /** Which of these resources the server will tell of. */
  private watch(slot: Slot, uris: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>, Broken> {
    if (uris.length === 0) return Effect.succeed([])
    return Effect.map(
      Effect.forEach(
        uris,
        (uri) => {
          const known = slot.watched.get(uri) ?? 0
          slot.watched.set(uri, known + 1)
          return known > 0
            ? Effect.succeed(uri)
            : Effect.map(this.tell(slot.session, "resources/subscribe", { uri: JSON.stringify(uri) }), ({ _tag }) =>
                _tag === "Result" ? uri : undefined,
              )
        },
        { concurrency: 4 },
      ),
      (found) => found.filter((uri) => uri !== undefined),
    )
  }

  private unwatch(slot: Slot, uris: ReadonlyArray<string>): void {
    for (const uri of uris) {
      const known = slot.watched.get(uri)
      if (known === undefined) continue
      if (known > 1) {
        slot.watched.set(uri, known - 1)
        continue
      }
      slot.watched.delete(uri)
      if (slot.isGone || isClosed(slot.session.wire)) continue
      this.settings.runtime.run(
        Effect.ignore(this.tell(slot.session, "resources/unsubscribe", { uri: JSON.stringify(uri) })),
      )
    }
  }

  readonly held = (session: string): Json | undefined => {
    const slot = this.pools.get(`session ${session}`)?.[0]
    return slot?.session.wire?.held()
  }

  readonly restore = (caller: Caller, held: Json): void => {
    const key = this.keyOf(caller)
    if (this.pools.has(key)) return
    this.make(key, caller, this.told(caller), Fields.parse(held))
  }

  readonly release = (caller: Caller): Effect.Effect<void> =>
    Effect.suspend(() => {
      const slot = this.pools.get(this.keyOf(caller))?.[0]
      if (slot === undefined) return Effect.void
      this.forget(slot)
      return this.end(slot)
    })

  /** Waits for a beginning that is under way, because only then there is something to end. */
  private end(slot: Slot): Effect.Effect<void> {
    return Effect.ignore(
      Effect.andThen(
        Effect.exit(Deferred.await(slot.started)),
        Effect.suspend(() => (slot.session.wire === undefined ? Effect.void : slot.session.close())),
      ),
    )
  }

  private sweepSoon(): void {
    if (this.sweeping !== undefined) return
    const { poolIdleMillis, runtime } = this.settings
    this.sweeping = runtime.clock.after(Math.max(1_000, poolIdleMillis / 4), () => {
      this.sweeping = undefined
      const now = runtime.clock.nowMillis()
      for (const pool of this.pools.values()) {
        for (const slot of pool) {
          // The client's own session ends when the client's does.
          if (slot.uses > 0 || (slot.key.startsWith("session ") && !slot.key.startsWith("session watch "))) continue
          if (now - slot.usedMillis < poolIdleMillis) continue
          this.forget(slot)
          runtime.run(this.end(slot))
        }
      }
      if (this.pools.size > 0) this.sweepSoon()
    })
  }

  readonly close = (): void => {
    this.sweeping?.()
    for (const pool of this.pools.values()) {
      for (const slot of pool) {
        slot.isGone = true
        this.settings.runtime.run(this.end(slot))
      }
    }
    this.pools.clear()
  }
}

const isClosed = (wire: Wire | undefined): boolean =>
  wire !== undefined && (wire as Wire & { readonly isClosed?: boolean }).isClosed === true

const isMoreVerbose = (level: LogLevel, than: string | undefined): boolean =>
  !isLogLevel(than) || logLevels.indexOf(level) < logLevels.indexOf(than)

const filter =
  (from: LogLevel | undefined, log: (params: Fields) => void) =>
  (params: Fields): void => {
    const level = params.string("level")
    if (from !== undefined && (!isLogLevel(level) || isWanted(level, from))) log(params)
  }

const honouredBy = (capabilities: Fields, interest: Interest, updates: ReadonlyArray<string>): Interest => {
  const changes = (what: string): boolean => capabilities.object(what)?.get("listChanged") === "true"
  return {
    tools: interest.tools && changes("tools"),
    prompts: interest.prompts && changes("prompts"),
    resources: interest.resources && changes("resources"),
    updates,
    tasks: [],
  }
}
