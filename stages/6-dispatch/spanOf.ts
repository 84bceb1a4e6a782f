/** One call of an upstream as a span of its exchange's trace; the upstream is told that span as its parent. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { isGrpc } from "../../protocols/http/grpc.ts"
import type { Reply, Request } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Endpoint, UpstreamFailure } from "../ports/Upstream.ts"
import type { Exchange } from "../Exchange.ts"
import type { Attribute, Span, Subtype, Trace } from "../Trace.ts"
import { WatchedFlow } from "../WatchedFlow.ts"
import { askedOf, spanName, tellAnswer } from "./llm/genAi.ts"
import type { Try } from "./Target.ts"

const nameOf = (attempt: Try, request: Request, grpc: boolean): string => {
  if (grpc) return request.path.slice(1)
  const { notes, purpose, subtype, trail } = attempt.exchange
  if (subtype === undefined && purpose === "Primary" && notes?.llm !== undefined) return spanName(notes.llm)
  const target = purpose === "Primary" ? trail.backend : undefined
  return `${request.method} ${target ?? request.host}`
}

/** What kind of call it is: what the gateway makes by itself says so, else it is what the client speaks. */
export const subtypeOf = ({ notes, purpose, subtype }: Exchange): Subtype =>
  subtype ??
  (purpose !== "Primary" ? "Http" : notes?.llm !== undefined ? "Llm" : notes?.a2a?.isCall === true ? "A2a" : "Http")

/** The request is told of it at once, so that whatever covers its headers covers that too. */
export const begin = (trace: Trace, attempt: Try, request: Request, endpoint: Endpoint, clock: Clock): Span => {
  const grpc = isGrpc(request.headers.get("content-type"))
  const { target } = endpoint.spec
  const { exchange } = attempt
  const subtype = subtypeOf(exchange)
  const attributes: Array<Attribute> = [
    ["agentgateway.outbound.kind", exchange.purpose],
    ["agentgateway.outbound.subtype", subtype],
    ["http.method", request.method],
    ["http.host", request.authority],
    ["http.path", request.path],
  ]
  if (target._tag !== "Unix") attributes.push(["server.address", target.host], ["server.port", target.port])
  if (subtype === "Llm" && exchange.notes?.llm !== undefined) attributes.push(...askedOf(exchange.notes.llm))
  if (subtype === "A2a" && exchange.notes?.a2a !== undefined) attributes.push(["a2a.method", exchange.notes.a2a.method])
  if (attempt.number > 0) attributes.push(["http.request.resend_count", attempt.number])
  const span = trace.span(nameOf(attempt, request, grpc), "client", clock.nowMillis(), attributes)
  trace.tell(request.headers, span)
  return span
}

const replied = (span: Span, reply: Reply, clock: Clock, exchange: Exchange): void => {
  if (reply.status < 400 && subtypeOf(exchange) === "Llm") tellAnswer(span, exchange)
  span.set("http.status", reply.status)
  const grpcStatus = reply.headers.get("grpc-status")
  if (grpcStatus !== undefined) span.set("grpc.status", grpcStatus)
  const error = reply.status >= 500 ? String(reply.status) : undefined
  if (error !== undefined) span.set("error.type", error)
  if (reply.body._tag !== "Flow") return span.end(clock.nowMillis(), error)
  // The call lasts as long as its reply comes: for a stream that is most of it.
  reply.body = new WatchedFlow(reply.body, (trailers, isBroken) => {
    const status = trailers?.get("grpc-status")
    if (status !== undefined) span.set("grpc.status", status)
    span.end(clock.nowMillis(), isBroken ? "the reply broke off" : error)
  })
}

/** A span whose call is not made after all. */
export const abandon = (span: Span | undefined, clock: Clock, why: string): void => {
  if (span === undefined) return
  span.set("error.type", why)
  span.end(clock.nowMillis(), why)
}

/** Sends as `send` does, seen as a span. */
export const traced = (
  span: Span,
  attempt: Try,
  clock: Clock,
  send: () => Effect.Effect<Reply, UpstreamFailure>,
): Effect.Effect<Reply, UpstreamFailure> => {
  return Effect.onExit(send(), (exit) => {
    if (exit._tag === "Success") replied(span, exit.value, clock, attempt.exchange)
    else {
      const failure = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
      span.set("error.type", failure?._tag ?? "Cancelled")
      span.end(clock.nowMillis(), failure?.message ?? "cancelled")
    }
    return Effect.void
  })
}
