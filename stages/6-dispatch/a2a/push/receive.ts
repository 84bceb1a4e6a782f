/**
 * What agents write to the gateway's own webhook. It is outside of all routes and their policies: what proves that an
 * agent may write is the token it was given when it was told where to.
 */
import * as Effect from "effect/Effect"
import type { Fields } from "../../../../protocols/a2a/Fields.ts"
import { type Notice, readNotice, tokenHeader } from "../../../../protocols/a2a/notice.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import { collectRequest } from "../../../5-policy/buffer.ts"
import * as Body from "../../../Body.ts"
import type { Exchange, Reply, Request, Service } from "../../../Exchange.ts"
import type { PostboxFailure, Registration } from "../../../ports/Postbox.ts"
import type { Refusal } from "../../../Refusal.ts"
import { type Push, pushKeysPath, pushPath } from "./Push.ts"

/** How large one notification may be. */
const NOTICE_BYTES_MAX = 4 * 1024 * 1024
/** How long it may take to arrive. */
const NOTICE_MILLIS_MAX = 15_000
/** How many may arrive at once; each holds a body. */
const RECEIVING_MAX = 64

const decoder = new TextDecoder()

const said = (status: number, text = ""): Reply => ({
  status,
  headers: new Headers(text === "" ? [] : ["content-type", "text/plain"]),
  body: Body.text(text),
  origin: "gateway",
})

const bearer = /^bearer +(\S+)$/i

/** What the agent shows; it may show both, and one of them right. */
const isProved = (push: Push, { headers }: Request, { token }: Registration): boolean => {
  const { equal } = push.ports.cryptography
  const shown = [bearer.exec(headers.get("authorization") ?? "")?.[1], headers.get(tokenHeader)]
  return shown.some((one) => one !== undefined && equal(one, token))
}

const unavailable = ({ message }: PostboxFailure): Effect.Effect<Reply> =>
  Effect.as(Effect.logWarning(`A notification of an agent cannot be kept now: ${message}`), said(503, "try again\n"))

const accept = (push: Push, registration: Registration, notice: Notice): Effect.Effect<Reply, PostboxFailure> => {
  const { clock, cryptography, postbox } = push.ports
  const { id } = registration
  const { event, isLast, repeats, taskId } = notice
  if (taskId !== undefined && registration.taskId !== undefined && taskId !== registration.taskId) {
    return Effect.succeed(said(403, "it is about another task\n"))
  }
  const body = JSON.stringify(event)
  const posting = { registration: id, body, digest: cryptography.digest(body), repeats, isLast }
  const bound = registration.taskId === undefined && taskId !== undefined ? postbox.bind(id, taskId) : Effect.void
  return Effect.map(
    Effect.flatMap(bound, () => postbox.post(posting, clock.wallMillis())),
    (posted) => {
      if (posted === "full") return said(429, "too many notifications wait for this receiver\n")
      if (posted === "posted") push.poke()
      return said(202)
    },
  )
}

/** From an agent that is the gateway itself, and needs to prove nothing. */
export const tell = (push: Push, id: string, event: Fields): Effect.Effect<void> =>
  Effect.catch(
    Effect.flatMap(push.ports.postbox.find(id), (registration): Effect.Effect<void, PostboxFailure> => {
      if (registration === undefined) return Effect.void
      const notice = readNotice(JSON.stringify(event), registration.agentVersion)
      return notice._tag === "Unreadable" ? Effect.void : Effect.asVoid(accept(push, registration, notice.value))
    }),
    (failure) => Effect.asVoid(unavailable(failure)),
  )

const take = (push: Push, { request }: Exchange, id: string): Effect.Effect<Reply, Refusal> => {
  const { clock, postbox } = push.ports
  const found = Effect.flatMap(postbox.find(id), (registration): Effect.Effect<Reply, Refusal | PostboxFailure> => {
    if (registration === undefined) return Effect.succeed(said(404))
    if (!isProved(push, request, registration)) return Effect.succeed(said(401))
    const deadline = clock.nowMillis() + NOTICE_MILLIS_MAX
    return Effect.flatMap(
      collectRequest(request, NOTICE_BYTES_MAX, clock, deadline),
      (collected): Effect.Effect<Reply, Refusal | PostboxFailure> => {
        if (collected._tag === "Partial") {
          Body.discard(collected.body)
          return Effect.fail({ _tag: "RequestBodyTooLarge" })
        }
        const notice = readNotice(decoder.decode(collected.bytes), registration.agentVersion)
        return notice._tag === "Unreadable"
          ? Effect.succeed(said(400, `${notice.fault.message}\n`))
          : accept(push, registration, notice.value)
      },
    )
  })
  return Effect.catch(found, (failure) =>
    failure._tag === "PostboxFailure" ? unavailable(failure) : Effect.fail(failure),
  )
}

const keys = (push: Push): Effect.Effect<Reply> =>
  Effect.catch(
    Effect.map(push.signer, ({ jwk }): Reply => ({
      status: 200,
      headers: new Headers(["content-type", "application/jwk-set+json", "cache-control", "max-age=300"]),
      body: Body.text(JSON.stringify({ keys: [jwk] })),
      origin: "gateway",
    })),
    unavailable,
  )

/** In front of everything a listener does. */
export const receiving = (push: Push, inner: Service<Exchange>): Service<Exchange> => {
  let receivingCount = 0
  return (exchange) => {
    const { method, path } = exchange.request
    if (!path.startsWith("/.sluice/a2a/")) return inner(exchange)
    if (path === pushKeysPath && (method === "GET" || method === "HEAD")) return keys(push)
    if (method !== "POST" || !path.startsWith(pushPath)) return inner(exchange)
    if (receivingCount >= RECEIVING_MAX) return Effect.succeed(said(503, "try again\n"))
    receivingCount++
    return Effect.ensuring(
      Effect.suspend(() => take(push, exchange, path.slice(pushPath.length))),
      Effect.sync(() => void receivingCount--),
    )
  }
}
