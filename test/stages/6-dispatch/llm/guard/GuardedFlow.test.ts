/** Streams of every format and framing, cut at every byte: nothing that is to be masked passes, and all else is as it was. */
import { describe, expect, it } from "vitest"
import { eventDecoder, eventEncoder, type Framing } from "../../../../../protocols/llm/framing.ts"
import { HeldStream } from "../../../../../protocols/llm/guard/HeldStream.ts"
import { recognise } from "../../../../../protocols/llm/guard/recognise.ts"
import { isObject, type JsonObject, parseJson } from "../../../../../protocols/llm/Json.ts"
import type { ChatFormat, WireEvent } from "../../../../../protocols/llm/Translation.ts"
import type { Flow, Sink } from "../../../../../stages/Body.ts"
import { GuardedFlow } from "../../../../../stages/6-dispatch/llm/guard/GuardedFlow.ts"

const secret = "078-05-1120"
const pieces = ["your number is ", "078-", "05", "-1120", ", é😀 ", `and ${secret} again`, "."]
const masked = pieces.join("").replaceAll(secret, "<SSN>")

interface Format {
  readonly format: ChatFormat
  readonly framing: Framing
  readonly events: ReadonlyArray<WireEvent>
  readonly textIn: (event: JsonObject) => unknown
}

const at = (value: unknown, ...names: ReadonlyArray<string | number>): unknown =>
  names.reduce<unknown>((here, name) => (here as Record<string | number, unknown> | undefined)?.[name], value)

const named = (events: ReadonlyArray<JsonObject>): ReadonlyArray<WireEvent> =>
  events.map((event) => ({ event: String(event["type"]), data: JSON.stringify(event) }))
const plain = (events: ReadonlyArray<JsonObject>): ReadonlyArray<WireEvent> =>
  events.map((event) => ({ data: JSON.stringify(event) }))

const generated = plain([
  ...pieces.map((text) => ({ candidates: [{ index: 0, content: { role: "model", parts: [{ text }] } }] })),
  { candidates: [{ index: 0, content: { role: "model", parts: [{ text: "" }] }, finishReason: "STOP" }] },
])

const formats: Readonly<Record<string, Format>> = {
  "chat completions": {
    format: "openaiChat",
    framing: "sse",
    events: [
      ...plain([
        ...pieces.map((content) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
        { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
      ]),
      { data: "[DONE]" },
    ],
    textIn: (event) => at(event, "choices", 0, "delta", "content"),
  },
  responses: {
    format: "openaiResponses",
    framing: "sse",
    events: named([
      ...pieces.map((delta) => ({ type: "response.output_text.delta", output_index: 0, content_index: 0, delta })),
      { type: "response.output_text.done", output_index: 0, content_index: 0, text: pieces.join("") },
      {
        type: "response.completed",
        response: { output: [{ type: "message", content: [{ type: "output_text", text: pieces.join("") }] }] },
      },
    ]),
    textIn: (event) => (event["type"] === "response.output_text.delta" ? event["delta"] : undefined),
  },
  messages: {
    format: "anthropicMessages",
    framing: "sse",
    events: named([
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      ...pieces.map((text) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })),
      { type: "content_block_stop", index: 0 },
      { type: "message_stop" },
    ]),
    textIn: (event) => at(event, "delta", "text"),
  },
  gemini: {
    format: "gemini",
    framing: "sse",
    events: generated,
    textIn: (event) => at(event, "candidates", 0, "content", "parts", 0, "text"),
  },
  "gemini, as one list": {
    format: "gemini",
    framing: "jsonArray",
    events: generated,
    textIn: (event) => at(event, "candidates", 0, "content", "parts", 0, "text"),
  },
  converse: {
    format: "bedrockConverse",
    framing: "awsEventStream",
    events: [
      { event: "messageStart", data: JSON.stringify({ role: "assistant" }) },
      ...pieces.map((text) => ({
        event: "contentBlockDelta",
        data: JSON.stringify({ contentBlockIndex: 0, delta: { text } }),
      })),
      { event: "contentBlockStop", data: JSON.stringify({ contentBlockIndex: 0 }) },
      { event: "messageStop", data: JSON.stringify({ stopReason: "end_turn" }) },
      { event: "metadata", data: JSON.stringify({ usage: { inputTokens: 1, outputTokens: 2 } }) },
    ],
    textIn: (event) => at(event, "delta", "text"),
  },
}

/** Sends the chunks through a guard that masks, and gathers what comes out. */
const through = ({ format, framing }: Format, chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const out: Array<Uint8Array> = []
  let into: Sink | undefined
  const flow: Flow = {
    _tag: "Flow",
    length: undefined,
    open: (sink) => {
      into = sink
      return { resume: () => {}, cancel: () => {} }
    },
  }
  const held = new HeldStream(format, { tailChars: 16, batchChars: 1, heldCharsMax: 100_000 })
  const guarded = new GuardedFlow(flow, framing, held, {
    judge: (windows, decided) => {
      for (const { masked } of windows) masked.replace(recognise("ssn", masked.text))
      decided(undefined)
      return undefined
    },
  })
  let failure: unknown
  guarded.open({
    write: (chunk) => {
      out.push(chunk)
      return true
    },
    end: () => {},
    fail: (why) => (failure = why),
  })
  for (const chunk of chunks) into?.write(chunk)
  into?.end(undefined)
  expect(failure).toBe(undefined)
  return Buffer.concat(out)
}

const read = (framing: Framing, bytes: Uint8Array): ReadonlyArray<WireEvent> => {
  const events: Array<WireEvent> = []
  const decoder = eventDecoder(framing, (event) => void events.push(event))
  expect(decoder.feed(bytes)).toBe(undefined)
  expect(decoder.end()).toBe(undefined)
  return events
}

describe.each(Object.entries(formats))("%s", (_, one) => {
  const encoder = eventEncoder(one.framing)
  const bytes = Buffer.concat([encoder.events(one.events), encoder.end()])
  const check = (out: Uint8Array): void => {
    expect(Buffer.from(out).includes(secret)).toBe(false)
    const events = read(one.framing, out)
    expect(events.map(({ event }) => event)).toEqual(one.events.map(({ event }) => event))
    let text = ""
    for (const { data } of events) {
      const said = parseJson(data)
      const piece = isObject(said) ? one.textIn(said) : undefined
      if (typeof piece === "string") text += piece
    }
    expect(text).toBe(masked)
  }

  it("cut in two, at every byte", () => {
    for (let place = 0; place <= bytes.length; place++) {
      check(through(one, [bytes.subarray(0, place), bytes.subarray(place)]))
    }
  })

  it("byte by byte", () => {
    check(
      through(
        one,
        Array.from(bytes, (byte) => Uint8Array.of(byte)),
      ),
    )
  })

  it("without anything to hide, as it was", () => {
    const harmless = one.events.map((event) => ({ ...event, data: event.data.replaceAll(/\d{2,}/g, "x") }))
    const encoder = eventEncoder(one.framing)
    const whole = Buffer.concat([encoder.events(harmless), encoder.end()])
    expect(read(one.framing, through(one, [whole]))).toEqual(read(one.framing, whole))
  })
})
