/**
 * Simulated worlds for tests of your own configuration: the gateway is the real one, the network, the servers, the clock
 * and the scheduler are not, and one seed decides everything that is left to chance. docs/simulation.md shows how.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type { Snapshot } from "../ir/Snapshot.ts"
import { format } from "./config/ConfigIssue.ts"
import { load } from "./config/local/load.ts"
import { nodeIo } from "./config/local/nodeIo.ts"
import { gatewayOptions } from "./gatewayOptions.ts"
import { type Checker, all } from "./sim/check.ts"
import * as Explore from "./sim/explore.ts"
import { type GenerateOptions, worlds } from "./sim/generate.ts"
import type { Marks } from "./sim/marks.ts"
import { type Scenario, Unusable } from "./sim/run.ts"
import { terrainOf } from "./sim/Terrain.ts"
import type { World } from "./sim/World.ts"

export { World, Client, Server, Answer, Request, Fault } from "./sim/World.ts"
export * from "./sim/faults.ts"
export * as laws from "./sim/check.ts"
export { Marks } from "./sim/marks.ts"
export { type Report, SimulationFailed } from "./sim/explore.ts"
export { Unusable } from "./sim/run.ts"
export type { CallRecord, RequestRecord, Trace } from "./sim/Trace.ts"

/** The text of a configuration file, or what such a text stands for. */
export type Config = string | Snapshot

/** What is simulated. */
export interface Options {
  /** Several: the first serves from the beginning, and the world says when the others arrive. */
  readonly config: Config | readonly [Config, ...ReadonlyArray<Config>]
  /** For `$NAME` in the text of a configuration. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly gateway?: Scenario["gateway"]
  /** Laws that are looked at; all of them, unless told otherwise. */
  readonly laws?: ReadonlyArray<Checker>
}

interface Read {
  readonly snapshot: Snapshot
  /** What the text says about the process. */
  readonly gateway: Scenario["gateway"]
}

const read = (config: Config, env: Options["env"] = {}): Effect.Effect<Read, Unusable> =>
  typeof config !== "string"
    ? Effect.succeed({ snapshot: config, gateway: undefined })
    : Effect.matchEffect(load(config, { file: "configuration", env, io: nodeIo, cpus: 1 }), {
        onFailure: (issues) => Effect.fail(new Unusable(issues.map((issue) => format(issue, "configuration")))),
        onSuccess: ({ snapshot, static: settings }) => Effect.succeed({ snapshot, gateway: gatewayOptions(settings) }),
      })

const isSeveral = (config: Options["config"]): config is readonly [Config, ...ReadonlyArray<Config>] =>
  Array.isArray(config)

const prepare = async ({ config, env, gateway }: Options): Promise<Omit<Scenario, "world">> => {
  const [first, ...rest] = isSeveral(config) ? config : [config]
  const load = (one: Config) => Effect.runPromise(read(one, env))
  const serving = await load(first)
  const others = await Promise.all(rest.map(load))
  return {
    configs: [serving.snapshot, ...others.map(({ snapshot }) => snapshot)],
    gateway: { ...serving.gateway, ...gateway },
  }
}

/** One world, written by hand, under one seed. Which laws were broken, if any, is in the report. */
export const simulate = async (options: Options & { readonly world: World }, seed = 1): Promise<Explore.Report> => {
  const { laws = all, world } = options
  return Explore.simulate({ ...(await prepare(options)), world }, seed, laws)
}

export interface ExploreOptions extends Options, GenerateOptions {
  /** Absent: worlds are made up for the configuration, another one for each seed. */
  readonly world?: World
  /** How many seeds; the environment overrules it with SIM_RUNS, or names a single one with SIM_SEED. */
  readonly runs?: number
  /** What else must hold in every world; throws if it does not. */
  readonly expect?: (report: Explore.Report) => void
  readonly marks?: Marks
}

const runsByDefault = 100

/** Many worlds. Throws `SimulationFailed` at the first seed that breaks a law, with the smallest world that does. */
export const explore = async (options: ExploreOptions): Promise<void> => {
  const { expect, laws = all, marks, runs = runsByDefault, world } = options
  const prepared = await prepare(options)
  const made = world === undefined ? worlds(terrainOf(prepared.configs), options) : Arbitrary.Constant(world)
  await Explore.explore({
    scenarios: Arbitrary.map(made, (world) => ({ ...prepared, world })),
    seeds: Explore.seeds(process.env, runs),
    checkers: laws,
    ...(marks === undefined ? {} : { marks }),
    ...(expect === undefined ? {} : { expect }),
  })
}
