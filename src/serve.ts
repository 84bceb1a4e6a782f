/** The standalone gateway: configuration in, one process that uses every core, until it is told to stop. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { randomBytes } from "node:crypto"
import { isatty } from "node:tty"
import { memory } from "../stages/5-policy/Buckets.ts"
import * as Occupancy from "../stages/5-policy/Occupancy.ts"
import { memory as endedMemory } from "../stages/5-policy/oidc/Ended.ts"
import * as Admin from "./admin/Admin.ts"
import { seal } from "../ir/transfer.ts"
import type { Begun } from "./cli/begin.ts"
import type { Input } from "./cli/input.ts"
import { keyDesk } from "./admin/keys.ts"
import { version } from "./cli/version.ts"
import { welcome } from "./cli/welcome.ts"
import { format, formatAll } from "./config/ConfigIssue.ts"
import { format as formatDuration } from "./config/duration.ts"
import * as File from "./config/file.ts"
import type { Job } from "./config/loading.ts"
import type { Loaded } from "./config/local/load.ts"
import { Gateway, layer as gatewayLayer } from "./Gateway.ts"
import { gatewayOptions } from "./gatewayOptions.ts"
import { collectAfterStart } from "./node/garbage.ts"
import { freshKey } from "./node/sealer.ts"
import { fromStorage as agentsFromStorage } from "./a2a/fromStorage.ts"
import { fromStorage } from "./llm/fromStorage.ts"
import * as Keys from "./llm/keys.ts"
import { locksFromStorage } from "./lock/locks.ts"
import { fromStorage as mcpFromStorage } from "./mcp/fromStorage.ts"
import * as World from "./node/world.ts"
import { describe as describeStorage } from "./store/Location.ts"
import * as Storage from "./store/Storage.ts"
import * as Telemetry from "./telemetry/Telemetry.ts"
import * as MetricsExport from "./telemetry/otlp/MetricsExport.ts"
import * as Pool from "./workers/Pool.ts"

/** The first configuration cannot be used, so there is nothing to serve. */
export interface Unservable {
  readonly _tag: "Unservable"
  readonly text: string
}

const unservable = (text: string): Unservable => ({ _tag: "Unservable", text })

export const serve = Effect.fnUntraced(function* ({ closeSample, input, job, outcome }: Begun) {
  yield* Effect.addFinalizer(() => Effect.sync(closeSample))
  const first = yield* Effect.mapError(File.finish(outcome), (issues) => unservable(formatAll(issues, input.path)))
  yield* run(input, job, first)
}, Effect.scoped)

const run = (input: Input, job: Job, first: File.Read): Effect.Effect<void, Unservable> => {
  const settings = first.loaded.static
  const others = settings.workerThreads - 1
  const ticketSecret = randomBytes(32)
  const world = World.layer({
    dns: settings.dns.lookupFamily,
    ipv6: settings.enableIpv6,
    network: others > 0 ? { reusePort: true, claim: true, ticketSecret } : { reusePort: false },
  })
  const telemetry = Telemetry.layer({ version, ...Telemetry.telemetryOptions(settings) })
  const storage = Storage.layer(settings.database.location)
  return Effect.scoped(
    Effect.provide(
      withWorkers(input, job, first, others, ticketSecret),
      Layer.provideMerge(Layer.provideMerge(telemetry, storage), world),
    ),
  )
}

/** A database that was named but cannot be used is said at once, not when it is first needed. Traffic does not wait for it. */
const checkStorage = Effect.fnUntraced(function* ({ database }: File.Read["loaded"]["static"]) {
  if (!database.isNamed) return
  const { check } = yield* Storage.Storage
  yield* Effect.catch(check, ({ message }) =>
    Effect.logError(`The database cannot be used: ${message}`, { database: describeStorage(database.location) }),
  )
})

/** A terminal that is closed ends what runs in it. Elsewhere the signal says to read everything again. */
const hangUps = Effect.gen(function* () {
  const isInTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor))
  let readAgain = (): void => {}
  const onHangUp = (): void => {
    if (isInTerminal) process.kill(process.pid, "SIGTERM")
    else readAgain()
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("SIGHUP", onHangUp)),
    () => Effect.sync(() => process.off("SIGHUP", onHangUp)),
  )
  return (again: () => void): void => {
    readAgain = again
  }
})

