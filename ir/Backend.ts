/** Somewhere an exchange can be sent. */
import * as Schema from "effect/Schema"
import { a2aFields } from "./backend/A2a.ts"
import { mcpFields } from "./backend/Mcp.ts"
import { Model, ProviderGroups, VirtualModel } from "./backend/Llm.ts"
import { Expression } from "./Expression.ts"
import { HostTarget } from "./HostTarget.ts"
import { BackendKey } from "./Key.ts"
import { BackendPolicy } from "./Policy.ts"
import { Prices } from "./Prices.ts"

export { HostTarget } from "./HostTarget.ts"

const common = { key: BackendKey, policies: Schema.Array(BackendPolicy) }

export const Backend = Schema.TaggedUnion({
  Host: { ...common, target: HostTarget },
  Dynamic: { ...common, target: Schema.optionalKey(Expression) },
  /** The gateway's own administration interface; a path replaces the path of every request. */
  Internal: { ...common, path: Schema.optionalKey(Schema.String) },
  /** MCP servers, federated behind one endpoint. */
  Mcp: { ...common, ...mcpFields },
  /** Providers of models that stand for each other. */
  Llm: { ...common, groups: ProviderGroups, prices: Schema.optionalKey(Prices) },
  /** Models by the name that the client asks for. */
  Models: {
    ...common,
    models: Schema.Array(Model),
    virtualModels: Schema.Array(VirtualModel),
    prices: Schema.optionalKey(Prices),
  },
  /** An agent runtime of Amazon Bedrock. */
  AgentCore: {
    ...common,
    runtimeArn: Schema.NonEmptyString,
    qualifier: Schema.optionalKey(Schema.NonEmptyString),
  },
  /** Agents, each below its own name. */
  A2a: { ...common, ...a2aFields },
  Invalid: { ...common, reason: Schema.String },
})
export type Backend = typeof Backend.Type
export type AgentCore = Extract<Backend, { readonly _tag: "AgentCore" }>
