/**
 * The gateway as the client under test: `node client.ts <url>` puts one in front of the suite's server and an SDK client in
 * front of that, and does what the scenario waits for. The suite names the scenario in the environment.
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { mcpGateway } from "../../e2e/mcp/harness.ts"

type Json = Record<string, unknown>
type Tool = Awaited<ReturnType<Client["listTools"]>>["tools"][number]

const target = process.argv.at(-1) ?? ""
const scenario = process.env["MCP_CONFORMANCE_SCENARIO"] ?? ""
const revision = process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] ?? "2025-11-25"
const context = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}") as {
  readonly toolCalls?: ReadonlyArray<{ readonly name: string; readonly arguments: Json }>
}
const isModern = revision >= "2026-07-28"

const sample = (schema: Json): unknown => {
  if ("default" in schema) return schema["default"]
  switch (schema["type"]) {
    case "number":
    case "integer":
      return 1
    case "boolean":
      return true
    case "array":
      return []
    case "object":
      return {}
    default:
      return "text"
  }
}

/** Something for every argument that is required. */
const argumentsFor = ({ inputSchema }: Tool): Json => {
  const { properties = {}, required = [] } = inputSchema as {
    properties?: Record<string, Json>
    required?: Array<string>
  }
  return Object.fromEntries(required.map((name) => [name, sample(properties[name] ?? {})]))
}

const client = new Client(
  { name: "conformance-driver", version: "1.0.0" },
  {
    capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
    versionNegotiation: { mode: isModern ? { pin: "2026-07-28" } : "legacy" },
  },
)
client.setRequestHandler("elicitation/create", ({ params }) => {
  const { properties = {} } =
    (params as { requestedSchema?: { properties?: Record<string, Json> } }).requestedSchema ?? {}
  const content = Object.fromEntries(
    Object.entries(properties).flatMap(([name, one]) => ("default" in one ? [] : [[name, sample(one)]])),
  )
  return { action: "accept", content: content as Record<string, string> }
})

const gateway = await mcpGateway(`{targets: [{name: suite, mcp: {host: "${target}"}}]}`)
await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)))

/** A tool that fails, or that the gateway rightly hides, is no failure of the run. */
const call = (name: string, args: Json): Promise<unknown> =>
  client.callTool({ name, arguments: args }).catch((cause: unknown) => console.error(`${name}: ${String(cause)}`))

if (scenario !== "initialize") {
  const { tools } = await client.listTools()
  if (context.toolCalls !== undefined) {
    for (const { arguments: args, name } of context.toolCalls) await call(name, args)
  } else if (scenario === "json-schema-2020-12-preservation") {
    const focal = tools.find(({ name }) => name === "json_schema_2020_12_tool")
    const echo = tools.find(({ name }) => name !== "json_schema_2020_12_tool")
    await call(echo?.name ?? "", { schema: focal?.inputSchema ?? {} })
  } else {
    // At the same time, so that what belongs to one call can be told from what belongs to another.
    await Promise.all(tools.map((tool) => call(tool.name, argumentsFor(tool))))
  }
  const capabilities = client.getServerCapabilities()
  if (capabilities?.resources !== undefined) {
    const { resources } = await client.listResources()
    for (const { uri } of resources) await client.readResource({ uri })
  }
  if (capabilities?.prompts !== undefined) {
    const { prompts } = await client.listPrompts()
    for (const { name } of prompts) await client.getPrompt({ name })
  }
}
await client.close()
await gateway.close()
