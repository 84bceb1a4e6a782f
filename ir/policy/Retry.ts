/** When a failed attempt is made again. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"

export const Retry = Schema.TaggedStruct("Retry", {
  /** Extra tries after the first. */
  attempts: Schema.Natural,
  backoffMillis: Schema.optionalKey(Millis),
  /** Reply statuses that count as failures. */
  codes: Schema.Array(Schema.Natural),
  /** Judged on the request: false turns retries off. */
  precondition: Schema.optionalKey(Expression),
  /** Judged on the reply: true counts as a failure. */
  condition: Schema.optionalKey(Expression),
})
export type Retry = typeof Retry.Type
