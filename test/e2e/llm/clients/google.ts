/** Google's SDK. */
import { GoogleGenAI } from "@google/genai"
import { ask, beginning, type Client, png, schema } from "./Client.ts"
import { tool } from "../wire.ts"

export const google = (url: string): Client => {
  const client = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: url } })
  const config = { systemInstruction: "be brief" }
  const withTools = {
    ...config,
    tools: [{ functionDeclarations: [{ name: tool.name, parametersJsonSchema: schema }] }],
  }
  return {
    wire: "gemini",
    plain: async (model) => {
      const reply = await client.models.generateContent({ model, contents: ask, config })
      const { usageMetadata: usage } = reply
      return { text: reply.text ?? "", input: usage?.promptTokenCount, output: usage?.candidatesTokenCount }
    },
    stream: async (model) => {
      let text = ""
      let pieces = 0
      for await (const chunk of await client.models.generateContentStream({ model, contents: ask, config })) {
        if ((chunk.text ?? "") !== "") pieces++
        text += chunk.text ?? ""
      }
      return { text, pieces }
    },
    tools: async (model) => {
      const reply = await client.models.generateContent({ model, contents: ask, config: withTools })
      const call = reply.functionCalls?.[0]
      return { name: call?.name, input: call?.args }
    },
    streamedTools: async (model) => {
      const calls: Array<{ readonly name?: string | undefined; readonly args?: unknown }> = []
      for await (const chunk of await client.models.generateContentStream({
        model,
        contents: ask,
        config: withTools,
      })) {
        calls.push(...(chunk.functionCalls ?? []))
      }
      return { name: calls[0]?.name, input: calls[0]?.args }
    },
    shaped: async (model) => {
      const reply = await client.models.generateContent({
        model,
        contents: ask,
        config: { ...config, responseMimeType: "application/json", responseJsonSchema: schema },
      })
      return JSON.parse(reply.text ?? "null")
    },
    picture: async (model) => {
      const contents = [{ inlineData: { mimeType: "image/png", data: png } }, { text: ask }]
      return (await client.models.generateContent({ model, contents })).text ?? ""
    },
    begin: async (model) => {
      const stopping = new AbortController()
      const stream = await client.models.generateContentStream({
        model,
        contents: ask,
        config: { ...config, abortSignal: stopping.signal },
      })
      return beginning(
        stream,
        (chunk) => chunk.text ?? "",
        () => stopping.abort(),
      )
    },
    refused: (error) => [(error as { readonly status?: number }).status, String(error)],
  }
}
