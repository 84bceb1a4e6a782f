/** One message there, one message back. */
import * as Effect from "effect/Effect"
import {
  describe as describeMisframed,
  Deframer,
  frame,
  frameCompressed,
  MESSAGE_BYTES_MAX,
} from "../../protocols/grpc/framing.ts"
import type { Method } from "../../protocols/grpc/method.ts"
import { Code, statusIn } from "../../protocols/grpc/status.ts"
import * as Body from "../Body.ts"
import type { Reply } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import { type CallFailed, callFailed, type Metadata, refusedBy, requestFor, type Transport } from "./Transport.ts"

export interface UnaryOptions {
  readonly clock: Clock
  /** For the whole call; the server is told. */
  readonly timeoutMillis?: number | undefined
  readonly metadata?: Metadata
  readonly authority?: string
  readonly messageBytesMax?: number
  /** How the message was compressed already by whoever encodes it. */
  readonly compression?: "gzip" | undefined
}

export const unary = <I, O>(
  transport: Transport,
  method: Method<I, O>,
  message: I,
  options: UnaryOptions,
): Effect.Effect<O, CallFailed> =>
  Effect.suspend(() => {
    const { authority, clock, compression, messageBytesMax = MESSAGE_BYTES_MAX, metadata = [], timeoutMillis } = options
    const body = Body.bytes((compression === undefined ? frame : frameCompressed)(method.encode(message)))
    const coding = compression === undefined ? [] : ["grpc-encoding", compression]
    const request = requestFor(method.path, body, [...coding, ...metadata], timeoutMillis, authority)
    const called = Effect.flatMap(transport(request, timeoutMillis), (reply) =>
      answerIn(reply, method, messageBytesMax),
    )
    return timeoutMillis === undefined ? called : Effect.raceFirst(called, expiry(clock, timeoutMillis))
  })

const expiry = (clock: Clock, millis: number): Effect.Effect<never, CallFailed> =>
  Effect.callback((resume) => {
    const cancel = clock.after(millis, () =>
      resume(Effect.fail(callFailed(Code.DEADLINE_EXCEEDED, `no answer within ${millis} ms`))),
    )
    return Effect.sync(cancel)
  })

/** A message is an answer only if the status that follows it says so. */
const decided = <O>(
  messages: ReadonlyArray<Uint8Array>,
  status: ReturnType<typeof statusIn>,
  method: Method<never, O>,
): Effect.Effect<O, CallFailed> => {
  if (status === undefined) return Effect.fail(callFailed(Code.INTERNAL, "the answer ended without a status"))
  if (status.code !== Code.OK) return Effect.fail(callFailed(status.code, status.message))
  const [only, ...more] = messages
  if (only === undefined) return Effect.fail(callFailed(Code.INTERNAL, "the answer holds no message"))
  if (more.length > 0) return Effect.fail(callFailed(Code.INTERNAL, "the answer holds more than one message"))
  try {
    return Effect.succeed(method.decode(only))
  } catch (error) {
    return Effect.fail(callFailed(Code.INTERNAL, `the answer cannot be read: ${String(error)}`))
  }
}

const answerIn = <O>(reply: Reply, method: Method<never, O>, bytesMax: number): Effect.Effect<O, CallFailed> => {
  const refused = refusedBy(reply)
  if (refused !== undefined) return Effect.fail(refused)
  const { body, headers } = reply
  if (body._tag === "Empty") return decided([], statusIn(headers), method)
  return Effect.callback<O, CallFailed>((resume) => {
    const deframer = new Deframer(bytesMax)
    const messages: Array<Uint8Array> = []
    let isOver = false
    let source: Body.Source | undefined
    const done = (outcome: Effect.Effect<O, CallFailed>): void => {
      isOver = true
      resume(outcome)
    }
    const giveUp = (why: CallFailed): void => {
      done(Effect.fail(why))
      source?.cancel()
    }
    const sink: Body.Sink = {
      write: (chunk) => {
        if (isOver) return true
        const misframed = deframer.push(chunk, (message) => messages.push(message))
        if (misframed !== undefined) {
          giveUp(
            callFailed(
              misframed._tag === "TooLarge" ? Code.RESOURCE_EXHAUSTED : Code.INTERNAL,
              describeMisframed(misframed),
            ),
          )
        } else if (messages.length > 1) giveUp(callFailed(Code.INTERNAL, "the answer holds more than one message"))
        return true
      },
      end: (trailers) => {
        if (isOver) return
        if (!deframer.isBetween) done(Effect.fail(callFailed(Code.INTERNAL, "the answer ended inside a message")))
        else done(decided(messages, statusIn(trailers) ?? statusIn(headers), method))
      },
      fail: ({ message }) => {
        if (!isOver) done(Effect.fail(callFailed(Code.UNAVAILABLE, message)))
      },
    }
    if (body._tag === "Bytes") {
      sink.write(body.bytes)
      sink.end(undefined)
      return Effect.void
    }
    source = body.open(sink)
    if (isOver) source.cancel()
    const opened = source
    return Effect.sync(() => opened.cancel())
  })
}
