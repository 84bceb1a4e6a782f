/** Looks at an answer as it flows by, so that where a task stands can be written down. */
import { Deframer } from "../../../protocols/grpc/framing.ts"
import { isGrpc } from "../../../protocols/http/grpc.ts"
import { SseParser } from "../../../protocols/http/sse.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import type { Conversation } from "./Conversation.ts"
import { loadedGrpcCodec } from "./question.ts"

/** Larger answers are not looked into. */
export const ANSWER_BYTES_MAX = 256 * 1024

/** Reads messages for as long as somebody waits to hear which task they are about. */
const messageWatcher = (conversation: Conversation): ((chunk: Uint8Array) => void) | undefined => {
  const codec = loadedGrpcCodec()
  const { operation, version } = conversation
  if (codec === undefined || operation === undefined || version === undefined || !conversation.isFollowed)
    return undefined
  const deframer = new Deframer(ANSWER_BYTES_MAX)
  let isOver = false
  return (chunk) => {
    if (isOver) return
    const misframed = deframer.push(chunk, (message) => {
      if (isOver) return
      const answer = codec.readAnswer(operation, version, message)
      if (answer._tag === "Result") conversation.known = { result: answer.result }
      conversation.heard()
      isOver = !conversation.isWaiting
    })
    if (misframed !== undefined) isOver = true
  }
}

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
  } else if (isGrpc(type)) {
    const chunk = messageWatcher(conversation)
    if (chunk === undefined) return
    if (body._tag === "Bytes") chunk(body.bytes)
    else reply.body = Body.tap(body, { chunk })
  } else if (body._tag === "Flow" && type.startsWith("text/event-stream")) {
    const parser = new SseParser(({ data }) => conversation.keepEvent(data), ANSWER_BYTES_MAX)
    reply.body = Body.tap(body, { chunk: (chunk) => void parser.feed(chunk) })
  }
}
