/**
 * A realtime connection: bytes pass both ways as they are, and what each answer used is read off them and charged at once.
 * When that leaves nothing of a budget that is hard, the gateway says so in a message of its own, and ends the connection.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { writeError } from "../../../protocols/llm/errors.ts"
import { isObject, parseJson, textOf } from "../../../protocols/llm/Json.ts"
import type { LlmError } from "../../../protocols/llm/LlmError.ts"
import { closeFrame, textFrame, WebSocketReader } from "../../../protocols/llm/framing/webSocket.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"
import * as Body from "../../Body.ts"
import type { Reply, Tunnel } from "../../Exchange.ts"
import type { Overhearing } from "../../ports/Network.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Account } from "./Account.ts"
import { readingOf, usageIn } from "./reading.ts"

/** A message that tells of usage is short; sound may be long, and is not read. */
const MESSAGE_BYTES_MAX = 1024 * 1024

/** The messages that end an answer, whichever way it ended. */
const ends = new Set(["response.done", "response.completed", "response.incomplete", "response.failed"])
const mayMatter = /"(?:response\.(?:done|completed|incomplete|failed)|session\.(?:created|updated))"/

const reading = (account: Account, clock: Clock, answered: (usage: Usage) => void): ((text: string) => void) => {
  return (text) => {
    if (account.firstTokenMillis === 0 && text.includes('.delta"')) account.firstTokenMillis = clock.nowMillis()
    if (!mayMatter.test(text)) return
    const said = parseJson(text)
    if (!isObject(said)) return
    const type = textOf(said["type"])
    if (type === undefined) return
    if (type === "session.created" || type === "session.updated") {
      const session = said["session"]
      const model = isObject(session) ? textOf(session["model"]) : undefined
      if (model !== undefined) account.responseModel = model
      return
    }
    if (!ends.has(type)) return
    const { model } = readingOf(said)
    if (model !== undefined) account.responseModel = model
    const usage = usageIn(said)
    // Each answer tells of itself only.
    if (usage !== undefined) answered(usage)
  }
}

/** "Policy violation": there is nothing that the client could do better. */
const POLICY_VIOLATION = 1008

/** The last that a client hears. */
const farewell = (error: LlmError): Uint8Array => {
  const event = textFrame(JSON.stringify({ type: "error", ...writeError("openaiChat", error) }))
  const close = closeFrame(POLICY_VIOLATION, error.code ?? error.kind)
  return Body.join([event, close], event.byteLength + close.byteLength)
}

/** Reads along, and puts an end to it between two messages. */
class Listening implements Overhearing {
  private readonly reader: WebSocketReader
  private finish: ((last: Uint8Array) => void) | undefined
  /** What is to be said once the message that is passing has passed. */
  private last: Uint8Array | undefined

  constructor(onText: (text: string) => void) {
    this.reader = new WebSocketReader(onText, MESSAGE_BYTES_MAX)
  }

  readonly begun = (finish: (last: Uint8Array) => void): void => {
    this.finish = finish
  }

  readonly heard = (chunk: Uint8Array): Uint8Array => {
    const { finish, last, reader } = this
    if (last === undefined || reader.isBlind) {
      reader.feed(chunk)
      return chunk
    }
    const end = reader.feedMessage(chunk)
    if (!reader.isBetween) return chunk
    finish?.(Body.join([chunk.subarray(0, end), last], end + last.byteLength))
    return chunk.subarray(0, 0)
  }

  end(last: Uint8Array): void {
    if (this.reader.isBetween) this.finish?.(last)
    else this.last = last
  }
}

/** The same tunnel, watched; `over` is told once, when nothing more comes. */
export const watched = (
  tunnel: Tunnel,
  account: Account,
  clock: Clock,
  answered: (usage: Usage) => void,
  over: () => void,
): Reply["tunnel"] => {
  if ("handOver" in tunnel) {
    over()
    return tunnel
  }
  return {
    handOver: (client) =>
      Effect.ensuring(
        Effect.suspend(() => {
          const { renewed } = account
          if (renewed === undefined) return client.relay(tunnel, new Listening(reading(account, clock, answered)))
          return Effect.flatMap(Queue.sliding<void>(1), (answers) => {
            const listening = new Listening(
              reading(account, clock, (usage) => {
                answered(usage)
                Queue.offerUnsafe(answers, undefined)
              }),
            )
            const renewing = Effect.forever(
              Effect.flatMap(Effect.andThen(Queue.take(answers), renewed), ({ refusal }) => {
                if (refusal !== undefined) listening.end(farewell(refusal.error))
                return Effect.void
              }),
            )
            return Effect.raceFirst(client.relay(tunnel, listening), renewing)
          })
        }),
        Effect.sync(over),
      ),
    destroy: () => {
      over()
      tunnel.destroy()
    },
  }
}
