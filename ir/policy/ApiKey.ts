/** Keys given out to callers, each with what is known about its holder. */
import * as Schema from "effect/Schema"
import { Secret } from "../Secret.ts"
import { Budget } from "./Budget.ts"
import { CredentialLocation } from "./CredentialLocation.ts"
import { AuthenticationMode } from "./JwtAuth.ts"

export const ApiKeyValue = Schema.TaggedUnion({
  Plain: { key: Secret },
  /** SHA-256 of the key, in hexadecimal. */
  Hashed: { sha256: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)) },
})
export type ApiKeyValue = typeof ApiKeyValue.Type

export const IssuedKey = Schema.Struct({
  value: ApiKeyValue,
  metadata: Schema.optionalKey(Schema.Json),
  /** Exact, `prefix*`, `*suffix` or `*`; absent: any model, empty: none. */
  allowedModels: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  /** Of MCP servers: `tool`, or `target/tool`, with `*` for any part; absent: any tool, empty: none. */
  allowedTools: Schema.optionalKey(Schema.Array(Schema.NonEmptyString)),
  /** What its holder may spend; the names of keys whose budgets are to be kept apart differ. */
  budgets: Schema.optionalKey(Schema.Array(Budget)),
  /** By the wall clock; from then on it is as if it had never been given out. */
  expiresMillis: Schema.optionalKey(Schema.Finite),
})
export type IssuedKey = typeof IssuedKey.Type

export const ApiKey = Schema.TaggedStruct("ApiKey", {
  keys: Schema.Array(IssuedKey),
  /** Whether keys that the gateway gave out itself are good here too. */
  virtual: Schema.optionalKey(Schema.Boolean),
  mode: AuthenticationMode,
  location: CredentialLocation,
})
export type ApiKey = typeof ApiKey.Type
