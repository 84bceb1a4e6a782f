/** The SDK of AWS for Bedrock, over HTTP/2 and signing what it sends, as it comes. */
import {
  BedrockRuntimeClient,
  ConverseCommand,
  type ConverseCommandInput,
  type ConverseCommandOutput,
  ConverseStreamCommand,
  type ConverseStreamOutput,
} from "@aws-sdk/client-bedrock-runtime"
import { ask, beginning, type Client, png, schema } from "./Client.ts"
import { tool } from "../wire.ts"

export const aws = (url: string): Client & { readonly close: () => void } => {
  const client = new BedrockRuntimeClient({
    region: "eu-central-1",
    endpoint: url,
    credentials: { accessKeyId: "a", secretAccessKey: "s" },
    maxAttempts: 1,
  })
  const asked = (modelId: string): ConverseCommandInput => ({
    modelId,
    system: [{ text: "be brief" }],
    messages: [{ role: "user", content: [{ text: ask }] }],
    inferenceConfig: { maxTokens: 100 },
  })
  const toolConfig = { tools: [{ toolSpec: { name: tool.name, inputSchema: { json: schema } } }] }
  const textIn = ({ output }: ConverseCommandOutput): string =>
    (output?.message?.content ?? []).map((block) => block.text ?? "").join("")
  const eventsOf = async (
    input: ConverseCommandInput,
    signal?: AbortSignal,
  ): Promise<AsyncIterable<ConverseStreamOutput>> => {
    const { stream } = await client.send(
      new ConverseStreamCommand(input),
      signal === undefined ? {} : { abortSignal: signal },
    )
    if (stream === undefined) throw new Error("there is no stream")
    return stream
  }
  return {
    wire: "bedrockConverse",
    plain: async (model) => {
      const reply = await client.send(new ConverseCommand(asked(model)))
      return { text: textIn(reply), input: reply.usage?.inputTokens, output: reply.usage?.outputTokens }
    },
    stream: async (model) => {
      let text = ""
      let pieces = 0
      let stop: string | undefined
      for await (const event of await eventsOf(asked(model))) {
        const piece = event.contentBlockDelta?.delta?.text ?? ""
        if (piece !== "") pieces++
        text += piece
        stop = event.messageStop?.stopReason ?? stop
      }
      if (stop !== "end_turn") throw new Error(`it stopped because of ${stop}`)
      return { text, pieces }
    },
    tools: async (model) => {
      const { output } = await client.send(new ConverseCommand({ ...asked(model), toolConfig }))
      const use = output?.message?.content?.find((block) => block.toolUse !== undefined)?.toolUse
      return { name: use?.name, input: use?.input }
    },
    streamedTools: async (model) => {
      let name: string | undefined
      let input = ""
      for await (const event of await eventsOf({ ...asked(model), toolConfig })) {
        name = event.contentBlockStart?.start?.toolUse?.name ?? name
        input += event.contentBlockDelta?.delta?.toolUse?.input ?? ""
      }
      return { name, input: JSON.parse(input) as unknown }
    },
    shaped: async (model) => {
      const structure = { jsonSchema: { name: "forecast", schema: JSON.stringify(schema) } }
      const outputConfig = { textFormat: { type: "json_schema" as const, structure } }
      return JSON.parse(textIn(await client.send(new ConverseCommand({ ...asked(model), outputConfig }))))
    },
    picture: async (model) => {
      const image = { format: "png" as const, source: { bytes: Buffer.from(png, "base64") } }
      const messages = [{ role: "user" as const, content: [{ image }, { text: ask }] }]
      return textIn(await client.send(new ConverseCommand({ ...asked(model), messages })))
    },
    begin: async (model) => {
      const stopping = new AbortController()
      const stream = await eventsOf(asked(model), stopping.signal)
      return beginning(
        stream,
        (event) => event.contentBlockDelta?.delta?.text ?? "",
        () => stopping.abort(),
      )
    },
    refused: (error) => [
      (error as { readonly $metadata?: { readonly httpStatusCode?: number } }).$metadata?.httpStatusCode,
      String(error),
    ],
    close: () => client.destroy(),
  }
}
