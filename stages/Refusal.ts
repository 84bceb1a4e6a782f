/** Every reason the gateway answers by itself, and the one function that turns a reason into a reply. */
import { encodeGrpcMessage, grpcStatusOf } from "../protocols/http/grpc.ts"
import { Headers } from "../protocols/http/headers.ts"
import * as Body from "./Body.ts"
import type { Reply } from "./Exchange.ts"

interface Detail {
  readonly detail: string
}

/** Header fields of the reply, name and value in turn. */
interface Fields {
  readonly headers: ReadonlyArray<string>
}

interface Shapes {
  readonly BindNotFound: {}
  readonly ListenerNotFound: {}
  readonly RouteNotFound: {}
  readonly Misdirected: {}
  readonly ServiceNotFound: {}
  readonly DelegationCycle: {}
  readonly LoopDetected: { readonly detail?: string }
  readonly NoValidBackends: {}
  readonly BackendNotFound: {}
  readonly InvalidBackendType: {}
  readonly NoHealthyBackends: {}
  readonly ResolutionFailed: Detail
  readonly FilterFailed: Detail
  readonly UpgradeFailed: Detail
  readonly InvalidRequest: Detail
  readonly MethodNotAllowed: {}
  readonly ProcessingFailed: Detail
  readonly RequestHeadTooLarge: {}
  readonly RequestBodyTooLarge: {}
  readonly ReplyBodyTooLarge: {}
  readonly RequestHeadTimeout: {}
  readonly RequestBodyTimeout: {}
  readonly ExpectationFailed: Detail
  /** `unsent`: nothing of the request can have reached the upstream. */
  readonly UpstreamFailed: Detail & { readonly unsent?: true }
  readonly UpstreamTimeout: {}
  readonly RequestTimeout: {}
  readonly Overloaded: Detail
  readonly JwtAuth: Detail & Fields
  /** The keys that would prove a token good or bad are not to be had. */
  readonly KeysUnavailable: Fields
  /** As the MCP specification wants it said. */
  readonly McpUnauthorized: Fields
  readonly McpScope: Detail & Fields
  readonly BasicAuth: Detail & Fields
  /** The credentials were to be those for a proxy. */
  readonly ProxyBasicAuth: Detail & Fields
  readonly ApiKeyAuth: Detail & Fields
  /** The gateway has no credential to show the backend. */
  readonly BackendAuthFailed: Detail
  /** Nobody is logged in, and whoever asks cannot be sent to a login. */
  readonly OidcLogin: Detail & Fields
  /** A login that came back is not the one that was begun. */
  readonly OidcCallback: Detail & Fields
  readonly OidcFailed: Detail & Fields
  readonly OidcUnavailable: Detail & Fields
  readonly CsrfFailed: {}
  readonly AuthorizationFailed: {}
  readonly RateLimited: {}
  /** As many are under way as may be. */
  readonly TooManyAtOnce: Fields & { readonly status: 429 | 503 }
  readonly RateLimitFailed: {}
  /** A shared limit is used up, in the words of the service that keeps it, if it has any. */
  readonly OverLimit: { readonly text: string }
  /** An external service refused, or could not be asked; it or the configuration says with which status. */
  readonly ExternallyDenied: { readonly status: number }
  readonly ExtProcFailed: Detail
  readonly Defect: {}
}

export type Refusal = { [Tag in keyof Shapes]: { readonly _tag: Tag } & Shapes[Tag] }[keyof Shapes]
export type Of<Tag extends keyof Shapes> = Extract<Refusal, { readonly _tag: Tag }>

/** How a refusal is classified in the journal. */
export type Reason =
  | "NotFound"
  | "Internal"
  | "NoHealthyBackend"
  | "UpstreamFailure"
  | "Timeout"
  | "InvalidRequest"
  | "Overload"
  | "JwtAuth"
  | "Oidc"
  | "BasicAuth"
  | "APIKeyAuth"
  | "Authorization"
  | "RateLimit"
  | "ExtAuth"
  | "ExtProc"

