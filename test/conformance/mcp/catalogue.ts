/** The prompts and resources of the fixture. */
import type { McpServer } from "@modelcontextprotocol/server"
import { acceptedContent, inputRequired, ResourceTemplate } from "@modelcontextprotocol/server"
import { embedded, image, png, text } from "./content.ts"
import type { Fixture } from "./Fixture.ts"
import { strings } from "./tools.ts"

type Content = ReturnType<typeof text> | typeof image | ReturnType<typeof embedded>

const said = (...contents: ReadonlyArray<Content>) => ({
  messages: contents.map((content) => ({ role: "user" as const, content })),
})

export const prompts = (server: McpServer, fixture: Fixture): void => {
  server.registerPrompt("test_simple_prompt", { description: "One sentence." }, () =>
    said(text("This is a simple prompt for testing.")),
  )
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "Two arguments in a sentence.", argsSchema: strings("arg1", "arg2") },
    ({ arg1, arg2 }) => said(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  )
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "A resource, and what to do with it.", argsSchema: strings("resourceUri") },
    ({ resourceUri = "" }) =>
      said(
        embedded(resourceUri, "text/plain", "Embedded resource content for testing."),
        text("Please process the embedded resource above."),
      ),
  )
  server.registerPrompt("test_prompt_with_image", { description: "An image, and what to do with it." }, () =>
    said(image, text("Please analyze the image above.")),
  )
  server.registerPrompt("test_input_required_result_prompt", { description: "Asks before it is given." }, (ctx) => {
    const context = acceptedContent(ctx.mcpReq.inputResponses, "user_context")?.["context"]
    return typeof context === "string"
      ? said(text(`Use this context: ${context}`))
      : inputRequired({
          inputRequests: {
            user_context: inputRequired.elicit({
              message: "What context should the prompt use?",
              requestedSchema: { type: "object", properties: { context: { type: "string" } }, required: ["context"] },
            }),
          },
        })
  })
  const extra = server.registerPrompt("test_triggered_prompt", { description: "Comes and goes." }, () =>
    said(text("Here for now")),
  )
  if (!fixture.extraPrompt) extra.disable()
  server.server.setRequestHandler("completion/complete", ({ params }) => {
    const all = ["paris", "park", "party", "london"]
    const values = all.filter((one) => one.startsWith(params.argument.value))
    return { completion: { values, total: values.length, hasMore: false } }
  })
}

export const resources = (server: McpServer): void => {
  const fixed = (uri: string, name: string, mimeType: string, contents: { text: string } | { blob: string }) =>
    server.registerResource(name, uri, { description: `The resource ${name}.`, mimeType }, () => ({
      contents: [{ uri, mimeType, ...contents }],
    }))
  fixed("test://static-text", "static-text", "text/plain", {
    text: "This is the content of the static text resource.",
  })
  fixed("test://static-binary", "static-binary", "image/png", { blob: png })
  fixed("test://watched-resource", "watched-resource", "text/plain", { text: "Watched." })
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "Data by id.", mimeType: "application/json" },
    (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
        },
      ],
    }),
  )
}
