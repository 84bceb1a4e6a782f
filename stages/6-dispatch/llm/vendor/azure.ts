/** Azure OpenAI and Azure AI Foundry. */
import type { Vendor } from "../../../../ir/backend/Llm.ts"
import type { Format } from "../../../../protocols/llm/Translation.ts"
import { anthropicVersion } from "./anthropic.ts"
import { suffixOf } from "./openAi.ts"
import { host, inPath, prepending, type VendorTraits } from "./VendorCall.ts"

type Azure = Extract<Vendor, { readonly _tag: "Azure" }>

const ofOpenAi: ReadonlyArray<Format> = ["openaiResponses", "openaiChat", "openaiEmbeddings"]
const ofAnthropic: ReadonlyArray<Format> = ["anthropicMessages", "anthropicCountTokens"]

const isClaude = (model: string): boolean => model.toLowerCase().startsWith("claude")

export const azure = ({ apiVersion, projectName, resourceName, resourceType }: Azure): VendorTraits => {
  const isFoundry = resourceType === "foundry"
  return {
    name: "azure",
    address: () => host(`${resourceName}.${isFoundry ? "services.ai" : "openai"}.azure.com`),
    formats: (model) => (isFoundry && isClaude(model) ? ofAnthropic : ofOpenAi),
    path: ({ format, model, prefix = "" }) => {
      if (format === "anthropicMessages" || format === "anthropicCountTokens") {
        return `${prefix}/anthropic/v1${suffixOf(format)}`
      }
      if (isFoundry) {
        return `${prefix}/api/projects/${inPath(projectName ?? resourceName)}/openai/v1${suffixOf(format)}`
      }
      if (apiVersion === undefined || apiVersion === "v1") return `${prefix}/openai/v1${suffixOf(format)}`
      const query = `?api-version=${encodeURIComponent(apiVersion)}`
      if (apiVersion === "preview") return `${prefix}/openai/v1${suffixOf(format)}${query}`
      return format === "openaiResponses"
        ? `${prefix}/openai/responses${query}`
        : `${prefix}/openai/deployments/${inPath(model)}${suffixOf(format)}${query}`
    },
    opaquePath: prepending,
    // Keys are 32 or 84 characters without a dot; tokens are JWTs.
    credential: (format, token) =>
      token.includes(".") ? "authorization" : format === "anthropicMessages" ? "x-api-key" : "api-key",
    head: (headers, { format }) => {
      if (format === "anthropicMessages" || format === "anthropicCountTokens") {
        headers.set("anthropic-version", anthropicVersion)
      }
    },
    implicitAuth: { _tag: "Azure", source: { _tag: "Implicit" } },
  }
}
