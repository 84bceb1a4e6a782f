/** How HTTP is served to clients; what is absent keeps its value from `defaults.ts`. */
import * as Schema from "effect/Schema"
import { Millis } from "../Millis.ts"

export const Http = Schema.TaggedStruct("Http", {
  /** Limit for every place that needs a complete body. */
  maxBufferBytes: Schema.optionalKey(Schema.Natural),
  http1MaxHeaders: Schema.optionalKey(Schema.Natural),
  http1IdleTimeoutMillis: Schema.optionalKey(Millis),
  http1HeaderCase: Schema.optionalKey(Schema.Literals(["lowercase", "preserve"])),
  http2WindowBytes: Schema.optionalKey(Schema.Natural),
  http2ConnectionWindowBytes: Schema.optionalKey(Schema.Natural),
  http2FrameBytes: Schema.optionalKey(Schema.Natural),
  http2MaxHeaderBytes: Schema.optionalKey(Schema.Natural),
  http2KeepaliveIntervalMillis: Schema.optionalKey(Millis),
  http2KeepaliveTimeoutMillis: Schema.optionalKey(Millis),
  maxConnectionMillis: Schema.optionalKey(Millis),
})
export type Http = typeof Http.Type
