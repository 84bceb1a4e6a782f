/** From the word in the configuration to what a provider is like. */
import type { Vendor } from "../../../../ir/backend/Llm.ts"
import { anthropic } from "./anthropic.ts"
import { azure } from "./azure.ts"
import { bedrock } from "./bedrock.ts"
import { copilot } from "./copilot.ts"
import { custom } from "./custom.ts"
import { gemini } from "./gemini.ts"
import { openAi } from "./openAi.ts"
import { vertex } from "./vertex.ts"
import type { VendorTraits } from "./VendorCall.ts"

/** The built-in provider speaks as OpenAI does. */
const echo: VendorTraits = { ...openAi(undefined), name: "echo", formats: () => ["openaiChat", "openaiEmbeddings"] }

export const traitsOf = (vendor: Vendor): VendorTraits => {
  switch (vendor._tag) {
    case "OpenAi":
      return openAi(vendor.moderation)
    case "Anthropic":
      return anthropic
    case "Gemini":
      return gemini
    case "Vertex":
      return vertex(vendor.projectId, vendor.region)
    case "Bedrock":
      return bedrock(vendor.region)
    case "Azure":
      return azure(vendor)
    case "Copilot":
      return copilot
    case "Custom":
      return custom(vendor.name, vendor.formats)
    case "Echo":
      return echo
  }
}
