/** The two endpoints of 2024-11-05: a stream that everything of the server comes by, and an address to post to. */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Callee } from "../../../../ir/policy/Callee.ts"
import type { SseEvent } from "../../../../protocols/http/sse.ts"
import * as Body from "../../../Body.ts"
import type { Pin } from "../../../Call.ts"
import type { Exchange } from "../../../Exchange.ts"
import { limits } from "../limits.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { type Broken, broken, type Channel, type OpenChannel, type Receiver } from "./Channel.ts"
import { type Place, send, unwanted } from "./outgoing.ts"
import { contentOf, readEvents } from "./reading.ts"

interface Origin {
  readonly host: string
  readonly port: number
}

const originOf = (exchange: Exchange, { backend }: Callee): Origin | undefined => {
  const { backends, services } = exchange.plan.snapshot
  if (backend._tag === "Service") {
    const service = services.get(backend.service)
    return service === undefined ? undefined : { host: service.hostname, port: backend.port }
  }
  const known = backend._tag === "Backend" ? backends.get(backend.backend) : undefined
  return known?._tag === "Host" && known.target._tag === "Host" ? known.target : undefined
}

const anywhere = "http://target.invalid"

/** The path to post to. Whatever leads to another server is refused: it would be sent what is meant for this one. */
export const endpointPath = (data: string, path: string, origin: Origin | undefined): string | undefined => {
  let url: URL
  try {
    url = new URL(data.trim(), `${anywhere}${path}`)
  } catch {
    return undefined
  }
  const isAbsolute = url.origin !== anywhere
  if (isAbsolute) {
    if (url.protocol !== "http:" && url.protocol !== "https:") return undefined
    const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port)
    const host = url.hostname.replace(/^\[|\]$/g, "")
    if (origin === undefined || host.toLowerCase() !== origin.host.toLowerCase() || port !== origin.port) {
      return undefined
    }
  }
  return `${url.pathname}${url.search}`
}

const fields = ["accept", "text/event-stream"]

export const sseChannel =
  (place: Place, runtime: McpRuntime): OpenChannel =>
  (receiver: Receiver, exchange: Exchange): Effect.Effect<Channel, Broken> => {
    // Only the endpoint that has the stream knows the address to post to.
    const pin: Pin = { endpoint: undefined }
    return Effect.flatMap(
      send(exchange, place, { method: "GET", fields, timeoutMillis: limits.endpointEventMillis }, pin),
      (reply): Effect.Effect<Channel, Broken> => {
        if (reply.status !== 200 || contentOf(reply) !== "events") return Effect.fail(unwanted(reply, runtime.clock))
        return Effect.callback<Channel, Broken>((resume) => {
          let isOpen = false
          let fiber: Fiber.Fiber<unknown, unknown> | undefined
          const disarm = runtime.clock.after(limits.endpointEventMillis, () => give("no endpoint was named in time"))
          const give = (why: string): void => {
            disarm()
            fiber?.interruptUnsafe()
            resume(Effect.fail(broken(why, false)))
          }
          const event = ({ data, event: type }: SseEvent): boolean => {
            if (type !== "endpoint") {
              if (data !== "" && isOpen) receiver.message(data)
              return false
            }
            if (isOpen) return false
            const path = endpointPath(data, place.path, originOf(exchange, place.callee))
            if (path === undefined) {
              // The reading of the stream ends with this event, so nobody has to be interrupted.
              disarm()
              resume(Effect.fail(broken("the server names an endpoint at another origin", false)))
              return true
            }
            isOpen = true
            disarm()
            resume(Effect.succeed(channelTo({ ...place, path }, pin, runtime, () => fiber?.interruptUnsafe())))
            return false
          }
          const reading = readEvents(reply, { clock: runtime.clock, idleMillis: Infinity, event })
          const closed = (why: string) =>
            Effect.sync(() => {
              disarm()
              if (isOpen) receiver.closed(why)
              else resume(Effect.fail(broken(why, false)))
            })
          fiber = runtime.run(
            Effect.onInterrupt(
              Effect.matchEffect(reading, {
                onFailure: ({ message }) => closed(message),
                onSuccess: () => closed("the stream ended"),
              }),
              () => closed("closed by the gateway"),
            ),
          )
          return Effect.sync(() => {
            disarm()
            fiber?.interruptUnsafe()
          })
        })
      },
    )
  }

const channelTo = (place: Place, pin: Pin, runtime: McpRuntime, close: () => void): Channel => ({
  send: (message, exchange) =>
    Effect.flatMap(
      send(
        exchange,
        place,
        {
          method: "POST",
          fields: ["accept", "application/json, text/event-stream"],
          body: message,
          timeoutMillis: limits.handoverMillis,
        },
        pin,
      ),
      (reply) => {
        if (reply.status >= 300) return Effect.fail(unwanted(reply, runtime.clock))
        Body.discard(reply.body)
        return Effect.void
      },
    ),
  close,
})
