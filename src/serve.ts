/** The standalone gateway: configuration in, one process that uses every core, until it is told to stop. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { randomBytes } from "node:crypto"
import * as Admin from "./admin/Admin.ts"
import type { Input } from "./cli/input.ts"
import { version } from "./cli/version.ts"
import { welcome } from "./cli/welcome.ts"
import { type ConfigIssue, format, formatAll } from "./config/ConfigIssue.ts"
import * as File from "./config/file.ts"
import type { Loaded } from "./config/local/load.ts"
import { sample } from "./embedded/sample.ts"
import { Gateway, layer as gatewayLayer } from "./Gateway.ts"
import { gatewayOptions } from "./gatewayOptions.ts"
import * as World from "./node/world.ts"
import * as Telemetry from "./telemetry/Telemetry.ts"
import * as Pool from "./workers/Pool.ts"

/** The first configuration cannot be used, so there is nothing to serve. */
export interface Unservable {
  readonly _tag: "Unservable"
  readonly text: string
}

const unservable = (text: string): Unservable => ({ _tag: "Unservable", text })

const refused = (path: string) => (issues: ReadonlyArray<ConfigIssue>) => unservable(formatAll(issues, path))

export const serve = Effect.fnUntraced(function* (input: Input, environment: NodeJS.ProcessEnv) {
  const env = input.isEmbedded
    ? {
        ...environment,
        SLUICE_SAMPLE_PORT: String(yield* Effect.mapError(sample, (error) => unservable(error.message))),
      }
    : environment
  const options: File.FileOptions = {
    path: input.path,
    env,
    ...(input.text === undefined ? {} : { text: input.text }),
  }
  const loaded = yield* Effect.mapError(File.read(options), refused(input.path))
  yield* run(input, options, loaded)
}, Effect.scoped)

const run = (input: Input, options: File.FileOptions, loaded: Loaded): Effect.Effect<void, Unservable> => {
  const settings = loaded.static
  const others = settings.workerThreads - 1
  const ticketSecret = randomBytes(32)
  const world = World.layer({
    dns: settings.dns.lookupFamily,
    ipv6: settings.enableIpv6,
    network: { reusePort: others > 0, ...(others > 0 ? { ticketSecret } : {}) },
  })
  const telemetry = Telemetry.layer({ version, logging: settings.logging, metricsRemove: settings.metricsRemove })
  return Effect.scoped(
    Effect.provide(withWorkers(input, options, loaded, others, ticketSecret), Layer.provideMerge(telemetry, world)),
  )
}

const withWorkers = Effect.fnUntraced(function* (
  input: Input,
  options: File.FileOptions,
  loaded: Loaded,
  others: number,
  ticketSecret: Uint8Array,
) {
  const settings = loaded.static
  const telemetry = yield* Telemetry.Telemetry
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const warn = (message: string): void => void runFork(Effect.logWarning(message))
  for (const warning of loaded.warnings) warn(format(warning, input.path))

  const pool =
    others === 0
      ? undefined
      : yield* Pool.make({
          count: others,
          start: { static: settings, ticketSecret },
          drainMillis: settings.connectionMinTerminationDeadlineMillis + settings.connectionTerminationDeadlineMillis,
          onLines: (text) => telemetry.sink.write(text),
          onProblem: warn,
        })

  const source = File.source(
    {
      ...options,
      onLoaded: (again) => {
        for (const warning of again.warnings) warn(format(warning, input.path))
        if (JSON.stringify(again.static) !== JSON.stringify(settings)) {
          warn("the `config` section changed: it takes effect after a restart")
        }
      },
    },
    loaded,
  )
  const gateway = gatewayLayer({
    ...gatewayOptions(settings),
    config: source,
    onConfig: (result) => {
      if ("problems" in result) {
        runFork(Effect.logError(`Failed to reload config: ${result.problems.join("; ")}`))
      } else if (result.version > 1) runFork(Effect.logInfo("configuration reloaded"))
    },
    ...(pool === undefined ? {} : { peers: { prepare: pool.prepare }, onDrain: pool.drain }),
  })
  const admin = Admin.layer({ settings, version, pool })

  const started = Effect.gen(function* () {
    const serving = yield* Gateway
    telemetry.watch(serving)
    yield* Effect.mapError(serving.ready, ({ problems }) => unservable(problems.join("\n")))
    const admin = yield* Admin.Admin
    telemetry.sink.write(
      welcome({
        input,
        settings,
        addresses: serving.addresses(),
        binds: serving.live.current.binds,
        workers: others + 1,
      }),
    )
    yield* admin.stopAsked
  })
  yield* started.pipe(
    Effect.provide(Layer.provideMerge(admin, gateway)),
    Effect.mapError((failure) => (failure._tag === "Unservable" ? failure : unservable(failure.message))),
  )
})
