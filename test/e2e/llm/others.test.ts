/** What is no chat, or a chat that is passed on unread: embeddings, ranking, counting, pictures, sound, and realtime. */
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import { createHash } from "node:crypto"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import OpenAI, { toFile } from "openai"
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, sendEvents, sendJson, startProvider } from "./provider.ts"
import { awsMessage, text, used, wires } from "./wire.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
const place = async (text: string): Promise<Place> => {
  const made = await startPlace(text)
  closing.push(made.close)
  return made
}
const provider = async (answer: Scripted["answer"]): Promise<Scripted> => {
  const made = await startProvider(answer)
  closing.push(made.close)
  return made
}
const client = ({ url }: Place): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: "k", maxRetries: 0 })
const accountOf = async (made: Place, count = 1) => {
  await until("it was told", () => made.gateway.told.exchanges.length >= count)
  return made.gateway.told.exchanges[count - 1]?.exchange.notes?.llm
}
const model = (name: string, rest: string): string => `llm:\n  port: 1\n  models: [{name: "${name}", ${rest}}]\n`
const params = (port: number, more = ""): string => `params: {hostOverride: "127.0.0.1:${port}"${more}}`

describe("embeddings, by OpenAI's SDK", () => {
  const vector = [0.25, -0.5, 0.125]
  const kinds: ReadonlyArray<
    readonly [string, string, (port: number) => string, Scripted["answer"], string, unknown, string | string[]]
  > = [
    [
      "OpenAI",
      "text-embedding-3-small",
      (port) => `provider: openai, ${params(port)}`,
      (_call, response) =>
        sendJson(response, 200, {
          object: "list",
          model: "m",
          data: [{ object: "embedding", index: 0, embedding: vector }],
          usage: { prompt_tokens: 7, total_tokens: 7 },
        }),
      "/v1/embeddings",
      { input: "hi", dimensions: 3 },
      "hi",
    ],
    [
      "Azure",
      "emb",
      (port) => `provider: azure, ${params(port, ", azureResourceName: r, azureResourceType: openAI")}`,
      (_call, response) =>
        sendJson(response, 200, {
          object: "list",
          model: "m",
          data: [{ object: "embedding", index: 0, embedding: vector }],
          usage: { prompt_tokens: 7, total_tokens: 7 },
        }),
      "/openai/v1/embeddings",
      { input: "hi" },
      "hi",
    ],
    [
      "Vertex",
      "text-embedding-005",
      (port) => `provider: vertex, ${params(port, ", vertexProject: p, vertexRegion: eu")}`,
      (_call, response) =>
        sendJson(response, 200, { predictions: [{ embeddings: { values: vector, statistics: { token_count: 7 } } }] }),
      "/v1/projects/p/locations/eu/publishers/google/models/text-embedding-005:predict",
      { instances: [{ content: "hi", task_type: "RETRIEVAL_QUERY" }], parameters: { outputDimensionality: 3 } },
      "hi",
    ],
    [
      "Bedrock Titan",
      "amazon.titan-embed-text-v2:0",
      (port) => `provider: bedrock, ${params(port, ", awsRegion: x")}`,
      (_call, response) => sendJson(response, 200, { embedding: vector, inputTextTokenCount: 7 }),
      "/model/amazon.titan-embed-text-v2:0/invoke",
      { inputText: "hi", dimensions: 3 },
      "hi",
    ],
    [
      "Bedrock Cohere",
      "cohere.embed-v4:0",
      (port) => `provider: bedrock, ${params(port, ", awsRegion: x")}`,
      (_call, response) =>
        sendJson(response, 200, { embeddings: { float: [vector] } }, { "x-amzn-bedrock-input-token-count": "7" }),
      "/model/cohere.embed-v4:0/invoke",
      { texts: ["hi"], input_type: "search_query", output_dimension: 3 },
      ["hi"],
    ],
    [
      "Bedrock Nova",
      "amazon.nova-2-multimodal-embeddings-v1:0",
      (port) => `provider: bedrock, ${params(port, ", awsRegion: x")}`,
      (_call, response) =>
        sendJson(
          response,
          200,
          { embeddings: [{ embeddingType: "TEXT", embedding: vector }] },
          { "x-amzn-bedrock-input-token-count": "7" },
        ),
      "/model/amazon.nova-2-multimodal-embeddings-v1:0/invoke",
      { taskType: "SINGLE_EMBEDDING", singleEmbeddingParams: { embeddingDimension: 3, text: { value: "hi" } } },
      "hi",
    ],
  ]
  it.each(kinds)("of %s", async (_name, id, yaml, answer, path, asked, input) => {
    const upstream = await provider(answer)
    const made = await place(model(id, yaml(upstream.port)))
    const reply = await client(made).embeddings.create({ model: id, input, dimensions: 3, encoding_format: "float" })
    expect(reply.data.map(({ embedding }) => embedding)).toEqual([vector])
    expect(upstream.calls[0]?.path).toBe(path)
    expect(upstream.calls[0]?.json).toMatchObject(asked as object)
    expect(await accountOf(made)).toMatchObject({ operation: "embeddings", usage: { inputTokens: 7 } })
  })

  it("as the SDK likes them best: in Base64, also from those that only know numbers", async () => {
    const upstream = await provider((_call, response) =>
      sendJson(response, 200, { embedding: vector, inputTextTokenCount: 7 }),
    )
    const id = "amazon.titan-embed-text-v2:0"
    const made = await place(model(id, `provider: bedrock, ${params(upstream.port, ", awsRegion: x")}`))
    const { data } = await client(made).embeddings.create({ model: id, input: "hi" })
    expect(data.map(({ embedding }) => embedding)).toEqual([vector])
  })

  it("of Anthropic: there are none, and that is said", async () => {
    const made = await place(model("claude-x", `provider: anthropic, ${params(1)}`))
    await expect(client(made).embeddings.create({ model: "claude-x", input: "hi" })).rejects.toMatchObject({
      status: 400,
      code: "unsupported_conversion",
    })
  })
})

