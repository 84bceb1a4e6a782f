/** Runs many scenarios, one for each seed, and shrinks the first that breaks a law to the smallest that still does. */
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import { all, check, type Checker, type Violation } from "./check.ts"
import { type Marks, observe } from "./marks.ts"
import { run, type Scenario } from "./run.ts"
import type { Trace } from "./Trace.ts"

export interface Report extends Trace {
  readonly violations: ReadonlyArray<Violation>
}

/** Runs one scenario and judges it. */
export const simulate = async (
  scenario: Scenario,
  seed: number,
  checkers: ReadonlyArray<Checker> = all,
): Promise<Report> => {
  const trace = await run(scenario, seed)
  return { ...trace, violations: check(trace, checkers) }
}

export interface Exploration {
  readonly scenarios: Arbitrary.Arbitrary<Scenario>
  readonly seeds: Iterable<number>
  readonly checkers?: ReadonlyArray<Checker>
  readonly marks?: Marks
  /** What else must be true; throws if it is not. */
  readonly expect?: (report: Report) => void
  /** How many smaller scenarios are tried once one has failed. */
  readonly shrinksMax?: number
  /** How a scenario is printed; its world, unless told otherwise. */
  readonly describe?: (scenario: Scenario) => unknown
}

export class SimulationFailed extends Error {
  readonly seed: number
  readonly violations: ReadonlyArray<Violation>
  /** The smallest scenario in which it happens. */
  readonly scenario: Scenario

  constructor(message: string, seed: number, violations: ReadonlyArray<Violation>, scenario: Scenario) {
    super(message)
    this.name = "SimulationFailed"
    this.seed = seed
    this.violations = violations
    this.scenario = scenario
  }
}

/** Complexity of generated worlds. */
const size = 20
const shrinksByDefault = 400

const expectation = "what the test expects"

const judged = async (exploration: Exploration, scenario: Scenario, seed: number): Promise<Report> => {
  const report = await simulate(scenario, seed, exploration.checkers)
  try {
    exploration.expect?.(report)
    return report
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { ...report, violations: [...report.violations, { law: expectation, detail }] }
  }
}

const describe = (seed: number, violations: ReadonlyArray<Violation>, scenario: unknown): string => {
  const told = violations.slice(0, 12).map(({ detail, law }) => `  ${law}:\n    ${detail}`)
  return [
    `seed=${seed}: ${violations.length} broken, replay with SIM_SEED=${seed}`,
    ...told,
    "the smallest world in which it happens:",
    JSON.stringify(scenario),
  ].join("\n")
}

/** The scenario that a seed stands for, before any shrinking. */
export const scenarioOf = (scenarios: Arbitrary.Arbitrary<Scenario>, seed: number): Scenario => {
  let found: Scenario | undefined
  const keep = (scenario: Scenario): boolean => {
    found = scenario
    return true
  }
  Effect.runSync(Arbitrary.checkEffect(scenarios, keep, { runs: 1, seed, size }))
  if (found === undefined) throw new Error(`nothing could be generated from seed ${seed}`)
  return found
}

/** Throws `SimulationFailed` at the first seed that breaks a law. */
export const explore = async (exploration: Exploration): Promise<{ readonly runs: number }> => {
  let runs = 0
  for (const seed of exploration.seeds) {
    const scenario = scenarioOf(exploration.scenarios, seed)
    const report = await judged(exploration, scenario, seed)
    runs++
    if (exploration.marks !== undefined) observe(exploration.marks, report)
    if (report.violations.length > 0) throw await shrunk(exploration, seed, scenario, report.violations)
  }
  return { runs }
}

const shrunk = async (
  exploration: Exploration,
  seed: number,
  first: Scenario,
  violations: ReadonlyArray<Violation>,
): Promise<SimulationFailed> => {
  const laws = new Set(violations.map(({ law }) => law))
  const breaksThem = (scenario: Scenario): Effect.Effect<boolean> =>
    Effect.map(
      Effect.promise(() => judged(exploration, scenario, seed)),
      (report) => !report.violations.some(({ law }) => laws.has(law)),
    )
  const result = await Effect.runPromise(
    Arbitrary.checkEffect(exploration.scenarios, breaksThem, {
      runs: 1,
      seed,
      size,
      maxShrinks: exploration.shrinksMax ?? shrinksByDefault,
    }),
  )
  const smallest = result._tag === "Falsified" ? result.shrunkInput : first
  const report = await judged(exploration, smallest, seed)
  const found = report.violations.length > 0 ? report.violations : violations
  const shown = exploration.describe?.(smallest) ?? smallest.world
  return new SimulationFailed(describe(seed, found, shown), seed, found, smallest)
}

/** Which seeds to run: SIM_SEED names one, SIM_RUNS says how many. */
export const seeds = (
  environment: Readonly<Record<string, string | undefined>>,
  runs: number,
  first = 1,
): ReadonlyArray<number> => {
  const { SIM_RUNS, SIM_SEED } = environment
  if (SIM_SEED !== undefined && SIM_SEED !== "") return [Number(SIM_SEED)]
  const count = SIM_RUNS === undefined || SIM_RUNS === "" ? runs : Number(SIM_RUNS)
  return Array.from({ length: count }, (_, i) => first + i)
}
