/** Gateways that point at each other: a question that comes back is refused, and says so, whatever carried it round. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { afterEach, describe, expect, it } from "vitest"
import { everyInterface, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientAt, clientSpeaking, gatewayFor } from "./gateway.ts"
import { Role } from "@a2a-js/sdk"
import { freePort } from "../../freePort.ts"

const closing: Array<{ readonly close: () => Promise<unknown> }> = []
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close()
})

const gateway = async (text: string, port = 0): Promise<string> => {
  const started = await gatewayFor(text, {}, port)
  closing.push(started)
  return `http://127.0.0.1:${started.port}`
}

/** Two gateways, each told where the other one is. */
const two = async (one: (other: number) => string, another: (other: number) => string): Promise<[string, string]> => {
  const [a, b] = [await freePort(), await freePort()]
  return [await gateway(one(b), a), await gateway(another(a), b)]
}

const params = (text = "hello") => ({
  message: { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ text }] },
})
const send = (text?: string) => ({ jsonrpc: "2.0", id: "mine", method: "SendMessage", params: params(text) })
const modern = { "a2a-version": "1.0" }

const sdkMessage = (text: string) => ({
  tenant: "",
  message: {
    messageId: crypto.randomUUID(),
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [textPart(text)],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  },
  configuration: undefined,
  metadata: undefined,
})

describe("agents passed through as they are", () => {
  it("refuse what comes back, in the words of the client", async () => {
    const routes = (port: number) => `routes: [{backends: [{host: '127.0.0.1:${port}', policies: {a2a: {}}}]}]`
    const [root] = await two(routes, routes)
    const rpc = await ask("POST", root, send(), modern)
    expect(rpc.status).toBe(508)
    expect(rpc.body).toMatchObject({
      jsonrpc: "2.0",
      id: "mine",
      error: { message: "loop detected: it has come back to where it has been" },
    })
    const rest = await ask("POST", `${root}/message:send`, params(), modern)
    expect(rest.status).toBe(508)
    expect(rest.body).toMatchObject({ error: { message: expect.stringContaining("loop detected") } })
    const grpc = await clientAt(root, { binding: "GRPC", version: "1.0" })
    await expect(grpc.sendMessage(sdkMessage("hello"))).rejects.toThrow(/loop detected/)
  })
})

describe.each(everyInterface)("agents bridged in $binding $version", (between) => {
  it("refuse what comes back, whatever the client speaks", async () => {
    const routes = (port: number) => `
routes:
- backends:
  - host: '127.0.0.1:${port}'
    policies: {a2a: {bridge: {interfaces: [{binding: '${between.binding}', version: '${between.version}'}]}}}
`
    const [root] = await two(routes, routes)
    for (const dialed of everyInterface) {
      const client = await clientAt(root, dialed)
      const asked = client.sendMessage(sdkMessage("hello"))
      await expect(asked, `${dialed.binding} ${dialed.version}`).rejects.toThrow(/loop detected/)
    }
  })
})

it("the card of an agent that is itself behind the gateway is not waited for", async () => {
  const routes = (port: number) => `routes: [{backends: [{host: '127.0.0.1:${port}', policies: {a2a: {bridge: {}}}}]}]`
  const [root] = await two(routes, routes)
  const { status, text } = await ask("GET", `${root}/.well-known/agent-card.json`)
  expect(status).toBe(508)
  expect(text).toContain("loop detected")
  const sent = await ask("POST", root, send(), modern)
  expect(sent.body).toMatchObject({ id: "mine", error: { message: expect.stringContaining("loop detected") } })
})

it("catalogues of each other's agents do not ask each other for ever", async () => {
  const agent = await startAgent()
  closing.push(agent)
  const routes = (port: number) => `
backends:
- name: agents
  a2a:
    agents:
    - {name: here, host: '127.0.0.1:${agent.port}'}
    - {name: there, host: '127.0.0.1:${port}'}
routes: [{backends: [{backend: /agents}]}]
`
  const [root] = await two(routes, routes)
  const { body } = await ask("GET", `${root}/agents`)
  const { agents } = body as { agents: ReadonlyArray<{ id: string; health: string; skills: ReadonlyArray<unknown> }> }
  expect(agents.find(({ id }) => id === "here")?.skills).toHaveLength(1)
})

const tool = (port: number) => `mcp: {targets: [{name: friend, a2a: {host: 'http://127.0.0.1:${port}'}}]}`

