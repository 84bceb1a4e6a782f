/** `retry`: how often, and after what, a request is tried again. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Retry as IrRetry } from "../../../../ir/policy/Retry.ts"
import { Cel, Count, Millis, opt, Status } from "../grammar.ts"
import { present } from "../present.ts"

export const Retry = Schema.Struct({
  attempts: opt(Count, "Extra tries after the first; 1 unless set."),
  backoff: opt(Millis),
  codes: Schema.Array(Status).annotateKey({ description: "Reply statuses that count as failures." }),
  precondition: opt(Cel),
  condition: opt(Cel),
}).annotate({ identifier: "Retry" })
export type Retry = typeof Retry.Type

export const retry = (policy: Retry): IrRetry => ({
  _tag: "Retry",
  attempts: policy.attempts ?? defaults.retryAttempts,
  codes: policy.codes,
  ...present({ backoffMillis: policy.backoff, precondition: policy.precondition, condition: policy.condition }),
})