const withWorkers = Effect.fnUntraced(function* (
  input: Input,
  job: Job,
  first: File.Read,
  others: number,
  ticketSecret: Uint8Array,
) {
  const settings = first.loaded.static
  const telemetry = yield* Telemetry.Telemetry
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const warn = (message: string): void => void runFork(Effect.logWarning(message))
  const warnOf = ({ warnings }: Loaded): void => {
    for (const warning of warnings) warn(format(warning, input.path))
  }
  warnOf(first.loaded)
  yield* Effect.forkScoped(checkStorage(settings))

  const counters = memory()
  const threads = others + 1
  const occupied = { memory: Occupancy.memory(threads), threads }
  const endedSessions = endedMemory()
  const processName = randomBytes(12).toString("base64url")
  const sealingKey = gatewayOptions(settings).sealingKey ?? freshKey()
  const pool =
    others === 0
      ? undefined
      : yield* Pool.make({
          count: others,
          start: { static: settings, ticketSecret, counters, occupied, endedSessions, processName, sealingKey },
          drainMillis: settings.connectionMinTerminationDeadlineMillis + settings.connectionTerminationDeadlineMillis,
          onLines: (text) => telemetry.sink.write(text),
          onProblem: warn,
        })

  const readsAgain = yield* hangUps
  const source = File.source(
    {
      ...job,
      onFollowed: readsAgain,
      onLoaded: (again) => {
        warnOf(again)
        if (JSON.stringify(seal(again.static)) !== JSON.stringify(seal(settings))) {
          warn("the `config` section changed: it takes effect after a restart")
        }
      },
    },
    first,
  )
  let isServing = false
  let tellMetrics: Effect.Effect<void> = Effect.void
  const gateway = gatewayLayer({
    ...gatewayOptions(settings),
    ...(yield* fromStorage),
    ...(yield* mcpFromStorage(settings)),
    ...(yield* agentsFromStorage(settings)),
    ...(yield* locksFromStorage),
    config: source,
    counters,
    occupied: { ...occupied, thread: 0 },
    endedSessions,
    processName,
    sealingKey,
    beforeClose: Effect.asVoid(
      Effect.all([telemetry.flush, Effect.suspend(() => tellMetrics)], { concurrency: "unbounded" }),
    ),
    onConfig: (result) => {
      if ("version" in result) {
        if (result.version > 1) runFork(Effect.logInfo("configuration reloaded"))
        isServing = true
      } else if (isServing) runFork(Effect.logError(`Failed to reload config: ${result.problems.join("; ")}`))
    },
    onDrain: () => {
      if (isServing)
        runFork(Effect.logInfo("draining", { deadline: formatDuration(settings.connectionTerminationDeadlineMillis) }))
      pool?.drain()
    },
    ...(pool === undefined ? {} : { peers: { prepare: pool.prepare } }),
  })
  const storage = yield* Storage.Storage
  const admin = Admin.layer({
    settings,
    version,
    pool,
    job,
    keys: keyDesk(storage.of(Keys.component)),
    storage: storage.of,
  })

  const started = Effect.gen(function* () {
    const serving = yield* Gateway
    telemetry.watch(serving)
    yield* Effect.mapError(serving.ready, ({ problems }) =>
      unservable(
        [...problems, ...(input.isEmbedded ? ["SLUICE_PORT sets the port of the embedded example."] : [])].join("\n"),
      ),
    )
    const admin = yield* Admin.Admin
    const { metricsExport } = settings
    if (metricsExport !== undefined) {
      tellMetrics = yield* MetricsExport.run({
        settings: metricsExport,
        version,
        resource: telemetry.resource,
        collect: admin.collect,
        onFailed: (why) => warn(`The metrics were not taken, and are told again: ${why}`),
      })
    }
    telemetry.sink.write(
      welcome({
        input,
        format: settings.logging.format,
        own: admin,
        addresses: serving.addresses(),
        binds: serving.live.current.binds,
        workers: others + 1,
      }),
    )
    yield* Effect.forkScoped(
      Effect.delay(
        // A gateway that has work by then collects as it goes.
        Effect.sync(() => serving.open().exchanges === 0 && collectAfterStart()),
        1_000,
      ),
    )
    yield* admin.stopAsked
  })
  yield* started.pipe(
    Effect.provide(Layer.provideMerge(admin, gateway)),
    Effect.mapError((failure) => (failure._tag === "Unservable" ? failure : unservable(failure.message))),
  )
})
