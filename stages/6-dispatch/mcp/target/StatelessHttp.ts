/** Streamable HTTP since 2026-07-28: every request stands for itself, and hanging up cancels it. */
import * as Effect from "effect/Effect"
import type { SseEvent } from "../../../../protocols/http/sse.ts"
import type { Json } from "../../../../protocols/mcp/json.ts"
import { codeOf, codes, parse, type RpcAnswer, type RpcMessage } from "../../../../protocols/mcp/jsonrpc.ts"
import type { Exchange, Reply } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { type Broken, broken } from "./Channel.ts"
import { type Place, send, unwanted } from "./outgoing.ts"
import { contentOf, readEvents, textOf } from "./reading.ts"

export interface StatelessRequest {
  readonly id: number
  readonly message: Json
  readonly exchange: Exchange
  /** Name and value in turn. */
  readonly fields: ReadonlyArray<string>
  readonly idleMillis: number
  readonly headMillis: number
  readonly beside: (message: RpcMessage) => void
}

/** `status`: of the reply that it was, where it was one of HTTP. */
export type StatelessAnswer = RpcAnswer & { readonly status?: number }
export type StatelessWire = (request: StatelessRequest) => Effect.Effect<StatelessAnswer, Broken>

/** With these it is the way to the server that answers, or a server that will not answer now. */
const ofTheWay: ReadonlySet<number> = new Set([401, 403, 407, 408, 429, 503])

const isOurs = (message: RpcMessage, id: number): message is RpcAnswer =>
  message._tag === "Answer" && (message.id === undefined || message.id === String(id) || message.id === `"${id}"`)

export const statelessHttp =
  (place: Place, clock: Clock): StatelessWire =>
  ({ beside, exchange, fields, headMillis, id, idleMillis, message }) =>
    Effect.flatMap(
      send(exchange, place, {
        method: "POST",
        fields: ["accept", "application/json, text/event-stream", ...fields],
        body: message,
        timeoutMillis: headMillis,
      }),
      (reply): Effect.Effect<StatelessAnswer, Broken> => {
        if (ofTheWay.has(reply.status)) return Effect.fail(unwanted(reply, clock))
        switch (contentOf(reply)) {
          case "json":
            return whole(reply, id)
          case "events":
            return streamed(reply, id, idleMillis, clock, beside)
          case "other":
            return Effect.fail(unwanted(reply, clock))
        }
      },
    )

/** A server with sessions will not have a request without one, and cannot even say which request that was. */
const isForeign = (status: number, { error, id }: RpcAnswer): boolean =>
  status >= 400 && status < 500 && id === undefined && error !== undefined && !modernCodes.has(codeOf(error))

const modernCodes: ReadonlySet<number> = new Set([
  codes.headerMismatch,
  codes.missingCapability,
  codes.unsupportedVersion,
  codes.methodNotFound,
])

const whole = (reply: Reply, id: number): Effect.Effect<StatelessAnswer, Broken> =>
  Effect.flatMap(textOf(reply), (text) => {
    const answer = parse(text)
    if (answer._tag === "Answer" && isForeign(reply.status, answer)) {
      return Effect.fail(
        broken("the server speaks another generation of the protocol", false, { status: reply.status }),
      )
    }
    return answer._tag !== "Malformed" && isOurs(answer, id)
      ? Effect.succeed({ ...answer, status: reply.status })
      : Effect.fail(broken("the reply is no answer to what was asked", reply.status < 400, { status: reply.status }))
  })

const streamed = (
  reply: Reply,
  id: number,
  idleMillis: number,
  clock: Clock,
  beside: (message: RpcMessage) => void,
): Effect.Effect<RpcAnswer, Broken> => {
  let answer: RpcAnswer | undefined
  const event = ({ data }: SseEvent): boolean => {
    if (data === "") return false
    const message = parse(data)
    if (message._tag === "Malformed") return false
    if (!isOurs(message, id)) {
      beside(message)
      return false
    }
    answer = message
    return true
  }
  return Effect.flatMap(readEvents(reply, { clock, idleMillis, event }), () =>
    answer === undefined ? Effect.fail(broken("the stream ended before the answer", true)) : Effect.succeed(answer),
  )
}
