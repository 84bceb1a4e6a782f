/** The story of one exchange, for people: what each stage decided, in order, and in one sentence why it ended as it did. */
import { redactText } from "../admin/redact.ts"
import type { Remains } from "./Remains.ts"
import type { Step } from "./spokenSteps.ts"

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

const whereText = ({ backend, listenerName, routeName }: Remains): string => {
  const parts = [
    listenerName === undefined ? undefined : `listener ${listenerName}`,
    routeName === undefined ? undefined : `route ${routeName}`,
    backend === undefined ? undefined : `backend ${backend}`,
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
const whyOf = (remains: Remains, steps: ReadonlyArray<Step>): string => {
  const { attempts, declined, endpoint, error, isOwn, outcome, problem, reason, refusal, refusedBy, status } = remains
  const where = whereText(remains)
  if (refusal !== undefined) {
    const who =
      refusedBy !== undefined
        ? `the policy ${refusedBy}`
        : remains.route === undefined
          ? remains.listener === undefined
            ? "no listener took it"
            : "no route took it"
          : "the way to the backend"
    const detail = refusedBy === undefined ? "" : deciding(steps, refusedBy)
    return `${status} by ${who}${where}: ${error ?? reason}${detail}.`
  }
  if (declined !== undefined && (outcome === "refused" || outcome === "broken")) {
    const what = outcome === "refused" ? "refused" : "broken off"
    return `The connection was ${what} by ${declined.by}${where}: ${declined.why.replace(/\.+$/, "")}.`
  }
  if (declined !== undefined) return `${status} by ${declined.by}${where}: ${declined.why.replace(/\.+$/, "")}.`
  const isBroken = outcome === "answered" && error !== undefined
  if (problem !== undefined && !isBroken) return `${status}${where}: ${problem}.`
  if (outcome !== "answered" || isBroken) return `${reason}${where}: ${error ?? outcome}.`
  return isOwn
    ? `${status} by the gateway itself, as it was told to${where}.`
    : `${status} by the upstream ${endpoint ?? ""}${where}${attempts > 1 ? ` at attempt ${attempts}` : ""}.`
}

/** What must have happened, where nobody wrote it down: steps run in a fixed order, and only the last one refused. */
const reconstructed = ({ attempts, backend, endpoint, error, listener, match, refusal, refusedBy, route }: Remains) => {
  const steps: Array<Step> = []
  if (route !== undefined) steps.push({ stage: "route", decision: route, detail: match })
  if (backend !== undefined) steps.push({ stage: "dispatch", decision: backend })
  if (attempts > 0) steps.push({ stage: "attempt", decision: `${attempts} made, the last at ${endpoint ?? "?"}` })
  if (refusal !== undefined) {
    const stage = refusedBy ?? (listener === undefined ? "listener" : route === undefined ? "route" : "dispatch")
    steps.push({ stage, decision: `refused: ${error ?? refusal}` })
  }
  return steps
}

export const explain = (remains: Remains): Explanation => {
  const { endedMillis, fields, listener, notes, notesDropped, spans, startedMillis, status } = remains
  const steps: Array<Step> = []
  if (listener !== undefined) steps.push({ stage: "listener", decision: listener })
  if (notes === undefined) steps.push(...reconstructed(remains))
  for (const { atMillis, decision, detail, stage } of notes ?? []) {
    steps.push({
      atMillis: rounded(atMillis - startedMillis),
      stage,
      decision: redactText(decision),
      ...(detail === undefined ? {} : { detail: shown(detail) }),
    })
  }
  for (const { decision, detail, stage } of remains.steps) {
    steps.push({ stage, decision: redactText(decision), ...(detail === undefined ? {} : { detail: shown(detail) }) })
  }
  if (notesDropped > 0) steps.push({ stage: "explain", decision: `${notesDropped} notes more` })
  return {
    id: remains.id,
    at: new Date(remains.startedUnixMillis).toISOString(),
    why: redactText(whyOf(remains, steps)),
    status,
    reason: remains.reason,
    durationMillis: rounded(endedMillis - startedMillis),
    recorded: notes !== undefined,
    fields: shown(Object.fromEntries(fields)) as Readonly<Record<string, unknown>>,
    steps,
    ...(spans === undefined
      ? {}
      : {
          calls: spans.map((span) => ({
            name: span.name,
            atMillis: rounded(span.startedMillis - startedMillis),
            millis: rounded((span.endedMillis === 0 ? endedMillis : span.endedMillis) - span.startedMillis),
            ...(span.error === undefined ? {} : { error: redactText(span.error) }),
          })),
        }),
  }
}
