/** `http` of the frontend: HTTP with clients. */
import * as Schema from "effect/Schema"
import type { Http as IrHttp } from "../../../../ir/policy/Http.ts"
import { anyCase, between, Count, opt, Patience } from "../grammar.ts"
import { present } from "../present.ts"

/** RFC 9113 §6.9.1; one of nothing would take no body at all. */
const Window = between(1, 2 ** 31 - 1)

export const Http = Schema.Struct({
  maxBufferSize: opt(Count),
  http1MaxHeaders: opt(between(1, 0xffff_ffff)),
  http1IdleTimeout: opt(Patience),
  http1HeaderCase: opt(anyCase(["lowercase", "preserve"])),
  http2WindowSize: opt(Window),
  http2ConnectionWindowSize: opt(Window),
  http2FrameSize: opt(between(16_384, 16_777_215)),
  http2MaxHeaderSize: opt(between(1, 0xffff_ffff)),
  http2KeepaliveInterval: opt(Patience),
  http2KeepaliveTimeout: opt(Patience),
  maxConnectionDuration: opt(Patience),
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
