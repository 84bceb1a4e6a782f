/** How long a client waits for the head of a reply, and for more of it. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"

export const Timeout = Schema.TaggedStruct("Timeout", {
  /** From arrival, retries and delays included. */
  requestMillis: Schema.optionalKey(Millis),
  /** For each attempt. */
  backendRequestMillis: Schema.optionalKey(Millis),
  /** Between one piece of a reply's body and the next. */
  idleMillis: Schema.optionalKey(Millis),
})
export type Timeout = typeof Timeout.Type
