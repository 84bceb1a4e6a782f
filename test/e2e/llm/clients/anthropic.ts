/** Anthropic's SDK. */
import Anthropic from "@anthropic-ai/sdk"
import { ask, beginning, type Client, png, schema } from "./Client.ts"
import { tool } from "../wire.ts"

export const anthropic = (url: string): Client => {
  const client = new Anthropic({ baseURL: url, apiKey: "k", maxRetries: 0 })
  const body = { max_tokens: 100, system: "be brief", messages: [{ role: "user" as const, content: ask }] }
  const tools = [{ name: tool.name, input_schema: schema }]
  const callIn = (content: ReadonlyArray<{ readonly type: string }>) => {
    const found = content.find(({ type }) => type === "tool_use") as
      | { readonly name: string; readonly input: unknown }
      | undefined
    return { name: found?.name, input: found?.input }
  }
  const textIn = (message: Anthropic.Message): string =>
    message.content.map((block) => (block.type === "text" ? block.text : "")).join("")
  return {
    wire: "anthropicMessages",
    plain: async (model) => {
      const reply = await client.messages.create({ ...body, model })
      return { text: textIn(reply), input: reply.usage.input_tokens, output: reply.usage.output_tokens }
    },
    stream: async (model) => {
      const stream = client.messages.stream({ ...body, model })
      let pieces = 0
      stream.on("text", () => pieces++)
      return { text: await stream.finalText(), pieces }
    },
    tools: async (model) => callIn((await client.messages.create({ ...body, model, tools })).content),
    streamedTools: async (model) =>
      callIn((await client.messages.stream({ ...body, model, tools }).finalMessage()).content),
    shaped: async (model) => {
      const output_config = { format: { type: "json_schema" as const, schema } }
      return JSON.parse(textIn(await client.messages.create({ ...body, model, output_config })))
    },
    picture: async (model) => {
      const source = { type: "base64" as const, media_type: "image/png" as const, data: png }
      const content = [
        { type: "image" as const, source },
        { type: "text" as const, text: ask },
      ]
      return textIn(await client.messages.create({ max_tokens: 100, model, messages: [{ role: "user", content }] }))
    },
    begin: async (model) => {
      const stream = await client.messages.create({ ...body, model, stream: true })
      return beginning(
        stream,
        (event) => (event.type === "content_block_delta" && event.delta.type === "text_delta" ? event.delta.text : ""),
        () => stream.controller.abort(),
      )
    },
    refused: (error) => [(error as { readonly status?: number }).status, String(error)],
  }
}
