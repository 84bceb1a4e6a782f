/** OpenAI's SDK, with both of its interfaces. */
import OpenAI from "openai"
import { ask, beginning, type Client, png, schema } from "./Client.ts"
import { tool } from "../wire.ts"

const statusOf = (error: unknown): readonly [number | undefined, string] => [
  (error as { readonly status?: number }).status,
  String(error),
]

const clientOf = (url: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: "k", maxRetries: 0 })

export const chat = (url: string): Client => {
  const openai = clientOf(url)
  const messages = [
    { role: "system" as const, content: "be brief" },
    { role: "user" as const, content: ask },
  ]
  const tools = [{ type: "function" as const, function: { name: tool.name, parameters: schema } }]
  const callIn = (message: OpenAI.ChatCompletionMessage | undefined) => {
    const call = message?.tool_calls?.[0]
    const found = call?.type === "function" ? call.function : undefined
    return { name: found?.name, input: JSON.parse(found?.arguments ?? "null") as unknown }
  }
  return {
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
      let text = ""
      let pieces = 0
      for await (const chunk of await openai.chat.completions.create({ model, messages, stream: true })) {
        const piece = chunk.choices[0]?.delta.content ?? ""
        if (piece !== "") pieces++
        text += piece
      }
      return { text, pieces }
    },
    tools: async (model) =>
      callIn((await openai.chat.completions.create({ model, messages, tools })).choices[0]?.message),
    streamedTools: async (model) =>
      callIn(
        (await openai.chat.completions.stream({ model, messages, tools }).finalChatCompletion()).choices[0]?.message,
      ),
    shaped: async (model) => {
      const reply = await openai.chat.completions.parse({
        model,
        messages,
        response_format: { type: "json_schema", json_schema: { name: "forecast", schema, strict: true } },
      })
      return JSON.parse(reply.choices[0]?.message.content ?? "null")
    },
    picture: async (model) => {
      const reply = await openai.chat.completions.create({
        model,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: ask },
              { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } },
            ],
          },
        ],
      })
      return reply.choices[0]?.message.content ?? ""
    },
    begin: async (model) => {
      const stream = await openai.chat.completions.create({ model, messages, stream: true })
      return beginning(
        stream,
        (chunk) => chunk.choices[0]?.delta.content ?? "",
        () => stream.controller.abort(),
      )
    },
    refused: statusOf,
  }
}

export const responses = (url: string): Client => {
  const openai = clientOf(url)
  const tools = [{ type: "function" as const, name: tool.name, parameters: schema, strict: false }]
  const callIn = (output: ReadonlyArray<{ readonly type: string }>) => {
    const found = output.find(({ type }) => type === "function_call") as
      | { readonly name: string; readonly arguments: string }
      | undefined
    return { name: found?.name, input: JSON.parse(found?.arguments ?? "null") as unknown }
  }
  return {
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
    tools: async (model) => callIn((await openai.responses.create({ model, input: ask, tools })).output),
    streamedTools: async (model) =>
      callIn((await openai.responses.stream({ model, input: ask, tools }).finalResponse()).output),
    shaped: async (model) => {
      const reply = await openai.responses.parse({
        model,
        input: ask,
        text: { format: { type: "json_schema", name: "forecast", schema, strict: true } },
      })
      return JSON.parse(reply.output_text)
    },
    picture: async (model) => {
      const reply = await openai.responses.create({
        model,
        input: [
          {
            role: "user",
            content: [
              { type: "input_text", text: ask },
              { type: "input_image", image_url: `data:image/png;base64,${png}`, detail: "auto" },
            ],
          },
        ],
      })
      return reply.output_text
    },
    begin: async (model) => {
      const stream = await openai.responses.create({ model, input: ask, stream: true })
      return beginning(
        stream,
        (event) => {
          if (event.type === "response.failed") throw new Error(event.response.error?.message)
          return event.type === "response.output_text.delta" ? event.delta : ""
        },
        () => stream.controller.abort(),
      )
    },
    refused: statusOf,
  }
}
