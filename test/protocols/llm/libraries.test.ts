/** The official libraries judge the corpus: what clients are sent must parse, what providers are sent must be theirs. */
import Anthropic from "@anthropic-ai/sdk"
import { BedrockRuntimeClient, ConverseCommand, type ConverseCommandInput } from "@aws-sdk/client-bedrock-runtime"
import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import { afterEach, describe, expect, it, vi } from "vitest"
import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import { generateText, streamText } from "ai"
import { encodeSse } from "../../../protocols/http/sse.ts"
import { isObject, type JsonObject } from "../../../protocols/llm/Json.ts"
import { type Case, cases } from "./golden/cases.ts"

const all = cases()
const of = (kind: Case["kind"], from: Case["from"]): ReadonlyArray<[string, Case]> =>
  all.filter((one) => one.kind === kind && one.from === from).map((one) => [`${one.to}: ${one.name}`, one])
const towards = (to: Case["to"]): ReadonlyArray<[string, Case]> =>
  all
    .filter((one) => one.kind === "request" && one.to === to && !isRefused(one))
    .map((one) => [`${one.from}: ${one.name}`, one])
const isRefused = ({ outcome }: Case): boolean => isObject(outcome) && outcome["refused"] !== undefined
const bodyOf = ({ outcome }: Case): JsonObject => (outcome as { readonly body: JsonObject }).body
const events = ({ outcome }: Case) => outcome as ReadonlyArray<{ readonly event?: string; readonly data: unknown }>
const sse = (one: Case): string =>
  events(one)
    .map(({ event, data }) => encodeSse({ event, data: typeof data === "string" ? data : JSON.stringify(data) }))
    .join("")
const broke = (one: Case): boolean => JSON.stringify(events(one).at(-1)?.data).includes('"error":{')

const answering = (body: string, contentType = "application/json") =>
  vi.fn<typeof fetch>(() =>
    Promise.resolve(new Response(body, { status: 200, headers: { "content-type": contentType } })),
  )
const json = (one: Case) => answering(JSON.stringify(bodyOf(one)))
const stream = (one: Case) => answering(sse(one), "text/event-stream")
const called = (one: Case): boolean =>
  /"(?:tool_calls|tool_use|function_call|functionCall)"/.test(JSON.stringify(one.outcome))

vi.stubGlobal("AI_SDK_LOG_WARNINGS", false)
afterEach(() => void vi.stubGlobal("fetch", () => Promise.reject(new Error("no network here"))))

describe("the library of OpenAI", () => {
  const messages: [] = []
  it.each(of("reply", "openaiChat").filter(([, one]) => !isRefused(one)))(
    "reads the completion: %s",
    async (_, one) => {
      const client = new OpenAI({ apiKey: "k", fetch: json(one) })
      const completion = await client.chat.completions.create({ model: "m", messages })
      expect(completion.usage?.total_tokens).toBe(
        (completion.usage?.prompt_tokens ?? 0) + (completion.usage?.completion_tokens ?? 0),
      )
      for (const call of completion.choices[0]?.message.tool_calls ?? [])
        if (call.type === "function" && call.function.arguments !== "") JSON.parse(call.function.arguments)
    },
  )

  it.each(of("stream", "openaiChat"))("gathers the stream: %s", async (_, one) => {
    const client = new OpenAI({ apiKey: "k", fetch: stream(one), maxRetries: 0 })
    const final = client.chat.completions.stream({ model: "m", messages }).finalChatCompletion()
    if (broke(one)) return expect(final).rejects.toThrow(/./)
    const completion = await final
    const [choice] = completion.choices
    const ends = /finish_reason\\*":\\*"(content_filter|length)/.exec(JSON.stringify(one.outcome))?.[1]
    expect(choice?.finish_reason).toBe(called(one) ? "tool_calls" : (ends ?? "stop"))
    for (const call of choice?.message.tool_calls ?? [])
      if (call.type === "function") JSON.parse(call.function.arguments)
  })

  it.each(of("reply", "openaiResponses").filter(([, one]) => !isRefused(one)))(
    "reads the response: %s",
    async (_, one) => {
      const client = new OpenAI({ apiKey: "k", fetch: json(one) })
      const response = await client.responses.create({ model: "m", input: "x" })
      expect(response.usage?.total_tokens).toBe(
        (response.usage?.input_tokens ?? 0) + (response.usage?.output_tokens ?? 0),
      )
      expect(typeof response.output_text).toBe("string")
    },
  )

  it.each(of("stream", "openaiResponses"))("gathers the response: %s", async (_, one) => {
    const client = new OpenAI({ apiKey: "k", fetch: stream(one), maxRetries: 0 })
    const final = client.responses.stream({ model: "m", input: "x" }).finalResponse()
    if (JSON.stringify(one.outcome).includes("response.failed")) return expect(final).rejects.toThrow(/./)
    const response = await final
    expect(["completed", "incomplete"]).toContain(response.status)
    expect(response.output.length > 0 || response.status === "incomplete").toBe(true)
  })
})

