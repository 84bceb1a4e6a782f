/** Messages out of the reply to a request over HTTP: one JSON document, or a stream of events. */
import * as Effect from "effect/Effect"
import { type SseEvent, SseParser } from "../../../../protocols/http/sse.ts"
import * as Body from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { limits } from "../limits.ts"
import { type Broken, broken } from "./Channel.ts"

const decoder = new TextDecoder()

export type Content = "json" | "events" | "other"

export const contentOf = (reply: Reply): Content => {
  const type = reply.headers.get("content-type")?.toLowerCase() ?? ""
  if (type.startsWith("text/event-stream")) return "events"
  return type.startsWith("application/json") || /^application\/[^;]+\+json/.test(type) ? "json" : "other"
}

/** The whole reply as text. */
export const textOf = (reply: Reply): Effect.Effect<string, Broken> => {
  if (reply.body._tag === "Empty") return Effect.succeed("")
  if (reply.body._tag === "Bytes") return Effect.succeed(decoder.decode(reply.body.bytes))
  return Effect.matchEffect(Body.collect(reply.body, limits.messageBytesMax), {
    onFailure: ({ message }) => Effect.fail(broken(message, true)),
    onSuccess: (collected) => {
      if (collected._tag === "Whole") return Effect.succeed(decoder.decode(collected.bytes))
      Body.discard(collected.body)
      return Effect.fail(broken(`a message of more than ${limits.messageBytesMax} bytes`, true))
    },
  })
}

/** How long a stream may go on once nobody needs it, so that its connection can be used again. */
const tailMillis = 1_000

export interface EventsOptions {
  readonly clock: Clock
  /** Without a byte for so long, the stream counts as broken; `Infinity`: it may be silent. */
  readonly idleMillis: number
  /** Whether the silence is ours, because somebody was asked something. */
  readonly isHeld?: (() => boolean) | undefined
  /** True: nothing more is needed. */
  readonly event: (event: SseEvent) => boolean
}

/** Reads events until enough were seen, or the stream ends: tells which. */
export const readEvents = (
  reply: Reply,
  { clock, event, idleMillis, isHeld }: EventsOptions,
): Effect.Effect<boolean, Broken> => {
  const { body } = reply
  if (body._tag === "Empty") return Effect.succeed(false)
  return Effect.callback<boolean, Broken>((resume) => {
    let isSettled = false
    let source: Body.Source | undefined
    let seenMillis = clock.nowMillis()
    let disarm: (() => void) | undefined
    const settle = (result: Effect.Effect<boolean, Broken>): void => {
      if (isSettled) return
      isSettled = true
      disarm?.()
      resume(result)
    }
    const fail = (message: string): void => {
      settle(Effect.fail(broken(message, true)))
      source?.cancel()
    }
    const arm = (millis: number): void => {
      disarm = clock.after(millis, () => {
        if (isHeld?.() === true) seenMillis = clock.nowMillis()
        const left = seenMillis + idleMillis - clock.nowMillis()
        if (left <= 0) fail("the server fell silent")
        else arm(left)
      })
    }
    const parser = new SseParser((one) => {
      if (isSettled || !event(one)) return
      settle(Effect.succeed(true))
      // What is left is read and thrown away, so that the connection can be used again.
      disarm = clock.after(tailMillis, () => source?.cancel())
    }, limits.messageBytesMax)
    if (idleMillis < Infinity) arm(idleMillis)
    const sink: Body.Sink = {
      write(chunk) {
        if (isSettled) return true
        seenMillis = clock.nowMillis()
        if (!parser.feed(chunk)) fail("an event that is too long")
        return true
      },
      end() {
        if (isSettled) return disarm?.()
        parser.end()
        settle(Effect.succeed(false))
      },
      fail({ message }) {
        disarm?.()
        settle(Effect.fail(broken(message, true)))
      },
    }
    if (body._tag === "Bytes") {
      sink.write(body.bytes)
      sink.end(undefined)
      return
    }
    source = body.open(sink)
    return Effect.sync(() => {
      isSettled = true
      disarm?.()
      source?.cancel()
    })
  })
}
