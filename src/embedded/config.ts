import { notesDocument } from "./notes.ts"

/** Providers whose models have names of their own, by the variable that their own SDKs take a key from. */
const byKey: ReadonlyArray<readonly [variable: string, provider: string, models: ReadonlyArray<string>]> = [
  ["OPENAI_API_KEY", "openAI", ["gpt-*", "chatgpt-*", "o1*", "o3*", "o4*", "text-embedding-*"]],
  ["ANTHROPIC_API_KEY", "anthropic", ["claude-*"]],
  ["GEMINI_API_KEY", "gemini", ["gemini-*"]],
  ["MISTRAL_API_KEY", "mistral", ["mistral-*", "magistral-*", "codestral-*"]],
  ["DEEPSEEK_API_KEY", "deepseek", ["deepseek-*"]],
  ["XAI_API_KEY", "xai", ["grok-*"]],
]

const modelsFor = (env: Readonly<Record<string, string | undefined>>): string =>
  byKey
    .filter(([variable]) => (env[variable] ?? "").trim() !== "")
    .flatMap(([variable, provider, models]) =>
      models.map((name) => `    - { name: "${name}", provider: ${provider}, params: { apiKey: "\${${variable}}" } }\n`),
    )
    .join("")

/**
 * What is served when nothing was configured: useful at once, and without a network; providers whose key is in the
 * environment beside the built-in one.
 */
export const embeddedFor = (env: Readonly<Record<string, string | undefined>>): string => `
gateways:
  default:
    port: \${SLUICE_PORT:-4000}
llm:
  matches: [{ path: { pathPrefix: /v1 } }, { path: { pathPrefix: /v1beta } }]
  models:
${modelsFor(env)}    - name: "*"
      provider: echo
mcp:
  prefixMode: onConflict
  targets:
    - name: text
      stdio: { cmd: "\${SLUICE_NODE}", args: ["\${SLUICE_TEXT_SERVER}"], shared: true }
    - name: clock
      mcp: { host: "http://127.0.0.1:\${SLUICE_SAMPLE_PORT}/mcp" }
    - name: notes
      openapi:
        host: "http://127.0.0.1:\${SLUICE_SAMPLE_PORT}"
        schema: ${JSON.stringify(notesDocument)}
routes:
  - name: agent
    matches: [{ path: { pathPrefix: /agents/echo } }]
    policies:
      a2a: { bridge: { card: /agent/.well-known/agent-card.json } }
    backends:
      - host: 127.0.0.1:\${SLUICE_SAMPLE_PORT}
  - name: sample
    policies:
      cors:
        allowOrigins: ["*"]
        allowMethods: ["*"]
        allowHeaders: ["*"]
    backends:
      - host: 127.0.0.1:\${SLUICE_SAMPLE_PORT}
`

/** Where there are no keys. */
export const embedded = embeddedFor({})

/** A loopback port stands for the sample where it is not running. */
export const withoutSample = { SLUICE_SAMPLE_PORT: "1", SLUICE_NODE: "node", SLUICE_TEXT_SERVER: "text-server" }