describe("ranking", () => {
  const rank = async ({ url }: Place, body: object) => {
    const reply = await fetch(`${url}/v2/rerank`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "q", documents: ["a", "b"], top_n: 1, ...body }),
    })
    return [reply.status, await reply.json()] as const
  }
  it("by Bedrock", async () => {
    const upstream = await provider((_call, response) =>
      sendJson(response, 200, { results: [{ index: 1, relevanceScore: 0.9 }] }),
    )
    const made = await place(
      model("cohere.rerank-v3-5:0", `provider: bedrock, ${params(upstream.port, ", awsRegion: x")}`),
    )
    const [status, body] = await rank(made, { model: "cohere.rerank-v3-5:0" })
    expect([status, body]).toMatchObject([200, { results: [{ index: 1, relevance_score: 0.9 }] }])
    expect(upstream.calls[0]?.path).toBe("/rerank")
    expect(upstream.calls[0]?.text).toContain("arn:aws:bedrock:x::foundation-model/cohere.rerank-v3-5:0")
  })

  it("by Vertex", async () => {
    const upstream = await provider((_call, response) =>
      sendJson(response, 200, { records: [{ id: "1", score: 0.9 }] }),
    )
    const made = await place(
      model("semantic-ranker", `provider: vertex, ${params(upstream.port, ", vertexProject: p")}`),
    )
    expect(await rank(made, { model: "semantic-ranker" })).toMatchObject([
      200,
      { results: [{ index: 1, relevance_score: 0.9 }] },
    ])
    expect(upstream.calls[0]?.path).toBe("/v1/projects/p/locations/global/rankingConfigs/default_ranking_config:rank")
  })

  it("by whoever speaks as Cohere does, whose bytes are passed on", async () => {
    const reply = { id: "1", results: [{ index: 0, relevance_score: 0.5 }], meta: { tokens: { input_tokens: 12 } } }
    const upstream = await provider((_call, response) => sendJson(response, 200, reply))
    const made = await place(
      model(
        "r",
        `provider: {custom: {formats: [{type: rerank}]}}, params: {baseUrl: "http://127.0.0.1:${upstream.port}/v2"}`,
      ),
    )
    expect(await rank(made, { model: "r" })).toEqual([200, reply])
    expect(upstream.calls[0]?.path).toBe("/v2/rerank")
    expect(await accountOf(made)).toMatchObject({ operation: "rerank", usage: { inputTokens: 12 } })
  })
})

