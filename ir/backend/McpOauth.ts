/** The gateway as a client of OAuth at an MCP server, for each person who calls it or for itself. */
import * as Schema from "effect/Schema"
import { Secret } from "../Secret.ts"
import { SigningAlgorithm } from "../policy/CloudAuth.ts"

/** Pages by which people connect their accounts, and what the gateway is known by where it asks for tokens. */
export const McpConnections = Schema.Struct({
  /** Where browsers find the pages; absent: below the endpoint itself, where only this machine can reach it. */
  url: Schema.optionalKey(Schema.NonEmptyString),
  /** Whether a page has to know by itself who looks at it, or having the link is enough. */
  proof: Schema.Literals(["identity", "link"]),
  clientName: Schema.NonEmptyString,
  /** The document that the gateway is known by; absent: one beside the pages. */
  clientDocument: Schema.optionalKey(Schema.NonEmptyString),
  /** Whether callers who proved nothing are one person, from wherever they call. */
  anonymous: Schema.Literals(["local", "everywhere"]),
})
export type McpConnections = typeof McpConnections.Type

export const McpClient = Schema.Struct({
  clientId: Schema.NonEmptyString,
  clientSecret: Schema.optionalKey(Secret),
  /** Absent: the way that the server names first. */
  method: Schema.optionalKey(Schema.Literals(["clientSecretBasic", "clientSecretPost", "none"])),
  /** In place of a secret. */
  signingKey: Schema.optionalKey(Schema.Struct({ pem: Secret, algorithm: SigningAlgorithm })),
})
export type McpClient = typeof McpClient.Type

export const McpOauth = Schema.Struct({
  /** What tokens are for; the URL of the server. */
  server: Schema.NonEmptyString,
  /** `user`: everybody grants access to their own account; `gateway`: the gateway has one of its own. */
  grant: Schema.Literals(["user", "gateway"]),
  /** Absent: the one that the server names. */
  issuer: Schema.optionalKey(Schema.NonEmptyString),
  /** Absent: by a document or by registration, whichever the server takes. */
  client: Schema.optionalKey(McpClient),
  scopes: Schema.Array(Schema.NonEmptyString),
  /** Origins beside the server's own that may be asked although they are not public. */
  trustedOrigins: Schema.Array(Schema.NonEmptyString),
  /** Whether tokens are asked for by the resource they are for. */
  resourceIndicator: Schema.Boolean,
  /** Whether the server is taken for one that checks S256 though it does not say so. */
  assumesPkce: Schema.Boolean,
  /** Whether who has not connected yet is shown a tool that leads there. */
  connectTool: Schema.Boolean,
  connections: McpConnections,
})
export type McpOauth = typeof McpOauth.Type
