/** Holds a whole body back before it goes on. */
import * as Schema from "effect/Schema"

export const BodyBuffer = Schema.Struct({
  /** Absent: the limit of the listener. */
  maxBytes: Schema.optionalKey(Schema.Natural),
  /** `failOpen` streams what does not fit. */
  failureMode: Schema.Literals(["failClosed", "failOpen"]),
})
export type BodyBuffer = typeof BodyBuffer.Type

export const Buffer = Schema.TaggedStruct("Buffer", {
  request: Schema.optionalKey(BodyBuffer),
  response: Schema.optionalKey(BodyBuffer),
})
export type Buffer = typeof Buffer.Type
