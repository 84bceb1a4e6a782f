/**
 * Calls of gRPC over what the gateway has anyway: a request goes out through a callee, so with its policies, its TLS and
 * its pool, or straight through an endpoint.
 */
import * as Effect from "effect/Effect"
import { isGrpc } from "../../protocols/http/grpc.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { Code, codeOfHttp, nameOf, statusIn } from "../../protocols/grpc/status.ts"
import { formatTimeout } from "../../protocols/grpc/timeout.ts"
import { type Body, discard } from "../Body.ts"
import type { Call } from "../Call.ts"
import { type Exchange, type Reply, Request } from "../Exchange.ts"
import type { Endpoint } from "../ports/Upstream.ts"
import * as Refusal from "../Refusal.ts"

/** A call that gave no answer, or whose answer was an error. */
export interface CallFailed {
  readonly _tag: "CallFailed"
  /** One of `Code`, or one that has no name yet. */
  readonly code: number
  readonly message: string
}

export const callFailed = (code: number, message: string): CallFailed => ({ _tag: "CallFailed", code, message })

/** For logs and refusals. */
export const describe = ({ code, message }: Pick<CallFailed, "code" | "message">): string =>
  message === "" ? nameOf(code) : `${nameOf(code)}: ${message}`

/** Sends one request; the head of its reply may take so long. */
export type Transport = (request: Request, timeoutMillis: number | undefined) => Effect.Effect<Reply, CallFailed>

const ofRefusal = (refusal: Refusal.Refusal): CallFailed => {
  const text = Refusal.message(refusal)
  switch (Refusal.status(refusal)) {
    case 504:
      return callFailed(Code.DEADLINE_EXCEEDED, text)
    case 500:
      return callFailed(Code.INTERNAL, text)
    default:
      return callFailed(Code.UNAVAILABLE, text)
  }
}

/** Through a service of the configuration, on behalf of an exchange. */
export const throughCallee =
  (call: Call, exchange: Exchange): Transport =>
  (request, timeoutMillis) =>
    Effect.mapError(call(exchange, request, timeoutMillis), ofRefusal)

/** Straight to an endpoint. */
export const throughEndpoint =
  (endpoint: Endpoint): Transport =>
  (request, timeoutMillis) =>
    Effect.mapError(
      endpoint.send(request, { version: "2", replyTimeoutMillis: timeoutMillis, inform: undefined }),
      ({ _tag, message }) => callFailed(_tag === "ReplyTimeout" ? Code.DEADLINE_EXCEEDED : Code.UNAVAILABLE, message),
    )

/** Name and value in turn; names in lower case. */
export type Metadata = ReadonlyArray<string>

/**
 * The request of a call. HTTP/2 whatever the client speaks: nothing else carries gRPC. Without an authority the callee
 * gives it its own.
 */
export const requestFor = (
  path: string,
  body: Body,
  metadata: Metadata,
  timeoutMillis: number | undefined,
  authority = "",
): Request => {
  const fields = ["content-type", "application/grpc+proto", "te", "trailers", "grpc-accept-encoding", "identity"]
  if (timeoutMillis !== undefined) fields.push("grpc-timeout", formatTimeout(timeoutMillis))
  const headers = new Headers([...fields, ...metadata])
  return new Request("POST", "http", authority, authority, path, undefined, "2", headers, body, undefined)
}

/** Why a head is no beginning of an answer; what came with it is let go. */
export const refusedBy = (reply: Reply): CallFailed | undefined => {
  const { body, headers, status } = reply
  const said = statusIn(headers)
  const failure =
    said !== undefined && said.code !== Code.OK
      ? callFailed(said.code, said.message)
      : status !== 200
        ? callFailed(codeOfHttp(status), `answered with the HTTP status ${status}`)
        : isGrpc(headers.get("content-type"))
          ? undefined
          : callFailed(Code.UNKNOWN, "the answer is not gRPC")
  if (failure !== undefined) discard(body)
  return failure
}
