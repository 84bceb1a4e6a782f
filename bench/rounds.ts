/**
 * Rounds of load on several processes in turn. What disturbs the machine disturbs neighbours alike, so it is the ratio
 * within each round that is compared, and the median of the ratios that counts.
 */
import type { Lab } from "./Lab.ts"
import type { Load, Loaded } from "./load.ts"
import { type Figure, figure, type Result, SPREAD_MAX } from "./Row.ts"
import type { Subject } from "./Subject.ts"

export interface Round extends Loaded {
  readonly cpuMicros: number
}

export interface Compared {
  readonly subject: Subject
  readonly rounds: ReadonlyArray<Round>
  readonly cpu: Figure
  /** Against the first subject, round by round. */
  readonly ratio: Figure
}

const ROUNDS_MORE = 2

const oneRound = async (lab: Lab, subject: Subject, load: Load): Promise<Round> => {
  const before = subject.cpuMicros()
  const loaded = await lab.compared({ ...load, port: subject.port })
  if (loaded.requests === 0) throw new Error(`${subject.name} answered nothing`)
  return { ...loaded, cpuMicros: (subject.cpuMicros() - before) / loaded.requests }
}

export type LoadWords = Partial<Omit<Load, "port">>

/** In quick runs and warm-ups requests are counted rather than timed, so that slow ones suffice. */
const QUICK_REQUESTS = 400

const loadOf = (lab: Lab, words: LoadWords, millis: number): Load => ({
  port: 0,
  paths: ["/"],
  connections: lab.settings.connections,
  millis,
  ...words,
  ...(lab.settings.quick ? { requests: words.requests ?? QUICK_REQUESTS } : {}),
})

export const compare = async (
  lab: Lab,
  subjects: ReadonlyArray<Subject>,
  words: LoadWords = {},
): Promise<ReadonlyArray<Compared>> => {
  const rounds = subjects.map((): Array<Round> => [])
  for (const subject of subjects)
    await lab.compared({ ...loadOf(lab, words, lab.settings.warmMillis), port: subject.port })
  const load = loadOf(lab, words, lab.settings.roundMillis)
  const ratios = (i: number): ReadonlyArray<number> =>
    (rounds[i] ?? []).map((round, number) => round.cpuMicros / (rounds[0]?.[number]?.cpuMicros ?? Number.NaN))
  const isNoisy = (): boolean => subjects.some((_, i) => figure(ratios(i)).spread > SPREAD_MAX)
  const planned = lab.settings.rounds
  const most = lab.settings.quick ? planned : planned * (1 + ROUNDS_MORE)
  for (
    let round = 0;
    round < planned || (round < most && round % planned > 0) || (round < most && isNoisy());
    round++
  ) {
    // Whoever is first in one round is last in the next.
    const order = [...subjects.keys()]
    if (round % 2 === 1) order.reverse()
    for (const i of order) rounds[i]?.push(await oneRound(lab, subjects[i] as Subject, load))
  }
  return subjects.map((subject, i) => ({
    subject,
    rounds: rounds[i] ?? [],
    cpu: figure((rounds[i] ?? []).map(({ cpuMicros }) => cpuMicros)),
    ratio: figure(ratios(i)),
  }))
}

const rounded = (value: number): number => Math.round(value * 10) / 10

/** What is worth knowing of a process besides its CPU time. */
export const about = ({ rounds, subject }: Compared): Record<string, number> => ({
  [`${subject.name} rps`]: Math.round(figure(rounds.map(({ requests, seconds }) => requests / seconds)).median),
  [`${subject.name} p50 µs`]: Math.round(figure(rounds.map(({ p50Micros }) => p50Micros)).median),
  [`${subject.name} p99 µs`]: Math.round(figure(rounds.map(({ p99Micros }) => p99Micros)).median),
  [`${subject.name} RSS MB`]: rounded(subject.rssBytes() / 1e6),
  [`${subject.name} failed`]: rounds.reduce((sum, { failed }) => sum + failed, 0),
})

/** The floor first, ours second, and whoever else is there for scale. */
export const resultOf = (compared: ReadonlyArray<Compared>): Result => {
  const [floor, ours, ...others] = compared
  if (floor === undefined || ours === undefined) throw new Error("a comparison needs two")
  const more: Record<string, number | string> = { rounds: ours.rounds.length }
  const { spread } = ours.ratio
  if (spread > SPREAD_MAX) more["noisy"] = `the middle half of the ratios spreads over ${Math.round(spread * 100)} %`
  Object.assign(more, about(floor), about(ours))
  for (const other of others) {
    more[`${other.subject.name} CPU µs`] = rounded(other.cpu.median)
    Object.assign(more, about(other))
  }
  return { floor: floor.cpu, ours: ours.cpu, unit: "CPU µs/request", figures: { ratio: ours.ratio }, more }
}
