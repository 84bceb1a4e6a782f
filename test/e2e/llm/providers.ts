/** A provider of every kind, by the name of the model that stands for it, and the format that it speaks. */
import type { WireName } from "./wire.ts"

export interface Kind {
  readonly wire: WireName
  readonly yaml: (port: number) => string
}

export const providers: Readonly<Record<string, Kind>> = {
  chat: {
    wire: "openaiChat",
    yaml: (port) =>
      `provider: {custom: {formats: [{type: completions}]}}, params: {baseUrl: "http://127.0.0.1:${port}/v1"}`,
  },
  responses: {
    wire: "openaiResponses",
    yaml: (port) =>
      `provider: {custom: {formats: [{type: responses}]}}, params: {baseUrl: "http://127.0.0.1:${port}/v1"}`,
  },
  "gpt-o": {
    wire: "openaiChat",
    yaml: (port) => `provider: openai, params: {hostOverride: "127.0.0.1:${port}"}`,
  },
  "claude-x": {
    wire: "anthropicMessages",
    yaml: (port) => `provider: anthropic, params: {hostOverride: "127.0.0.1:${port}"}`,
  },
  "gemini-x": {
    wire: "gemini",
    yaml: (port) => `provider: gemini, params: {hostOverride: "127.0.0.1:${port}"}`,
  },
  "gemini-v": {
    wire: "gemini",
    yaml: (port) => `provider: vertex, params: {hostOverride: "127.0.0.1:${port}", vertexProject: p, vertexRegion: eu}`,
  },
  "claude-v": {
    wire: "anthropicMessages",
    yaml: (port) => `provider: vertex, params: {hostOverride: "127.0.0.1:${port}", vertexProject: p}`,
  },
  "amazon.nova-x": {
    wire: "bedrockConverse",
    yaml: (port) => `provider: bedrock, params: {hostOverride: "127.0.0.1:${port}", awsRegion: eu-central-1}`,
  },
  "gpt-a": {
    wire: "openaiChat",
    yaml: (port) =>
      `provider: azure, params: {hostOverride: "127.0.0.1:${port}", azureResourceName: r, azureResourceType: openAI, azureApiVersion: "2024-10-21"}`,
  },
  "claude-f": {
    wire: "anthropicMessages",
    yaml: (port) =>
      `provider: azure, params: {hostOverride: "127.0.0.1:${port}", azureResourceName: r, azureResourceType: foundry}`,
  },
  "grok-c": {
    wire: "openaiResponses",
    yaml: (port) => `provider: copilot, params: {hostOverride: "127.0.0.1:${port}"}`,
  },
  preset: {
    wire: "openaiChat",
    yaml: (port) => `provider: mistral, params: {baseUrl: "http://127.0.0.1:${port}/v1"}`,
  },
}

/** OpenAI and Azure speak two of the formats; who asks in one of them is answered in it. */
export const wireTowards = (model: string, client: WireName): WireName | undefined =>
  (model === "gpt-a" || model === "gpt-o") && client === "openaiResponses" ? client : providers[model]?.wire

export const configOf = (port: number): string =>
  `llm:\n  port: 1\n  models:\n${Object.entries(providers)
    .map(([name, { yaml }]) => `  - {name: ${name}, ${yaml(port)}}`)
    .join("\n")}\n`
