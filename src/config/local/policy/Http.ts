/** `http` of the frontend: HTTP with clients. */
import * as Schema from "effect/Schema"
import type { Http as IrHttp } from "../../../../ir/policy/Http.ts"
import { anyCase, Count, Millis, opt } from "../grammar.ts"
import { present } from "../present.ts"

export const Http = Schema.Struct({
  maxBufferSize: opt(Count),
  http1MaxHeaders: opt(Count),
  http1IdleTimeout: opt(Millis),
  http1HeaderCase: opt(anyCase(["lowercase", "preserve"])),
  http2WindowSize: opt(Count),
  http2ConnectionWindowSize: opt(Count),
  http2FrameSize: opt(Count),
  http2MaxHeaderSize: opt(Count),
  http2KeepaliveInterval: opt(Millis),
  http2KeepaliveTimeout: opt(Millis),
  maxConnectionDuration: opt(Millis),
}).annotate({ identifier: "FrontendHttp" })
export type Http = typeof Http.Type

export const http = (policy: Http): IrHttp => ({
  _tag: "Http",
  ...present({
    maxBufferBytes: policy.maxBufferSize,
    http1MaxHeaders: policy.http1MaxHeaders,
    http1IdleTimeoutMillis: policy.http1IdleTimeout,
    http1HeaderCase: policy.http1HeaderCase,
    http2WindowBytes: policy.http2WindowSize,
    http2ConnectionWindowBytes: policy.http2ConnectionWindowSize,
    http2FrameBytes: policy.http2FrameSize,
    http2MaxHeaderBytes: policy.http2MaxHeaderSize,
    http2KeepaliveIntervalMillis: policy.http2KeepaliveInterval,
    http2KeepaliveTimeoutMillis: policy.http2KeepaliveTimeout,
    maxConnectionMillis: policy.maxConnectionDuration,
  }),
})
