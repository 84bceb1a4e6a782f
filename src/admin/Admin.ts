/**
 * The gateway's own three interfaces: readiness, metrics, admin. They open after the gateway and stay until it has taken
 * leave of its clients, so that whoever asks during a drain is told of it.
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { parseFunctions } from "../../ir/cel/customFunctions.ts"
import { Timer } from "../../stages/ports/Timer.ts"
import type { Job } from "../config/loading.ts"
import type { Static } from "../config/Static.ts"
import { Gateway } from "../Gateway.ts"
import { make as redisConnection } from "../node/redisConnection.ts"
import type { Exported } from "../telemetry/Registry.ts"
import type { Setting } from "../telemetry/Levels.ts"
import { Telemetry } from "../telemetry/Telemetry.ts"
import { answer as answerOwn, type Asking } from "../workers/questions.ts"
import { api } from "./api.ts"
import { dump } from "./dump.ts"
import * as Guard from "./guard.ts"
import type { KeyDesk } from "./keys.ts"
import { ready } from "./ready.ts"
import type { Opening } from "./v1/models.ts"
import { type AdminUnavailable, type Answering, serve, type Served } from "./serve.ts"
import { stats } from "./stats.ts"

export interface AdminOptions {
  /** Addresses, sensitive header names, and what the dump shows of the process. */
  readonly settings: Static
  readonly version: string
  /** The other threads of the process. */
  readonly pool?: Others | undefined
  /** What changes need to show; from the environment unless given. */
  readonly token?: Redacted.Redacted
  /** What else must be there before traffic is welcome. */
  readonly pending?: () => ReadonlyArray<string>
  /** Where keys are given out; absent where none are kept. */
  readonly keys?: KeyDesk
  /** The upstream endpoints and how they are, for the dump; the gateway's own unless given. */
  readonly endpoints?: () => Iterable<unknown>
  /** Where keys and budgets are kept. */
  readonly storage?: Opening | undefined
  /** How the configuration is read, where it may be looked at and changed. */
  readonly job?: Job | undefined
}

/** Threads that count for themselves and follow the levels of the main thread. */
export interface Others {
  readonly ask: (what: "metrics") => Promise<ReadonlyArray<unknown>>
  readonly put?: (asking: Asking, millis?: number) => Promise<ReadonlyArray<unknown>>
  readonly tellLevels: (setting: Setting) => void
}

export class Admin extends Context.Service<
  Admin,
  {
    /** Where each interface can be found; empty where it is off. */
    readonly admin: ReadonlyArray<Served>
    readonly stats: ReadonlyArray<Served>
    readonly readiness: ReadonlyArray<Served>
    /** What each thread has counted. */
    readonly collect: () => Promise<ReadonlyArray<Exported>>
    /** Completes when somebody has asked for the end. */
    readonly stopAsked: Effect.Effect<void>
  }
>()("sluice/src/admin/Admin") {}

/** How often readiness is refused in a row before it is worth a word, and before it is worth a warning. */
const quietRefusals = 5
const mildRefusals = 30

/** Whoever asks what was spent waits for a Redis this long. */
const LISTING_MILLIS_MAX = 5_000

const tokenOf = (environment: Readonly<Record<string, string | undefined>>): Redacted.Redacted | undefined => {
  const token = environment[Guard.tokenVariable]?.trim()
  return token === undefined || token === "" ? undefined : Redacted.make(token)
}

const isExported = (answer: unknown): answer is Exported => Array.isArray(answer)

