/** From a server that wants a token to the authorization server that gives one (RFC 9728, RFC 8414, OpenID Connect). */
import * as Effect from "effect/Effect"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import type { Challenge } from "../../../../protocols/oauth/challenge.ts"
import { parse as parseServer, type ServerMetadata, serverMetadataUrls } from "../../../../protocols/oauth/metadata.ts"
import {
  canonical,
  covers,
  parse as parseResource,
  type ResourceMetadata,
  resourceMetadataUrls,
} from "../../../../protocols/oauth/resource.ts"
import type { Ask, Heard } from "../../../5-policy/ask.ts"
import { reachable } from "./reachable.ts"

export interface Discovered {
  readonly server: ServerMetadata
  /** Absent: it takes no resource indicators. */
  readonly resource: string | undefined
  /** What the resource says can be asked for. */
  readonly scopes: ReadonlyArray<string> | undefined
}

const DOCUMENT_BYTES_MAX = 262_144
const DOCUMENT_MILLIS = 5_000

const fetched = (ask: Ask, url: string, oauth: McpOauth): Effect.Effect<Heard, string> => {
  const may = reachable(url, oauth)
  return typeof may === "string"
    ? Effect.fail(`${url} is not asked: ${may}`)
    : Effect.mapError(
        ask({
          method: "GET",
          url,
          headers: ["accept", "application/json", "mcp-protocol-version", "2025-11-25"],
          bytesMax: DOCUMENT_BYTES_MAX,
          timeoutMillis: DOCUMENT_MILLIS,
          publicOnly: may.publicOnly,
        }),
        (why) => `${url} cannot be read: ${why}`,
      )
}

/** The first of several places where a document is; undefined: it is at none. */
const firstOf = <A>(
  ask: Ask,
  urls: ReadonlyArray<string>,
  oauth: McpOauth,
  decode: (text: string) => A | string,
): Effect.Effect<A | undefined, string> => {
  const [url, ...rest] = urls
  if (url === undefined) return Effect.succeed(undefined)
  return Effect.flatMap(fetched(ask, url, oauth), ({ status, text }): Effect.Effect<A | undefined, string> => {
    if (status >= 500) return Effect.fail(`${url} answered with the status ${status}`)
    if (status !== 200) return firstOf(ask, rest, oauth, decode)
    const found = decode(text)
    return typeof found === "string" ? Effect.fail(`${url} is of no use: ${found}`) : Effect.succeed(found)
  })
}

const described = (
  ask: Ask,
  oauth: McpOauth,
  challenge: Challenge | undefined,
): Effect.Effect<ResourceMetadata | undefined, string> => {
  const named = challenge?.resourceMetadata
  const places = named === undefined ? resourceMetadataUrls(oauth.server) : [named]
  return Effect.flatMap(firstOf(ask, places, oauth, parseResource), (found) =>
    found === undefined || covers(found.resource, oauth.server)
      ? Effect.succeed(found)
      : Effect.fail(`the server describes itself as ${found.resource.slice(0, 256)}, which it is not`),
  )
}

/** Servers of 2025-03-26 are their own authorization server, and need not say so. */
const byDefault = (origin: string): ServerMetadata => ({
  issuer: origin,
  authorizationEndpoint: `${origin}/authorize`,
  tokenEndpoint: `${origin}/token`,
  jwksUri: undefined,
  endSessionEndpoint: undefined,
  registrationEndpoint: `${origin}/register`,
  revocationEndpoint: undefined,
  tokenEndpointAuthMethods: [],
  codeChallengeMethods: ["S256"],
  scopes: [],
  grantTypes: [],
  namesItself: false,
  takesClientDocuments: false,
})

const usable = (server: ServerMetadata, oauth: McpOauth): string | undefined => {
  if (server.tokenEndpoint === undefined) return `${server.issuer} has no token endpoint`
  if (oauth.grant === "gateway") return undefined
  if (server.authorizationEndpoint === undefined) return `${server.issuer} has no authorization endpoint`
  return oauth.assumesPkce || server.codeChallengeMethods.includes("S256")
    ? undefined
    : `${server.issuer} does not say that it checks S256`
}

/** Fails with a reason in words. */
export const discover = (
  ask: Ask,
  oauth: McpOauth,
  challenge: Challenge | undefined,
): Effect.Effect<Discovered, string> =>
  Effect.flatMap(described(ask, oauth, challenge), (resource) => {
    const { origin } = new URL(oauth.server)
    const issuer = oauth.issuer ?? (resource === undefined ? origin : resource.authorizationServers[0])
    if (issuer === undefined) return Effect.fail("the server names no authorization server")
    return Effect.flatMap(
      firstOf(ask, serverMetadataUrls(issuer), oauth, (text) => parseServer(text, issuer)),
      (found): Effect.Effect<Discovered, string> => {
        const server = found ?? (resource === undefined && oauth.issuer === undefined ? byDefault(origin) : undefined)
        if (server === undefined) return Effect.fail(`${issuer} does not describe itself`)
        const why = usable(server, oauth)
        return why === undefined
          ? Effect.succeed({
              server,
              resource: oauth.resourceIndicator ? (resource?.resource ?? canonical(oauth.server)) : undefined,
              scopes: resource?.scopes,
            })
          : Effect.fail(why)
      },
    )
  })
