/** What the gateway refuses is said as an agent would say it, in the client's binding and version. */
import * as jsonRpc from "../../../protocols/a2a/binding/jsonRpc.ts"
import { type Fault, fault, type FaultName, toRest } from "../../../protocols/a2a/Fault.ts"
import { text } from "../../Body.ts"
import type { Edit, Exchange } from "../../Exchange.ts"
import * as Refusal from "../../Refusal.ts"
import type { Conversation } from "./Conversation.ts"

const names: Readonly<Record<number, FaultName>> = {
  400: "InvalidRequest",
  401: "Unauthenticated",
  403: "PermissionDenied",
  408: "Timeout",
  413: "InvalidRequest",
  429: "RateLimited",
  502: "Unavailable",
  503: "Unavailable",
  504: "Timeout",
}

const faultOf = (refusal: Refusal.Refusal): Fault =>
  fault(names[Refusal.status(refusal)] ?? "Internal", Refusal.message(refusal))

/** gRPC clients are told in their own way already; status and fields of HTTP stay. */
export const shaped =
  (exchange: Exchange, conversation: Conversation): Edit =>
  (reply) => {
    const { refusal } = exchange.trail
    const { binding } = conversation
    if (reply.origin !== "gateway" || refusal === undefined || binding === undefined || binding === "GRPC")
      return undefined
    const version = conversation.version ?? "1.0"
    const one = faultOf(refusal)
    conversation.known = { errorCode: -32603 }
    const body = binding === "JSONRPC" ? jsonRpc.writeFault(one, version, conversation.id) : toRest(one, version)
    reply.headers.set(
      "content-type",
      binding === "JSONRPC" || version === "0.3" ? "application/json" : "application/a2a+json",
    )
    reply.headers.remove("content-length")
    reply.body = text(JSON.stringify(body))
    return undefined
  }
