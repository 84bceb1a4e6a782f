/** Many MCP servers, or things made to look like some, behind one endpoint. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"
import { Millis } from "../Millis.ts"
import type { Named } from "../Named.ts"
import { Callee } from "../policy/Callee.ts"
import { Document } from "../policy/Document.ts"
import { Secret } from "../Secret.ts"
import { McpOauth } from "./McpOauth.ts"
import { mcpTargetName } from "./mcpTargetName.ts"
import { ToolLock } from "./ToolLock.ts"

const TargetName = Schema.String.check(Schema.isPattern(mcpTargetName))

/** Which protocol generation a target speaks; `auto` finds out. */
export const McpEra = Schema.Literals(["auto", "legacy", "modern"])
export type McpEra = typeof McpEra.Type

/** `*` stands for any run of characters, everything else for itself. */
export const NamePattern = Schema.NonEmptyString
export type NamePattern = typeof NamePattern.Type

/** What is done with one argument of a tool. A locked one is not shown and cannot be set by the caller. */
export const ArgumentShape = Schema.TaggedUnion({
  Default: { name: Schema.NonEmptyString, value: Schema.Json },
  Locked: { name: Schema.NonEmptyString, value: Schema.Json },
  /** Locked to what the expression gives for this caller. */
  Computed: { name: Schema.NonEmptyString, expression: Expression },
})
export type ArgumentShape = typeof ArgumentShape.Type

/** How one tool of a target is shown; `tool` is the name the target itself gives it. */
export const ToolShape = Schema.Struct({
  tool: Schema.NonEmptyString,
  name: Schema.optionalKey(Schema.NonEmptyString),
  title: Schema.optionalKey(Schema.String),
  description: Schema.optionalKey(Schema.String),
  hidden: Schema.Boolean,
  arguments: Schema.Array(ArgumentShape),
})
export type ToolShape = typeof ToolShape.Type

export const ToolShaping = Schema.Struct({
  /** Names the target gives; empty: all. */
  include: Schema.Array(NamePattern),
  exclude: Schema.Array(NamePattern),
  shapes: Schema.Array(ToolShape),
})
export type ToolShaping = typeof ToolShaping.Type

/** Absent: what the gateway assumes for every target. */
export const McpDeadlines = Schema.Struct({
  /** Until a target has to have answered when all are asked: discovery and lists. */
  listMillis: Schema.optionalKey(Millis),
  /** Without a byte, a progress notification or a question from the target. */
  idleMillis: Schema.optionalKey(Millis),
  /** The whole of one call, whatever happens meanwhile. */
  callMillis: Schema.optionalKey(Millis),
  /** How long a person may take to answer what the target asked. */
  askMillis: Schema.optionalKey(Millis),
})
export type McpDeadlines = typeof McpDeadlines.Type

export const StdioProcess = Schema.Struct({
  command: Schema.NonEmptyString,
  args: Schema.Array(Schema.String),
  env: Schema.Record(Schema.String, Secret),
  /** What of the gateway's own environment the process sees: nothing, what any program needs, or everything. */
  inherit: Schema.Literals(["nothing", "basics", "everything"]),
  workingDirectory: Schema.optionalKey(Schema.NonEmptyString),
  /** Whether callers who are not the same may share one process. */
  shared: Schema.Boolean,
  processesMax: Schema.Natural,
  /** A process without a call is stopped after this time. */
  idleMillis: Millis,
})
export type StdioProcess = typeof StdioProcess.Type

/** Which operations of an OpenAPI document become tools. */
export const OperationFilter = Schema.Struct({
  tags: Schema.Array(Schema.NonEmptyString),
  /** Operation ids, or generated names where there is none. */
  operations: Schema.Array(NamePattern),
})
export type OperationFilter = typeof OperationFilter.Type

const common = {
  name: TargetName,
  tools: ToolShaping,
  deadlines: McpDeadlines,
  /** Absent: whatever the server says of itself is passed on. */
  lock: Schema.optionalKey(ToolLock),
}

