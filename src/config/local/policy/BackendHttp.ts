/** `http` of a backend. */
import * as Schema from "effect/Schema"
import type { BackendHttp as IrBackendHttp } from "../../../../ir/policy/BackendHttp.ts"
import { anyCase, Millis, opt } from "../grammar.ts"
import { present } from "../present.ts"

export const BackendHttp = Schema.Struct({
  version: opt(
    anyCase(["HTTP/1.1", "HTTP/2.0"], { "1.1": "HTTP/1.1", "HTTP/2": "HTTP/2.0", "2": "HTTP/2.0", "2.0": "HTTP/2.0" }),
  ),
  requestTimeout: opt(Millis, "Time for one attempt until the head of the reply."),
}).annotate({ identifier: "BackendHttp" })
export type BackendHttp = typeof BackendHttp.Type

export const backendHttp = (http: BackendHttp): IrBackendHttp => ({
  _tag: "BackendHttp",
  ...present({ version: http.version, requestTimeoutMillis: http.requestTimeout }),
})
