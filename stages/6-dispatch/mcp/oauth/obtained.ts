/** Tokens that nobody grants, because the gateway asks in its own name. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { type Connections, expiryOf, placeOf } from "./Connections.ts"
import type { Need } from "./Granted.ts"
import { ownFields, tokens } from "./tokenRequests.ts"
import type { User } from "./users.ts"

interface Asked {
  readonly target: string
  readonly oauth: McpOauth
  readonly connections: Connections
}

/** A token of the gateway's own, kept like those of people; fails with why there is none. */
export const obtained = (
  { connections, oauth, target }: Asked,
  clock: Clock,
  user: User,
  need: Need,
): Effect.Effect<void, string> => {
  const { client, scopes } = oauth
  if (client === undefined) return Effect.fail("it has no client to ask as")
  return Effect.flatMap(
    connections.discovered(oauth, need.challenge, false),
    ({ resource, scopes: described, server }) => {
      const wanted = scopes.length > 0 ? scopes : (need.scopes ?? described ?? [])
      const taken = server.tokenEndpointAuthMethods
      const method =
        client.clientSecret === undefined || client.method === "none"
          ? ("none" as const)
          : client.method === "clientSecretPost" ||
              (client.method === undefined &&
                taken.includes("client_secret_post") &&
                !taken.includes("client_secret_basic"))
            ? ("client_secret_post" as const)
            : ("client_secret_basic" as const)
      const asking = {
        clientId: client.clientId,
        clientSecret: client.clientSecret === undefined ? undefined : Redacted.value(client.clientSecret),
        method,
      }
      const at = { issuer: server.issuer, tokenEndpoint: server.tokenEndpoint ?? "", client: asking }
      return Effect.flatMap(
        Effect.mapError(
          tokens(connections.parts.tokens, oauth, at, ownFields(wanted, resource)),
          ({ detail }) => `${server.issuer} gave no token: ${detail}`,
        ),
        (got) =>
          connections.connect({
            user: user.key,
            place: placeOf(oauth),
            label: user.label,
            target,
            ...at,
            revocationEndpoint: undefined,
            redirectUri: "",
            resource,
            scopes: got.scopes ?? wanted,
            accessToken: got.accessToken,
            expiresMillis: expiryOf(got, clock),
            refreshToken: undefined,
            consents: 1,
            connectedMillis: clock.wallMillis(),
          }),
      )
    },
  )
}
