/**
 * An upstream that dies at any byte of a stream, between every two formats: the client gets a whole stream of its own
 * format with an error at its end, and pays for what it was given.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { eventDecoder, framingOf } from "../../../protocols/llm/framing.ts"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, startProvider } from "./provider.ts"
import { configOf } from "./providers.ts"
import { streamBytes, wireOf, type WireName, wires, words } from "./wire.ts"

let upstream: Scripted
let place: Place
/** Where the stream of a call is cut is named by the call itself, so that many can be under way. */
const CUT = "x-cut"

beforeAll(async () => {
  upstream = await startProvider((call, response) => {
    const wire = wireOf(call)
    const bytes = streamBytes(wire, false).subarray(0, Number(call.headers[CUT]))
    response.writeHead(200, {
      "content-type": wire === "bedrockConverse" ? "application/vnd.amazon.eventstream" : "text/event-stream",
      "content-length": String(bytes.byteLength + 1),
    })
    // Closing only after the client's side has the bytes, so that the cut is where it is meant to be.
    response.write(bytes, () => response.destroy())
  })
  place = await startPlace(configOf(upstream.port))
})

afterAll(async () => {
  await place.close()
  await upstream.close()
})

/** Which model stands for an upstream of each format. */
const models: Readonly<Record<WireName, string>> = {
  openaiChat: "chat",
  openaiResponses: "responses",
  anthropicMessages: "claude-x",
  gemini: "gemini-x",
  bedrockConverse: "amazon.nova-x",
}

interface Heard {
  text: string
  isError: boolean
  isWhole: boolean
}

// Events of the client's format, which only this test reads; their shapes are those of `wire.ts`.
// oxlint-disable-next-line typescript/no-explicit-any
type Said = any

/** How a client of each format asks, and what it makes of one event. */
const clients: Readonly<
  Record<
    WireName,
    {
      readonly ask: (model: string) => readonly [path: string, body: object]
      readonly hear: (heard: Heard, said: Said, event: string | undefined) => void
    }
  >
> = {
  openaiChat: {
    ask: (model) => ["/v1/chat/completions", { model, stream: true, messages: [{ role: "user", content: "x y z" }] }],
    hear: (heard, said) => {
      if (said.error !== undefined) heard.isError = true
      heard.text += said.choices?.[0]?.delta?.content ?? ""
    },
  },
  openaiResponses: {
    ask: (model) => ["/v1/responses", { model, stream: true, input: "x y z" }],
    hear: (heard, said, event) => {
      expect(said.type).toBe(event)
      if (event === "error" || event === "response.failed") heard.isError = true
      if (event === "response.completed") heard.isWhole = true
      if (event === "response.output_text.delta") heard.text += said.delta
    },
  },
  anthropicMessages: {
    ask: (model) => [
      "/v1/messages",
      { model, stream: true, max_tokens: 9, messages: [{ role: "user", content: "x y z" }] },
    ],
    hear: (heard, said, event) => {
      expect(said.type).toBe(event)
      if (event === "error") heard.isError = true
      if (event === "message_stop") heard.isWhole = true
      if (event === "content_block_delta") heard.text += said.delta.text ?? ""
    },
  },
  gemini: {
    ask: (model) => [
      `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
      { contents: [{ role: "user", parts: [{ text: "x y z" }] }] },
    ],
    hear: (heard, said) => {
      if (said.error !== undefined) heard.isError = true
      const [candidate] = said.candidates ?? []
      for (const part of candidate?.content?.parts ?? []) heard.text += part.text ?? ""
      if (candidate?.finishReason !== undefined) heard.isWhole = true
    },
  },
  bedrockConverse: {
    ask: (model) => [
      `/model/${model}/converse-stream`,
      { messages: [{ role: "user", content: [{ text: "x y z" }] }], inferenceConfig: { maxTokens: 9 } },
    ],
    hear: (heard, said, event) => {
      if (event?.startsWith("exception:") === true) heard.isError = true
      if (event === "metadata") heard.isWhole = true
      if (event === "contentBlockDelta") heard.text += said.delta.text ?? ""
    },
  },
}

/** Reads a body as a client of the format would; the framing must be whole, and every event JSON or the mark of the end. */
const heardBy = (format: WireName, body: Uint8Array): Heard => {
  const heard = { text: "", isError: false, isWhole: false }
  const decoder = eventDecoder(framingOf(format), ({ data, event }) => {
    if (data === "[DONE]" && format === "openaiChat") heard.isWhole = true
    else clients[format].hear(heard, JSON.parse(data), event)
  })
  expect([decoder.feed(body), decoder.end()]).toEqual([undefined, undefined])
  if (format !== "bedrockConverse" && body.byteLength > 0) expect(new TextDecoder().decode(body.slice(-2))).toBe("\n\n")
  return heard
}

const whole = words.join("")
const names = Object.keys(wires) as ReadonlyArray<WireName>
/** The clients of one upstream take turns: together they meet a cut at every byte of its stream. */
const STEP = names.length
const AT_ONCE = 8

describe.each(names)("an upstream of %s", (to) => {
  it.each(names.map((name, turn) => [name, turn] as const))(
    "that dies at any byte, for a client of %s",
    { timeout: 60_000 },
    async (from, turn) => {
      const { byteLength } = streamBytes(to, false)
      const cuts: Array<number> = []
      for (let at = 1 + turn; at < byteLength; at += STEP) cuts.push(at)
      const told = place.gateway.told.exchanges.length
      const [path, json] = clients[from].ask(models[to])
      const problems: Array<string> = []
      const one = async (at: number): Promise<void> => {
        const reply = await fetch(`${place.url}${path}`, {
          method: "POST",
          headers: { "content-type": "application/json", [CUT]: String(at) },
          body: JSON.stringify(json),
        })
        const body = new Uint8Array(await reply.arrayBuffer())
        if (reply.status !== 200) return void problems.push(`${at}: status ${reply.status}`)
        const { isError, isWhole, text } = heardBy(from, body)
        if (!whole.startsWith(text)) problems.push(`${at}: ${JSON.stringify(text)} is no beginning`)
        // Where the end had come already, that the connection broke after it is nobody's business.
        if (!isError && !isWhole) problems.push(`${at}: neither an error nor an end`)
      }
      const left = cuts.values()
      const worker = async (): Promise<void> => {
        for (const at of left) await one(at)
      }
      await Promise.all(Array.from({ length: AT_ONCE }, worker))
      expect(problems).toEqual([])
      expect(wireOf(upstream.calls.at(-1) as never)).toBe(to)

      await until("all were told", () => place.gateway.told.exchanges.length === told + cuts.length)
      const accounts = place.gateway.told.exchanges
        .slice(told)
        .map(({ exchange }) => [Number(exchange.request.headers.get(CUT)), exchange.notes?.llm] as const)
        .toSorted(([a], [b]) => a - b)
      let least = 0
      for (const [, account] of accounts) {
        const output = account?.usage?.outputTokens ?? 0
        if (account?.isEstimated !== true) continue
        expect(output).toBeGreaterThanOrEqual(least)
        least = output
      }
      // From the first word on, something is billed.
      expect(least).toBeGreaterThan(0)
    },
  )
})
