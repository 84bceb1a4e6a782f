/** The story of one exchange, for people: what each stage decided, in order, and in one sentence why it ended as it did. */
import type { Exchange } from "../../stages/Exchange.ts"
import { Story } from "../../stages/Inquiry.ts"
import { redactText } from "../admin/redact.ts"
import type { Step } from "./spokenSteps.ts"
import type { Curiosity } from "./Curiosity.ts"
import { problemOf, spokenSteps } from "./spokenSteps.ts"
import type { Told, Witness } from "./Told.ts"

export interface Explanation {
  readonly id: string
  readonly at: string
  readonly why: string
  readonly status: number
  readonly reason: string
  readonly durationMillis: number
  /** Whether stages told it while it happened, or it was put together from what is known of every exchange. */
  readonly recorded: boolean
  readonly fields: Readonly<Record<string, unknown>>
  readonly steps: ReadonlyArray<Step>
  /** Calls that were made for it, where it is traced. */
  readonly calls?: ReadonlyArray<{
    readonly name: string
    readonly atMillis: number
    readonly millis: number
    readonly error?: string
  }>
}

const rounded = (millis: number): number => Math.round(millis * 1000) / 1000

/** Text that a client or a configuration wrote may hold what nobody should read. */
const shown = (value: unknown): unknown => {
  if (typeof value === "string") return redactText(value)
  if (Array.isArray(value)) return value.map(shown)
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shown(one)]))
  }
  return value
}

