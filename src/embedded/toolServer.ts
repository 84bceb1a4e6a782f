/** A small MCP server of both eras, for the bundled examples: tools that answer at once, and nothing else. */

export interface SampleTool {
  readonly name: string
  readonly description: string
  readonly inputSchema: object
  readonly readOnly: boolean
  /** The text it answers with; what it throws is the error of the tool. */
  readonly run: (args: Readonly<Record<string, unknown>>) => string
}

export interface ToolServer {
  readonly name: string
  readonly instructions: string
  readonly tools: ReadonlyArray<SampleTool>
}

export interface Answered {
  /** The message that answers; absent for notifications. */
  readonly message: object | undefined
  /** By which HTTP says how it went. */
  readonly status: number
}

const modern = "2026-07-28"
const legacy = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]
const version = "1.0.0"

type Json = Readonly<Record<string, unknown>>

const isMap = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const mapAt = (value: unknown, name: string): Json => {
  const found = isMap(value) ? value[name] : undefined
  return isMap(found) ? found : {}
}

/** A text that is one of the arguments; what is missing is the caller's mistake. */
export const textArgument = (args: Readonly<Record<string, unknown>>, name: string): string => {
  const value = args[name]
  if (typeof value !== "string") throw new Error(`the argument ${name} must be a text`)
  return value
}

export const answer = (server: ToolServer, message: unknown): Answered => {
  const id = isMap(message) ? message["id"] : undefined
  const method = isMap(message) ? message["method"] : undefined
  const failed = (code: number, text: string, status: number): Answered => ({
    message: { jsonrpc: "2.0", id: id ?? null, error: { code, message: text } },
    status,
  })
  if (typeof method !== "string") return failed(-32_600, "Invalid request", 400)
  if (id === undefined) return { message: undefined, status: 202 }
  const params = mapAt(message, "params")
  const isModern = mapAt(params, "_meta")["io.modelcontextprotocol/protocolVersion"] === modern
  const identity = { name: server.name, version }
  const succeeded = (result: object): Answered => ({
    message: {
      jsonrpc: "2.0",
      id,
      result: isModern
        ? { resultType: "complete", ...result, _meta: { "io.modelcontextprotocol/serverInfo": identity } }
        : result,
    },
    status: 200,
  })
  const kept = isModern ? { ttlMs: 3_600_000, cacheScope: "public" } : {}
  const { instructions } = server
  switch (method) {
    case "initialize": {
      if (isModern) return failed(-32_601, "Method not found", 404)
      const asked = params["protocolVersion"]
      const protocolVersion = typeof asked === "string" && legacy.includes(asked) ? asked : legacy[0]
      return succeeded({ protocolVersion, capabilities: { tools: {} }, serverInfo: identity, instructions })
    }
    case "server/discover":
      if (!isModern) return failed(-32_601, "Method not found", 200)
      return succeeded({ supportedVersions: [modern], capabilities: { tools: {} }, instructions, ...kept })
    case "ping":
      return isModern ? failed(-32_601, "Method not found", 404) : succeeded({})
    case "tools/list":
      return succeeded({ tools: server.tools.map(listed), ...kept })
    case "tools/call": {
      const tool = server.tools.find(({ name }) => name === params["name"])
      if (tool === undefined) return failed(-32_602, `Unknown tool: ${String(params["name"])}`, 200)
      try {
        return succeeded({ content: [{ type: "text", text: tool.run(mapAt(params, "arguments")) }] })
      } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause)
        return succeeded({ content: [{ type: "text", text }], isError: true })
      }
    }
    default:
      return failed(-32_601, "Method not found", isModern ? 404 : 200)
  }
}

const listed = ({ description, inputSchema, name, readOnly }: SampleTool): object => ({
  name,
  description,
  inputSchema,
  annotations: { readOnlyHint: readOnly, openWorldHint: false },
})
