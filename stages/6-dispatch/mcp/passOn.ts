/** Handing a request to the one worker of this gateway that can go on with it. */
import * as Effect from "effect/Effect"
import type { Exchange, Reply, Request } from "../../Exchange.ts"
import type { Passed } from "../../ports/Siblings.ts"
import type { McpEndpoint } from "./McpEndpoint.ts"

/** Hands a request to the worker it belongs to; undefined: there is none, so it is to be answered here. */
export const passOn = (...request: Parameters<typeof passTo>): Effect.Effect<Reply | undefined> =>
  Effect.map(passTo(...request), (reply) => (reply === "Gone" ? undefined : reply))

/** Hands a request to a worker; undefined: it does not know what is meant. */
export const passTo = (
  { key, state }: McpEndpoint,
  worker: string,
  { bound, identity }: Exchange,
  request: Request,
  body: string,
  belongs: Passed["belongs"],
): Effect.Effect<Reply | "Gone" | undefined> => {
  const { siblings } = state.runtime
  if (siblings === undefined || !siblings.isOther(worker)) return Effect.succeed("Gone")
  const { authority, headers, host, method, path, query, scheme } = request
  return siblings.pass(worker, {
    method,
    scheme,
    authority,
    host,
    path,
    query,
    flat: headers.flat,
    body,
    identity,
    client: bound.secured.tls?.client,
    backend: key,
    belongs,
  })
}