interface Answer<R> {
  readonly status: number | ((refusal: R) => number)
  readonly reason: Reason
  readonly text: string | ((refusal: R) => string)
  /** Of the text; plain unless said. */
  readonly type?: string
}

const answers: { readonly [Tag in keyof Shapes]: Answer<Of<Tag>> } = {
  BindNotFound: { status: 404, reason: "NotFound", text: "bind not found" },
  ListenerNotFound: { status: 404, reason: "NotFound", text: "listener not found" },
  RouteNotFound: { status: 404, reason: "NotFound", text: "route not found" },
  Misdirected: { status: 421, reason: "NotFound", text: "misdirected request" },
  ServiceNotFound: { status: 500, reason: "NotFound", text: "service not found" },
  LoopDetected: {
    status: 508,
    reason: "InvalidRequest",
    text: (r) => (r.detail === undefined ? "loop detected" : `loop detected: ${r.detail}`),
  },
  DelegationCycle: { status: 500, reason: "Internal", text: "route delegation cycle detected" },
  NoValidBackends: { status: 500, reason: "NoHealthyBackend", text: "no valid backends" },
  BackendNotFound: { status: 500, reason: "NoHealthyBackend", text: "backend does not exist" },
  InvalidBackendType: { status: 500, reason: "NoHealthyBackend", text: "invalid backend type" },
  NoHealthyBackends: { status: 503, reason: "NoHealthyBackend", text: "no healthy backends" },
  ResolutionFailed: {
    status: 503,
    reason: "NoHealthyBackend",
    text: (r) => `backends required DNS resolution which failed: ${r.detail}`,
  },
  FilterFailed: { status: 500, reason: "Internal", text: (r) => `failed to apply filters: ${r.detail}` },
  UpgradeFailed: { status: 502, reason: "Internal", text: (r) => `request upgrade failed, ${r.detail}` },
  InvalidRequest: { status: 400, reason: "Internal", text: (r) => `invalid request: ${r.detail}` },
  MethodNotAllowed: { status: 405, reason: "Internal", text: "method not allowed" },
  ProcessingFailed: { status: 503, reason: "Internal", text: (r) => `processing failed: ${r.detail}` },
  RequestHeadTooLarge: { status: 431, reason: "InvalidRequest", text: "request header fields too large" },
  RequestBodyTooLarge: { status: 413, reason: "InvalidRequest", text: "request body too large" },
  ReplyBodyTooLarge: { status: 502, reason: "UpstreamFailure", text: "response body too large" },
  RequestHeadTimeout: { status: 408, reason: "Timeout", text: "request head timeout" },
  RequestBodyTimeout: { status: 408, reason: "Timeout", text: "request body timeout" },
  ExpectationFailed: { status: 417, reason: "InvalidRequest", text: (r) => `expectation failed: ${r.detail}` },
  UpstreamFailed: { status: 503, reason: "UpstreamFailure", text: (r) => `upstream call failed: ${r.detail}` },
  UpstreamTimeout: { status: 504, reason: "Timeout", text: "upstream call timeout" },
  RequestTimeout: { status: 504, reason: "Timeout", text: "request timeout" },
  Overloaded: { status: 503, reason: "Overload", text: (r) => `overloaded: ${r.detail}` },
  JwtAuth: { status: 401, reason: "JwtAuth", text: (r) => `authentication failure: ${r.detail}` },
  KeysUnavailable: {
    status: 503,
    reason: "JwtAuth",
    text: "authentication failure: the keys of the issuer cannot be fetched",
  },
  McpUnauthorized: {
    status: 401,
    reason: "JwtAuth",
    text: JSON.stringify({ error: "unauthorized", error_description: "JWT token required" }),
    type: "application/json",
  },
  McpScope: {
    status: 403,
    reason: "Authorization",
    text: (r) =>
      JSON.stringify({ error: "insufficient_scope", error_description: `these scopes are needed: ${r.detail}` }),
    type: "application/json",
  },
  BasicAuth: { status: 401, reason: "BasicAuth", text: (r) => `basic authentication failure: ${r.detail}` },
  ProxyBasicAuth: { status: 407, reason: "BasicAuth", text: (r) => `basic authentication failure: ${r.detail}` },
  ApiKeyAuth: { status: 401, reason: "APIKeyAuth", text: (r) => `api key authentication failure: ${r.detail}` },
  BackendAuthFailed: {
    status: 500,
    reason: "UpstreamFailure",
    text: (r) => `backend authentication failed: ${r.detail}`,
  },
  OidcLogin: { status: 401, reason: "Oidc", text: (r) => `oidc failure: ${r.detail}` },
  OidcCallback: { status: 400, reason: "Oidc", text: (r) => `oidc failure: ${r.detail}` },
  OidcFailed: { status: 500, reason: "Oidc", text: (r) => `oidc failure: ${r.detail}` },
  OidcUnavailable: { status: 503, reason: "Oidc", text: (r) => `oidc failure: ${r.detail}` },
  CsrfFailed: { status: 403, reason: "Authorization", text: "CSRF validation failed" },
  AuthorizationFailed: { status: 403, reason: "Authorization", text: "authorization failed" },
  RateLimited: { status: 429, reason: "RateLimit", text: "rate limit exceeded" },
  TooManyAtOnce: { status: (r) => r.status, reason: "Overload", text: "too many requests at once" },
  OverLimit: { status: 429, reason: "RateLimit", text: (r) => (r.text === "" ? "rate limit exceeded" : r.text) },
  RateLimitFailed: { status: 500, reason: "RateLimit", text: "rate limit failed" },
  ExternallyDenied: { status: (r) => r.status, reason: "ExtAuth", text: "external authorization failed" },
  ExtProcFailed: { status: 500, reason: "ExtProc", text: (r) => `ext_proc failed: ${r.detail}` },
  Defect: { status: 500, reason: "Internal", text: "internal error" },
}

