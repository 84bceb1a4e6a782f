/** What is asked of a provider, and what each of them has of its own. */
import type { BackendAuthKind } from "../../../../ir/policy/BackendAuth.ts"
import type { HostTarget } from "../../../../ir/HostTarget.ts"
import type { Headers } from "../../../../protocols/http/headers.ts"
import type { JsonObject } from "../../../../protocols/llm/Json.ts"
import type { Format } from "../../../../protocols/llm/Translation.ts"

/** In the provider's own terms. */
export interface VendorCall {
  readonly format: Format
  readonly model: string
  readonly streaming: boolean
  /** In place of the beginning that the vendor's paths usually have; without a slash at its end. */
  readonly prefix: string | undefined
}

/** In which header a credential is shown. */
export type CredentialHeader = "authorization" | "x-api-key" | "x-goog-api-key" | "api-key"

export interface VendorTraits {
  /** As metrics, logs and the price catalogue call it. */
  readonly name: string
  /** Its own address for such a call; absent where only configuration knows one. */
  readonly address: (format: Format | undefined) => HostTarget | undefined
  /** What it understands for a model. */
  readonly formats: (model: string) => ReadonlyArray<Format>
  /** Path and, where the interface wants one, query. */
  readonly path: (call: VendorCall) => string
  /** For calls that are passed on unread. */
  readonly opaquePath: (path: string, prefix: string | undefined) => string
  /** Where realtime connections are made, if they can be. */
  readonly realtimePath?: (prefix: string | undefined) => string
  /** How a bearer credential is shown instead, where it is not left as it is. */
  readonly credential: (format: Format | undefined, token: string) => CredentialHeader
  /** Last changes of the head. */
  readonly head?: (headers: Headers, call: VendorCall) => void
  /** Last changes of the body. */
  readonly body?: (body: JsonObject, call: VendorCall) => JsonObject
  /** How the gateway shows who it is where nothing is configured. */
  readonly implicitAuth?: BackendAuthKind
  /** Clients that count tokens are answered by the gateway's own estimate for such a model. */
  readonly moderation?: JsonObject
}

export const host = (name: string): HostTarget => ({ _tag: "Host", host: name, port: 443 })

/** Characters that would end a segment of a path, or be taken for an escape. */
export const inPath = (model: string): string =>
  model.replace(/[\u0000-\u001f\u007f/%?#]/g, (character) => encodeURIComponent(character))

/** The usual way to place a prefix: the leading `/v1` gives way to it. */
export const replacingV1 = (path: string, prefix: string | undefined): string => {
  if (prefix === undefined) return path
  return path === "/v1" || path.startsWith("/v1/") ? `${prefix}${path.slice(3)}` : `${prefix}${path}`
}

export const prepending = (path: string, prefix: string | undefined): string =>
  prefix === undefined ? path : `${prefix}${path}`

export const asBearer = (): CredentialHeader => "authorization"