const call = (method: string, more: object = {}) => ({
  jsonrpc: "2.0",
  id: 7,
  method,
  params: {
    ...more,
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    },
  },
})
const mcpHeaders = (method: string, name?: string) => ({
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": method,
  ...(name === undefined ? {} : { "mcp-name": name }),
})

describe("an agent as a tool of servers that are an agent", () => {
  it.each(["over HTTP", "through a pipe"])(
    "%s",
    async (how) => {
      const forwarder = fileURLToPath(new URL("./forward.mjs", import.meta.url))
      const back = (port: number) =>
        how === "over HTTP"
          ? `mcp: {host: 'http://127.0.0.1:${port}/mcp'}`
          : `protocol: modern, stdio: {cmd: node, args: ['${forwarder}', 'http://127.0.0.1:${port}/mcp']}`
      const [root] = await two(
        (other) => `routes: [{backends: [{${tool(other)}}]}]`,
        (other) => `
routes:
- backends:
  - mcp: {targets: [{name: back, ${back(other)}}]}
    policies: {a2a: {publish: {name: Toolbox}}}
`,
      )
      const listed = await ask("POST", `${root}/mcp`, call("tools/list"), mcpHeaders("tools/list"))
      const called = await ask("POST", `${root}/mcp`, call("tools/call", { name: "x", arguments: {} }), {
        ...mcpHeaders("tools/call", "x"),
      })
      for (const { text } of [listed, called]) {
        const answer = JSON.parse(text.startsWith("{") ? text : text.replaceAll(/^(?:data: ?|event:.*$)/gm, ""))
        expect(answer).toMatchObject({
          jsonrpc: "2.0",
          id: 7,
          error: { message: expect.stringContaining("loop detected") },
        })
      }
    },
    30_000,
  )
})

it("a model that is an agent, and whose provider asks the gateway again", async () => {
  const provider = (port: number) => `ai: {name: m, provider: {openAI: {model: m}}, hostOverride: '127.0.0.1:${port}'}`
  const [root] = await two(
    (other) => `
routes:
- matches: [{path: {pathPrefix: /agent}}]
  backends: [{${provider(other)}, policies: {a2a: {publish: {name: Sage}}}}]
- backends: [{${provider(other)}}]
`,
    (other) => `routes: [{backends: [{${provider(other)}}]}]`,
  )
  const { body } = await ask("POST", `${root}/agent`, send(), modern)
  expect(body).toMatchObject({
    id: "mine",
    result: {
      task: {
        status: {
          state: "TASK_STATE_FAILED",
          message: { parts: [{ text: expect.stringContaining("loop detected") }] },
        },
      },
    },
  })
})

describe("what is no loop", () => {
  it("passes gateways that are alike but for where they are", async () => {
    const agent = await startAgent()
    closing.push(agent)
    const routes = (at: string) => `
backends: [{name: agent, host: '${at}', policies: {a2a: {bridge: {}}}}]
routes: [{backends: [{backend: /agent}]}]
`
    let root = `http://127.0.0.1:${agent.port}`
    for (let i = 0; i < 3; i++) root = await gateway(routes(root.slice("http://".length)))
    const client = await clientSpeaking(root, { binding: "JSONRPC", version: "1.0" })
    await client.sendMessage(sdkMessage("hello"))
    expect(agent.behaviour.begun).toHaveLength(1)
  })
})

describe("an agent that asks further", () => {
  it("is stopped when its trace leads back to it again and again", async () => {
    let asked = 0
    let root = ""
    const answers: Array<string> = []
    // Says on what every traced program says on, and nothing of proxies.
    const server = http.createServer((request, response) => {
      request.resume()
      asked++
      const { traceparent, tracestate } = request.headers as Record<string, string>
      void ask("POST", root, send(), { ...modern, traceparent, tracestate } as Record<string, string>).then(
        ({ body, text }) => {
          answers.push(text)
          response.setHeader("content-type", "application/json")
          response.end(JSON.stringify(body))
        },
      )
    })
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
    closing.push({
      close: async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    })
    const { port } = server.address() as AddressInfo
    root = await gateway(`routes: [{backends: [{host: '127.0.0.1:${port}', policies: {a2a: {}}}]}]`)
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    const { body } = await ask("POST", root, send(), { ...modern, traceparent, tracestate: "other=1" })
    expect(body).toMatchObject({ error: { message: expect.stringContaining("have been here 4 times") } })
    expect(asked).toBe(4)
    expect(answers).toHaveLength(4)
  })
})
