/**
 * Sessions at one server with a handshake. A client with a session of its own has one here too; everybody else shares a
 * pool, apart by who they are and by what their client can do, so that no server asks what nobody can answer.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Fields, type Json } from "../../../../protocols/mcp/json.ts"
import * as JsonRpc from "../../../../protocols/mcp/jsonrpc.ts"
import { latestLegacy } from "../../../../protocols/mcp/revision.ts"
import type { Exchange } from "../../../Exchange.ts"
import { capabilitiesOf } from "../capabilities.ts"
import { lasting } from "../lasting.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { type Broken, broken } from "./Channel.ts"
import { LegacySession } from "./LegacySession.ts"
import type { Caller, Outcome } from "./McpTarget.ts"
import { silent } from "./silent.ts"
import type { Wire } from "./Wire.ts"

export type OpenWire = (
  exchange: Exchange,
  unrelated: (message: JsonRpc.RpcMessage) => void,
  held: Fields | undefined,
) => Effect.Effect<Wire, Broken>

export interface PoolSettings {
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
  /** Whether clients with a session are introduced in the revision they speak themselves. */
  readonly passVersion?: boolean | undefined
  /** Told that something it listed has changed. */
  readonly changed: (what: "tools" | "prompts" | "resources") => void
}

export class Slot {
  readonly key: string
  readonly session: LegacySession
  readonly started: Deferred.Deferred<void, Broken>
  uses = 0
  isExclusive = false
  isGone = false
  /** It has begun, so that nobody has to wait for `started`. */
  isReady = false
  usedMillis = 0
  /** How many listeners want to know of each resource. */
  readonly watched = new Map<string, number>()

  constructor(key: string, session: LegacySession) {
    this.key = key
    this.session = session
    this.started = Deferred.makeUnsafe()
  }
}

/** What a server can do, as far as it matters in a session that was begun elsewhere, by its letters. */
const abilities = { t: "tools", p: "prompts", r: "resources" } as const

const briefly = (capabilities: Fields): string =>
  Object.entries(abilities)
    .filter(([, name]) => capabilities.object(name)?.get("listChanged") === "true")
    .map(([letter]) => letter)
    .join("") + (capabilities.has("logging") ? "l" : "")

const recalled = (letters: string): Fields =>
  Fields.of({
    ...Object.fromEntries(
      Object.entries(abilities).flatMap(([letter, name]) =>
        letters.includes(letter) ? [[name, '{"listChanged":true}']] : [],
      ),
    ),
    ...(letters.includes("l") ? { logging: "{}" } : {}),
  })

const gatewayInfo = (version: string): Json => JSON.stringify({ name: "sluice", version })

/** Those are not ours to promise: nobody behind us could keep them. */
const unrelayed = ["tasks"]

/** Sessions that the gateway has for itself are named so, and end when nobody needs them. */
const ours = ["session watch ", "session tasks "]
const isOurs = (key: string): boolean => ours.some((one) => key.startsWith(one))

/** A session with tasks is left to its server: it is named in the names of its tasks, and taken up again by those. */
const isLeft = ({ key, session }: Slot): boolean =>
  key.startsWith("session tasks ") && session.wire?.held() !== undefined

export class SessionPool {
  private readonly settings: PoolSettings
  private readonly pools = new Map<string, Array<Slot>>()
  private readonly waiting = new Map<string, Array<() => void>>()
  private sweeping: (() => void) | undefined = undefined
  private introduction: { readonly text: Json; readonly fields: Fields | undefined } = { text: "", fields: undefined }

  constructor(settings: PoolSettings) {
    this.settings = settings
  }

  /** A server says the same of itself to nearly everyone, so its sessions share what was read of it. */
  private readonly introduced = (text: Json | undefined): Fields | undefined => {
    if (text === undefined) return undefined
    if (text !== this.introduction.text) this.introduction = { text, fields: Fields.parse(text) }
    return this.introduction.fields
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
          isPaired,
          clientInfo: (isPaired ? caller.clientInfo : undefined) ?? gatewayInfo(runtime.version),
          revision: this.settings.passVersion === true && isPaired ? caller.revision : latestLegacy,
          idleMillis,
          introduced: this.introduced,
          noticed: this.noticed,
        },
        caller.exchange,
      ),
    )
    slot.usedMillis = runtime.clock.nowMillis()
    const pool = this.pools.get(key)
    if (pool === undefined) this.pools.set(key, [slot])
    else pool.push(slot)
    runtime.run(
      Effect.onExit(this.start(slot, held, before), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) this.forget(slot)
          else slot.isReady = true
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
      session.takeUp(revision, recalled(held?.string("can") ?? ""))
      return Effect.tap(opened, () => Effect.sync(() => session.hearSoon()))
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
  tell(session: LegacySession, method: string, params: Readonly<Record<string, Json>>): Effect.Effect<Outcome, Broken> {
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

  private readonly noticed = (method: string): void => {
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
    slot.session.exchange = caller.lasting ?? lasting(caller.exchange)
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
    const { wire } = slot.session
    if (!isInterrupted || !wasExclusive || wire?.attributes !== false) return done()
    // What the server still says about the call that was given up must not be taken for the next one's.
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
  use<A>(
    caller: Caller,
    exclusive: boolean,
    run: (slot: Slot) => Effect.Effect<A, Broken>,
    heals = 0,
  ): Effect.Effect<A, Broken> {
    return Effect.suspend(() => {
      const slot = this.claim(caller, exclusive)
      if (slot === undefined) {
        return Effect.andThen(this.freed(this.keyOf(caller)), this.use(caller, exclusive, run, heals))
      }
      return Effect.catch(
        Effect.onExit(
          slot.isReady
            ? run(slot)
            : Effect.andThen(
                Deferred.await(slot.started),
                Effect.suspend(() => run(slot)),
              ),
          (exit) => Effect.sync(() => this.giveBack(slot, Exit.isFailure(exit) && Exit.hasInterrupts(exit))),
        ),
        (failure) => {
          const isForgotten = failure.status === 404 && !failure.sent
          if (isForgotten || slot.session.wire?.isClosed === true) this.replace(slot, caller)
          return heals < limits.healsMax && (isForgotten || (slot.session.wire?.isClosed === true && !failure.sent))
            ? this.use(caller, exclusive, run, heals + 1)
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

  /** What a client's session has here, in a form in which it can be taken up elsewhere. */
  held(session: string): Json | undefined {
    const found = this.of(session)
    const held = found?.wire?.held()
    if (found === undefined || held === undefined) return undefined
    return (Fields.parse(held) ?? Fields.empty).with("can", JSON.stringify(briefly(found.capabilities))).toJson()
  }

  /** The session that a client's session has here, if it has one. */
  of(session: string): LegacySession | undefined {
    return this.pools.get(`session ${session}`)?.[0]?.session
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
        Effect.suspend(() => {
          if (slot.session.wire === undefined) return Effect.void
          return isLeft(slot) ? Effect.sync(() => slot.session.leave()) : slot.session.close()
        }),
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
          if (slot.uses > 0 || (slot.key.startsWith("session ") && !isOurs(slot.key))) continue
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
