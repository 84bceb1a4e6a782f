/** MCP backends, and the `mcp` shorthand built on them. */
import type { Named } from "../../../ir/Named.ts"
import * as Schema from "effect/Schema"
import { CalleePolicies } from "./callee.ts"
import { anyCase, exactlyOne, FileInlineOrRemote, FileName, opt, Port, Texts, TextMap } from "./grammar.ts"
import { GatewayRefs } from "./GatewayRefs.ts"
import { RoutePolicies } from "./policies.ts"

const targetName = Schema.String.check(
  Schema.isPattern(/^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/, {
    message: "expected lower-case letters, digits, `-` and `.`",
  }),
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

const McpTarget = exactlyOne(
  Schema.Struct({
    name: targetName,
    policies: opt(CalleePolicies),
    sse: opt(Place, "Legacy HTTP and SSE."),
    mcp: opt(Place, "Streamable HTTP."),
    openapi: opt(
      placed(Schema.Struct({ ...place, schema: FileInlineOrRemote })),
      "Tools made from an OpenAPI document.",
    ),
    stdio: opt(
      Schema.Struct({
        cmd: FileName,
        args: opt(Texts),
        env: opt(TextMap),
        clear_env: opt(Schema.Boolean),
        clearEnv: opt(Schema.Boolean),
      }),
      "A child process.",
    ),
  }).check(
    Schema.makeFilter((target) =>
      target.stdio !== undefined && target.policies !== undefined
        ? "`policies` do not apply to `stdio` targets"
        : undefined,
    ),
  ),
  ["sse", "mcp", "openapi", "stdio"],
).annotate({ identifier: "McpTarget" })

const fields = {
  targets: Schema.Array(McpTarget),
  statefulMode: opt(anyCase(["stateful", "stateless"])),
  prefixMode: opt(anyCase(["conditional", "always", "never"])),
  failureMode: opt(anyCase(["failClosed", "failOpen"])),
  dnsRebindingProtection: opt(Schema.Boolean),
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
