/** Somewhere an exchange can be sent. */
import * as Schema from "effect/Schema"
import { mcpFields } from "./backend/Mcp.ts"
import { Expression } from "./Expression.ts"
import { BackendKey } from "./Key.ts"
import { BackendPolicy } from "./Policy.ts"

export const HostTarget = Schema.TaggedUnion({
  /** A DNS name or an address literal. */
  Host: { host: Schema.NonEmptyString, port: Schema.Port },
  Unix: { path: Schema.NonEmptyString },
})
export type HostTarget = typeof HostTarget.Type

const common = { key: BackendKey, policies: Schema.Array(BackendPolicy) }

export const Backend = Schema.TaggedUnion({
  Host: { ...common, target: HostTarget },
  Dynamic: { ...common, target: Schema.optionalKey(Expression) },
  /** The gateway's own administration interface; a path replaces the path of every request. */
  Internal: { ...common, path: Schema.optionalKey(Schema.String) },
  /** MCP servers, federated behind one endpoint. */
  Mcp: { ...common, ...mcpFields },
  Invalid: { ...common, reason: Schema.String },
})
export type Backend = typeof Backend.Type
