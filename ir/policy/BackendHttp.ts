/** How HTTP is spoken to a backend. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"

export const BackendHttp = Schema.TaggedStruct("BackendHttp", {
  version: Schema.optionalKey(Schema.Literals(["HTTP/1.1", "HTTP/2.0"])),
  requestTimeoutMillis: Schema.optionalKey(Millis),
})
export type BackendHttp = typeof BackendHttp.Type