describe("counting tokens", () => {
  const body = { messages: [{ role: "user" as const, content: "one two three" }] }
  const count = async ({ url }: Place, id: string): Promise<number> => {
    const anthropic = new Anthropic({ baseURL: url, apiKey: "k", maxRetries: 0 })
    return (await anthropic.messages.countTokens({ model: id, ...body })).input_tokens
  }
  it.each([
    [
      "Anthropic",
      "claude-x",
      (port: number) => `provider: anthropic, ${params(port)}`,
      { input_tokens: 42 },
      "/v1/messages/count_tokens",
    ],
    [
      "Anthropic on Vertex",
      "claude-v",
      (port: number) => `provider: vertex, ${params(port, ", vertexProject: p")}`,
      { input_tokens: 42 },
      "/v1/projects/p/locations/global/publishers/anthropic/models/count-tokens:rawPredict",
    ],
    [
      "Anthropic on Foundry",
      "claude-f",
      (port: number) => `provider: azure, ${params(port, ", azureResourceName: r, azureResourceType: foundry")}`,
      { input_tokens: 42 },
      "/anthropic/v1/messages/count_tokens",
    ],
    [
      "Anthropic on Bedrock",
      "anthropic.claude-x",
      (port: number) => `provider: bedrock, ${params(port, ", awsRegion: x")}`,
      { inputTokens: 42 },
      "/model/anthropic.claude-x/count-tokens",
    ],
    [
      "Gemini",
      "gemini-x",
      (port: number) => `provider: gemini, ${params(port)}`,
      { totalTokens: 42 },
      "/v1beta/models/gemini-x:countTokens",
    ],
  ] as const)("is done by %s", async (_name, id, yaml, answer, path) => {
    const upstream = await provider((_call, response) => sendJson(response, 200, answer))
    const made = await place(model(id, yaml(upstream.port)))
    expect(await count(made, id)).toBe(42)
    expect(upstream.calls.map((call) => call.path)).toEqual([path])
  })

  it("is done by the gateway where the provider cannot", async () => {
    const made = await place(model("*", "provider: echo"))
    expect(await count(made, "any")).toBeGreaterThan(3)
    const google = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: made.url } })
    expect((await google.models.countTokens({ model: "any", contents: "one two three" })).totalTokens).toBeGreaterThan(
      3,
    )
  })
})

describe("Gemini's streams", () => {
  it("are one long list for whoever does not ask for events, from a provider of its own kind and of another", async () => {
    const upstream = await provider((call, response) =>
      sendEvents(response, (call.path.includes("gemini") ? wires.gemini : wires.anthropicMessages).events(false)),
    )
    for (const [id, kind] of [
      ["gemini-x", "gemini"],
      ["claude-x", "anthropic"],
    ] as const) {
      for (const guarded of ["", ", guardrails: {response: [{regex: {rules: [{pattern: there, name: WORD}]}}]}"]) {
        const made = await place(model(id, `provider: ${kind}, ${params(upstream.port)}${guarded}`))
        const reply = await fetch(`${made.url}/v1beta/models/${id}:streamGenerateContent`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ contents: [{ role: "user", parts: [{ text: "hi" }] }] }),
        })
        expect(reply.headers.get("content-type")).toMatch(/^application\/json/)
        const list = (await reply.json()) as ReadonlyArray<{
          readonly candidates?: ReadonlyArray<{
            readonly content: { readonly parts: ReadonlyArray<{ readonly text?: string }> }
          }>
        }>
        const said = list.flatMap(({ candidates = [] }) =>
          candidates.flatMap(({ content }) => content.parts.map((part) => part.text ?? "")),
        )
        expect(said.join("")).toBe(guarded === "" ? text : text.replace("there", "<WORD>"))
        expect(list.length).toBeGreaterThan(1)
        expect((await accountOf(made))?.usage).toMatchObject({ inputTokens: used.input, outputTokens: used.output })
      }
    }
  })
})

