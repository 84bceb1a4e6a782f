/** How long bodies may be; they are counted as they flow by, and nothing is held back. */
import * as Schema from "effect/Schema"

export const BodyLimit = Schema.TaggedStruct("BodyLimit", {
  requestBytesMax: Schema.optionalKey(Schema.Natural),
  responseBytesMax: Schema.optionalKey(Schema.Natural),
})
export type BodyLimit = typeof BodyLimit.Type
