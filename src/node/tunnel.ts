/** A connection that stops being HTTP: the last head is written, then bytes are copied until both sides have ended. */
import * as Effect from "effect/Effect"
import { flowFailure } from "../../stages/Body.ts"
import type { Reply, Tunnel } from "../../stages/Exchange.ts"
import type { Delivered, Relayed, Socket } from "../../stages/ports/Network.ts"
import { STATUS_CODES, validateHeaderName, validateHeaderValue } from "./builtinHttp.ts"
import type { NodeSocket } from "./socket.ts"

const delivered = ({ error, sentBytes }: Relayed): Delivered => ({
  outcome: error === undefined ? "complete" : "upstreamFailed",
  bytes: sentBytes,
  failure: error === undefined ? undefined : flowFailure("gone", error),
})

/** Connects the client with the tunnel; interruption resets both. */
export const join = (client: Socket, tunnel: Tunnel): Effect.Effect<Delivered> =>
  Effect.map("handOver" in tunnel ? tunnel.handOver(client) : client.relay(tunnel), delivered)

/** Fields that would announce a body where none can be. */
const framing = new Set(["content-length", "transfer-encoding"])

const headOf = (reply: Reply, offered: string | undefined): string => {
  const { headers, status } = reply
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`
  const flat = headers.written
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i] as string
    const value = flat[i + 1] as string
    if (framing.has(name.toLowerCase())) continue
    validateHeaderName(name)
    validateHeaderValue(name, value)
    head += `${name}: ${value}\r\n`
  }
  if (status === 101) {
    if (!headers.has("connection")) head += "connection: upgrade\r\n"
    if (!headers.has("upgrade") && offered !== undefined) head += `upgrade: ${offered}\r\n`
  }
  return `${head}\r\n`
}

/** Writes the head of the reply to a client that speaks HTTP/1, and joins it with the tunnel. */
export const takeOver = (
  reply: Reply,
  tunnel: Tunnel,
  client: NodeSocket,
  offered: string | undefined,
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
  client.stream.write(head, "latin1")
  return join(client, tunnel)
}
