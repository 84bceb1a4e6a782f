/** How the gateway shows a backend who is calling. */
import * as Schema from "effect/Schema"
import type { Named } from "../Named.ts"
import { Aws, Azure, Copilot, ExtraCredential, Gcp, JwtSign, Key, Passthrough } from "./CloudAuth.ts"
import { CrossAppAccess, OauthClientCredentials, OauthTokenExchange } from "./TokenExchange.ts"

const backendAuthKind = Schema.Union([
  Passthrough,
  Key,
  Gcp,
  Aws,
  Azure,
  Copilot,
  JwtSign,
  OauthTokenExchange,
  CrossAppAccess,
  OauthClientCredentials,
]).pipe(Schema.toTaggedUnion("_tag"))
export interface BackendAuthKindSchema extends Named<typeof backendAuthKind> {}
export const BackendAuthKind: BackendAuthKindSchema = backendAuthKind
export type BackendAuthKind = typeof BackendAuthKind.Type

const backendAuth = Schema.TaggedStruct("BackendAuth", {
  /** Absent: only the further credentials are put in. */
  auth: Schema.optionalKey(BackendAuthKind),
  credentials: Schema.Array(ExtraCredential),
})
export interface BackendAuthSchema extends Named<typeof backendAuth> {}
export const BackendAuth: BackendAuthSchema = backendAuth
export type BackendAuth = typeof BackendAuth.Type
