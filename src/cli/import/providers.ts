/** Providers by the names that others have for them. */
import type { Findings } from "./Findings.ts"

/** Providers by the prefix of a model, or by name, in our words. */
const providers: Readonly<Record<string, string>> = {
  openai: "openAI",
  anthropic: "anthropic",
  gemini: "gemini",
  google: "gemini",
  vertex_ai: "vertex",
  "vertex-ai": "vertex",
  bedrock: "bedrock",
  azure: "azure",
  "azure-openai": "azure",
  cohere: "cohere",
  ollama: "ollama",
  ollama_chat: "ollama",
  cerebras: "cerebras",
  deepinfra: "deepinfra",
  deepseek: "deepseek",
  groq: "groq",
  huggingface: "huggingface",
  mistral: "mistral",
  "mistral-ai": "mistral",
  openrouter: "openrouter",
  together_ai: "togetherai",
  "together-ai": "togetherai",
  xai: "xai",
  fireworks_ai: "fireworks",
  "fireworks-ai": "fireworks",
}

export const providerOf = (name: string, path: string, findings: Findings): string | undefined => {
  const found = Object.hasOwn(providers, name) ? providers[name] : undefined
  if (found === undefined)
    findings.add("unsupported", path, `the provider ${JSON.stringify(name)} is not known here; add it as \`custom\``)
  return found
}
