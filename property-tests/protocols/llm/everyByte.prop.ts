/** The upstream dies after every byte of every stream of the corpus: what the client has is a stream with an end. */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { encodeSse } from "../../../protocols/http/sse.ts"
import { eventDecoder, type Framing } from "../../../protocols/llm/framing.ts"
import { encodeEventStreamMessage } from "../../../protocols/llm/framing/awsEventStream.ts"
import { chatFormats, type ChatFormat, type WireEvent } from "../../../protocols/llm/Translation.ts"
import { translation } from "../../../protocols/llm/translations.ts"
import { streams } from "../../../test/protocols/llm/golden/answered.ts"
import { judge } from "./grammar.ts"
import { call } from "./upstream.ts"

const utf8 = new TextEncoder()
const bytesOf = (to: ChatFormat, events: ReadonlyArray<WireEvent>): Uint8Array =>
  new Uint8Array(
    Buffer.concat(
      events.map(({ data, event = "" }) => {
        if (to !== "bedrockConverse") return utf8.encode(encodeSse({ event: event === "" ? undefined : event, data }))
        const exception = event.startsWith("exception:")
        const type = exception ? "exception" : "event"
        const name = exception ? event.slice("exception:".length) : event
        return encodeEventStreamMessage({ ":message-type": type, [`:${type}-type`]: name }, utf8.encode(data))
      }),
    ),
  )

const requests = {
  openaiChat: { messages: [{ role: "user", content: "hi" }], stream: true, stream_options: { include_usage: true } },
  openaiResponses: { input: "hi", stream: true },
  anthropicMessages: { max_tokens: 9, messages: [{ role: "user", content: "hi" }], stream: true },
  gemini: { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
  bedrockConverse: { messages: [{ role: "user", content: [{ text: "hi" }] }] },
}

const cases = (Object.keys(requests) as ReadonlyArray<keyof typeof requests>).flatMap((from) =>
  chatFormats.flatMap((to) => {
    const pair = translation(from, to)
    return pair === undefined
      ? []
      : Object.entries(streams[to]).map(([name, events]) => ({ from, to, name, events, pair }))
  }),
)

describe.each(cases)("$from in front of $to: $name", ({ events, from, pair, to }) => {
  it("ends well-formed after every byte, and what was used stays known", () => {
    const bytes = bytesOf(to, events)
    const framing: Framing = to === "bedrockConverse" ? "awsEventStream" : "sse"
    let before = 0
    for (let length = 0; length <= bytes.length; length++) {
      const stream = Result.getOrThrow(pair.request(requests[from], { ...call, stream: true })).stream()
      const out: Array<WireEvent> = []
      const decoder = eventDecoder(framing, (event) => void out.push(...stream.feed(event)))
      decoder.feed(bytes.subarray(0, length))
      out.push(...stream.fail({ kind: "unavailable", status: 502, message: "gone" }))
      const judged = judge(from, out)
      expect(judged.ended !== judged.failed).toBe(true)
      const used = stream.seen().usage?.inputTokens ?? 0
      expect(used).toBeGreaterThanOrEqual(before)
      before = used
    }
  })
})
