/** Socket options of connections to a backend. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"
import { Keepalive } from "./Keepalive.ts"

export const BackendTcp = Schema.TaggedStruct("BackendTcp", {
  keepalive: Schema.optionalKey(Keepalive),
  connectTimeoutMillis: Schema.optionalKey(Millis),
})
export type BackendTcp = typeof BackendTcp.Type
