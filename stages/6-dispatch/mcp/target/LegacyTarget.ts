/** A server with a handshake: its sessions, and what its clients and the gateway want of them. */
import * as Effect from "effect/Effect"
import type { Fields, Json } from "../../../../protocols/mcp/json.ts"
import { codes, errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { isLogLevel, type LogLevel, logLevels, methods } from "../../../../protocols/mcp/methods.ts"
import { capabilitiesOf } from "../capabilities.ts"
import type { Broken } from "./Channel.ts"
import { failureOf } from "./failure.ts"
import type { LegacySession } from "./LegacySession.ts"
import type { Call, Caller, Discovery, Interest, ListenEvents, McpTarget, Outcome, TargetFailure } from "./McpTarget.ts"
import { type PoolSettings, SessionPool, type Slot } from "./SessionPool.ts"

const unknownState: Outcome = {
  _tag: "Error",
  error: errorOf(codes.invalidParams, "this request state is not known here"),
  era: "modern",
}

/** What a session is asked for once and does from then on. */
const lastingly: ReadonlySet<string> = new Set(["logging/setLevel", "resources/subscribe", "resources/unsubscribe"])

const nothing: Interest = { tools: false, prompts: false, resources: false, updates: [], tasks: [] }

export class LegacyTarget implements McpTarget {
  readonly name: string
  private readonly settings: PoolSettings
  private readonly pool: SessionPool

  constructor(settings: PoolSettings) {
    this.name = settings.name
    this.settings = settings
    this.pool = new SessionPool(settings)
  }

  private named<A>(effect: Effect.Effect<A, Broken>): Effect.Effect<A, TargetFailure> {
    return Effect.mapError(effect, (failure) => failureOf(this.name, failure))
  }

  readonly discover = (caller: Caller): Effect.Effect<Discovery, TargetFailure> =>
    this.named(
      this.pool.use(caller, false, ({ session }) =>
        session.isIntroduced
          ? Effect.succeed(discoveryOf(session))
          : this.pool.use({ ...caller, session: undefined }, false, (other) =>
              Effect.succeed(discoveryOf(other.session)),
            ),
      ),
    )

  readonly call = (call: Call): Effect.Effect<Outcome, TargetFailure> => {
    const { caller, method, params } = call
    // Such a server has no states: it would begin anew what the client means to go on with.
    if (params?.has("requestState") === true) return Effect.succeed(unknownState)
    const asks = methods.get(method)?.asks === true
    const exclusive = asks && caller.session === undefined && capabilitiesOf(caller.capabilities).fingerprint !== ""
    return this.named(
      this.pool.use(caller, exclusive, ({ session }) => {
        if (caller.session !== undefined) {
          const { level: chosen } = caller
          // It may have been chosen before there was this session.
          return chosen === undefined ||
            method === "logging/setLevel" ||
            session.level === chosen ||
            !session.capabilities.has("logging")
            ? this.remembering(session, call)
            : Effect.andThen(this.setLevel(session, chosen), this.remembering(session, call))
        }
        const level = call.logLevel
        return level === undefined || !session.capabilities.has("logging") || !isMoreVerbose(level, session.level)
          ? session.call(call)
          : Effect.andThen(this.setLevel(session, level), session.call(call))
      }),
    )
  }

  private setLevel(session: LegacySession, level: LogLevel): Effect.Effect<void, Broken> {
    session.level = level
    return Effect.asVoid(this.pool.tell(session, "logging/setLevel", { level: JSON.stringify(level) }))
  }

  /** What a session that takes its place would have to be told again. */
  private remembering(session: LegacySession, call: Call): Effect.Effect<Outcome, Broken> {
    const { method, params } = call
    const uri = params?.string("uri")
    if (!lastingly.has(method)) return session.call(call)
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
    return this.named(this.pool.use(caller, false, ({ session }) => session.notify(method, params, caller.exchange)))
  }

  readonly listen = (caller: Caller, interest: Interest, events: ListenEvents): Effect.Effect<void, TargetFailure> => {
    const watcher: Caller =
      caller.session === undefined ? { ...caller, capabilities: "{}", session: `watch ${caller.principal}` } : caller
    return this.named(
      this.pool.use(watcher, false, (slot) => {
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
            : Effect.map(
                this.pool.tell(slot.session, "resources/subscribe", { uri: JSON.stringify(uri) }),
                ({ _tag }) => (_tag === "Result" ? uri : undefined),
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
      if (slot.isGone || slot.session.wire?.isClosed === true) continue
      this.settings.runtime.run(
        Effect.ignore(this.pool.tell(slot.session, "resources/unsubscribe", { uri: JSON.stringify(uri) })),
      )
    }
  }

  readonly held = (session: string): Json | undefined => this.pool.held(session)
  readonly restore = (caller: Caller, held: Json): void => this.pool.restore(caller, held)
  readonly release = (caller: Caller): Effect.Effect<void> => this.pool.release(caller)
  readonly close = (): void => this.pool.close()
}

const isMoreVerbose = (level: LogLevel, than: string | undefined): boolean =>
  !isLogLevel(than) || logLevels.indexOf(level) < logLevels.indexOf(than)

const discoveryOf = ({ introduction }: LegacySession): Discovery => ({
  era: "legacy",
  capabilities: introduction.get("capabilities") ?? "{}",
  serverInfo: introduction.get("serverInfo"),
  instructions: introduction.string("instructions"),
  rest: introduction.without("protocolVersion", "capabilities", "serverInfo", "instructions"),
  ttlMillis: 0,
  isPublic: false,
})

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
