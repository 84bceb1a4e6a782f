/** What would change nothing where it stands is refused when it is loaded, by its place in the file. */
import { expect, it } from "vitest"
import { loadedOf } from "./memoryIo.ts"

const http = "{host: '127.0.0.1:1'}"
const models = "{ai: {name: m, provider: {openAI: {}}}}"
const servers = "{mcp: {targets: [{name: t, mcp: {host: 'http://127.0.0.1:1/mcp'}}]}}"

const route = (policies: string, backend = http): string => `gateways: {default: {port: 1}}
routes:
- name: r
  policies: {${policies}}
  backends: [${backend}]
`

const rawRoute = (backend: string, more = ""): string => `binds:
- port: 1
  listeners:
  - protocol: TCP
    tcpRoutes:
    - name: r
      backends: [${backend}]
${more}`

const messages = (text: string): Promise<string> =>
  loadedOf(text).then(
    ({ warnings }) => warnings.map(({ message }) => `warning: ${message}`).join("\n"),
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )

const tokens = "{maxTokens: 5, tokensPerFill: 5, fillInterval: 1s, type: tokens}"
const rules = "{rules: ['true']}"

it.each([
  ["ai, where there are no models", route("ai: {defaults: {a: 1}}"), "ai acts on calls of models"],
  ["a limit on tokens", route(`localRateLimit: [${tokens}]`), "a limit on tokens acts on calls of models"],
  [
    "a limit on tokens under a condition",
    route(`localRateLimit: {conditional: [{condition: "true", ${tokens.slice(1)}]}`),
    "a limit on tokens acts on calls of models",
  ],
  [
    "descriptors for tokens",
    route(
      `remoteRateLimit: {host: '127.0.0.1:2', domain: d, descriptors: [{entries: [{key: a, value: '"a"'}], type: tokens}]}`,
    ),
    "a descriptor for tokens acts on calls of models",
  ],
  ["rules for MCP, where there is none", route(`mcpAuthorization: ${rules}`), "mcpAuthorization judges MCP servers"],
  ["rules for MCP, on models", route(`mcpAuthorization: ${rules}`, models), "mcpAuthorization judges MCP servers"],
  [
    "guardrails of MCP",
    route("mcpGuardrails: {processors: [{host: '127.0.0.1:2', methods: {tools/call: request}}]}"),
    "mcpGuardrails judges MCP servers",
  ],
  ["what is for agents, on MCP servers", route("a2a: {}", servers), "a2a acts on calls of agents"],
  ["what is for agents, on models", route("a2a: {}", models), "a2a acts on calls of agents"],
  [
    "a backend for HTTP, on a raw connection",
    rawRoute(
      "{backend: /runtime}",
      "backends: [{name: runtime, mcp: {targets: [{name: t, mcp: {host: 'http://127.0.0.1:1/mcp'}}]}}]",
    ),
    "a backend of kind Mcp takes no raw connections",
  ],
  [
    "an agent runtime, on a raw connection",
    rawRoute(
      "{backend: /runtime}",
      "backends: [{name: runtime, aws: {agentCore: {agentRuntimeArn: 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/r'}}}]",
    ),
    "a backend of kind AgentCore takes no raw connections",
  ],
  [
    "credentials for a backend, on a raw connection",
    rawRoute("{backend: /b}", "backends: [{name: b, host: '127.0.0.1:1', policies: {backendAuth: {key: k}}}]"),
    "of backend /b: backendAuth has no effect on raw connections",
  ],
  [
    "rules of a backend, on a raw connection",
    rawRoute("{backend: /b}", `backends: [{name: b, host: '127.0.0.1:1', policies: {authorization: ${rules}}}]`),
    "of backend /b: authorization has no effect on raw connections",
  ],
  [
    "rules of requests, attached to a route of raw connections",
    rawRoute(
      http,
      `policies:
- name: {name: p, namespace: default}
  target: {route: {name: r, namespace: default}}
  policy: {authorization: ${rules}}
`,
    ),
    "authorization has no effect on raw connections",
  ],
])("%s", async (_, text, message) => {
  expect(await messages(text)).toContain(message)
})

it.each([
  ["ai on models", route("ai: {defaults: {a: 1}}", models)],
  ["a limit on tokens of models", route(`localRateLimit: [${tokens}]`, models)],
  ["rules for MCP on MCP servers", route(`mcpAuthorization: ${rules}`, servers)],
  ["what is for agents, on a host", route("a2a: {}")],
  [
    "a token check in front of a server of MCP that is behind a plain host",
    route("mcpAuthentication: {issuer: 'https://a.example', audiences: [a], resourceMetadata: {}}"),
  ],
  [
    "a limit on tokens of a whole gateway",
    `gateways: {default: {port: 1}}
policies:
- name: {name: p, namespace: default}
  target: {gateway: {gatewayName: default, gatewayNamespace: default}}
  policy: {localRateLimit: [${tokens}]}
routes:
- backends: [${http}]
- matches: [{path: {pathPrefix: /v1}}]
  backends: [${models}]
`,
  ],
])("but not %s", async (_, text) => {
  expect(await messages(text)).toBe("")
})

it("health of a single host is said to have nothing to choose from", async () => {
  expect(await messages(route("health: {eviction: {duration: 1s}}"))).toMatch(/^warning: health chooses among several/)
})

it.each(['a2a.operation == "SendMessage"', 'mcp.tool.name == "x"', 'llm.requestModel == "m"'])(
  "a rule of a route that would never see %s",
  async (rule) => {
    const text = route(`authorization: {rules: [{deny: '${rule}'}]}`)
    expect(await messages(text)).toMatch(/there is no (?:variable )?|is not known|unknown|undeclared|not available/i)
  },
)