/** Introduces clients with a session in their own revision, for servers that behave differently to older ones. */
const passVersion = Schema.optionalKey(Schema.Boolean)

const mcpTarget = Schema.TaggedUnion({
  /** Streamable HTTP, of any revision. */
  Http: {
    ...common,
    callee: Callee,
    path: Schema.NonEmptyString,
    era: McpEra,
    passVersion,
    oauth: Schema.optionalKey(McpOauth),
  },
  /** The two endpoints of the first revision. */
  Sse: { ...common, callee: Callee, path: Schema.NonEmptyString, passVersion, oauth: Schema.optionalKey(McpOauth) },
  Stdio: { ...common, process: StdioProcess, era: McpEra, passVersion },
  OpenApi: {
    ...common,
    callee: Callee,
    document: Document,
    /** In place of the path of the document's server. */
    basePath: Schema.optionalKey(Schema.String),
    include: OperationFilter,
    exclude: OperationFilter,
    /** Whether tools promise the form of their results. */
    outputSchema: Schema.Boolean,
    oauth: Schema.optionalKey(McpOauth),
  },
  /** An agent that speaks A2A, whose skills are the tools; `path` is in front of the protocol's own paths. */
  A2a: { ...common, callee: Callee, path: Schema.String },
})
export interface McpTargetSchema extends Named<typeof mcpTarget> {}
export const McpTarget: McpTargetSchema = mcpTarget
export type McpTarget = typeof McpTarget.Type

/** Every service with these labels is a target, for as long as it is there. */
export const McpSelector = Schema.Struct({
  labels: Schema.Record(Schema.String, Schema.String),
  namespace: Schema.optionalKey(Schema.String),
  transport: Schema.Literals(["Http", "Sse"]),
  /** Absent: the only port of the service, or the one whose number is smallest. */
  port: Schema.optionalKey(Schema.Port),
  path: Schema.NonEmptyString,
  era: McpEra,
  policies: Callee.fields.policies,
  tools: ToolShaping,
  deadlines: McpDeadlines,
  lock: Schema.optionalKey(ToolLock),
  /** Without a server, tokens are for each service by itself. */
  oauth: Schema.optionalKey(Schema.Struct({ ...McpOauth.fields, server: Schema.optionalKey(McpOauth.fields.server) })),
})
export type McpSelector = typeof McpSelector.Type

/**
 * A virtual server: what of everything behind the endpoint some callers see. Patterns are compared with `target/name`.
 * The first whose condition holds is the one; where there are bundles and none holds, nothing is seen.
 */
export const McpBundle = Schema.Struct({
  name: Schema.NonEmptyString,
  condition: Schema.optionalKey(Expression),
  tools: Schema.Array(NamePattern),
  prompts: Schema.Array(NamePattern),
  resources: Schema.Array(NamePattern),
})
export type McpBundle = typeof McpBundle.Type

export const mcpFields = {
  targets: Schema.Array(McpTarget),
  selectors: Schema.Array(McpSelector),
  bundles: Schema.Array(McpBundle),
  stateful: Schema.Boolean,
  prefixMode: Schema.Literals(["conditional", "always", "never", "onConflict"]),
  /** Lists of many targets: as a whole, or as one page of each at a time. Absent: whole. */
  pagination: Schema.optionalKey(Schema.Literals(["whole", "composite"])),
  /** How many items of a list of many targets are sent at once. Absent: all. */
  pageSize: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 }))),
  failureMode: Schema.Literals(["failClosed", "failOpen"]),
  /** Absent: on where the gateway is reached over the loopback interface. */
  rebindingProtection: Schema.optionalKey(Schema.Boolean),
  /** Names, with or without port, that a request may give as its host, and origins it may come from, besides local ones. */
  allowedHosts: Schema.Array(Schema.NonEmptyString),
  allowedOrigins: Schema.Array(Schema.NonEmptyString),
}
