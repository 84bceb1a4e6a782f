/** Streamable HTTP as it was up to 2025-11-25: a session, named in a header, and streams that can be taken up again. */
import * as Effect from "effect/Effect"
import type { SseEvent } from "../../../../protocols/http/sse.ts"
import { keys } from "../../../../protocols/mcp/envelope.ts"
import { type Fields, itemsOf, type Json } from "../../../../protocols/mcp/json.ts"
import { codeOf, codes, parse, parseValid, type RpcAnswer, type RpcMessage } from "../../../../protocols/mcp/jsonrpc.ts"
import { atLeast } from "../../../../protocols/mcp/revision.ts"
import * as Body from "../../../Body.ts"
import type { Pin } from "../../../Call.ts"
import type { Exchange, Reply } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { limits } from "../limits.ts"
import { type Broken, broken } from "./Channel.ts"
import { type Outgoing, type Place, send, unwanted } from "./outgoing.ts"
import { contentOf, readEvents, textOf } from "./reading.ts"
import type { Wire, WireRequest } from "./Wire.ts"

/** What is to be known of a stream that may have to be taken up again. */
interface Progress {
  answer: RpcAnswer | undefined
  lastId: string | undefined
  retryMillis: number
  isFresh: boolean
}

const accepting = ["accept", "application/json, text/event-stream"]
const acceptingEvents = ["accept", "text/event-stream"]

const answers = (message: RpcMessage, id: number): message is RpcAnswer =>
  message._tag === "Answer" && (message.id === String(id) || message.id === `"${id}"`)

/** Either kind of reply may come with any status: an error is an answer too. */
const answerIn = (text: string, id: number, beside: (message: RpcMessage) => void): RpcAnswer | undefined => {
  const message = parse(text)
  if (message._tag !== "Malformed") {
    return message._tag === "Answer" && (message.id === undefined || answers(message, id)) ? message : undefined
  }
  let found: RpcAnswer | undefined
  // Servers of 2025-03-26 may answer with a batch.
  for (const item of message.code === -32600 ? (itemsOf(text.trim()) ?? []) : []) {
    const one = parseValid(item)
    if (one._tag === "Malformed") continue
    if (answers(one, id)) found = one
    else beside(one)
  }
  return found
}

/** Errors that only a server without sessions has a reason for. */
const isFromModern = (error: Json): boolean => {
  const code = codeOf(error)
  if (code === codes.headerMismatch || code === codes.missingCapability || code === codes.unsupportedVersion)
    return true
  return code === codes.invalidParams && error.includes(keys.protocolVersion)
}

export class SessionHttp implements Wire {
  readonly attributes = true
  private readonly place: Place
  private readonly clock: Clock
  private readonly unrelated: (message: RpcMessage) => void
  private session: string | undefined = undefined
  private revision: string | undefined = undefined
  private lastUnrelated: string | undefined = undefined
  /** The endpoint that began the session, which no other one knows. */
  private readonly pin: Pin

  constructor(place: Place, clock: Clock, unrelated: (message: RpcMessage) => void, held?: Fields) {
    this.place = place
    this.clock = clock
    this.unrelated = unrelated
    this.session = held?.string("session")
    this.revision = held?.string("revision")
    this.pin = { endpoint: held?.string("endpoint") }
  }

  agreed(revision: string): void {
    this.revision = revision
  }

  held(): Json | undefined {
    const { pin, revision, session } = this
    return session === undefined || revision === undefined
      ? undefined
      : JSON.stringify({ session, revision, endpoint: pin.endpoint })
  }

  private hand(exchange: Exchange, out: Outgoing): Effect.Effect<Reply, Broken> {
    return send(exchange, this.place, out, this.pin)
  }

  private out(method: Outgoing["method"], fields: ReadonlyArray<string>, timeoutMillis: number, body?: Json): Outgoing {
    const own = [...fields]
    if (this.session !== undefined) own.push("mcp-session-id", this.session)
    if (this.revision !== undefined && atLeast(this.revision, "2025-06-18")) {
      own.push("mcp-protocol-version", this.revision)
    }
    return { method, fields: own, body, timeoutMillis }
  }

  readonly request = (request: WireRequest): Effect.Effect<RpcAnswer, Broken> => {
    const { exchange, idleMillis, isHeld, message } = request
    const head = this.hand(exchange, this.out("POST", accepting, isHeld === undefined ? idleMillis : Infinity, message))
    return Effect.flatMap(
      // Where people may be asked, it is their time that passes, and not the server's.
      isHeld === undefined || idleMillis === Infinity ? head : Effect.raceFirst(head, this.silence(idleMillis, isHeld)),
      (reply): Effect.Effect<RpcAnswer, Broken> => {
        if (request.method === "initialize" && reply.status === 200) {
          this.session = reply.headers.get("mcp-session-id")
        }
        // With a session, 404 says that there is none any more, whatever the body says.
        if (reply.status === 404 && this.session !== undefined) return Effect.fail(unwanted(reply, this.clock))
        switch (contentOf(reply)) {
          case "json":
            return this.whole(request, reply)
          case "events":
            return this.streamed(request, reply)
          case "other":
            return Effect.fail(unwanted(reply, this.clock))
        }
      },
    )
  }

  /** Fails once the server has been silent for so long. */
  private silence(idleMillis: number, isHeld: () => boolean): Effect.Effect<never, Broken> {
    return Effect.callback((resume) => {
      let disarm = (): void => {}
      const arm = (): void => {
        disarm = this.clock.after(idleMillis, () =>
          isHeld() ? arm() : resume(Effect.fail(broken("no reply in time", true))),
        )
      }
      arm()
      return Effect.sync(() => disarm())
    })
  }

