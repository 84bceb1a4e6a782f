/** Answers preflights, and tells browsers what a page may read. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"

export const Cors = Schema.TaggedStruct("Cors", {
  allowCredentials: Schema.Boolean,
  allowHeaders: Schema.Array(Schema.String),
  allowMethods: Schema.Array(Schema.String),
  /** `*`, an origin, or an origin with a wildcard in its host. */
  allowOrigins: Schema.Array(Schema.String),
  exposeHeaders: Schema.Array(Schema.String),
  maxAgeMillis: Schema.optionalKey(Millis),
})
export type Cors = typeof Cors.Type
