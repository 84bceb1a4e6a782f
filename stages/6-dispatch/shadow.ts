/** An exchange beside another one, so that nothing of what is sent for it shows in the original. */
import { Exchange, type Request, type Routed } from "../Exchange.ts"
import type { Purpose } from "../Trace.ts"

/** Knows what the original knows of its client; who that is proved to be comes along only where it is told to. */
export const shadowOf = (
  exchange: Exchange,
  request: Request,
  nowMillis: number,
  deadlineMillis: number,
  purpose: Purpose,
): Routed => {
  const shadow = new Exchange(exchange.plan, exchange.bound, request, nowMillis, undefined, undefined)
  shadow.listener = exchange.listener
  shadow.route = exchange.route
  shadow.match = exchange.match
  shadow.original = exchange.original
  shadow.deadlineMillis = deadlineMillis
  shadow.trace = exchange.trace
  shadow.purpose = purpose
  return shadow as Routed
}
