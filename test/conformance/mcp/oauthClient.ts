/**
 * The gateway as the client of OAuth under test: `node oauthClient.ts <url>` puts one in front of the suite's server and an
 * SDK client in front of that. The person behind it opens whatever link comes and agrees. The suite names the scenario in
 * the environment.
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Browser } from "../../e2e/mcp/oauth/browser.ts"
import { mcpGateway } from "../../e2e/mcp/harness.ts"

const target = process.argv.at(-1) ?? ""
const scenario = process.env["MCP_CONFORMANCE_SCENARIO"] ?? ""
const revision = process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] ?? "2025-11-25"
const context = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}") as {
  readonly client_id?: string
  readonly client_secret?: string
  readonly private_key_pem?: string
  readonly signing_algorithm?: string
}

/** By which name the suite expects a client that is known by a document. */
const document = "https://conformance-test.local/client-metadata.json"

const clientOf = (): string => {
  const { client_id: id, client_secret: secret, private_key_pem: pem, signing_algorithm: algorithm } = context
  if (id === undefined) return ""
  const own = scenario.startsWith("auth/client-credentials") ? "grant: gateway, " : ""
  if (pem !== undefined) {
    return `${own}clientId: ${id}, method: privateKeyJwt, alg: ${algorithm ?? "ES256"}, signingKey: ${JSON.stringify(pem)}`
  }
  return `${own}clientId: ${id}${secret === undefined ? "" : `, clientSecret: ${secret}`}`
}

const own = clientOf()
const connections = own.startsWith("grant: gateway") ? "" : `, connections: {clientDocument: "${document}"}`
const gateway = await mcpGateway(
  `{targets: [{name: suite, mcp: {host: "${target}"}, oauth: {${own}}}]${connections}}`,
  { options: { drain: { minMillis: 0, maxMillis: 200 } } },
)
const browser = new Browser()
const client = new Client(
  { name: "conformance-driver", version: "1.0.0" },
  {
    capabilities: { elicitation: { url: {} } },
    versionNegotiation: { mode: revision >= "2026-07-28" ? { pin: "2026-07-28" } : "legacy" },
  },
)
client.setRequestHandler("elicitation/create", async ({ params }) => {
  const { status, text } = await browser.agree((params as { url: string }).url)
  if (status === 200) return { action: "accept" }
  console.error(text.replace(/<style>.*<\/style>/s, "").replace(/<[^>]+>/g, " "))
  return { action: "decline" }
})
const call = async (name: string): Promise<void> => {
  try {
    const result = await client.callTool({ name, arguments: {} })
    console.error(`${name}: ${JSON.stringify(result).slice(0, 500)}`)
  } catch (cause) {
    console.error(`${name}: ${String(cause)}`)
  }
}
const names = async (): Promise<ReadonlyArray<string>> => (await client.listTools()).tools.map(({ name }) => name)

await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)))
// What is there before the login leads to it; what is there after it is called, twice, because much may change in between.
for (let i = 0; i < 3; i++) for (const name of await names()) await call(name)
await client.close()
await gateway.close()
