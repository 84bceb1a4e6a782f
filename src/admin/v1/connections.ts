/** What people granted the gateway at MCP servers: listed without tokens, and taken back. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Register } from "../../../stages/6-dispatch/mcp/oauth/register.ts"
import type { Answer } from "../serve.ts"
import { endpoint, type Endpoint, refused } from "./Endpoint.ts"

const Connection = Schema.Struct({
  id: Schema.String,
  user: Schema.String,
  label: Schema.String,
  target: Schema.String,
  server: Schema.String,
  issuer: Schema.String,
  scopes: Schema.Array(Schema.String),
  connectedAt: Schema.String,
  expiresAt: Schema.optionalKey(Schema.String),
  renews: Schema.Boolean,
}).annotate({ identifier: "McpConnection" })

const answered = <A>(effect: Effect.Effect<A, string>, answer: (value: A) => unknown): Promise<unknown> =>
  Effect.runPromise(
    Effect.match(effect, {
      onFailure: (why): Answer | unknown => refused(503, why),
      onSuccess: (value) => answer(value),
    }),
  )

export const connectionEndpoints = ({ forget, list }: Register): ReadonlyArray<Endpoint> => [
  endpoint({
    method: "GET",
    path: "/api/mcp/connections",
    isGuarded: true,
    summary: "Accounts that callers have connected at MCP servers",
    reply: Schema.Struct({ connections: Schema.Array(Connection) }),
    run: () =>
      answered(list, (all) => ({
        connections: all.map(({ connectedMillis, expiresMillis, place, ...shown }) => ({
          ...shown,
          server: place,
          connectedAt: new Date(connectedMillis).toISOString(),
          ...(expiresMillis === undefined ? {} : { expiresAt: new Date(expiresMillis).toISOString() }),
        })),
      })),
  }),
  endpoint({
    method: "DELETE",
    path: "/api/mcp/connections/{id}",
    summary: "Forgets a connection, and has its server forget it",
    reply: Schema.Struct({ forgotten: Schema.String }),
    run: ({ name }) =>
      answered(forget(name), (isDone) => (isDone ? { forgotten: name } : refused(404, "there is no such connection"))),
  }),
]
