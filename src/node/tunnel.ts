/** A connection that stops being HTTP: the last head is written, then bytes are copied until both sides have ended. */
import * as Effect from "effect/Effect"
import { flowFailure } from "../../stages/Body.ts"
import type { Reply, Tunnel } from "../../stages/Exchange.ts"
import type { Delivered, Relayed, Socket } from "../../stages/ports/Network.ts"
import { reasonOf } from "../../protocols/http/reasons.ts"
import { replyLines } from "./http1/fieldLines.ts"
import type { NodeSocket } from "./socket.ts"

const delivered = ({ error, sentBytes }: Relayed): Delivered => ({
  outcome: error === undefined ? "complete" : "upstreamFailed",
  bytes: sentBytes,
  failure: error === undefined ? undefined : flowFailure("gone", error),
})

/** Connects the client with the tunnel; interruption resets both. */
export const join = (client: Socket, tunnel: Tunnel): Effect.Effect<Delivered> =>
  Effect.map("handOver" in tunnel ? tunnel.handOver(client) : client.relay(tunnel), delivered)

const headOf = ({ headers, status }: Reply, offered: string | undefined): string => {
  const lines = replyLines.write(headers.written)
  const protocol = headers.get("upgrade") ?? offered
  const switched =
    status !== 101 ? "" : `connection: upgrade\r\n${protocol === undefined ? "" : `upgrade: ${protocol}\r\n`}`
  return `HTTP/1.1 ${status} ${reasonOf(status)}\r\n${lines}${switched}\r\n`
}

/** Writes what is left of the head of the reply to a client that speaks HTTP/1, and joins it with the tunnel. */
export const takeOver = (
  reply: Reply,
  tunnel: Tunnel,
  client: NodeSocket,
  offered: string | undefined,
  untold: (head: string) => string,
): Effect.Effect<Delivered> => {
  let head: string
  try {
    head = headOf(reply, offered)
  } catch (error) {
    tunnel.destroy?.()
    client.destroy()
    const message = error instanceof Error ? error.message : String(error)
    return Effect.succeed({ outcome: "upstreamFailed", bytes: 0, failure: flowFailure("malformed", message) })
  }
  client.stream.write(untold(head), "latin1")
  return join(client, tunnel)
}