describe("marks for the prompt cache", () => {
  it("are put for Bedrock where that is asked for", async () => {
    const upstream = await provider((_call, response) => sendJson(response, 200, wires.bedrockConverse.whole(false)))
    const id = "anthropic.claude-sonnet-4-5"
    const caching = "promptCaching: {cacheSystem: true, cacheMessages: true, cacheTools: true, minTokens: 1}"
    const made = await place(model(id, `provider: bedrock, ${params(upstream.port, ", awsRegion: x")}, ${caching}`))
    await client(made).chat.completions.create({
      model: id,
      messages: [
        { role: "system", content: "be brief and to the point" },
        { role: "user", content: "one" },
        { role: "assistant", content: "two" },
        { role: "user", content: "three" },
      ],
      tools: [{ type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } }],
    })
    const { messages, system, toolConfig } = upstream.calls[0]?.json ?? {}
    const point = { cachePoint: { type: "default" } }
    expect(system).toEqual([{ text: "be brief and to the point" }, point])
    expect(messages.map(({ content }: { content: ReadonlyArray<unknown> }) => content.length)).toEqual([1, 2, 1])
    expect(messages[1].content[1]).toEqual(point)
    expect(toolConfig.tools.at(-1)).toEqual(point)
  })

  it("that clients of Anthropic make arrive at Anthropic as they are, and at Bedrock as points", async () => {
    const upstream = await provider((call, response) =>
      sendJson(
        response,
        200,
        (call.path.includes("converse") ? wires.bedrockConverse : wires.anthropicMessages).whole(false),
      ),
    )
    const made = await place(`
llm:
  port: 1
  models:
  - {name: claude-x, provider: anthropic, ${params(upstream.port)}}
  - {name: anthropic.claude-y, provider: bedrock, ${params(upstream.port, ", awsRegion: x")}}
`)
    const anthropic = new Anthropic({ baseURL: made.url, apiKey: "k", maxRetries: 0 })
    const system = [
      { type: "text" as const, text: "long", cache_control: { type: "ephemeral" as const, ttl: "1h" as const } },
    ]
    for (const id of ["claude-x", "anthropic.claude-y"]) {
      await anthropic.messages.create({ model: id, max_tokens: 9, system, messages: [{ role: "user", content: "hi" }] })
    }
    expect(upstream.calls.map(({ json }) => json.system)).toEqual([
      system,
      [{ text: "long" }, { cachePoint: { type: "default", ttl: "1h" } }],
    ])
  })
})

