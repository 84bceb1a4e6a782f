/** The end of a login: what the authorization server sent the person back with, and what comes of it. */
import * as Effect from "effect/Effect"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import { issuerProblem } from "../../../../protocols/oauth/authorization.ts"
import type { Challenge } from "../../../../protocols/oauth/challenge.ts"
import type { ServerMetadata } from "../../../../protocols/oauth/metadata.ts"
import type { Client } from "../../../ports/Grants.ts"
import { clientAgain } from "./clients.ts"
import { type Connections, expiryOf } from "./Connections.ts"
import type { Login } from "./links.ts"
import { codeFields, tokens } from "./tokenRequests.ts"

export interface Connectable {
  readonly name: string
  readonly oauth: McpOauth
}

/** As the server would have said it, had it been asked just now. */
export const challengeOf = (metadata: string | undefined): Challenge | undefined =>
  metadata === undefined ? undefined : { error: undefined, scopes: undefined, resourceMetadata: metadata }

/** The code for tokens, which are kept. */
const granted = (
  connections: Connections,
  login: Login,
  { name, oauth }: Connectable,
  server: ServerMetadata,
  client: Client,
  code: string,
): Effect.Effect<unknown, string> => {
  const { clock, grants, tokens: ports } = connections.parts
  const { issuer, label, place, redirectUri, resource, scopes, user, verifier } = login
  const at = { issuer, tokenEndpoint: server.tokenEndpoint ?? "", client }
  const got = Effect.catch(
    tokens(ports, oauth, at, codeFields(code, verifier, redirectUri, resource)),
    ({ detail, why }) =>
      Effect.andThen(
        why === "unknownClient" ? grants.forgetClient(issuer, redirectUri, client.clientId) : Effect.void,
        Effect.fail(detail),
      ),
  )
  return Effect.flatMap(got, (one) =>
    Effect.flatMap(connections.read({ user, place }), (before) =>
      connections.connect({
        user,
        place,
        label,
        target: name,
        ...at,
        revocationEndpoint: server.revocationEndpoint,
        redirectUri,
        resource,
        scopes: one.scopes ?? scopes,
        accessToken: one.accessToken,
        expiresMillis: expiryOf(one, clock),
        refreshToken: one.refreshToken,
        consents: (before?.grant.consents ?? 0) + 1,
        connectedMillis: clock.wallMillis(),
      }),
    ),
  )
}

/** A text is for the person: it was not done. Fails with a reason that is for the log. */
export const finish = (
  connections: Connections,
  login: Login,
  target: Connectable,
  query: URLSearchParams,
): Effect.Effect<string | undefined, string> => {
  const { oauth } = target
  return Effect.flatMap(connections.discovered(oauth, challengeOf(login.metadata), false), ({ server }) => {
    // The server may have moved while the person was away; what it answers then is for somebody else.
    if (server.issuer !== login.issuer)
      return Effect.succeed("The server has moved to another authorization server. Try again.")
    const problem = issuerProblem(query.get("iss"), server)
    if (problem !== undefined) return Effect.fail(problem)
    const error = query.get("error")
    if (error !== null) {
      return Effect.succeed(error === "access_denied" ? "Access was not granted." : "The authorization server refused.")
    }
    const code = query.get("code")
    if (code === null || code === "") return Effect.fail("there is no code in the answer")
    return Effect.flatMap(clientAgain(connections.parts, oauth, login, server), (client) =>
      client === undefined
        ? Effect.succeed("The gateway is known by another name there by now. Try again.")
        : Effect.as(granted(connections, login, target, server, client, code), undefined),
    )
  })
}
