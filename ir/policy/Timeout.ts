/** How long a client waits for the head of a reply. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"

export const Timeout = Schema.TaggedStruct("Timeout", {
  /** From arrival, retries and delays included. */
  requestMillis: Schema.optionalKey(Millis),
  /** For each attempt. */
  backendRequestMillis: Schema.optionalKey(Millis),
})
export type Timeout = typeof Timeout.Type
