/** The SDK of Vercel, which reads replies and streams of several formats in its own way. */
import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import { generateText, jsonSchema, type LanguageModel, Output, streamText, type ToolSet } from "ai"
import { ask, beginning, type Client, png, schema } from "./Client.ts"
import { tool, type WireName } from "../wire.ts"

// Its advice about the names of models that nobody knows would fill the log.
;(globalThis as { AI_SDK_LOG_WARNINGS?: boolean }).AI_SDK_LOG_WARNINGS = false

const vercel = (wire: WireName, of: (model: string) => LanguageModel): Client => {
  const tools: ToolSet = { [tool.name]: { inputSchema: jsonSchema(schema) } }
  const shared = { prompt: ask, maxRetries: 0 }
  return {
    wire,
    plain: async (model) => {
      const { text, usage } = await generateText({ model: of(model), ...shared })
      return { text, input: usage.inputTokens, output: usage.outputTokens }
    },
    stream: async (model) => {
      let text = ""
      let pieces = 0
      for await (const piece of streamText({ model: of(model), ...shared }).textStream) {
        pieces++
        text += piece
      }
      return { text, pieces }
    },
    tools: async (model) => {
      const { toolCalls } = await generateText({ model: of(model), ...shared, tools })
      return { name: toolCalls[0]?.toolName, input: toolCalls[0]?.input }
    },
    streamedTools: async (model) => {
      const [call] = await streamText({ model: of(model), ...shared, tools }).toolCalls
      return { name: call?.toolName, input: call?.input }
    },
    shaped: async (model) => {
      const output = Output.object({ schema: jsonSchema(schema) })
      return (await generateText({ model: of(model), ...shared, output })).output
    },
    picture: async (model) => {
      const content = [
        { type: "text" as const, text: ask },
        { type: "file" as const, data: png, mediaType: "image/png" },
      ]
      return (await generateText({ model: of(model), messages: [{ role: "user", content }], maxRetries: 0 })).text
    },
    begin: async (model) => {
      const stopping = new AbortController()
      const { fullStream } = streamText({
        model: of(model),
        ...shared,
        abortSignal: stopping.signal,
        onError: () => {},
      })
      return beginning(
        fullStream,
        (part) => {
          if (part.type === "error") throw part.error
          return part.type === "text-delta" ? part.text : ""
        },
        () => stopping.abort(),
      )
    },
    refused: (error) => [(error as { readonly statusCode?: number }).statusCode, String(error)],
  }
}

export const vercelOpenAi = (url: string): Client =>
  vercel("openaiChat", (model) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "k" }).chat(model))
export const vercelResponses = (url: string): Client =>
  vercel("openaiResponses", (model) => createOpenAI({ baseURL: `${url}/v1`, apiKey: "k" }).responses(model))
export const vercelAnthropic = (url: string): Client =>
  vercel("anthropicMessages", (model) => createAnthropic({ baseURL: `${url}/v1`, apiKey: "k" })(model))
export const vercelGoogle = (url: string): Client =>
  vercel("gemini", (model) => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: "k" })(model))
