/** Who may connect at all, in front of whatever is spoken there: what an agent, a model or a tool serves is no way round it. */
import { afterEach, describe, expect, it } from "vitest"
import { connect, httpUpstream, startGateway } from "./harness.ts"
import { answerOf, ask as askServer, modern, scripted } from "./mcp/harness.ts"
import { ask, type Closing, snapshotOf } from "./services/place.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Spoken {
  /** The gateway in front of it, from the file. */
  readonly file: string
  /** Fails unless it is answered. */
  readonly use: (port: number) => Promise<void>
  readonly asked: () => number
}

const post = async (port: number, path: string, body: object, headers: Record<string, string> = {}) => {
  const answer = await ask(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  })
  expect(answer.status).toBe(200)
  return JSON.parse(answer.body) as Record<string, unknown>
}

const saying = async (body: object) => {
  const server = await httpUpstream((request, response) => {
    request.resume()
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(body))
  })
  closing.push(server.close)
  return server
}

const tools = async () => {
  const server = await scripted(
    modern((turn) =>
      turn.message.method === "tools/list"
        ? turn.result({ resultType: "complete", tools: [], ttlMs: 0, cacheScope: "public" })
        : turn.error(-32_601, "Method not found", undefined, 404),
    ),
  )
  closing.push(server.close)
  const use = async (port: number) => {
    expect(answerOf(await askServer(`http://127.0.0.1:${port}/mcp`, "tools/list")).result?.["tools"]).toEqual([])
  }
  return { server, use, asked: () => server.calls("tools/list").length }
}

const model = async () => {
  const server = await saying({ id: "1", object: "chat.completion", created: 1, model: "m", choices: [] })
  const use = async (port: number) => {
    const question = { model: "m", messages: [{ role: "user", content: "hi" }] }
    expect(await post(port, "/v1/chat/completions", question)).toMatchObject({ object: "chat.completion" })
  }
  return { server, use, asked: () => server.requests.length }
}

const agent = async () => {
  const server = await saying({ jsonrpc: "2.0", id: 1, result: { task: { id: "t", contextId: "c", status: {} } } })
  const use = async (port: number) => {
    const message = { messageId: "m", role: "ROLE_USER", parts: [{ text: "hi" }] }
    const call = { jsonrpc: "2.0", id: 1, method: "SendMessage", params: { message } }
    expect(await post(port, "/", call, { "a2a-version": "1.0" })).toMatchObject({ id: 1 })
  }
  return { server, use, asked: () => server.requests.length }
}

const kinds: Readonly<Record<string, () => Promise<Spoken>>> = {
  "MCP servers": async () => {
    const { server, ...rest } = await tools()
    return { ...rest, file: `mcp: {port: 1, targets: [{name: t, mcp: {host: "${server.url}"}}]}` }
  },
  "a listener for MCP": async () => {
    const { server, ...rest } = await tools()
    return {
      ...rest,
      file: `
gateways: {default: {port: 1, protocol: MCP}}
routes: [{backends: [{mcp: {targets: [{name: t, mcp: {host: "${server.url}"}}]}}]}]`,
    }
  },
  models: async () => {
    const { server, ...rest } = await model()
    return {
      ...rest,
      file: `llm: {port: 1, models: [{name: m, provider: openAI, params: {baseUrl: "http://127.0.0.1:${server.port}/v1", apiKey: k}}]}`,
    }
  },
  "a route to models": async () => {
    const { server, ...rest } = await model()
    return {
      ...rest,
      file: `
gateways: {default: {port: 1}}
routes: [{backends: [{ai: {name: m, provider: {openAI: {}}, hostOverride: "127.0.0.1:${server.port}"}, policies: {backendAuth: {key: k}}}]}]`,
    }
  },
  "a listener for agents": async () => {
    const { server, ...rest } = await agent()
    return {
      ...rest,
      file: `
gateways: {default: {port: 1, protocol: A2A}}
routes: [{backends: [{host: "127.0.0.1:${server.port}"}]}]`,
    }
  },
  "a route to an agent": async () => {
    const { server, ...rest } = await agent()
    return {
      ...rest,
      file: `
gateways: {default: {port: 1}}
routes: [{backends: [{host: "127.0.0.1:${server.port}", policies: {a2a: {}}}]}]`,
    }
  },
}

describe.each(Object.keys(kinds))("in front of %s", (name) => {
  it.each([
    ["rules", (range: string) => `rules: ['cidr("${range}").containsIP(source.address)']`],
    [
      "Cedar",
      (range: string) =>
        `cedar: {policies: 'permit(principal, action == Action::"connect", resource is Port) when { context.isNear };', context: {isNear: 'cidr("${range}").containsIP(source.address)'}}`,
    ],
  ])("%s let a connection stay, or close it before a byte is said", async (_by, words) => {
    const kind = await kinds[name]?.()
    if (kind === undefined) throw new Error(name)
    const from = async (range: string) => {
      const file = `frontendPolicies:\n  networkAuthorization: {${words(range)}}\n${kind.file}\n`
      const gateway = await startGateway(await snapshotOf(file))
      closing.push(gateway.close)
      return gateway
    }
    await kind.use((await from("127.0.0.0/8")).port)
    const before = kind.asked()
    expect(before).toBeGreaterThan(0)

    const denied = await from("10.0.0.0/8")
    const client = await connect(denied.port)
    client.write("POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
    await client.gone()
    expect(client.text).toBe("")
    await expect(kind.use(denied.port)).rejects.toThrow(/hang up|ECONNRESET|fetch failed|EPIPE/)
    expect(denied.told.rejected.map(({ stage }) => stage)).toEqual(["networkAuthorization", "networkAuthorization"])
    expect(denied.told.exchanges).toEqual([])
    expect(kind.asked()).toBe(before)
  })
})
