/** Every official SDK through the gateway to providers of every kind: plain, streamed, with tools, and refused. */
import Anthropic from "@anthropic-ai/sdk"
import { createAnthropic } from "@ai-sdk/anthropic"
import { createOpenAI } from "@ai-sdk/openai"
import { GoogleGenAI } from "@google/genai"
import { generateText, jsonSchema, streamText, type ToolSet } from "ai"
import OpenAI from "openai"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, startProvider } from "./provider.ts"
import { answering, refusal, text, tool, used, type WireName, wireOf } from "./wire.ts"

// Its advice about the names of models that nobody knows would fill the log.
;(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false

let upstream: Scripted
let place: Place
let tools = false
let fails = false

/** By the name of the model; the format that it speaks. */
const providers: Readonly<Record<string, { readonly wire: WireName; readonly yaml: (port: number) => string }>> = {
  chat: {
    wire: "openaiChat",
    yaml: (port) =>
      `provider: {custom: {formats: [{type: completions}]}}, params: {baseUrl: "http://127.0.0.1:${port}/v1"}`,
  },
  responses: {
    wire: "openaiResponses",
    yaml: (port) =>
      `provider: {custom: {formats: [{type: responses}]}}, params: {baseUrl: "http://127.0.0.1:${port}/v1"}`,
  },
  "claude-x": {
    wire: "anthropicMessages",
    yaml: (port) => `provider: anthropic, params: {hostOverride: "127.0.0.1:${port}"}`,
  },
  "gemini-x": {
    wire: "gemini",
    yaml: (port) => `provider: gemini, params: {hostOverride: "127.0.0.1:${port}"}`,
  },
  "gemini-v": {
    wire: "gemini",
    yaml: (port) => `provider: vertex, params: {hostOverride: "127.0.0.1:${port}", vertexProject: p, vertexRegion: eu}`,
  },
  "claude-v": {
    wire: "anthropicMessages",
    yaml: (port) => `provider: vertex, params: {hostOverride: "127.0.0.1:${port}", vertexProject: p}`,
  },
  "amazon.nova-x": {
    wire: "bedrockConverse",
    yaml: (port) => `provider: bedrock, params: {hostOverride: "127.0.0.1:${port}", awsRegion: eu-central-1}`,
  },
  "gpt-a": {
    wire: "openaiChat",
    yaml: (port) =>
      `provider: azure, params: {hostOverride: "127.0.0.1:${port}", azureResourceName: r, azureResourceType: openAI, azureApiVersion: "2024-10-21"}`,
  },
}

beforeAll(async () => {
  upstream = await startProvider(
    answering(
      () => tools,
      () => fails,
    ),
  )
  const models = Object.entries(providers).map(([name, { yaml }]) => `  - {name: ${name}, ${yaml(upstream.port)}}`)
  place = await startPlace(`llm:\n  port: 1\n  models:\n${models.join("\n")}\n`)
})

afterAll(async () => {
  await place.close()
  await upstream.close()
})

/** What a client of one format makes of each scenario. */
interface Client {
  readonly name: string
  readonly wire: WireName
  readonly plain: (
    model: string,
  ) => Promise<{ readonly text: string; readonly input: unknown; readonly output: unknown }>
  readonly stream: (model: string) => Promise<{ readonly text: string; readonly pieces: number }>
  readonly tools: (model: string) => Promise<{ readonly name: unknown; readonly input: unknown }>
  readonly streamedTools: (model: string) => Promise<{ readonly name: unknown; readonly input: unknown }>
  /** Status and message of the failure. */
  readonly refused: (error: unknown) => readonly [number | undefined, string]
}

const schema = {
  type: "object" as const,
  properties: { city: { type: "string" as const }, days: { type: "integer" as const } },
  required: ["city"],
}

const ask = "how is the weather?"

const chat = (): Client => {
  const openai = new OpenAI({ baseURL: `${place.url}/v1`, apiKey: "k", maxRetries: 0 })
  const messages = [
    { role: "system" as const, content: "be brief" },
    { role: "user" as const, content: ask },
  ]
  const offered = [{ type: "function" as const, function: { name: tool.name, parameters: schema } }]
  return {
    name: "openai chat",
    wire: "openaiChat",
    plain: async (model) => {
      const reply = await openai.chat.completions.create({ model, messages })
      return {
        text: reply.choices[0]?.message.content ?? "",
        input: reply.usage?.prompt_tokens,
        output: reply.usage?.completion_tokens,
      }
    },
    stream: async (model) => {
      let said = ""
      let pieces = 0
      for await (const chunk of await openai.chat.completions.create({ model, messages, stream: true })) {
        const piece = chunk.choices[0]?.delta.content ?? ""
        if (piece !== "") pieces++
        said += piece
      }
      return { text: said, pieces }
    },
    tools: async (model) => {
      const reply = await openai.chat.completions.create({ model, messages, tools: offered })
      const call = reply.choices[0]?.message.tool_calls?.[0]
      const found = call?.type === "function" ? call.function : undefined
      return { name: found?.name, input: JSON.parse(found?.arguments ?? "null") }
    },
    streamedTools: async (model) => {
      const reply = await openai.chat.completions.stream({ model, messages, tools: offered }).finalChatCompletion()
      const call = reply.choices[0]?.message.tool_calls?.[0]
      const found = call?.type === "function" ? call.function : undefined
      return { name: found?.name, input: JSON.parse(found?.arguments ?? "null") }
    },
    refused: (error) => [(error as { status?: number }).status, String(error)],
  }
}

const responses = (): Client => {
  const openai = new OpenAI({ baseURL: `${place.url}/v1`, apiKey: "k", maxRetries: 0 })
  const offered = [{ type: "function" as const, name: tool.name, parameters: schema, strict: false }]
  const callIn = (output: ReadonlyArray<{ readonly type: string }>) => {
    const found = output.find(({ type }) => type === "function_call") as
      | { readonly name: string; readonly arguments: string }
      | undefined
    return { name: found?.name, input: JSON.parse(found?.arguments ?? "null") as unknown }
  }
  return {
    name: "openai responses",
    wire: "openaiResponses",
    plain: async (model) => {
      const reply = await openai.responses.create({ model, input: ask, instructions: "be brief" })
      return { text: reply.output_text, input: reply.usage?.input_tokens, output: reply.usage?.output_tokens }
    },
    stream: async (model) => {
      const stream = openai.responses.stream({ model, input: ask })
      let pieces = 0
      stream.on("response.output_text.delta", () => pieces++)
      const reply = await stream.finalResponse()
      return { text: reply.output_text, pieces }
    },
    tools: async (model) => callIn((await openai.responses.create({ model, input: ask, tools: offered })).output),
    streamedTools: async (model) =>
      callIn((await openai.responses.stream({ model, input: ask, tools: offered }).finalResponse()).output),
    refused: (error) => [(error as { status?: number }).status, String(error)],
  }
}

const anthropic = (): Client => {
  const client = new Anthropic({ baseURL: place.url, apiKey: "k", maxRetries: 0 })
  const body = { max_tokens: 100, system: "be brief", messages: [{ role: "user" as const, content: ask }] }
  const offered = [{ name: tool.name, input_schema: schema }]
  const callIn = (content: ReadonlyArray<{ readonly type: string }>) => {
    const found = content.find(({ type }) => type === "tool_use") as
      | { readonly name: string; readonly input: unknown }
      | undefined
    return { name: found?.name, input: found?.input }
  }
  return {
    name: "anthropic",
    wire: "anthropicMessages",
    plain: async (model) => {
      const reply = await client.messages.create({ ...body, model })
      const said = reply.content.map((block) => (block.type === "text" ? block.text : "")).join("")
      return { text: said, input: reply.usage.input_tokens, output: reply.usage.output_tokens }
    },
    stream: async (model) => {
      const stream = client.messages.stream({ ...body, model })
      let pieces = 0
      stream.on("text", () => pieces++)
      return { text: await stream.finalText(), pieces }
    },
    tools: async (model) => callIn((await client.messages.create({ ...body, model, tools: offered })).content),
    streamedTools: async (model) =>
      callIn((await client.messages.stream({ ...body, model, tools: offered }).finalMessage()).content),
    refused: (error) => [(error as { status?: number }).status, String(error)],
  }
}

const google = (): Client => {
  const client = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: place.url } })
  const config = { systemInstruction: "be brief" }
  const offered = { ...config, tools: [{ functionDeclarations: [{ name: tool.name, parametersJsonSchema: schema }] }] }
  return {
    name: "google genai",
    wire: "gemini",
    plain: async (model) => {
      const reply = await client.models.generateContent({ model, contents: ask, config })
      const { usageMetadata: usage } = reply
      return { text: reply.text ?? "", input: usage?.promptTokenCount, output: usage?.candidatesTokenCount }
    },
    stream: async (model) => {
      let said = ""
      let pieces = 0
      for await (const chunk of await client.models.generateContentStream({ model, contents: ask, config })) {
        if ((chunk.text ?? "") !== "") pieces++
        said += chunk.text ?? ""
      }
      return { text: said, pieces }
    },
    tools: async (model) => {
      const reply = await client.models.generateContent({ model, contents: ask, config: offered })
      const call = reply.functionCalls?.[0]
      return { name: call?.name, input: call?.args }
    },
    streamedTools: async (model) => {
      const calls: Array<{ readonly name?: string | undefined; readonly args?: unknown }> = []
      for await (const chunk of await client.models.generateContentStream({ model, contents: ask, config: offered })) {
        calls.push(...(chunk.functionCalls ?? []))
      }
      return { name: calls[0]?.name, input: calls[0]?.args }
    },
    refused: (error) => [(error as { status?: number }).status, String(error)],
  }
}

