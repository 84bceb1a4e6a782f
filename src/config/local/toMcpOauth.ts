/** From the file's `oauth` and `connections` to what MCP targets do. */
import * as Redacted from "effect/Redacted"
import type {
  McpClient as IrClient,
  McpConnections as IrConnections,
  McpOauth as IrOauth,
} from "../../../ir/backend/McpOauth.ts"
import { defaults } from "../../../ir/defaults.ts"
import { locate } from "../../../protocols/http/locate.ts"
import { canonical } from "../../../protocols/oauth/resource.ts"
import type { Path } from "../ConfigIssue.ts"
import { secret } from "./FileOrInline.ts"
import type { Mapping } from "./Mapping.ts"
import type { McpConnections, McpOauth } from "./mcpOauth.ts"
import { checkSigningKey } from "./policy/signingKey.ts"
import { present } from "./present.ts"

const isLoopback = (host: string): boolean => /^(?:localhost|127\.[\d.]+|::1)$/.test(host)

/** A URL that is written down for others to use; plaintext only where it does not leave this machine. */
const url = (text: string | undefined, path: Path, to: Mapping): string | undefined => {
  if (text === undefined) return undefined
  const at = locate(text)
  if (at === undefined || text.includes("#"))
    return to.fail(path, "expected an http or https URL without user or fragment")
  if (at.scheme === "http" && !isLoopback(at.host)) {
    to.warn(path, "codes and tokens that pass by plain http can be read on the way", "Use https.")
  }
  return text
}

export const mcpConnections = (one: McpConnections = {}, path: Path, to: Mapping): IrConnections => {
  const pages = url(one.url, [...path, "url"], to)
  if (pages !== undefined && (URL.parse(pages)?.search ?? "") !== "")
    to.fail([...path, "url"], "the pages are below a path, not a query")
  const document = url(one.clientDocument, [...path, "clientDocument"], to)
  if (document !== undefined && (!document.startsWith("https://") || new URL(document).pathname === "/")) {
    to.fail([...path, "clientDocument"], "a client is named by an https URL with a path")
  }
  return {
    ...present({ url: pages, clientDocument: document }),
    proof: one.proof ?? "identity",
    clientName: one.clientName ?? "Sluice",
    anonymous: one.anonymous ?? "local",
  }
}

const client = (one: McpOauth, path: Path, to: Mapping): IrClient | undefined => {
  const { clientId, clientSecret, method, signingKey } = one
  if (clientId === undefined) {
    for (const name of ["clientSecret", "method", "signingKey", "alg"] as const) {
      if (one[name] !== undefined) to.fail([...path, name], `\`${name}\` goes with a \`clientId\``)
    }
    return undefined
  }
  if ((method === "privateKeyJwt") !== (signingKey !== undefined)) {
    return to.fail(path, "`privateKeyJwt` and `signingKey` go together")
  }
  if (clientSecret !== undefined && (method === "none" || method === "privateKeyJwt")) {
    return to.fail([...path, "clientSecret"], `a client that proves itself by \`${method}\` has no secret`)
  }
  if (clientSecret === undefined && (method === "clientSecretBasic" || method === "clientSecretPost")) {
    return to.fail([...path, "method"], `\`${method}\` needs a \`clientSecret\``)
  }
  const pem = signingKey === undefined ? undefined : secret(signingKey, [...path, "signingKey"], to)
  const algorithm = one.alg ?? defaults.jwtSignAlgorithm
  if (pem !== undefined) checkSigningKey(Redacted.value(pem), algorithm, [...path, "signingKey"], to)
  return {
    clientId,
    ...present({
      clientSecret: clientSecret === undefined ? undefined : secret(clientSecret, [...path, "clientSecret"], to),
      method: method === "privateKeyJwt" ? undefined : method,
      signingKey: pem === undefined ? undefined : { pem, algorithm },
    }),
  }
}

/** `server` is where the target stands; absent where only a backend is named. */
export const mcpOauth = (
  one: McpOauth,
  server: string | undefined,
  connections: IrConnections,
  path: Path,
  to: Mapping,
): IrOauth | undefined => {
  const grant = one.grant ?? "user"
  const known = client(one, path, to)
  const issuer = url(one.issuer, [...path, "issuer"], to)
  const resource = url(one.resource, [...path, "resource"], to) ?? server
  for (const [i, scope] of (one.scopes ?? []).entries()) {
    if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
      to.fail([...path, "scopes", i], `${JSON.stringify(scope)} is not a scope`)
  }
  for (const [i, origin] of (one.trustedOrigins ?? []).entries()) {
    if (URL.parse(origin)?.origin !== origin) {
      to.fail(
        [...path, "trustedOrigins", i],
        `${JSON.stringify(origin)} is not an origin`,
        "Write `https://host:port`.",
      )
    }
  }
  if (grant === "gateway" && one.clientId === undefined) {
    to.fail(
      [...path, "grant"],
      "the gateway can have tokens of its own only as a client that is known",
      "Set `clientId`.",
    )
  }
  if (grant === "gateway" && one.connectTool !== undefined) {
    to.fail([...path, "connectTool"], "nobody connects an account where the gateway uses its own")
  }
  if ((one.clientSecret !== undefined || one.signingKey !== undefined) && issuer === undefined) {
    to.warn(path, "the client proves itself to whatever authorization server the target names", "Set `issuer`.")
  }
  if (resource === undefined)
    return to.fail(path, "a target that names a backend needs a `resource` here", "Set the URL of the server.")
  return {
    server: canonical(resource),
    grant,
    ...present({ issuer, client: known }),
    scopes: one.scopes ?? [],
    trustedOrigins: one.trustedOrigins ?? [],
    resourceIndicator: one.resourceIndicator ?? true,
    assumesPkce: one.assumePkce ?? false,
    connectTool: one.connectTool ?? true,
    connections,
  }
}
