/** Amazon Bedrock. */
import type { Format } from "../../../../protocols/llm/Translation.ts"
import { asBearer, host, prepending, type VendorTraits } from "./VendorCall.ts"

const rest: ReadonlyArray<Format> = ["bedrockRerank"]

const embeddingsOf = (model: string): Format =>
  model.includes("nova")
    ? "bedrockNovaEmbeddings"
    : model.includes("cohere")
      ? "bedrockCohereEmbeddings"
      : "bedrockTitanEmbeddings"

/** Everything but what may stand in a segment; ids are also ARNs, whose colons stay. */
const segment = (model: string): string => encodeURIComponent(model).replaceAll("%3A", ":")

export const conversePath = (model: string, streaming: boolean, prefix = ""): string =>
  `${prefix}/model/${segment(model)}/${streaming ? "converse-stream" : "converse"}`

export const bedrock = (region: string): VendorTraits => ({
  name: "aws.bedrock",
  address: (format) =>
    host(`bedrock-${format === "bedrockRerank" ? "agent-runtime" : "runtime"}.${region}.amazonaws.com`),
  formats: (model) => [
    "bedrockConverse",
    embeddingsOf(model),
    ...(model.includes("anthropic.claude") ? (["bedrockCountTokens"] as const) : []),
    ...rest,
  ],
  path: ({ format, model, prefix = "", streaming }) => {
    switch (format) {
      case "bedrockRerank":
        return `${prefix}/rerank`
      case "bedrockCountTokens":
        return `${prefix}/model/${segment(model)}/count-tokens`
      case "bedrockConverse":
        return conversePath(model, streaming, prefix)
      default:
        return `${prefix}/model/${segment(model)}/invoke`
    }
  },
  opaquePath: prepending,
  credential: asBearer,
  head: (headers) => {
    // Signed headers must arrive as they were signed, and these are rewritten on the way.
    headers.remove("conversation_id")
    headers.remove("session_id")
  },
  implicitAuth: { _tag: "Aws", region, serviceName: "bedrock" },
})
