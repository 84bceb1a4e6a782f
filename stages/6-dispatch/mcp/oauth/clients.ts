/** As whom the gateway asks an authorization server. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { McpConnections, McpOauth } from "../../../../ir/backend/McpOauth.ts"
import type { ServerMetadata } from "../../../../protocols/oauth/metadata.ts"
import { methodFor } from "../../../../protocols/oauth/registration.ts"
import type { Client } from "../../../ports/Grants.ts"
import type { ConnectionParts } from "./Connections.ts"
import type { Discovered } from "./discover.ts"
import type { Login } from "./links.ts"
import { register } from "./tokenRequests.ts"

const configured = ({ client }: McpOauth, server: ServerMetadata): Client | undefined => {
  if (client === undefined) return undefined
  const { clientId, clientSecret, method } = client
  const methods = {
    clientSecretBasic: "client_secret_basic",
    clientSecretPost: "client_secret_post",
    none: "none",
  } as const
  return {
    clientId,
    clientSecret: clientSecret === undefined ? undefined : Redacted.value(clientSecret),
    method: method === undefined ? methodFor(server, clientSecret !== undefined) : methods[method],
  }
}

/** As whom the gateway asks: who it is configured to be, the document about it, or whom it was registered as. */
export const clientFor = (
  parts: ConnectionParts,
  settings: McpConnections,
  oauth: McpOauth,
  { server }: Discovered,
  base: string,
  redirectUri: string,
  scopes: ReadonlyArray<string>,
): Effect.Effect<Client, string> => {
  const own = configured(oauth, server)
  if (own !== undefined) return Effect.succeed(own)
  const document = settings.clientDocument ?? (base.startsWith("https:") ? `${base}/client.json` : undefined)
  if (server.takesClientDocuments && document !== undefined) {
    return Effect.succeed({ clientId: document, clientSecret: undefined, method: "none" })
  }
  const { registrationEndpoint } = server
  if (registrationEndpoint === undefined) {
    return Effect.fail(`${server.issuer} registers no clients; a \`clientId\` has to be configured`)
  }
  const { clock, grants, tokens: ports } = parts
  return Effect.flatMap(grants.client(server.issuer, redirectUri), (known): Effect.Effect<Client, string> => {
    if (known !== undefined && (known.expiresMillis ?? Infinity) > clock.wallMillis() + 60_000)
      return Effect.succeed(known)
    return Effect.flatMap(
      register(ports, oauth, server, registrationEndpoint, redirectUri, scopes),
      ({ clientId, clientSecret, expiresSeconds, method }) => {
        const client = {
          clientId,
          clientSecret,
          method,
          expiresMillis: expiresSeconds === undefined ? undefined : expiresSeconds * 1000,
        }
        return Effect.as(grants.keepClient(server.issuer, redirectUri, client), client)
      },
    )
  })
}

/** The same one when the person is back; undefined: it is known by another name by now. */
export const clientAgain = (
  { grants }: ConnectionParts,
  oauth: McpOauth,
  login: Login,
  server: ServerMetadata,
): Effect.Effect<Client | undefined, string> => {
  const own = configured(oauth, server)
  if (own !== undefined) return Effect.succeed(own.clientId === login.clientId ? own : undefined)
  return Effect.map(grants.client(login.issuer, login.redirectUri), (known): Client | undefined =>
    known?.clientId === login.clientId
      ? known
      : server.takesClientDocuments && login.clientId.startsWith("https://")
        ? { clientId: login.clientId, clientSecret: undefined, method: "none" }
        : undefined,
  )
}
