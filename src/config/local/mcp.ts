/** MCP backends, and the `mcp` shorthand built on them. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { mcpTargetName } from "../../../ir/backend/mcpTargetName.ts"
import { FileInlineOrRemote, FileOrInline } from "./FileOrInline.ts"
import {
  anyCase,
  Cel,
  Count,
  exactlyOne,
  FileName,
  Millis,
  oneSpelling,
  opt,
  Port,
  req,
  Texts,
  TextMap,
} from "./grammar.ts"
import { GatewayRefs } from "./GatewayRefs.ts"
import { McpConnections, McpOauth } from "./mcpOauth.ts"
import { RoutePolicies } from "./policies.ts"
import { CalleePolicies } from "./policy/Callee.ts"

const targetName = Schema.String.check(
  Schema.isPattern(mcpTargetName, { message: "expected lower-case letters, digits, `-` and `.`" }),
)

const place = {
  host: opt(Schema.NonEmptyString, "Host name with `port` and `path`, or a URL."),
  port: opt(Port),
  path: opt(Schema.String),
  backend: opt(Schema.NonEmptyString, "Key of an entry of `backends`: `/name`."),
}

const placed = <S extends Schema.Codec<{ host?: string; port?: number; path?: string; backend?: string }, unknown>>(
  schema: S,
): S["Rebuild"] =>
  schema.check(
    Schema.makeFilter((at: { host?: string; port?: number; path?: string; backend?: string }) => {
      if ((at.host === undefined) === (at.backend === undefined)) return "exactly one of `host`, `backend` must be set"
      if (at.host !== undefined && (at.port === undefined) !== (at.path === undefined)) {
        return "`port` and `path` are set together, or neither is"
      }
      return at.backend !== undefined && at.port !== undefined ? "`port` goes with `host` only" : undefined
    }),
  )

const Place = placed(Schema.Struct(place))
export type Place = typeof Place.Type

const argumentShape = exactlyOne(
  Schema.Struct({
    default: opt(Schema.Json, "Used where the caller leaves the argument out."),
    value: opt(Schema.Json, "Always used; callers neither see nor set the argument."),
    expression: opt(Cel, "As `value`, computed for each call."),
  }),
  ["default", "value", "expression"],
)

const toolShape = Schema.Struct({
  name: opt(Schema.NonEmptyString, "The name that callers see."),
  title: opt(Schema.String),
  description: opt(Schema.String),
  hidden: opt(Schema.Boolean),
  arguments: opt(Schema.Record(Schema.String, argumentShape), "By name, or by a path such as `/query/limit`."),
})

const toolShapingShape = Schema.Struct({
  include: opt(Texts, "Names of the target, `*` for any run of characters; all unless set."),
  exclude: opt(Texts),
  override: opt(Schema.Record(Schema.String, toolShape), "By the name the target gives the tool."),
}).annotate({ identifier: "McpTools", description: "How the tools of a target are shown." })
export interface ToolShapingSchema extends Named<typeof toolShapingShape> {}
export const ToolShaping: ToolShapingSchema = toolShapingShape
export type ToolShaping = typeof ToolShaping.Type

const Timeouts = Schema.Struct({
  list: opt(Millis, "For an answer when every target is asked; 5s unless set."),
  idle: opt(Millis, "Without a byte, progress or a question from the target; 60s unless set."),
  call: opt(Millis, "For a whole call; 30m unless set."),
  ask: opt(Millis, "For a person to answer what the target asked; 50s unless set."),
}).annotate({ identifier: "McpTimeouts" })
export type Timeouts = typeof Timeouts.Type

const Era = anyCase(["auto", "legacy", "modern"])

const Stdio = oneSpelling(
  Schema.Struct({
    cmd: FileName,
    args: opt(Texts),
    env: opt(Schema.Record(Schema.String, FileOrInline)),
    clear_env: opt(Schema.Boolean),
    clearEnv: opt(
      Schema.Boolean,
      "true: the process sees `env` only; false: everything the gateway sees; the basics, such as `PATH`, unless set.",
    ),
    cwd: opt(FileName, "Where the process runs."),
    shared: opt(Schema.Boolean, "Lets different callers share one process."),
    processes: opt(Count, "Processes at once; 64 unless set."),
    idleTimeout: opt(Millis, "Stops a process that was not called for so long; 5m unless set."),
  }),
  [["clear_env", "clearEnv"]],
)
export type Stdio = typeof Stdio.Type

const Operations = Schema.Struct({ tags: opt(Texts), operations: opt(Texts) })
export type Operations = typeof Operations.Type

/** The document itself, as a map or a text, the file that holds it, or where to fetch it. */
const OpenApiDocument = Schema.Union([
  FileInlineOrRemote,
  Schema.Record(Schema.String, Schema.Json).check(
    Schema.makeFilter((document) =>
      Object.hasOwn(document, "openapi") ? undefined : "expected a document, or one of `file`, `url`",
    ),
  ),
])

const OpenApi = placed(
  Schema.Struct({
    ...place,
    schema: OpenApiDocument,
    basePath: opt(Schema.String, "Instead of the path of the server that the document names."),
    include: opt(Operations, "Only operations with one of these tags or names become tools."),
    exclude: opt(Operations),
    outputSchema: opt(
      Schema.Boolean,
      "Tools promise the form of their results; strict clients then refuse what the API says differently.",
    ),
  }),
)
export type OpenApi = typeof OpenApi.Type

