/** GitHub Copilot: which interface a model has depends on its family. */
import type { Format } from "../../../../protocols/llm/Translation.ts"
import { suffixOf } from "./openAi.ts"
import { asBearer, host, replacingV1, type VendorTraits } from "./VendorCall.ts"

const plain: ReadonlyArray<Format> = ["openaiEmbeddings", "cohereRerank"]
const claude: ReadonlyArray<Format> = ["anthropicMessages", "openaiChat"]
const responses: ReadonlyArray<Format> = ["openaiResponses", ...plain]
const completions: ReadonlyArray<Format> = ["openaiChat", ...plain]
const both: ReadonlyArray<Format> = ["openaiChat", "openaiResponses", ...plain]

const formatsOf = (model: string): ReadonlyArray<Format> => {
  if (model.startsWith("claude-")) return claude
  if (model.startsWith("grok-") || model.startsWith("mai-")) return responses
  if (/^(?:gemini-|gpt-3|gpt-4)/.test(model)) return completions
  if (model === "gpt-5.4" || model === "gpt-5-mini") return both
  return model.startsWith("gpt-") ? responses : completions
}

export const copilot: VendorTraits = {
  name: "copilot",
  address: () => host("api.githubcopilot.com"),
  formats: (model) => formatsOf(model.toLowerCase()),
  path: ({ format, prefix }) =>
    format === "anthropicMessages" ? `${prefix ?? "/v1"}/messages` : `${prefix ?? ""}${suffixOf(format)}`,
  opaquePath: replacingV1,
  credential: asBearer,
  implicitAuth: { _tag: "Copilot" },
}
