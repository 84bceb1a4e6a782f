/** When to probe an idle TCP connection, and when to give it up. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"

export const Keepalive = Schema.Struct({
  enabled: Schema.Boolean,
  timeMillis: Millis,
  intervalMillis: Millis,
  retries: Schema.Natural,
})
export type Keepalive = typeof Keepalive.Type