describe("what is passed on unread", () => {
  const open = (port: number): string =>
    model("*", `provider: openai, params: {hostOverride: "127.0.0.1:${port}"}, passthrough: detect`)

  it("pictures, made from words and from others; the form keeps its bytes", async () => {
    const upstream = await provider((_call, response) =>
      sendJson(response, 200, {
        created: 1,
        data: [{ b64_json: "aGk=" }],
        usage: { input_tokens: 3, output_tokens: 9 },
      }),
    )
    const made = await place(open(upstream.port))
    const openai = client(made)
    const drawn = await openai.images.generate({ model: "gpt-image-1", prompt: "a cat" })
    expect(drawn.data?.[0]?.b64_json).toBe("aGk=")
    expect(await accountOf(made)).toMatchObject({
      requestModel: "gpt-image-1",
      usage: { inputTokens: 3, outputTokens: 9 },
    })
    const bytes = Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256))
    await openai.images.edit({
      model: "gpt-image-1",
      prompt: "a dog",
      image: await toFile(bytes, "a.png", { type: "image/png" }),
    })
    const call = upstream.calls[1]
    expect(call?.path).toBe("/v1/images/edits")
    expect(call?.headers["content-type"]).toMatch(/^multipart\/form-data/)
    expect(await accountOf(made, 2)).toMatchObject({ requestModel: "gpt-image-1" })
  })

  it("a form under another name keeps everything but the name", async () => {
    const bodies: Array<Buffer> = []
    const server = http.createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        bodies.push(Buffer.concat(chunks))
        response.writeHead(200, { "content-type": "application/json" }).end('{"text":"hello"}')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    const { port } = server.address() as AddressInfo
    const made = await place(
      model("voice", `provider: openai, params: {hostOverride: "127.0.0.1:${port}", model: whisper-1}`),
    )
    const sound = Buffer.from(Array.from({ length: 1024 }, (_, i) => (i * 7) % 256))
    const heard = await client(made).audio.transcriptions.create({ model: "voice", file: await toFile(sound, "a.wav") })
    expect(heard.text).toBe("hello")
    expect(bodies[0]?.includes(sound)).toBe(true)
    expect(bodies[0]?.includes("whisper-1")).toBe(true)
    expect(bodies[0]?.includes("voice")).toBe(false)
  })

  it("sound is passed on as it comes", async () => {
    const sound = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 31) % 256))
    const upstream = await provider((_call, response) => {
      response.writeHead(200, { "content-type": "audio/mpeg" })
      response.write(sound.subarray(0, 1000))
      response.end(sound.subarray(1000))
    })
    const made = await place(open(upstream.port))
    const reply = await client(made).audio.speech.create({ model: "tts-1", voice: "alloy", input: "hi" })
    expect(Buffer.from(await reply.arrayBuffer())).toEqual(sound)
  })

  it("calls of Bedrock in a model's own format: bytes as they are, usage read off them", async () => {
    const said = [
      { type: "message_start", message: { model: "claude", usage: { input_tokens: 11, output_tokens: 1 } } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "hi" } },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } },
    ]
    const bytes = Buffer.concat(
      said.map((event) => awsMessage("chunk", { bytes: Buffer.from(JSON.stringify(event)).toString("base64") })),
    )
    const upstream = await provider((_call, response) => {
      response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" })
      response.end(bytes)
    })
    const made = await place(
      model("anthropic.claude-x", `provider: bedrock, ${params(upstream.port, ", awsRegion: x")}, passthrough: detect`),
    )
    const reply = await fetch(`${made.url}/model/anthropic.claude-x/invoke-with-response-stream`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 9, messages: [] }),
    })
    expect(Buffer.from(await reply.arrayBuffer())).toEqual(bytes)
    expect(await accountOf(made)).toMatchObject({ streaming: true, usage: { inputTokens: 11, outputTokens: 5 } })
  })
})

