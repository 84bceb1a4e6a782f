/**
 * What is kept of an exchange for the sake of its story. The story itself is made when somebody reads it, because hardly
 * any is read; nothing here holds on to a body, a connection or a plan.
 */
import type { Match } from "../../ir/Match.ts"
import type { Field } from "../../stages/5-policy/recording.ts"
import type { Refusal } from "../../stages/Refusal.ts"
import { Story, type TimedNote } from "../../stages/Inquiry.ts"
import type { Ending } from "../../stages/ports/Journal.ts"
import { problemOf, spokenSteps, type Step } from "./spokenSteps.ts"
import type { Told } from "./Told.ts"

export interface Called {
  readonly name: string
  readonly startedMillis: number
  /** By the monotonic clock; 0 where it lasted longer than its exchange. */
  readonly endedMillis: number
  readonly error: string | undefined
}

export interface Remains {
  readonly id: string
  readonly startedMillis: number
  readonly endedMillis: number
  readonly startedUnixMillis: number
  /** Everything that an access log could hold of it. */
  readonly fields: ReadonlyArray<Field>
  /** 0 when nothing was answered. */
  readonly status: number
  readonly error: string | undefined
  readonly endpoint: string | undefined
  /** The names that users gave. */
  readonly listenerName: string | undefined
  readonly routeName: string | undefined
  readonly reason: string
  /** `refused` and `broken`: of a raw connection, which has no reply. */
  readonly outcome: Ending["outcome"] | "refused" | "broken"
  /** The gateway answered by itself. */
  readonly isOwn: boolean
  readonly listener: string | undefined
  readonly route: string | undefined
  readonly match: Match | undefined
  readonly backend: string | undefined
  readonly attempts: number
  readonly refusal: Refusal["_tag"] | undefined
  readonly refusedBy: string | undefined
  readonly declined: { readonly by: string; readonly why: string } | undefined
  /** What stages told while it happened; absent where nobody had asked. */
  readonly notes: ReadonlyArray<TimedNote> | undefined
  readonly notesDropped: number
  /** Calls that were made for it, where it is traced. */
  readonly spans: ReadonlyArray<Called> | undefined
  /** What its protocol adds, and the error it told its client. */
  readonly steps: ReadonlyArray<Step>
  readonly problem: string | undefined
}

const none: ReadonlyArray<Step> = []

export const remainsOf = (told: Told, id: string): Remains => {
  const { ending, exchange, fields, line, place, reason } = told
  const { inquiry, trace, trail } = exchange
  const story = inquiry instanceof Story ? inquiry : undefined
  const speaks = exchange.notes !== undefined
  return {
    id,
    startedMillis: exchange.startedMillis,
    endedMillis: ending.endedMillis,
    startedUnixMillis: told.unixMillis(exchange.startedMillis),
    fields,
    status: line.status,
    error: line.error,
    endpoint: line.endpoint,
    listenerName: place.listener,
    routeName: place.route,
    reason,
    outcome: ending.outcome,
    isOwn: ending.reply?.origin === "gateway",
    listener: trail.listener?.ir.key,
    route: trail.route?.ir.key,
    match: exchange.match,
    backend: trail.backend,
    attempts: trail.attempts,
    refusal: trail.refusal?._tag,
    refusedBy: trail.refusedBy,
    declined: trail.declined,
    notes: story?.notes,
    notesDropped: story?.dropped ?? 0,
    spans: trace?.spans,
    steps: speaks ? spokenSteps(exchange) : none,
    problem: speaks ? problemOf(exchange) : undefined,
  }
}
