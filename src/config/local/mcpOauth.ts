/** The gateway as a client of OAuth at MCP servers: what a target says of it, and what holds for all of a backend. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../ir/Named.ts"
import { SigningAlgorithm } from "../../../ir/policy/CloudAuth.ts"
import { FileOrInline } from "./FileOrInline.ts"
import { anyCase, opt, Texts } from "./grammar.ts"

const mcpOauthShape = Schema.Struct({
  grant: opt(
    anyCase(["user", "gateway"]),
    "Whose account is used: that of each caller unless set, or the gateway's own.",
  ),
  issuer: opt(Schema.NonEmptyString, "The authorization server; the one that the target names unless set."),
  clientId: opt(Schema.NonEmptyString, "The gateway as it is known there; it makes itself known unless set."),
  clientSecret: opt(FileOrInline),
  method: opt(anyCase(["clientSecretBasic", "clientSecretPost", "privateKeyJwt", "none"])),
  signingKey: opt(FileOrInline, "For `privateKeyJwt`: a private key in PEM."),
  alg: opt(SigningAlgorithm),
  scopes: opt(Texts, "Asked for beside what the target asks for."),
  resource: opt(Schema.NonEmptyString, "URL of the server that tokens are for; that of the target unless set."),
  resourceIndicator: opt(Schema.Boolean, "false for authorization servers that refuse `resource`."),
  assumePkce: opt(Schema.Boolean, "true for authorization servers that check S256 without saying so."),
  trustedOrigins: opt(Texts, "Origins that may be asked although their addresses are private, or without TLS."),
  connectTool: opt(Schema.Boolean, "Shows a tool `connect` to callers who have not connected yet; true unless set."),
}).annotate({ identifier: "McpOauth", description: "Tokens for a target, granted by each caller." })
export interface McpOauthSchema extends Named<typeof mcpOauthShape> {}
export const McpOauth: McpOauthSchema = mcpOauthShape
export type McpOauth = typeof McpOauth.Type

const mcpConnectionsShape = Schema.Struct({
  url: opt(Schema.NonEmptyString, "Where browsers find the pages; needed unless callers are on this machine."),
  proof: opt(anyCase(["identity", "link"]), "`identity` unless set: a page must know who looks at it."),
  clientName: opt(Schema.NonEmptyString, "What authorization servers call the gateway; `Sluice` unless set."),
  clientDocument: opt(Schema.NonEmptyString, "URL of the document the gateway is known by; one of its own unless set."),
  anonymous: opt(
    anyCase(["local", "everywhere"]),
    "From where callers who proved nothing are one person; `local` unless set.",
  ),
}).annotate({ identifier: "McpConnections", description: "The pages where callers connect their accounts." })
export interface McpConnectionsSchema extends Named<typeof mcpConnectionsShape> {}
export const McpConnections: McpConnectionsSchema = mcpConnectionsShape
export type McpConnections = typeof McpConnections.Type
