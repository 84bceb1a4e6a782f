/** Requests over HTTP to a target, on behalf of an exchange. */
import * as Effect from "effect/Effect"
import type { Callee } from "../../../../ir/policy/Callee.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import { parseRetryAfter } from "../../../../protocols/http/retryAfter.ts"
import type { Json } from "../../../../protocols/mcp/json.ts"
import * as Body from "../../../Body.ts"
import type { Pin } from "../../../Call.ts"
import { type Exchange, type Reply, Request } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { message, type Refusal } from "../../../Refusal.ts"
import { type Broken, broken } from "./Channel.ts"

/**
 * Fields of the client's request that do not go on: those that describe its own body and hop, and above all its
 * credentials, which were given to us and to nobody else.
 */
const kept: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "authorization",
  "cache-control",
  "content-encoding",
  "content-length",
  "content-type",
  "cookie",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-unmodified-since",
  "last-event-id",
  "origin",
  "pragma",
  "proxy-authorization",
  "range",
  "referer",
])

const isKept = (name: string): boolean => kept.has(name) || name.startsWith("mcp-") || name.startsWith("sec-")

/** The token that goes with a request, for whoever it is sent for; undefined: it goes without. */
export type Bearer = (exchange: Exchange) => Effect.Effect<string | undefined, Broken>

export interface Place {
  readonly callee: Callee
  readonly bearer?: Bearer
  /** With its query. */
  readonly path: string
}

export interface Outgoing {
  readonly method: "POST" | "GET" | "DELETE"
  /** Fields of ours, name and value in turn. */
  readonly fields: ReadonlyArray<string>
  readonly body?: Json | undefined
  /** How long the head of the reply may take. */
  readonly timeoutMillis: number
}

export const brokenOf = (refusal: Refusal): Broken => {
  const told = message(refusal)
  switch (refusal._tag) {
    case "UpstreamTimeout":
    case "RequestTimeout":
      return broken("no reply in time", true)
    case "UpstreamFailed":
      return broken(told, refusal.unsent !== true)
    case "ResolutionFailed":
    case "NoHealthyBackends":
    case "BackendNotFound":
    case "ServiceNotFound":
    case "NoValidBackends":
      return broken(told, false)
    default:
      return broken(told, true)
  }
}

/** Fields of the client's request that go on, name and value in turn. */
export const passedOn = (exchange: Exchange): Array<string> => {
  const flat: Array<string> = []
  const theirs = exchange.request.headers.flat
  for (let i = 0; i < theirs.length; i += 2) {
    const name = theirs[i] as string
    if (!isKept(name)) flat.push(name, theirs[i + 1] as string)
  }
  exchange.hop?.sign(new Headers(flat), exchange.request.version, exchange.trace !== undefined)
  return flat
}

export const send = (exchange: Exchange, place: Place, outgoing: Outgoing, pin?: Pin): Effect.Effect<Reply, Broken> =>
  place.bearer === undefined
    ? sendAs(undefined, exchange, place, outgoing, pin)
    : Effect.flatMap(place.bearer(exchange), (token) => sendAs(token, exchange, place, outgoing, pin))

const sendAs = (
  token: string | undefined,
  exchange: Exchange,
  { callee, path }: Place,
  { body, fields, method, timeoutMillis }: Outgoing,
  pin: Pin | undefined,
): Effect.Effect<Reply, Broken> => {
  const flat = passedOn(exchange)
  if (token !== undefined) flat.push("authorization", `Bearer ${token}`)
  flat.push(...fields)
  if (body !== undefined) flat.push("content-type", "application/json")
  flat.push("accept-encoding", "identity")
  const [bare = "/", query] = path.split("?")
  const request = new Request(
    method,
    "http",
    "",
    "",
    bare,
    query,
    "1.1",
    new Headers(flat),
    body === undefined ? Body.empty : Body.text(body),
    undefined,
  )
  return Effect.mapError(exchange.plan.callees.to(callee, "Mcp")(exchange, request, timeoutMillis, pin), brokenOf)
}

/** With these a server says that it did not begin. */
const refusing: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 406, 413, 415, 421, 429, 503])

/** A reply that is no answer: why, for whoever decides what to do about it. */
export const unwanted = (reply: Reply, clock: Clock): Broken => {
  Body.discard(reply.body)
  const { headers, status } = reply
  const after = headers.get("retry-after")
  return broken(`the server answered with the status ${status}`, !refusing.has(status), {
    status,
    challenge: headers.get("www-authenticate"),
    retryAfterMillis: after === undefined ? undefined : parseRetryAfter(after, clock.wallMillis()),
  })
}