const toolLockShape = Schema.Struct({
  mode: opt(
    anyCase(["off", "observe", "tofu", "locked"]),
    "`observe` tells of changes, `tofu` trusts what a server says first and judges what it changes, `locked` serves nothing but what was approved; `tofu` unless set.",
  ),
  file: opt(FileName, "Where what was approved is written down; the gateway's database unless set."),
  recheck: opt(Millis, "No definition is used that was looked at longer ago; 30s unless set."),
}).annotate({ identifier: "McpToolLock", description: "How far what servers say of themselves is taken on trust." })
export interface ToolLockSchema extends Named<typeof toolLockShape> {}
export const ToolLock: ToolLockSchema = toolLockShape
export type ToolLock = typeof ToolLock.Type

const McpTarget = exactlyOne(
  Schema.Struct({
    name: targetName,
    policies: opt(CalleePolicies),
    protocol: opt(Era, "Protocol generation of an `mcp` or `stdio` target; found out unless set."),
    passVersion: opt(
      Schema.Boolean,
      "Introduces clients that have a session in the revision they speak themselves, not in the newest that the target may know.",
    ),
    timeouts: opt(Timeouts),
    tools: opt(ToolShaping),
    toolLock: opt(ToolLock, "In place of what the backend says, member by member."),
    oauth: opt(McpOauth),
    sse: opt(Place, "Legacy HTTP and SSE."),
    mcp: opt(Place, "Streamable HTTP."),
    openapi: opt(OpenApi, "Tools made from an OpenAPI document."),
    stdio: opt(Stdio, "A child process."),
    a2a: opt(Place, "An agent that speaks A2A; its skills are the tools."),
  }).check(
    Schema.makeFilter((target) =>
      target.stdio !== undefined && target.policies !== undefined
        ? "`policies` do not apply to `stdio` targets"
        : target.protocol !== undefined && target.mcp === undefined && target.stdio === undefined
          ? "`protocol` goes with `mcp` and `stdio` targets only"
          : target.passVersion !== undefined && (target.openapi !== undefined || target.a2a !== undefined)
            ? "`passVersion` does not apply to `openapi` and `a2a` targets"
            : target.oauth !== undefined && (target.stdio !== undefined || target.a2a !== undefined)
              ? "`oauth` does not apply to `stdio` and `a2a` targets"
              : target.oauth !== undefined && target.policies?.backendAuth !== undefined
                ? "`oauth` and `policies.backendAuth` are two ways to show who is calling"
                : undefined,
    ),
  ),
  ["sse", "mcp", "openapi", "stdio", "a2a"],
).annotate({ identifier: "McpTarget" })
export type McpTarget = typeof McpTarget.Type

const McpSelector = Schema.Struct({
  labels: req(TextMap, "Services with all of these labels are targets."),
  namespace: opt(Schema.String, "Only services of this namespace, which then go by their bare name."),
  transport: opt(anyCase(["mcp", "sse"]), "`mcp` unless set."),
  port: opt(Port, "Port of the service; the smallest it has unless set."),
  path: opt(Schema.String),
  protocol: opt(Era),
  policies: opt(CalleePolicies),
  timeouts: opt(Timeouts),
  tools: opt(ToolShaping),
  oauth: opt(McpOauth, "Tokens for each service by itself, unless they have one `resource`."),
})
  .check(
    Schema.makeFilter(({ oauth, policies }) =>
      oauth !== undefined && policies?.backendAuth !== undefined
        ? "`oauth` and `policies.backendAuth` are two ways to show who is calling"
        : undefined,
    ),
  )
  .annotate({ identifier: "McpSelector" })
export type McpSelector = typeof McpSelector.Type

const McpBundle = Schema.Struct({
  name: Schema.NonEmptyString,
  when: opt(Cel, "The first bundle whose condition holds is what a caller sees."),
  tools: opt(Texts, "`target/name`, `*` for any run of characters; none unless set."),
  prompts: opt(Texts),
  resources: opt(Texts),
}).annotate({ identifier: "McpBundle" })
export type McpBundle = typeof McpBundle.Type

const fields = {
  targets: opt(Schema.Array(McpTarget)),
  selectors: opt(Schema.Array(McpSelector), "Targets found among the services."),
  toolLock: opt(ToolLock, "For every target that says nothing else."),
  bundles: opt(Schema.Array(McpBundle), "What some callers see of everything behind the endpoint."),
  statefulMode: opt(anyCase(["stateful", "stateless"])),
  prefixMode: opt(anyCase(["conditional", "always", "never", "onConflict"], { "on-conflict": "onConflict" })),
  pagination: opt(
    anyCase(["whole", "composite"]),
    "Lists of several targets as a whole, or as one page of each at a time, for lists that are very long; `whole` unless set. What may clash is always listed as a whole.",
  ),
  pageSize: opt(
    Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })),
    "How many items of a list of several targets are sent at once; all unless set. The only target pages its lists itself.",
  ),
  failureMode: opt(anyCase(["failClosed", "failOpen"])),
  connections: opt(McpConnections),
  dnsRebindingProtection: opt(Schema.Boolean, "On where a request arrives over the loopback interface, unless set."),
  allowedHosts: opt(Texts, "Hosts a request may name although it is checked, besides local ones."),
  allowedOrigins: opt(Texts, "Origins a request may come from although it is checked, besides local ones."),
}

const mcpBackendShape = Schema.Struct(fields).annotate({ identifier: "McpBackend" })
export interface McpBackendSchema extends Named<typeof mcpBackendShape> {}
export const McpBackend: McpBackendSchema = mcpBackendShape
export type McpBackend = typeof McpBackend.Type

const mcpShape = Schema.Struct({
  gateways: opt(GatewayRefs),
  port: opt(Port),
  ...fields,
  policies: opt(RoutePolicies),
}).annotate({ identifier: "Mcp", description: "MCP servers behind one endpoint, without writing routes." })
export interface McpSchema extends Named<typeof mcpShape> {}
export const Mcp: McpSchema = mcpShape
export type Mcp = typeof Mcp.Type
