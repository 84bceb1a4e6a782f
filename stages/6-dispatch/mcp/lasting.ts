/** What of an exchange outlives it in a session: who it was for, by whose plan and from where, but no body and no connection. */
import { empty } from "../../Body.ts"
import { Exchange, Request } from "../../Exchange.ts"

export const lasting = ({
  bound,
  hop,
  identity,
  listener,
  match,
  notes,
  original,
  plan,
  request,
  route,
  startedMillis,
}: Exchange): Exchange => {
  const { authority, headers, host, method, path, query, scheme, version } = request
  const bare = new Request(method, scheme, authority, host, path, query, version, headers, empty, undefined)
  const kept = new Exchange(plan, bound, bare, startedMillis, undefined, undefined)
  kept.listener = listener
  kept.route = route
  kept.match = match
  kept.original = original
  kept.identity = identity
  kept.hop = hop
  // What was said in the exchange is no business of those that come later.
  if (notes !== undefined) kept.notes = { ...notes, mcp: {} }
  return kept
}
