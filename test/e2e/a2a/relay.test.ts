import { Role } from "@a2a-js/sdk"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Agent, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientOf, gatewayFor } from "./gateway.ts"
import type { Started } from "../harness.ts"

const hello = (messageId: string) => ({
  tenant: "",
  message: {
    messageId,
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [textPart("hello")],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  },
  configuration: undefined,
  metadata: undefined,
})

describe("an agent behind a2a: {}", () => {
  let agent: Agent
  let gateway: Started
  let root: string

  beforeAll(async () => {
    agent = await startAgent({ at: "http://agent.internal:9999" })
    gateway = await gatewayFor(`
routes:
- matches: [{path: {pathPrefix: /agents/sample}}]
  policies: {urlRewrite: {path: {prefix: /}}, a2a: {}}
  backends: [{host: '127.0.0.1:${agent.port}'}]
- matches: [{path: {pathPrefix: /}}]
  policies: {a2a: {}}
  backends: [{host: '127.0.0.1:${agent.port}'}]
`)
    root = `http://127.0.0.1:${gateway.port}`
  })
  afterAll(async () => {
    await gateway.close()
    await agent.close()
  })

  const cardOf = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await ask("GET", `${root}${path}/.well-known/agent-card.json`, undefined, headers)
    expect(answer.status).toBe(200)
    return answer.body as Record<string, never>
  }
  const urlsOf = (card: Record<string, unknown>): ReadonlyArray<string> => {
    const lists = [card["supportedInterfaces"] ?? [], card["additionalInterfaces"] ?? []].flat()
    const urls = lists.map((one) => String((one as { readonly url: string }).url))
    return card["url"] === undefined ? urls : [String(card["url"]), ...urls]
  }

  it("has cards of both versions that lead through the gateway, whatever route they were asked by", async () => {
    for (const path of ["", "/agents/sample"]) {
      for (const version of ["1.0", "0.3"]) {
        const card = await cardOf(path, { "a2a-version": version })
        const urls = urlsOf(card)
        expect(urls.length).toBeGreaterThanOrEqual(2)
        expect(new Set(urls)).toEqual(new Set([`${root}${path}/a2a/jsonrpc`, `${root}${path}/a2a/rest`]))
        expect(card).not.toHaveProperty("signatures")
      }
    }
  })

  it("is named as proxies in front of the gateway name it", async () => {
    const card = await cardOf("/agents/sample", {
      "a2a-version": "1.0",
      "x-forwarded-host": "agents.example.com",
      "x-forwarded-proto": "https",
    })
    expect(urlsOf(card)[0]).toBe("https://agents.example.com/agents/sample/a2a/jsonrpc")
  })

  it("has cards with a tag of their own", async () => {
    const url = `${root}/.well-known/agent-card.json`
    const first = await ask("GET", url)
    const tag = first.headers.get("etag") ?? ""
    expect(first.headers.get("vary")?.toLowerCase()).toContain("x-forwarded-host")
    expect((await ask("GET", url, undefined, { "if-none-match": tag })).status).toBe(304)
    expect((await ask("GET", url, undefined, { "if-none-match": '"other"' })).status).toBe(200)
    const elsewhere = await ask("GET", url, undefined, { "if-none-match": tag, "x-forwarded-host": "b.example" })
    expect(elsewhere.status).toBe(200)
  })

  it.each(["JSONRPC", "HTTP+JSON"] as const)(
    "is spoken to by %s in both versions through what its card says",
    async (binding) => {
      for (const version of ["1.0", "0.3"]) {
        const before = agent.asked.length
        const client = await clientOf(`${root}/agents/sample/.well-known/agent-card.json`, binding)
        const result = await client.sendMessage(hello(`${binding}-${version}`))
        expect(result).toMatchObject({ artifacts: [{ parts: [{ content: { value: "hello" } }] }] })
        const events: Array<string | undefined> = []
        for await (const event of client.sendMessageStream(hello("stream"))) events.push(event.payload?.$case)
        expect(events).toEqual(["task", "statusUpdate", "artifactUpdate", "statusUpdate"])
        expect(agent.asked.length).toBeGreaterThan(before)
      }
    },
  )

  it("has its extended card rewritten as well, by whatever binding it is asked for", async () => {
    const rpc = await ask(
      "POST",
      `${root}/agents/sample/a2a/jsonrpc`,
      { jsonrpc: "2.0", id: 7, method: "GetExtendedAgentCard", params: {} },
      { "a2a-version": "1.0" },
    )
    const { id, result } = rpc.body as { id: number; result: Record<string, unknown> }
    expect(id).toBe(7)
    expect(urlsOf(result)[0]).toBe(`${root}/agents/sample/a2a/jsonrpc`)
    const rest = await ask("GET", `${root}/a2a/rest/extendedAgentCard`, undefined, { "a2a-version": "1.0" })
    expect(urlsOf(rest.body as Record<string, unknown>)[0]).toBe(`${root}/a2a/jsonrpc`)
  })

  it("is told what it is told, byte for byte, and its errors are its own", async () => {
    const wrong = await ask("POST", `${root}/a2a/jsonrpc`, "{", { "a2a-version": "1.0" })
    const direct = await ask("POST", `http://127.0.0.1:${agent.port}/a2a/jsonrpc`, "{", { "a2a-version": "1.0" })
    expect(wrong.text).toBe(direct.text)
    expect(wrong.status).toBe(direct.status)
  })

  it("shows in the journal what was asked and where the task stands", async () => {
    gateway.told.exchanges.length = 0
    await ask(
      "POST",
      `${root}/a2a/jsonrpc`,
      { jsonrpc: "2.0", id: 1, method: "tasks/get", params: { id: "nobody" } },
      {},
    )
    const client = await clientOf(`${root}/.well-known/agent-card.json`, "JSONRPC")
    await client.sendMessage(hello("tck-input-required"))
    const facts = gateway.told.exchanges.flatMap(({ exchange }) => {
      const fields = exchange.notes?.a2a?.fields() ?? []
      return fields.length === 0 ? [] : [Object.fromEntries(fields)]
    })
    expect(facts).toEqual([
      { "a2a.method": "tasks/get", "a2a.response.outcome": "error", "a2a.response.error_code": -32001 },
      {
        "a2a.method": "SendMessage",
        "a2a.response.outcome": "success",
        "a2a.result.kind": "task",
        "a2a.task.id": expect.any(String),
        "a2a.task.state": "TASK_STATE_INPUT_REQUIRED",
        "a2a.context.id": expect.any(String),
      },
    ])
  })
})