const whereText = ({ place, exchange }: Told): string => {
  const parts = [
    place.listener === undefined ? undefined : `listener ${place.listener}`,
    place.route === undefined ? undefined : `route ${place.route}`,
    exchange.trail.backend === undefined ? undefined : `backend ${exchange.trail.backend}`,
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`
}

/** The last thing a policy said about itself before it refused: what decided. */
const deciding = (steps: ReadonlyArray<Step>, policy: string): string => {
  const found = steps.findLast(({ decision, stage }) => stage === policy && !decision.startsWith("refused"))
  if (found === undefined) return ""
  const detail = found.detail === undefined ? "" : ` ${JSON.stringify(found.detail)}`
  return `; ${found.decision}${detail}`
}

/** Why it ended as it did, in one sentence. */
export const whyOf = (told: Told, steps: ReadonlyArray<Step>): string => {
  const { ending, exchange, line, reason } = told
  const { trail } = exchange
  const where = whereText(told)
  if (trail.refusal !== undefined) {
    const who =
      trail.refusedBy !== undefined
        ? `the policy ${trail.refusedBy}`
        : trail.route === undefined
          ? trail.listener === undefined
            ? "no listener took it"
            : "no route took it"
          : "the way to the backend"
    const detail = trail.refusedBy === undefined ? "" : deciding(steps, trail.refusedBy)
    return `${line.status} by ${who}${where}: ${line.error ?? reason}${detail}.`
  }
  if (trail.declined !== undefined) {
    const { by, why } = trail.declined
    return `${line.status} by ${by}${where}: ${why.replace(/\.+$/, "")}.`
  }
  const problem = problemOf(exchange)
  if (problem !== undefined) return `${line.status}${where}: ${problem}.`
  switch (ending.outcome) {
    case "answered":
      return ending.reply?.origin === "gateway"
        ? `${line.status} by the gateway itself, as it was told to${where}.`
        : `${line.status} by the upstream ${line.endpoint ?? ""}${where}${trail.attempts > 1 ? ` at attempt ${trail.attempts}` : ""}.`
    default:
      return `${reason}${where}: ${line.error ?? ending.outcome}.`
  }
}

/** What must have happened, where nobody wrote it down: steps run in a fixed order, and only the last one refused. */
const reconstructed = (exchange: Exchange, line: Told["line"]): ReadonlyArray<Step> => {
  const { trail } = exchange
  const steps: Array<Step> = []
  if (trail.attempts > 0)
    steps.push({ stage: "attempt", decision: `${trail.attempts} made, the last at ${line.endpoint ?? "?"}` })
  if (trail.refusal !== undefined) {
    steps.push({
      stage: trail.refusedBy ?? stageOf(exchange),
      decision: `refused: ${line.error ?? trail.refusal._tag}`,
    })
  }
  return steps
}

const stageOf = ({ trail }: Exchange): string =>
  trail.listener === undefined ? "listener" : trail.route === undefined ? "route" : "dispatch"

export const explain = (told: Told, id: string): Explanation => {
  const { ending, exchange, fields, line, reason } = told
  const { inquiry, trail } = exchange
  const story = inquiry instanceof Story ? inquiry : undefined
  const began = exchange.startedMillis
  const steps: Array<Step> = []
  if (trail.listener !== undefined) steps.push({ stage: "listener", decision: trail.listener.ir.key })
  if (story === undefined && trail.route !== undefined) {
    steps.push({ stage: "route", decision: trail.route.ir.key, detail: exchange.match })
  }
  if (story === undefined && trail.backend !== undefined) steps.push({ stage: "dispatch", decision: trail.backend })
  for (const { atMillis, decision, detail, stage } of story?.notes ?? []) {
    steps.push({
      atMillis: rounded(atMillis - began),
      stage,
      decision: redactText(decision),
      ...(detail === undefined ? {} : { detail: shown(detail) }),
    })
  }
  if (story === undefined) steps.push(...reconstructed(exchange, line))
  steps.push(...spokenSteps(exchange))
  if (story !== undefined && story.dropped > 0)
    steps.push({ stage: "explain", decision: `${story.dropped} notes more` })
  const { trace } = exchange
  return {
    id,
    at: new Date(told.unixMillis(began)).toISOString(),
    why: redactText(whyOf(told, steps)),
    status: line.status,
    reason,
    durationMillis: rounded(ending.endedMillis - began),
    recorded: story !== undefined,
    fields: shown(Object.fromEntries(fields)) as Readonly<Record<string, unknown>>,
    steps,
    ...(trace === undefined
      ? {}
      : {
          calls: trace.spans.map(({ endedMillis, error, name, startedMillis }) => ({
            name,
            atMillis: rounded(startedMillis - began),
            millis: rounded((endedMillis === 0 ? ending.endedMillis : endedMillis) - startedMillis),
            ...(error === undefined ? {} : { error: redactText(error) }),
          })),
        }),
  }
}

/** Stories that are kept in memory by each thread; the oldest make room. */
export const storiesMax = 1_000

export class Stories {
  private readonly kept = new Map<string, Explanation>()
  private readonly followers = new Set<(explanation: Explanation) => void>()

  get(id: string): Explanation | undefined {
    return this.kept.get(id)
  }

  /** The newest first. */
  latest(count: number): ReadonlyArray<Explanation> {
    return [...this.kept.values()].toReversed().slice(0, count)
  }

  add(explanation: Explanation): void {
    if (this.kept.size >= storiesMax) {
      const [oldest] = this.kept.keys()
      if (oldest !== undefined) this.kept.delete(oldest)
    }
    this.kept.set(explanation.id, explanation)
    for (const follower of this.followers) follower(explanation)
  }

  follow(follower: (explanation: Explanation) => void): () => void {
    this.followers.add(follower)
    return () => this.followers.delete(follower)
  }
}

export const storyWitness = (stories: Stories, curiosity: Curiosity): Witness => ({
  wants: ({ id, inquiry }) => id !== undefined || inquiry !== undefined,
  tell: (told) => {
    const { exchange } = told
    const { declined, refusal } = exchange.trail
    // One that was told only because somebody waits for others is not worth keeping.
    const isKept =
      refusal !== undefined || declined !== undefined || exchange.trace !== undefined || curiosity.takes(told)
    if (isKept && exchange.id !== undefined) stories.add(explain(told, exchange.id))
  },
})
