/**
 * Stories of what never became an exchange: raw connections that were refused before they carried anything or found no
 * way, and bytes that were no request.
 */
import type { Address } from "../../stages/Connection.ts"
import type { RelayEnding } from "../../stages/ports/Journal.ts"
import { addressText, fieldsOfLine, type Line, type Place } from "./accessLog.ts"
import type { Remains } from "./Remains.ts"

/** What a client does by itself is nobody's refusal: balancers look whether a port is open all day. */
export const isRefusal = (reason: string): boolean => reason !== "closed by the peer"

const noExchange = {
  status: 0,
  isOwn: false,
  match: undefined,
  refusal: undefined,
  refusedBy: undefined,
  notes: undefined,
  notesDropped: 0,
  spans: undefined,
  problem: undefined,
  endpoint: undefined,
  routeName: undefined,
  listener: undefined,
  route: undefined,
  backend: undefined,
  attempts: 0,
} as const

/** Stages that are policies; the others are the way itself. */
const policies: ReadonlySet<string> = new Set(["networkAuthorization", "networkExtAuthz", "connectionLimit"])

const whoRefused = (stage: string): string =>
  stage === "route" ? "the routes of its listener" : policies.has(stage) ? `the policy ${stage}` : `the stage ${stage}`

export const remainsOfRejected = (
  id: string,
  {
    bind,
    peer,
    reason,
    stage,
  }: { readonly bind: string; readonly peer: Address; readonly stage: string; readonly reason: string },
  place: Place,
  nowMillis: number,
  nowUnixMillis: number,
): Remains => ({
  ...noExchange,
  id,
  startedMillis: nowMillis,
  endedMillis: nowMillis,
  startedUnixMillis: nowUnixMillis,
  fields: [
    ["bind", bind],
    ["src.addr", addressText(peer)],
    ["protocol", "tcp"],
    ["error", reason],
  ],
  error: reason,
  listenerName: place.listener,
  reason: "Refused",
  outcome: "refused",
  declined: { by: whoRefused(stage), why: reason },
  steps: [{ stage, decision: `refused: ${reason}` }],
})

export const remainsOfRelay = (
  id: string,
  ending: RelayEnding,
  error: string,
  line: Line,
  place: Place,
  endedUnixMillis: number,
): Remains => {
  const { endedMillis, endpoint, listener, route, startedMillis } = ending
  const wasReached = endpoint !== undefined
  return {
    ...noExchange,
    id,
    startedMillis,
    endedMillis,
    startedUnixMillis: endedUnixMillis - (endedMillis - startedMillis),
    fields: fieldsOfLine(place, line),
    error,
    endpoint,
    listenerName: place.listener,
    routeName: place.route,
    reason: "UpstreamFailure",
    outcome: wasReached ? "broken" : "refused",
    listener,
    route,
    attempts: wasReached ? 1 : 0,
    declined: { by: "the way to the backend", why: error },
    steps: [{ stage: "dispatch", decision: wasReached ? `broke off: ${error}` : `refused: ${error}` }],
  }
}

/** Bytes that were no request were answered before there was an exchange. */
export const remainsOfMalformed = (
  id: string,
  line: Line,
  error: string,
  place: Place,
  nowMillis: number,
  nowUnixMillis: number,
): Remains => ({
  ...noExchange,
  id,
  startedMillis: nowMillis,
  endedMillis: nowMillis,
  startedUnixMillis: nowUnixMillis,
  fields: fieldsOfLine(place, line),
  status: line.status,
  error,
  listenerName: place.listener,
  reason: "InvalidRequest",
  outcome: "answered",
  declined: { by: "the reader of HTTP", why: error },
  steps: [{ stage: "http", decision: `refused: ${error}` }],
})