describe("the library of Anthropic", () => {
  const request = { model: "m", max_tokens: 10, messages: [] }
  it.each(of("reply", "anthropicMessages").filter(([, one]) => !isRefused(one)))(
    "reads the message: %s",
    async (_, one) => {
      const client = new Anthropic({ apiKey: "k", fetch: json(one) })
      const message = await client.messages.create(request)
      expect(message.usage.input_tokens).toBeGreaterThanOrEqual(0)
      expect(Array.isArray(message.content)).toBe(true)
    },
  )

  it.each(of("stream", "anthropicMessages"))("gathers the stream: %s", async (_, one) => {
    const client = new Anthropic({ apiKey: "k", fetch: stream(one), maxRetries: 0 })
    const final = client.messages.stream(request).finalMessage()
    if (broke(one)) return expect(final).rejects.toThrow(/./)
    const message = await final
    if (called(one))
      expect(message.content.some((block) => block.type === "tool_use" && isObject(block.input))).toBe(true)
    expect(message.stop_reason).not.toBe(null)
  })
})

describe("the library of Google", () => {
  it.each(of("reply", "gemini").filter(([, one]) => !isRefused(one)))("reads the reply: %s", async (_, one) => {
    vi.stubGlobal("fetch", json(one))
    const reply = await new GoogleGenAI({ apiKey: "k" }).models.generateContent({ model: "m", contents: "x" })
    expect(reply.candidates?.[0]?.finishReason).toBeDefined()
    if (called(one)) expect(reply.functionCalls?.length).toBeGreaterThan(0)
  })

  it.each(of("stream", "gemini"))("gathers the stream: %s", async (_, one) => {
    vi.stubGlobal("fetch", stream(one))
    const gather = async () => {
      const parts = await new GoogleGenAI({ apiKey: "k" }).models.generateContentStream({ model: "m", contents: "x" })
      const chunks = []
      for await (const part of parts) chunks.push(part)
      return chunks
    }
    if (broke(one)) return expect(gather()).rejects.toThrow(/./)
    const chunks = await gather()
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBeDefined()
    expect(chunks.at(-1)?.usageMetadata?.totalTokenCount).toBeGreaterThan(0)
  })

  /** Spelling of types is free; everything else must come through the library as it went in. */
  const lower = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(lower)
      : isObject(value)
        ? Object.fromEntries(
            Object.entries(value).map(([name, one]) => [
              name,
              name === "type" && typeof one === "string" ? one.toLowerCase() : lower(one),
            ]),
          )
        : value
  it.each(towards("gemini"))("would have sent the same: %s", async (_, one) => {
    const fetched = answering("{}")
    vi.stubGlobal("fetch", fetched)
    const { contents, generationConfig, ...rest } = bodyOf(one)
    await new GoogleGenAI({ apiKey: "k" }).models.generateContent({
      model: "m",
      contents: contents as never,
      config: { ...(generationConfig as object), ...rest },
    })
    expect(lower(JSON.parse(String(fetched.mock.calls[0]?.[1]?.body)))).toEqual(
      lower({ generationConfig: {}, ...bodyOf(one) }),
    )
  })
})

describe("the library of AWS", () => {
  const unpacked = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(unpacked)
      : isObject(value)
        ? Object.fromEntries(
            Object.entries(value).map(([name, one]) => [
              name,
              (name === "bytes" || name === "redactedContent") && typeof one === "string"
                ? Buffer.from(one, "base64")
                : unpacked(one),
            ]),
          )
        : value
  it.each(towards("bedrockConverse"))("would have sent the same: %s", async (_, one) => {
    let sent: unknown
    const client = new BedrockRuntimeClient({
      region: "us-east-1",
      credentials: { accessKeyId: "a", secretAccessKey: "s" },
      maxAttempts: 1,
      requestHandler: {
        handle: (request: { readonly body?: unknown }) => {
          sent = request.body
          return Promise.reject(new Error("sent"))
        },
      },
    })
    const input = { modelId: "m", ...(unpacked(bodyOf(one)) as object) } as ConverseCommandInput
    await expect(client.send(new ConverseCommand(input))).rejects.toThrow("sent")
    const text = typeof sent === "string" ? sent : new TextDecoder().decode(sent as Uint8Array)
    expect(JSON.parse(text)).toEqual(bodyOf(one))
  })
})

describe("the library of Vercel", () => {
  const models = {
    openaiChat: (fetch: typeof globalThis.fetch) => createOpenAI({ apiKey: "k", fetch }).chat("m"),
    openaiResponses: (fetch: typeof globalThis.fetch) => createOpenAI({ apiKey: "k", fetch }).responses("m"),
    anthropicMessages: (fetch: typeof globalThis.fetch) => createAnthropic({ apiKey: "k", fetch })("m"),
    gemini: (fetch: typeof globalThis.fetch) => createGoogleGenerativeAI({ apiKey: "k", fetch })("m"),
  }
  for (const from of ["openaiChat", "openaiResponses", "anthropicMessages", "gemini"] as const) {
    it.each(of("reply", from).filter(([, one]) => !isRefused(one)))(`reads a reply of ${from}: %s`, async (_, one) => {
      const result = await generateText({ model: models[from](json(one)), prompt: "x", maxRetries: 0 })
      expect(result.finishReason).not.toBe("error")
      if (called(one)) expect(result.toolCalls.length).toBeGreaterThan(0)
    })
    it.each(
      of("stream", from).filter(([, one]) => !broke(one) && !JSON.stringify(one.outcome).includes("response.failed")),
    )(`gathers a stream of ${from}: %s`, async (_, one) => {
      const errors: Array<unknown> = []
      const result = streamText({
        model: models[from](stream(one)),
        prompt: "x",
        maxRetries: 0,
        onError: ({ error }) => void errors.push(error),
      })
      const calls = await result.toolCalls
      expect(errors).toEqual([])
      expect((await result.usage).totalTokens).toBeGreaterThan(0)
      if (called(one)) expect(calls.length).toBeGreaterThan(0)
    })
  }
})
