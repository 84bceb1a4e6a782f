/** An upstream that dies at any byte of a stream: the client gets a whole stream of its format with an error at its end. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { SseParser } from "../../../protocols/http/sse.ts"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, startProvider } from "./provider.ts"
import { streamBytes, type WireName, words } from "./wire.ts"

let upstream: Scripted
let place: Place
let bytes: Uint8Array = new Uint8Array(0)
let contentType = ""

beforeAll(async () => {
  upstream = await startProvider((_call, response) => {
    response.writeHead(200, { "content-type": contentType, "content-length": String(bytes.byteLength + 1) })
    // Closing only after the client's side has the bytes, so that the cut is where it is meant to be.
    response.write(bytes, () => response.destroy())
  })
  place = await startPlace(`
llm:
  port: 1
  models:
  - {name: chat, provider: {custom: {formats: [{type: completions}]}}, params: {baseUrl: "http://127.0.0.1:${upstream.port}/v1"}}
  - {name: claude-x, provider: anthropic, params: {hostOverride: "127.0.0.1:${upstream.port}"}}
  - {name: amazon.nova-x, provider: bedrock, params: {hostOverride: "127.0.0.1:${upstream.port}", awsRegion: x}}
`)
})

afterAll(async () => {
  await place.close()
  await upstream.close()
})

interface Heard {
  readonly text: string
  readonly isError: boolean
  readonly isWhole: boolean
}

const eventsOf = (body: string): ReadonlyArray<{ readonly event?: string | undefined; readonly data: string }> => {
  expect(body === "" || body.endsWith("\n\n")).toBe(true)
  const events: Array<{ readonly event?: string | undefined; readonly data: string }> = []
  const parser = new SseParser((event) => events.push(event))
  parser.feed(Buffer.from(body))
  parser.end()
  return events
}

// What came is read as a client of the format would; every event must be JSON, or the mark of the end.
const heardBy: Readonly<Record<"openaiChat" | "anthropicMessages", (body: string) => Heard>> = {
  openaiChat: (body) => {
    let text = ""
    let isError = false
    let isWhole = false
    for (const { data } of eventsOf(body)) {
      if (data === "[DONE]") {
        isWhole = true
        continue
      }
      const chunk = JSON.parse(data)
      if (chunk.error !== undefined) isError = true
      text += chunk.choices?.[0]?.delta?.content ?? ""
    }
    return { text, isError, isWhole }
  },
  anthropicMessages: (body) => {
    let text = ""
    let isError = false
    let isWhole = false
    for (const { data, event } of eventsOf(body)) {
      const said = JSON.parse(data)
      expect(said.type).toBe(event)
      if (event === "error") isError = true
      if (event === "message_stop") isWhole = true
      if (event === "content_block_delta") text += said.delta.text ?? ""
    }
    return { text, isError, isWhole }
  },
}

const cases: ReadonlyArray<readonly [from: keyof typeof heardBy, to: WireName, model: string, step: number]> = [
  ["openaiChat", "openaiChat", "chat", 1],
  ["openaiChat", "anthropicMessages", "claude-x", 3],
  ["openaiChat", "bedrockConverse", "amazon.nova-x", 3],
  ["anthropicMessages", "anthropicMessages", "claude-x", 3],
  ["anthropicMessages", "openaiChat", "chat", 3],
]

const whole = words.join("")

describe.each(cases)("a client of %s, an upstream of %s", (from, to, model, step) => {
  it("that dies at any byte", async () => {
    const all = streamBytes(to, false)
    contentType = to === "bedrockConverse" ? "application/vnd.amazon.eventstream" : "text/event-stream"
    const told = place.gateway.told.exchanges.length
    let count = 0
    const problems: Array<string> = []
    for (let at = 1; at < all.byteLength; at += step) {
      bytes = all.subarray(0, at)
      count++
      const reply = await fetch(`${place.url}${from === "openaiChat" ? "/v1/chat/completions" : "/v1/messages"}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model, stream: true, max_tokens: 9, messages: [{ role: "user", content: "x y z" }] }),
      })
      const body = await reply.text()
      if (reply.status !== 200) {
        problems.push(`${at}: status ${reply.status}`)
        continue
      }
      const { isError, isWhole, text } = heardBy[from](body)
      if (!whole.startsWith(text)) problems.push(`${at}: ${JSON.stringify(text)} is no beginning`)
      // Where the end had come already, that the connection broke after it is nobody's business.
      if (!isError && !isWhole) problems.push(`${at}: neither an error nor an end`)
    }
    expect(problems).toEqual([])
    await until("all were told", () => place.gateway.told.exchanges.length === told + count)
    const accounts = place.gateway.told.exchanges.slice(told).map(({ exchange }) => exchange.notes?.llm)
    let least = 0
    for (const account of accounts) {
      const output = account?.usage?.outputTokens ?? 0
      if (account?.isEstimated === true) {
        expect(output).toBeGreaterThanOrEqual(least)
        least = output
      }
    }
    // From the first word on, something is billed.
    expect(least).toBeGreaterThan(0)
  })
})
