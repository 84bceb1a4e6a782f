// An MCP server on a pipe that asks another one over HTTP: nothing of what headers said gets past it.
import { createInterface } from "node:readline"

const [, , url] = process.argv
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line)
  const version = message.params?._meta?.["io.modelcontextprotocol/protocolVersion"]
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(version === undefined
        ? {}
        : { "mcp-protocol-version": version, "mcp-method": message.method, "mcp-name": message.params?.name ?? "" }),
    },
    body: line,
  })
  const text = await response.text()
  const data = text.startsWith("{") ? text : text.replaceAll(/^data: ?|^event:.*$/gm, "").trim()
  if (message.id !== undefined && data !== "") process.stdout.write(`${JSON.stringify(JSON.parse(data))}\n`)
}