  private whole({ beside, id }: WireRequest, reply: Reply): Effect.Effect<RpcAnswer, Broken> {
    const { status } = reply
    if (status === 401 || status === 403 || status === 429 || status === 503) {
      return Effect.fail(unwanted(reply, this.clock))
    }
    return Effect.flatMap(textOf(reply), (text): Effect.Effect<RpcAnswer, Broken> => {
      const answer = answerIn(text, id, beside)
      if (answer?.error !== undefined && status >= 400 && isFromModern(answer.error)) {
        return Effect.fail(
          broken("the server speaks another generation of the protocol", false, {
            status,
            code: codeOf(answer.error),
          }),
        )
      }
      if (answer !== undefined && !this.isForgotten(status, answer)) return Effect.succeed(answer)
      if (answer !== undefined)
        return Effect.fail(broken("the server has forgotten the session", false, { status: 404 }))
      return Effect.fail(broken("the reply is no answer to what was asked", true, { status }))
    })
  }

  /** Some servers answer 400 where they should answer 404, with an error about no request in particular. */
  private isForgotten(status: number, { error, id }: RpcAnswer): boolean {
    return status === 400 && this.session !== undefined && id === undefined && error !== undefined
  }

  private streamed(request: WireRequest, reply: Reply): Effect.Effect<RpcAnswer, Broken> {
    const progress: Progress = {
      answer: undefined,
      lastId: undefined,
      retryMillis: limits.resumeMillis,
      isFresh: false,
    }
    return Effect.flatMap(this.read(request, progress, reply), () => this.finish(request, progress, 0))
  }

  /** A stream that broke is worth taking up again as long as it can be named. */
  private read(request: WireRequest, progress: Progress, reply: Reply): Effect.Effect<void, Broken> {
    const { beside, id, idleMillis, isHeld } = request
    const event = (one: SseEvent): boolean => {
      if (one.id !== undefined) {
        progress.lastId = one.id
        progress.isFresh = true
      }
      if (one.retryMillis !== undefined) progress.retryMillis = Math.min(one.retryMillis, limits.reconnectMillisMax)
      if (one.data === "") return false
      const message = parse(one.data)
      if (message._tag === "Malformed") return false
      if (!answers(message, id)) {
        beside(message)
        return false
      }
      progress.answer = message
      return true
    }
    return Effect.catch(Effect.asVoid(readEvents(reply, { clock: this.clock, idleMillis, isHeld, event })), (failure) =>
      progress.lastId === undefined ? Effect.fail(failure) : Effect.void,
    )
  }

  private finish(request: WireRequest, progress: Progress, attempts: number): Effect.Effect<RpcAnswer, Broken> {
    const { answer, lastId } = progress
    if (answer !== undefined) return Effect.succeed(answer)
    if (lastId === undefined) return Effect.fail(broken("the stream ended before the answer", true))
    if (attempts >= limits.resumptionsMax) return Effect.fail(broken("the stream could not be taken up again", true))
    progress.isFresh = false
    const fields = [...acceptingEvents, "last-event-id", lastId]
    return Effect.sleep(progress.retryMillis).pipe(
      Effect.andThen(this.hand(request.exchange, this.out("GET", fields, request.idleMillis))),
      Effect.flatMap((reply) =>
        reply.status === 200 && contentOf(reply) === "events"
          ? this.read(request, progress, reply)
          : Effect.fail(unwanted(reply, this.clock)),
      ),
      // Being refused will not change; a connection that fails may be there again in a moment.
      Effect.catch((failure) => (failure.status === undefined ? Effect.void : Effect.fail(failure))),
      Effect.flatMap(() => this.finish(request, progress, progress.isFresh ? 0 : attempts + 1)),
    )
  }

  readonly send = (message: Json, exchange: Exchange): Effect.Effect<void, Broken> =>
    Effect.flatMap(this.hand(exchange, this.out("POST", accepting, limits.handoverMillis, message)), (reply) => {
      if (reply.status >= 300) return Effect.fail(unwanted(reply, this.clock))
      Body.discard(reply.body)
      return Effect.void
    })

  readonly listen = (exchange: Exchange, opened: () => void): Effect.Effect<boolean, Broken> =>
    Effect.suspend(() => {
      const fields =
        this.lastUnrelated === undefined ? acceptingEvents : [...acceptingEvents, "last-event-id", this.lastUnrelated]
      return this.hand(exchange, this.out("GET", fields, limits.listMillis))
    }).pipe(
      Effect.flatMap((reply) => {
        if (reply.status === 405) {
          Body.discard(reply.body)
          return Effect.succeed(false)
        }
        if (reply.status !== 200 || contentOf(reply) !== "events") return Effect.fail(unwanted(reply, this.clock))
        opened()
        const event = (one: SseEvent): boolean => {
          if (one.id !== undefined) this.lastUnrelated = one.id
          if (one.data === "") return false
          const message = parse(one.data)
          if (message._tag !== "Malformed") this.unrelated(message)
          return false
        }
        return Effect.as(readEvents(reply, { clock: this.clock, idleMillis: Infinity, event }), true)
      }),
    )

  readonly close = (exchange: Exchange): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (this.session === undefined) return Effect.void
      return Effect.matchEffect(this.hand(exchange, this.out("DELETE", [], limits.cancelMillis)), {
        onFailure: () => Effect.void,
        onSuccess: (reply) => Effect.sync(() => Body.discard(reply.body)),
      })
    })
}
