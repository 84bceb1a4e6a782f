/** The tools that answer without asking anything. */
import type { ClientCapabilities, McpServer, McpRequestContext, ServerContext } from "@modelcontextprotocol/server"
import { CLIENT_CAPABILITIES_META_KEY, fromJsonSchema, inputRequired } from "@modelcontextprotocol/server"
import { audio, embedded, image, schema2020, text } from "./content.ts"
import type { Fixture } from "./Fixture.ts"

export type Era = McpRequestContext["era"]

/** What the client can do: said with each request in one era, and once in the other. */
export const capabilitiesOf = (server: McpServer, { mcpReq }: ServerContext): ClientCapabilities | undefined =>
  (mcpReq.envelope as Readonly<Record<string, ClientCapabilities>> | undefined)?.[CLIENT_CAPABILITIES_META_KEY] ??
  server.server.getClientCapabilities()

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

const progress = async (ctx: ServerContext, done: number, total: number): Promise<void> => {
  const token = ctx.mcpReq._meta?.progressToken
  if (token === undefined) return
  await ctx.mcpReq.notify({
    method: "notifications/progress",
    params: { progressToken: token, progress: done, total },
  })
}

/** Arguments as an object of strings. */
export const strings = (...names: ReadonlyArray<string>) =>
  fromJsonSchema<Record<string, string>>({
    type: "object",
    properties: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
    required: [...names],
  })

export const plainTools = (server: McpServer, fixture: Fixture, era: Era): void => {
  const say = (name: string, description: string, content: () => ReadonlyArray<object>) =>
    server.registerTool(name, { description }, () => ({ content: [...content()] as never }))

  say("test_simple_text", "Says one sentence.", () => [text("This is a simple text response for testing.")])
  say("test_image_content", "Shows one pixel.", () => [image])
  say("test_audio_content", "Plays nothing.", () => [audio])
  say("test_embedded_resource", "Carries a resource.", () => [
    embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
  ])
  say("test_multiple_content_types", "Carries three kinds of content.", () => [
    text("Multiple content types test:"),
    image,
    embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
  ])
  server.registerTool("test_error_handling", { description: "Fails on purpose." }, () => {
    throw new Error("This tool intentionally returns an error for testing")
  })

  server.registerTool("test_tool_with_logging", { description: "Logs three times." }, async (ctx) => {
    await ctx.mcpReq.log("info", "Tool execution started")
    await pause(50)
    await ctx.mcpReq.log("info", "Tool processing data")
    await pause(50)
    await ctx.mcpReq.log("info", "Tool execution completed")
    return { content: [text("Logged three times")] }
  })
  server.registerTool("test_logging_tool", { description: "Logs once, for those who listen." }, async (ctx) => {
    await ctx.mcpReq.log("info", "Logged by test_logging_tool")
    return { content: [text("Logged once")] }
  })
  server.registerTool("test_tool_with_progress", { description: "Reports progress three times." }, async (ctx) => {
    await progress(ctx, 0, 100)
    await pause(50)
    await progress(ctx, 50, 100)
    await pause(50)
    await progress(ctx, 100, 100)
    return { content: [text("Done in three steps")] }
  })
  server.registerTool("test_reconnection", { description: "Closes its stream and goes on." }, async (ctx) => {
    ctx.http?.closeSSE?.()
    await pause(100)
    return { content: [text("Reconnection test completed")] }
  })

  server.registerTool(
    "json_schema_2020_12_tool",
    { description: "Takes arguments that need JSON Schema 2020-12.", inputSchema: fromJsonSchema(schema2020 as never) },
    (args) => ({ content: [text(JSON.stringify(args))] }),
  )
  server.registerTool(
    "test_x_mcp_header",
    {
      description: "Takes an argument that is repeated in a header.",
      inputSchema: fromJsonSchema<{ region: string }>({
        type: "object",
        properties: { region: { type: "string", "x-mcp-header": "Region" } },
        required: ["region"],
      } as never),
    },
    ({ region }) => ({ content: [text(`region=${region}`)] }),
  )

  server.registerTool("test_missing_capability", { description: "Needs a client that can sample." }, (ctx) => {
    if (capabilitiesOf(server, ctx)?.sampling !== undefined) {
      return { content: [text("The client can sample")] }
    }
    // An old client is told by the result. To a new one, asking what it cannot answer is the error that is due.
    if (era === "legacy") throw new Error("Client does not support sampling")
    const messages = [{ role: "user" as const, content: text("Say something") }]
    return inputRequired({ inputRequests: { sampled: inputRequired.createMessage({ messages, maxTokens: 10 }) } })
  })
  server.registerTool("test_trigger_tool_change", { description: "Changes the list of tools." }, () => {
    fixture.toolsChanged()
    return { content: [text("The list of tools has changed")] }
  })
  server.registerTool("test_trigger_prompt_change", { description: "Changes the list of prompts." }, () => {
    fixture.promptsChanged()
    return { content: [text("The list of prompts has changed")] }
  })
  server.registerTool("test_trigger_resource_update", { description: "Changes the watched resource." }, () => {
    fixture.resourceUpdated("test://watched-resource")
    return { content: [text("The watched resource has changed")] }
  })
  const extra = server.registerTool("test_triggered_tool", { description: "Comes and goes." }, () => ({
    content: [text("Here for now")],
  }))
  if (!fixture.extraTool) extra.disable()
}
