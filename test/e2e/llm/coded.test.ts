/** Bodies that are compressed, from clients and from providers, are read, translated and counted as any other. */
import * as zlib from "node:zlib"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, startProvider } from "./provider.ts"
import { streamBytes, words } from "./wire.ts"

const codings: Readonly<Record<string, (bytes: Uint8Array) => Buffer>> = {
  gzip: (bytes) => zlib.gzipSync(bytes),
  br: (bytes) => zlib.brotliCompressSync(bytes),
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
  deflate: (bytes) => zlib.deflateSync(bytes),
  "gzip, br": (bytes) => zlib.brotliCompressSync(zlib.gzipSync(bytes)),
}

const message = {
  id: "msg",
  type: "message",
  role: "assistant",
  model: "served",
  content: [
    { type: "text", text: "hi" },
    { type: "tool_use", id: "t1", name: "weather", input: { city: "Ulm" } },
  ],
  stop_reason: "tool_use",
  usage: { input_tokens: 7, output_tokens: 3 },
}

let upstream: Scripted
let place: Place
let encoding = ""
let bytes: Uint8Array = new Uint8Array(0)
let type = "application/json"

beforeAll(async () => {
  upstream = await startProvider((_call, response) => {
    response.writeHead(200, { "content-type": type, ...(encoding === "" ? {} : { "content-encoding": encoding }) })
    response.end(bytes)
  })
  place = await startPlace(`
frontendPolicies:
  accessLog:
    add: { asked: "llm.prompt[0].content", answered: "llm.completion[0]", called: "llm.toolCalls[0].name" }
llm:
  port: 1
  models:
  - {name: claude-x, provider: anthropic, params: {hostOverride: "127.0.0.1:${upstream.port}"}}
`)
})
afterAll(async () => {
  await place.close()
  await upstream.close()
})

const ask = async (path: string, more: object = {}, coded = "") => {
  const body = Buffer.from(
    JSON.stringify({ model: "claude-x", max_tokens: 9, messages: [{ role: "user", content: "a question" }], ...more }),
  )
  const told = place.gateway.told.exchanges.length
  const reply = await fetch(`${place.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(coded === "" ? {} : { "content-encoding": coded }) },
    body: new Uint8Array(coded === "" ? body : (codings[coded]?.(body) ?? body)),
  })
  const text = await reply.text()
  await until("it was told", () => place.gateway.told.exchanges.length > told)
  return { reply, text, account: place.gateway.told.exchanges[told]?.exchange.notes?.llm }
}

const coded = (name: string, content: Uint8Array, contentType: string): void => {
  encoding = name
  bytes = name === "" ? content : (codings[name]?.(content) ?? content)
  type = contentType
}

describe.each(Object.keys(codings))("coded as %s", (name) => {
  it("a request reaches the provider as it was", async () => {
    coded("", Buffer.from(JSON.stringify(message)), "application/json")
    const { reply } = await ask("/v1/messages", {}, name)
    expect(reply.status).toBe(200)
    expect(upstream.calls.at(-1)?.json.messages[0].content).toBe("a question")
    expect(upstream.calls.at(-1)?.headers["content-encoding"]).toBeUndefined()
  })

  it.each(["/v1/messages", "/v1/chat/completions"])("a reply to %s is counted", async (path) => {
    coded(name, Buffer.from(JSON.stringify(message)), "application/json")
    const { account, reply, text } = await ask(path)
    expect(reply.headers.get("content-encoding")).toBeNull()
    expect(JSON.parse(text).usage).toBeDefined()
    expect(account?.usage).toMatchObject({ inputTokens: 7, outputTokens: 3 })
    expect(account?.completion).toEqual(["hi"])
    expect(account?.toolCalls).toEqual([{ id: "t1", name: "weather", arguments: { city: "Ulm" } }])
    expect(account?.prompt).toEqual([{ role: "user", content: "a question" }])
  })

  it.each(["/v1/messages", "/v1/chat/completions"])("a stream of %s is counted", async (path) => {
    coded(name, streamBytes("anthropicMessages", false), "text/event-stream")
    const { account, text } = await ask(path, { stream: true })
    expect(text.endsWith("\n\n")).toBe(true)
    expect(account?.usage?.outputTokens).toBeGreaterThan(0)
    expect(account?.isEstimated).toBe(false)
    expect(account?.completion).toEqual([words.join("")])
  })
})

describe("a body that is not what its head says", () => {
  it("is the client's mistake where it came from the client", async () => {
    coded("", Buffer.from(JSON.stringify(message)), "application/json")
    const calls = upstream.calls.length
    const reply = await fetch(`${place.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: "{}",
    })
    expect(reply.status).toBe(400)
    expect(await reply.json()).toMatchObject({ type: "error" })
    expect((await ask("/v1/messages", {}, "lzma")).reply.status).toBe(400)
    expect(upstream.calls.length).toBe(calls)
  })

  it("is the provider's where it came from there", async () => {
    coded("gzip", Buffer.from("{}"), "application/json")
    bytes = Buffer.from("{}")
    expect((await ask("/v1/chat/completions")).reply.status).toBe(502)
    encoding = "lzma"
    expect((await ask("/v1/chat/completions")).reply.status).toBe(502)
  })
})

it("a small body that becomes a large one is bounded as any other", async () => {
  const reply = await fetch(`${place.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", "content-encoding": "br" },
    body: new Uint8Array(
      zlib.brotliCompressSync(Buffer.alloc(80 * 1024 * 1024, " "), {
        params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 },
      }),
    ),
  })
  expect(reply.status).toBe(413)
})

it("nobody keeps what nobody asks for", async () => {
  const other = await startPlace(`
llm:
  port: 1
  models:
  - {name: claude-x, provider: anthropic, params: {hostOverride: "127.0.0.1:${upstream.port}"}}
`)
  try {
    coded("", Buffer.from(JSON.stringify(message)), "application/json")
    await fetch(`${other.url}/v1/messages`, {
      method: "POST",
      body: JSON.stringify({ model: "claude-x", max_tokens: 9, messages: [{ role: "user", content: "q" }] }),
    })
    await until("it was told", () => other.gateway.told.exchanges.length === 1)
    const account = other.gateway.told.exchanges[0]?.exchange.notes?.llm
    expect(account?.usage?.inputTokens).toBe(7)
    expect(account?.answered).toBeUndefined()
  } finally {
    await other.close()
  }
})