const make = Effect.fnUntraced(function* (options: AdminOptions) {
  const { settings } = options
  const gateway = yield* Gateway
  const telemetry = yield* Telemetry
  const clock = yield* Timer
  const { levels, metrics, watch } = telemetry
  const runFork = Effect.runForkWith(yield* Effect.context())
  const log = (effect: Effect.Effect<void>): void => void runFork(Effect.annotateLogs(effect, "target", "admin"))
  const stop = yield* Deferred.make<void>()
  watch(gateway)

  const pending = (): ReadonlyArray<string> => [
    ...(gateway.config().version > 0 ? [] : ["configuration"]),
    ...(options.pending?.() ?? []),
    ...(gateway.draining() ? ["drain"] : []),
  ]

  const readiness = yield* serve({
    setting: "readinessAddr",
    variable: "READINESS_ADDR",
    address: settings.readinessAddress,
    answer: ready({
      pending,
      onRefused: (count, missing) => {
        const say =
          count <= quietRefusals ? Effect.logDebug : count <= mildRefusals ? Effect.logInfo : Effect.logWarning
        log(say("Not ready", { pending: missing, count }))
      },
    }),
  })

  const collect = async (): Promise<ReadonlyArray<Exported>> => {
    const others = (await options.pool?.ask("metrics")) ?? []
    return [metrics.registry.export(), ...others.filter(isExported)]
  }
  const statsServed = yield* serve({
    setting: "statsAddr",
    variable: "STATS_ADDR",
    address: settings.statsAddress,
    answer: stats(collect, settings.histograms),
  })

  const guard = Guard.make(settings.adminAddress, options.token ?? tokenOf(process.env))
  const onLevels = (): void => {
    options.pool?.tellLevels(levels.setting)
    log(Effect.logInfo("The log level was changed", { level: levels.describe() }))
  }
  const quit = (): void => {
    log(Effect.logInfo("Asked to shut down"))
    Deferred.doneUnsafe(stop, Effect.void)
  }
  const ask = async (asking: Asking, millis?: number): Promise<ReadonlyArray<unknown>> => {
    const [own, others] = await Promise.all([
      answerOwn({ gateway, telemetry }, asking),
      options.pool?.put?.(asking, millis) ?? [],
    ])
    return own === undefined ? others : [own, ...others]
  }
  const { job } = options
  const redis =
    settings.redisUrl === undefined
      ? undefined
      : redisConnection(Redacted.value(settings.redisUrl), clock.nowMillis, LISTING_MILLIS_MAX)
  if (redis !== undefined) yield* Effect.addFinalizer(() => Effect.sync(redis.close))
  const startedMillis = clock.wallMillis()
  const v1 = async (): Promise<Answering> => {
    const [
      { make },
      { connectionEndpoints },
      { notificationEndpoints },
      { lockEndpoints },
      { locksOf },
      { component },
      { list },
    ] = await Promise.all([
      import("./v1/index.ts"),
      import("./v1/connections.ts"),
      import("./v1/notifications.ts"),
      import("./v1/locks.ts"),
      import("../lock/locks.ts"),
      import("../lock/storedLocks.ts"),
      import("../llm/redisSpending.ts"),
    ])
    const { storage } = options
    return make({
      guard,
      clock,
      version: options.version,
      storage: options.storage,
      shared: redis === undefined ? undefined : (max) => list(redis, max),
      sensitiveHeaders: settings.sensitiveHeaders,
      more: [
        ...connectionEndpoints(gateway.connected),
        ...notificationEndpoints(gateway.undelivered),
        ...(storage === undefined ? [] : lockEndpoints(locksOf({ store: storage(component), clock }), clock)),
      ],
      config:
        job === undefined
          ? undefined
          : {
              job,
              settings,
              snapshot: () => gateway.live.current.snapshot,
              state: () => gateway.config(),
            },
      runtime: {
        ask,
        levels,
        onLevels,
        quit,
        requestLog: telemetry.requestLog,
        state: () => ({
          version: options.version,
          node: process.version,
          startedAt: new Date(startedMillis).toISOString(),
          config: gateway.config(),
          pending: pending(),
          level: levels.describe(),
        }),
      },
    })
  }

  const admin = yield* serve({
    setting: "adminAddr",
    variable: "ADMIN_ADDR",
    address: settings.adminAddress,
    answer: api({
      guard,
      v1,
      levels,
      ...(options.keys === undefined ? {} : { keys: options.keys }),
      version: options.version,
      functions: Result.getOrUndefined(parseFunctions(settings.customFunctions ?? "")),
      dump: () =>
        dump({
          snapshot: gateway.live.current.snapshot,
          version: gateway.config().version,
          problems: gateway.config().problems,
          config: settings,
          sensitiveHeaders: settings.sensitiveHeaders,
          endpoints: options.endpoints?.() ?? gateway.desk.targets(),
        }),
      onLevels,
      quit,
    }),
  })

  // Runs before the servers close: what was opened last is let go first.
  yield* Effect.addFinalizer(() => gateway.drain)

  return Admin.of({ admin, stats: statsServed, readiness, collect, stopAsked: Deferred.await(stop) })
})

export const layer = (options: AdminOptions): Layer.Layer<Admin, AdminUnavailable, Gateway | Telemetry | Timer> =>
  Layer.effect(Admin, make(options))