describe("a realtime connection", () => {
  const frame = (text: string): Buffer => {
    const payload = Buffer.from(text)
    const head =
      payload.length < 126
        ? Buffer.from([0x81, payload.length])
        : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255])
    return Buffer.concat([head, payload])
  }
  const unmasked = (bytes: Buffer): string => {
    const length = (bytes[1] ?? 0) & 127
    const mask = bytes.subarray(2, 6)
    return Buffer.from(bytes.subarray(6, 6 + length).map((byte, i) => byte ^ (mask[i % 4] ?? 0))).toString()
  }
  const done = {
    type: "response.done",
    response: {
      object: "realtime.response",
      status: "completed",
      usage: {
        total_tokens: 30,
        input_tokens: 20,
        output_tokens: 10,
        input_token_details: { text_tokens: 4, audio_tokens: 16, image_tokens: 0, cached_tokens: 8 },
        output_token_details: { text_tokens: 3, audio_tokens: 7 },
      },
    },
  }
  it("is passed through, to where the provider has it, and what it used is counted", async () => {
    const asked: Array<http.IncomingMessage> = []
    const sockets: Array<Duplex> = []
    const heard: Array<string> = []
    const server = http.createServer()
    server.on("upgrade", (request, socket) => {
      asked.push(request)
      sockets.push(socket)
      const accept = createHash("sha1")
        .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
        .digest("base64")
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
      )
      socket.write(frame('{"type":"session.created","session":{"model":"gpt-realtime-2026"}}'))
      socket.on("data", (bytes: Buffer) => {
        if (bytes[0] === 0x88) return void socket.end(Buffer.from([0x88, 0]))
        if (bytes[0] !== 0x81) return
        heard.push(unmasked(bytes))
        socket.write(frame(JSON.stringify({ type: "response.output_text.delta", delta: "response.done" })))
        socket.write(frame(JSON.stringify(done)))
      })
      socket.on("error", () => {})
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    closing.push(() => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    })
    const { port } = server.address() as AddressInfo
    const rates = `{input: "1000000", output: "2000000", cacheRead: "500000"}`
    const made = await place(
      model("gpt-realtime", `provider: openai, params: {hostOverride: "127.0.0.1:${port}", apiKey: secret}`) +
        `
  policies:
    budgets: [{name: talk, tokens: 50, window: 24h}]
config:
  modelCatalog: [{inline: {providers: {openai: {models: {gpt-realtime-2026: {rates: ${rates}}}}}}}]
`,
    )
    const socket = new WebSocket(`${made.url.replace("http", "ws")}/v1/realtime?model=gpt-realtime`)
    const got: Array<string> = []
    socket.addEventListener("message", ({ data }) => void got.push(String(data)))
    await until("it is open", () => socket.readyState === WebSocket.OPEN)
    socket.send('{"type":"response.create"}')
    await until("the first answer is there", () => got.length === 3)
    socket.send('{"type":"response.create"}')
    await until("both have heard", () => got.length >= 5)
    expect(heard).toEqual(['{"type":"response.create"}', '{"type":"response.create"}'])
    expect(JSON.parse(got[0] ?? "").session.model).toBe("gpt-realtime-2026")
    expect(got.slice(1, 5).map((text) => JSON.parse(text).type)).toEqual([
      "response.output_text.delta",
      "response.done",
      "response.output_text.delta",
      "response.done",
    ])
    // What would be compressed could not be read.
    expect(asked[0]?.headers["sec-websocket-extensions"]).toBeUndefined()
    expect([asked[0]?.url, asked[0]?.headers.authorization]).toEqual([
      "/v1/realtime?model=gpt-realtime",
      "Bearer secret",
    ])
    socket.close()
    const account = await accountOf(made)
    expect(account).toMatchObject({
      responseModel: "gpt-realtime-2026",
      usage: {
        inputTokens: 40,
        outputTokens: 20,
        cacheReadTokens: 16,
        inputAudioTokens: 32,
        outputAudioTokens: 14,
      },
      isEstimated: false,
    })
    expect(account?.timeToFirstTokenMillis).toBeGreaterThan(0)
    // Two answers: 24 fresh and 16 kept, 20 written, a dollar, half a dollar and two dollars each.
    expect(account?.cost?.total).toBeCloseTo(24 + 8 + 40)
    // And the budget knows: 60 of 50 tokens are gone.
    const refused = new WebSocket(`${made.url.replace("http", "ws")}/v1/realtime?model=gpt-realtime`)
    await new Promise((resolve) => refused.addEventListener("error", resolve))
    expect(asked.length).toBe(1)
  })

  it("to a name that nobody knows is refused", async () => {
    const made = await place(model("gpt-realtime", "provider: openai, params: {hostOverride: '127.0.0.1:1'}"))
    const socket = new WebSocket(`${made.url.replace("http", "ws")}/v1/realtime?model=nothing`)
    await new Promise((resolve) => socket.addEventListener("error", resolve))
    expect((await accountOf(made))?.requestModel).toBe("nothing")
  })
})
