/** Whether what a client was given is an answer, complete and no error: nothing else is ever given again. */
import { SseParser } from "../../../../protocols/http/sse.ts"
import { isObject, parseJson } from "../../../../protocols/llm/Json.ts"
import { streamObserver } from "../../../../protocols/llm/observe.ts"
import { chatFormats, type ChatFormat, type Format } from "../../../../protocols/llm/Translation.ts"

const decoder = new TextDecoder()

const isChat = (format: Format): format is ChatFormat => (chatFormats as ReadonlyArray<Format>).includes(format)

export const isWholeStream = (format: Format, bytes: Uint8Array): boolean => {
  if (!isChat(format)) return false
  const observer = streamObserver(format)
  // A bare error among the events is one in every format, whatever the observer makes of it.
  let hasError = false
  const parser = new SseParser((event) => {
    if (event.data === "") return
    if (event.event === "error" || event.data.startsWith('{"error"')) hasError = true
    observer.feed({ event: event.event, data: event.data })
  }, bytes.byteLength + 1)
  if (!parser.feed(bytes) || !parser.end() || hasError) return false
  const { error, finish, over } = observer.seen()
  // Google's streams have no last word; the reason why they ended is it.
  return error === undefined && finish !== undefined && (over || format === "gemini")
}

export const isWholeReply = (bytes: Uint8Array): boolean => {
  const value = parseJson(decoder.decode(bytes))
  return isObject(value) && (value["error"] === undefined || value["error"] === null)
}