/** The Vercel SDK, which reads streams in its own way. */
const vercel = (kind: "openai" | "anthropic"): Client => {
  const of = (model: string) =>
    kind === "openai"
      ? createOpenAI({ baseURL: `${place.url}/v1`, apiKey: "k" }).chat(model)
      : createAnthropic({ baseURL: `${place.url}/v1`, apiKey: "k" })(model)
  const offered: ToolSet = { [tool.name]: { inputSchema: jsonSchema(schema) } }
  const shared = { prompt: ask, maxRetries: 0 }
  return {
    name: `vercel ${kind}`,
    wire: kind === "openai" ? "openaiChat" : "anthropicMessages",
    plain: async (model) => {
      const { text: said, usage } = await generateText({ model: of(model), ...shared })
      return { text: said, input: usage.inputTokens, output: usage.outputTokens }
    },
    stream: async (model) => {
      let said = ""
      let pieces = 0
      for await (const piece of streamText({ model: of(model), ...shared }).textStream) {
        pieces++
        said += piece
      }
      return { text: said, pieces }
    },
    tools: async (model) => {
      const { toolCalls } = await generateText({ model: of(model), ...shared, tools: offered })
      return { name: toolCalls[0]?.toolName, input: toolCalls[0]?.input }
    },
    streamedTools: async (model) => {
      const [call] = await streamText({ model: of(model), ...shared, tools: offered }).toolCalls
      return { name: call?.toolName, input: call?.input }
    },
    refused: (error) => [(error as { statusCode?: number }).statusCode, String(error)],
  }
}

