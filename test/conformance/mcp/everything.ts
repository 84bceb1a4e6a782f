/** A server with every name that the conformance suite asks for, of either era. */
import { McpServer } from "@modelcontextprotocol/server"
import { prompts, resources } from "./catalogue.ts"
import { interactiveTools, roundTripTools, states } from "./interactive.ts"
import type { Fixture } from "./Fixture.ts"
import { type Era, plainTools } from "./tools.ts"

export const everything = (fixture: Fixture, era: Era): McpServer => {
  const server = new McpServer(
    { name: "everything-fixture", version: "1.0.0" },
    {
      instructions: "A fixture for the conformance suite.",
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        completions: {},
        logging: {},
      },
      requestState: { verify: states.verify },
    },
  )
  plainTools(server, fixture, era)
  interactiveTools(server, fixture, era)
  roundTripTools(server)
  prompts(server, fixture)
  resources(server)
  if (era === "legacy") {
    server.server.setRequestHandler("resources/subscribe", () => ({}))
    server.server.setRequestHandler("resources/unsubscribe", () => ({}))
  }
  return server
}
