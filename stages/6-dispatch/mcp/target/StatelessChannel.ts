/** A modern server at the other end of a channel: requests share it, and giving one up is said aloud. */
import * as Effect from "effect/Effect"
import { keys } from "../../../../protocols/mcp/envelope.ts"
import { Fields } from "../../../../protocols/mcp/json.ts"
import { encodeNotification, type RpcAnswer, type RpcMessage } from "../../../../protocols/mcp/jsonrpc.ts"
import type { Exchange } from "../../../Exchange.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import type { Broken, OpenChannel } from "./Channel.ts"
import { ChannelWire } from "./ChannelWire.ts"
import type { StatelessRequest, StatelessWire } from "./StatelessHttp.ts"

class Connection {
  readonly running = new Map<number, (message: RpcMessage) => void>()
  wire: ChannelWire | undefined = undefined
  opening: Effect.Effect<ChannelWire, Broken> | undefined = undefined

  /** What names its request goes there; anything else belongs to the request that began last. */
  readonly receive = (message: RpcMessage): void => {
    if (message._tag !== "Notification") return
    const params = Fields.parse(message.params)
    const named = params?.get("progressToken") ?? params?.object("_meta")?.get(keys.subscriptionId)
    const beside =
      named === undefined ? [...this.running.values()].at(-1) : this.running.get(Number(named.replaceAll('"', "")))
    beside?.(message)
  }
}

/** One channel, opened when it is first needed and again when it is lost. */
export const statelessChannel = (
  open: OpenChannel,
  runtime: McpRuntime,
): { wire: StatelessWire; close: () => void } => {
  let current: Connection | undefined
  const connect = (exchange: Exchange): Effect.Effect<Connection, Broken> =>
    Effect.suspend(() => {
      const known = current
      if (known?.wire !== undefined && !known.wire.isClosed) return Effect.succeed(known)
      if (known?.opening !== undefined) return Effect.as(known.opening, known)
      const made = new Connection()
      current = made
      return Effect.flatMap(
        Effect.cached(
          Effect.tap(ChannelWire.open(open, exchange, runtime.clock, made.receive), (wire) =>
            Effect.sync(() => {
              made.wire = wire
              made.opening = undefined
            }),
          ),
        ),
        (opening) => {
          made.opening = opening
          return Effect.as(
            Effect.tapError(opening, () =>
              Effect.sync(() => {
                if (current === made) current = undefined
              }),
            ),
            made,
          )
        },
      )
    })

  const wire = (request: StatelessRequest): Effect.Effect<RpcAnswer, Broken> =>
    Effect.flatMap(connect(request.exchange), (connection) => {
      const { beside, exchange, id, idleMillis, message } = request
      connection.running.set(id, beside)
      return (connection.wire as ChannelWire).request({ id, method: "", message, exchange, idleMillis, beside }).pipe(
        Effect.onInterrupt(() =>
          Effect.sync(() => {
            const params = Fields.of({ requestId: String(id) }).toJson()
            const cancel = (connection.wire as ChannelWire).send(
              encodeNotification("notifications/cancelled", params),
              exchange,
            )
            runtime.run(
              Effect.ignore(Effect.timeoutOrElse(cancel, { duration: limits.cancelMillis, orElse: () => Effect.void })),
            )
          }),
        ),
        Effect.ensuring(Effect.sync(() => connection.running.delete(id))),
      )
    })

  return {
    wire,
    close: () => {
      const wire = current?.wire
      current = undefined
      if (wire !== undefined) runtime.run(wire.close())
    },
  }
}
