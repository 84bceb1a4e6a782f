/**
 * What is kept of an exchange for the sake of its story. The story itself is made when somebody reads it, because hardly
 * any is read; nothing here holds on to a body, a connection or a plan, because thousands are kept.
 */
import type { Match } from "../../ir/Match.ts"
import type { Field } from "../../stages/5-policy/recording.ts"
import type { Refusal } from "../../stages/Refusal.ts"
import { Story, type TimedNote } from "../../stages/Inquiry.ts"
import type { Ending } from "../../stages/ports/Journal.ts"
import type { Span } from "../../stages/Trace.ts"
import type { Line, Place } from "./accessLog.ts"
import { problemOf, spokenSteps, type Step } from "./spokenSteps.ts"
import type { Told } from "./Told.ts"

export interface Remains {
  readonly id: string
  readonly startedMillis: number
  readonly endedMillis: number
  readonly startedUnixMillis: number
  readonly line: Line
  readonly place: Place
  readonly spoken: ReadonlyArray<Field>
  readonly reason: string
  readonly outcome: Ending["outcome"]
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
  readonly spans: ReadonlyArray<Span> | undefined
  /** What its protocol adds, and the error it told its client. */
  readonly steps: ReadonlyArray<Step>
  readonly problem: string | undefined
}

const none: ReadonlyArray<Step> = []

export const remainsOf = (told: Told, id: string): Remains => {
  const { ending, exchange, line, place, reason, spoken } = told
  const { inquiry, trace, trail } = exchange
  const story = inquiry instanceof Story ? inquiry : undefined
  const speaks = exchange.notes !== undefined
  return {
    id,
    startedMillis: exchange.startedMillis,
    endedMillis: ending.endedMillis,
    startedUnixMillis: told.unixMillis(exchange.startedMillis),
    line,
    place,
    spoken,
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
