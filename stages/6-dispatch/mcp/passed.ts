/** Requests that another worker of this gateway hands over, because they belong here. */
import * as Effect from "effect/Effect"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import { Exchange, type Reply, Request } from "../../Exchange.ts"
import type { Bound } from "../../Connection.ts"
import type { Plan } from "../../Plan.ts"
import type { Passed } from "../../ports/Siblings.ts"
import { errorReply } from "./down/replies.ts"
import { isEnded } from "./down/sessions.ts"
import type { McpState } from "./McpState.ts"
import { serveHere } from "./serve.ts"

/** The session may be somebody else's than whoever sent this: that is for the session to find out. */
const onBehalfOf = ({ client }: Passed, bound: Bound): Bound => {
  const { secured } = bound
  return secured.tls === undefined ? bound : { ...bound, secured: { ...secured, tls: { ...secured.tls, client } } }
}

/** Where the way that led here is in a plan; undefined: there it leads elsewhere, or by other rules. */
const listenerIn = (plan: Plan, { listener, original, plan: before, request, route }: Exchange) => {
  if (before === plan) return listener
  const now = listener === undefined ? undefined : plan.listeners.get(listener.ir.key)
  return original === undefined && route !== undefined && now?.wayOf(request) === route ? now : undefined
}

/** Answers what another worker handed over. Rules of an older configuration are not applied: then it is not known here. */
export const servePassed = (
  state: McpState,
  passed: Passed,
  plan: Plan,
  nowMillis: number,
): Effect.Effect<Reply | undefined> => {
  if (passed.belongs._tag === "Session" && isEnded(state, passed.belongs.name)) {
    return Effect.succeed(errorReply(404, undefined, -32001, "Session not found"))
  }
  const place = state.placeOf(passed.belongs)
  if (place === undefined || place.endpoint.key !== passed.backend) return Effect.succeed(undefined)
  const listener = listenerIn(plan, place.exchange)
  if (listener === undefined) return Effect.succeed(undefined)
  const request = new Request(
    passed.method,
    passed.scheme,
    passed.authority,
    passed.host,
    passed.path,
    passed.query,
    "1.1",
    new Headers([...passed.flat]),
    Body.text(passed.body),
    undefined,
  )
  const exchange = new Exchange(
    plan,
    onBehalfOf(passed, place.exchange.bound),
    request,
    nowMillis,
    undefined,
    undefined,
  )
  exchange.listener = listener
  exchange.route = place.exchange.route
  exchange.match = place.exchange.match
  exchange.identity = passed.identity
  exchange.notes = { mcp: {} }
  return Effect.catch(serveHere(place.endpoint, exchange, request), () => Effect.succeed(undefined))
}
