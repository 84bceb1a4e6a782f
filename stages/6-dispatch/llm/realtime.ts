/** A realtime connection: bytes pass both ways as they are, and what each answer used is read off them. */
import * as Effect from "effect/Effect"
import { isObject, parseJson, textOf } from "../../../protocols/llm/Json.ts"
import { WebSocketReader } from "../../../protocols/llm/framing/webSocket.ts"
import { sum } from "../../../protocols/llm/Usage.ts"
import type { Reply, Tunnel } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Account } from "./Account.ts"
import { readingOf, usageIn } from "./reading.ts"

/** A message that tells of usage is short; sound may be long, and is not read. */
const MESSAGE_BYTES_MAX = 1024 * 1024

/** The messages that end an answer, whichever way it ended. */
const ends = new Set(["response.done", "response.completed", "response.incomplete", "response.failed"])
const mayMatter = /"(?:response\.(?:done|completed|incomplete|failed)|session\.(?:created|updated))"/

const reading = (account: Account, clock: Clock): ((text: string) => void) => {
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
    if (usage !== undefined) account.usage = account.usage === undefined ? usage : sum(account.usage, usage)
  }
}

/** The same tunnel, watched; `over` is told once, when nothing more comes. */
export const watched = (tunnel: Tunnel, account: Account, clock: Clock, over: () => void): Reply["tunnel"] => {
  if ("handOver" in tunnel) {
    over()
    return tunnel
  }
  const reader = new WebSocketReader(reading(account, clock), MESSAGE_BYTES_MAX)
  return {
    handOver: (client) =>
      Effect.ensuring(
        client.relay(tunnel, (chunk) => reader.feed(chunk)),
        Effect.sync(over),
      ),
    destroy: () => {
      over()
      tunnel.destroy()
    },
  }
}