/** What is told of an upstream that broke off a reply of which the client has nothing yet. */
export const brokenOff = ({ message, reason }: Body.FlowFailure, what = ""): Refusal =>
  reason === "stalled" ? { _tag: "UpstreamTimeout" } : { _tag: "UpstreamFailed", detail: `${what}${message}` }

const fieldsOf = (refusal: Refusal): ReadonlyArray<string> => ("headers" in refusal ? refusal.headers : [])

const answerOf = (refusal: Refusal): Answer<Refusal> => answers[refusal._tag] as Answer<Refusal>

export const status = (refusal: Refusal): number => {
  const { status } = answerOf(refusal)
  return typeof status === "number" ? status : status(refusal)
}

export const reason = (refusal: Refusal): Reason => answerOf(refusal).reason

export const message = (refusal: Refusal): string => {
  const text = answerOf(refusal).text
  return typeof text === "string" ? text : text(refusal)
}

/** The reply that tells the client; a gRPC client is told in its own way. */
export const toReply = (refusal: Refusal, isGrpc: boolean): Reply => {
  const code = status(refusal)
  const text = message(refusal)
  if (isGrpc) {
    const grpcCode = refusal._tag === "NoValidBackends" ? 14 : grpcStatusOf(code)
    return {
      status: 200,
      headers: new Headers([
        "content-type",
        "application/grpc",
        "grpc-status",
        String(grpcCode),
        "grpc-message",
        encodeGrpcMessage(text),
        ...fieldsOf(refusal),
      ]),
      body: Body.empty,
      origin: "gateway",
    }
  }
  return {
    status: code,
    headers: new Headers(["content-type", answerOf(refusal).type ?? "text/plain", ...fieldsOf(refusal)]),
    body: Body.text(text),
    origin: "gateway",
  }
}
