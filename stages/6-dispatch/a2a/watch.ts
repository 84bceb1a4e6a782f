/** Looks at an answer as it flows by, so that where a task stands can be written down. */
import { SseParser } from "../../../protocols/http/sse.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import type { Conversation } from "./Conversation.ts"

/** Larger answers are not looked into. */
export const ANSWER_BYTES_MAX = 256 * 1024

export const watch = (reply: Reply, conversation: Conversation): void => {
  const { body, headers } = reply
  const type = headers.get("content-type")
  if (body._tag === "Empty" || type === undefined || headers.has("content-encoding")) return
  if (/\bjson\b/i.test(type)) {
    const keep = (chunk: Uint8Array): void => conversation.keep(chunk, ANSWER_BYTES_MAX)
    if (body._tag === "Bytes") {
      keep(body.bytes)
      conversation.heard()
    } else if ((body.length ?? 0) <= ANSWER_BYTES_MAX) {
      reply.body = Body.tap(body, { chunk: keep, end: () => conversation.heard() })
    }
  } else if (body._tag === "Flow" && type.startsWith("text/event-stream")) {
    const parser = new SseParser(({ data }) => conversation.keepEvent(data), ANSWER_BYTES_MAX)
    reply.body = Body.tap(body, { chunk: (chunk) => void parser.feed(chunk) })
  }
}
