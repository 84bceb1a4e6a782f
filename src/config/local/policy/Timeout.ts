/** `timeout`: how long a request and each attempt may take. */
import * as Schema from "effect/Schema"
import type { Timeout as IrTimeout } from "../../../../ir/policy/Timeout.ts"
import { Millis, opt } from "../grammar.ts"
import { present } from "../present.ts"

export const Timeout = Schema.Struct({
  requestTimeout: opt(Millis, "From arrival to the head of the reply, retries included."),
  backendRequestTimeout: opt(Millis, "The same for each attempt."),
  idleTimeout: opt(Millis, "How long a backend may take nothing of a request, and pause in a reply that has begun."),
}).annotate({ identifier: "Timeout" })
export type Timeout = typeof Timeout.Type

export const timeout = (policy: Timeout): IrTimeout => ({
  _tag: "Timeout",
  ...present({
    requestMillis: policy.requestTimeout,
    backendRequestMillis: policy.backendRequestTimeout,
    idleMillis: policy.idleTimeout,
  }),
})
