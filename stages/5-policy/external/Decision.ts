/** What a service that was asked about a request has decided. Plain data, so that it can be kept for the next request. */
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { encodeGrpcMessage, grpcStatusOf, isGrpc } from "../../../protocols/http/grpc.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import type { Exchange, Reply, Subject } from "../../Exchange.ts"
import { promise } from "../Step.ts"
import { changeReply, changeRequest, type Mutation } from "./mutation.ts"

export interface Allowed {
  readonly _tag: "Allowed"
  readonly request: Mutation
  readonly query: { readonly remove: ReadonlyArray<string>; readonly set: ReadonlyArray<readonly [string, string]> }
  readonly reply: Mutation
  readonly notes: Record<string, CelValue> | undefined
}

export interface Denied {
  readonly _tag: "Denied"
  readonly status: number
  readonly reply: Mutation
  readonly body: Body.Body
  readonly notes: Record<string, CelValue> | undefined
}

export type Decision = Allowed | Denied

export const denied = (status: number): Denied => ({
  _tag: "Denied",
  status,
  reply: { remove: [], set: [] },
  body: Body.empty,
  notes: undefined,
})

export const note = (exchange: Exchange, said: Record<string, CelValue> | undefined): void => {
  if (said === undefined) return
  const notes = (exchange.notes ??= {})
  notes.extauthz = { ...notes.extauthz, ...said }
}

/** A query with some parameters taken out and others put in place of those of their name. */
export const changeQuery = (query: string | undefined, { remove, set }: Allowed["query"]): string | undefined => {
  if (remove.length === 0 && set.length === 0) return query
  const replaced = new Set([...remove, ...set.map(([name]) => name)])
  // What stays is left as it was written; only names are decoded, to be compared.
  const kept = (query ?? "").split("&").filter((pair) => pair !== "" && !replaced.has(nameIn(pair)))
  const added = set.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  const all = [...kept, ...added]
  return all.length === 0 ? undefined : all.join("&")
}

const nameIn = (pair: string): string => {
  const name = (pair.split("=", 1)[0] as string).replaceAll("+", " ")
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** Carries out what was allowed: on the request now, on the reply when there is one. */
export const allow = (decision: Allowed, { exchange, request }: Subject, slot: number): void => {
  note(exchange, decision.notes)
  changeRequest(request, decision.request)
  if (request.method !== "CONNECT") request.query = changeQuery(request.query, decision.query)
  const { reply } = decision
  if (reply.set.length > 0 || reply.remove.length > 0) {
    promise(exchange, slot, (answer) => changeReply(answer, reply) as undefined)
  }
}

/** The reply that a refused client gets; a gRPC client is told in its own way. */
export const replyOf = ({ body, reply, status }: Denied, request: Subject["request"]): Reply => {
  const calls = isGrpc(request.headers.get("content-type"))
  const words = body._tag === "Bytes" ? new TextDecoder().decode(body.bytes.subarray(0, GRPC_MESSAGE_BYTES_MAX)) : ""
  const made: Reply = calls
    ? {
        status: 200,
        headers: new Headers([
          "content-type",
          "application/grpc",
          "grpc-status",
          String(grpcStatusOf(status)),
          "grpc-message",
          encodeGrpcMessage(words === "" ? "external authorization failed" : words),
        ]),
        body: Body.empty,
        origin: "gateway",
      }
    : { status, headers: new Headers(), body, origin: "gateway" }
  if (calls) Body.discard(body)
  const { set } = reply
  changeReply(made, { remove: [], set: calls ? set.filter(({ name }) => name !== "content-type") : set })
  return made
}

/** A message of gRPC is a header, so it is not a page. */
const GRPC_MESSAGE_BYTES_MAX = 1024