const clients: ReadonlyArray<readonly [string, () => Client]> = [
  ["openai chat", chat],
  ["openai responses", responses],
  ["anthropic", anthropic],
  ["google genai", google],
  ["vercel openai", () => vercel("openai")],
  ["vercel anthropic", () => vercel("anthropic")],
]

const settled = async (count: number): Promise<void> =>
  until("the exchange was told", () => place.gateway.told.exchanges.length === count)

describe.each(clients)("%s", (_name, make) => {
  describe.each(Object.keys(providers))("to %s", (model) => {
    const set = (withTools: boolean, failing = false): void => {
      tools = withTools
      fails = failing
    }
    it("plain, with its usage", async () => {
      set(false)
      const before = place.gateway.told.exchanges.length
      expect(await make().plain(model)).toEqual({ text, input: used.input, output: used.output })
      const call = upstream.calls.at(-1)
      // Azure speaks two of the formats; who asks in one of them is answered in it.
      const expected =
        model === "gpt-a" && make().wire === "openaiResponses" ? "openaiResponses" : providers[model]?.wire
      expect(call === undefined ? undefined : wireOf(call)).toBe(expected)
      await settled(before + 1)
      expect(place.gateway.told.exchanges.at(-1)?.exchange.notes?.llm?.usage).toMatchObject({
        inputTokens: used.input,
        outputTokens: used.output,
      })
    })
    it("streamed, piece by piece", async () => {
      set(false)
      const before = place.gateway.told.exchanges.length
      const { pieces, text: said } = await make().stream(model)
      expect(said).toBe(text)
      expect(pieces).toBeGreaterThanOrEqual(2)
      await settled(before + 1)
      const account = place.gateway.told.exchanges.at(-1)?.exchange.notes?.llm
      expect(account?.usage).toMatchObject({ inputTokens: used.input, outputTokens: used.output })
      expect(account?.isEstimated).toBe(false)
      expect(account?.responseModel).toBe(providers[model]?.wire === "bedrockConverse" ? model : "served-model")
    })
    it("tools, whole and in pieces", async () => {
      set(true)
      expect(await make().tools(model)).toEqual({ name: tool.name, input: tool.input })
      expect(await make().streamedTools(model)).toEqual({ name: tool.name, input: tool.input })
    })
    it("refused, in its own words", async () => {
      set(false, true)
      const client = make()
      const error = await client.plain(model).catch((error: unknown) => error)
      const [status, said] = client.refused(error)
      expect([status, said.includes(refusal.message)]).toEqual([refusal.status, true])
    })
  })
})
