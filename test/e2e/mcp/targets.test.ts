/** Targets of every kind behind one endpoint, as clients see them. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { make as makeProcesses } from "../../../src/node/processes.ts"
import { answerOf, ask, type Json, mcpGateway, modern, type Script, scripted } from "./harness.ts"

const open: Array<{ readonly close: () => unknown }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const gatewayOf = async (backend: string, options: Parameters<typeof mcpGateway>[1] = {}) => {
  const gateway = await mcpGateway(backend, options)
  open.push(gateway)
  return gateway
}

interface Api {
  readonly port: number
  readonly seen: Array<{ readonly method: string; readonly url: string; readonly body: string; readonly headers: Json }>
}

const api = async (answer: (request: http.IncomingMessage) => readonly [number, string, string?]): Promise<Api> => {
  const seen: Api["seen"] = []
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { headers, method = "", url = "" } = request
      seen.push({ method, url, body: Buffer.concat(chunks).toString(), headers: { ...headers } })
      const [status, text, type = "application/json"] = answer(request)
      response.writeHead(status, { "content-type": type })
      response.end(text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  open.push({
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
  return { port: (server.address() as AddressInfo).port, seen }
}

const pets = {
  openapi: "3.1.0",
  servers: [{ url: "https://elsewhere.example/v1" }],
  paths: {
    "/pets/{id}": {
      put: {
        operationId: "changePet",
        parameters: [
          { name: "id", in: "path", required: true, schema: { type: "string" } },
          { name: "tags", in: "query", schema: { type: "array", items: { type: "string" } } },
        ],
        requestBody: { content: { "application/json": { schema: { type: "object" } } } },
      },
    },
    "/pets": { get: { operationId: "listPets" } },
  },
}

const toolNames = async (url: string, headers: Record<string, string> = {}): Promise<ReadonlyArray<string>> => {
  const { result } = answerOf(await ask(url, "tools/list", {}, { headers }))
  return ((result?.["tools"] ?? []) as ReadonlyArray<{ name: string }>).map(({ name }) => name)
}
const callTool = async (url: string, name: string, args: Json = {}, headers: Record<string, string> = {}) =>
  answerOf(await ask(url, "tools/call", { name, arguments: args }, { headers }))

describe("an API behind the gateway", () => {
  it("is called as its document says, and answers in the characters it used", async () => {
    const { port, seen } = await api(() => [200, '{ "id": 12345678901234567890 }'])
    const gateway = await gatewayOf(
      `{targets: [{name: pets, openapi: {host: "http://127.0.0.1:${port}", schema: ${JSON.stringify(pets)}}}]}`,
    )
    expect(await toolNames(gateway.url)).toEqual(["changePet", "listPets"])
    const said = await ask(gateway.url, "tools/call", {
      name: "changePet",
      arguments: { path: { id: "a/b" }, query: { tags: ["x", "y"] }, body: { name: "Rex" } },
    })
    expect(said.text).toContain('"structuredContent":{ "id": 12345678901234567890 }')
    expect(seen).toMatchObject([
      {
        method: "PUT",
        url: "/v1/pets/a%2Fb?tags=x&tags=y",
        body: '{"name":"Rex"}',
        headers: { host: `127.0.0.1:${port}` },
      },
    ])
  })

  it("never sees the client's credentials, but what its policies say", async () => {
    const { port, seen } = await api(() => [200, "{}"])
    const gateway = await gatewayOf(
      `{targets: [{name: pets, openapi: {host: "http://127.0.0.1:${port}", schema: ${JSON.stringify(pets)}}, policies: {requestHeaderModifier: {set: {x-key: mine}}}}]}`,
    )
    await callTool(gateway.url, "listPets", {}, { authorization: "Bearer client", cookie: "a=b", "x-trace": "t" })
    expect(seen[0]?.headers).toMatchObject({ "x-key": "mine", "x-trace": "t" })
    expect(seen[0]?.headers).not.toHaveProperty("authorization")
    expect(seen[0]?.headers).not.toHaveProperty("cookie")
  })

  it("that refuses tells the model why, and one that is gone tells the client", async () => {
    const { port } = await api(() => [409, '{"error":"taken"}'])
    const gateway = await gatewayOf(
      `{targets: [{name: pets, openapi: {host: "http://127.0.0.1:${port}", schema: ${JSON.stringify(pets)}}}, {name: gone, openapi: {host: "http://127.0.0.1:1", schema: ${JSON.stringify(pets)}}}]}`,
    )
    expect((await callTool(gateway.url, "pets_listPets")).result).toMatchObject({
      isError: true,
      content: [{ type: "text", text: 'HTTP 409 Conflict\n{"error":"taken"}' }],
    })
    expect((await callTool(gateway.url, "pets_changePet")).result).toMatchObject({ isError: true })
    expect((await callTool(gateway.url, "gone_listPets")).error).toMatchObject({ data: { target: "gone" } })
  })

  it("may have its document fetched, as YAML too", async () => {
    const text = "openapi: 3.0.3\npaths:\n  /pets:\n    get: {operationId: fetched, responses: {}}\n"
    const { port } = await api((request) =>
      request.url === "/openapi.yaml" ? [200, text, "application/yaml"] : [200, "[1]"],
    )
    const at = `http://127.0.0.1:${port}`
    const gateway = await gatewayOf(
      `{targets: [{name: pets, openapi: {host: "${at}", schema: {url: "${at}/openapi.yaml"}}}]}`,
    )
    expect(await toolNames(gateway.url)).toEqual(["fetched"])
    expect((await callTool(gateway.url, "fetched")).result).toMatchObject({ structuredContent: { data: [1] } })
  })

  it("whose document leads elsewhere is not followed there", async () => {
    const { port, seen } = await api((request) =>
      request.url === "/openapi.json" ? [302, "", "text/plain"] : [200, "{}"],
    )
    const at = `http://127.0.0.1:${port}`
    const gateway = await gatewayOf(
      `{targets: [{name: pets, openapi: {host: "${at}", schema: {url: "${at}/openapi.json"}}}]}`,
    )
    expect(answerOf(await ask(gateway.url, "tools/list")).error).toBeDefined()
    expect(seen.map(({ url }) => url)).toEqual(["/openapi.json"])
  })
})

const echo: Script = modern((turn) => {
  switch (turn.message.method) {
    case "tools/list":
      return turn.result({
        resultType: "complete",
        tools: [
          { name: "create", description: "Creates.", inputSchema: { type: "object", properties: { owner: {} } } },
          { name: "drop", inputSchema: { type: "object" } },
        ],
        ttlMs: 0,
        cacheScope: "public",
      })
    case "tools/call":
      return turn.result({
        resultType: "complete",
        content: [{ type: "text", text: JSON.stringify(turn.message.params) }],
      })
    default:
      return turn.error(-32_601, "Method not found", undefined, 404)
  }
})

describe("tools that are shaped", () => {
  it("are called by their new names, with what the gateway sets", async () => {
    const server = await scripted(echo)
    open.push(server)
    const shaping = `{exclude: [drop], override: {create: {name: open, description: Opens., arguments: {owner: {expression: 'request.headers["x-team"]'}}}}}`
    const gateway = await gatewayOf(`{targets: [{name: one, mcp: {host: "${server.url}"}, tools: ${shaping}}]}`)
    const { result } = answerOf(await ask(gateway.url, "tools/list"))
    expect(result?.["tools"]).toEqual([
      { name: "open", description: "Opens.", inputSchema: { type: "object", properties: {} } },
    ])
    const headers = { "x-team": "red" }
    expect(JSON.stringify((await callTool(gateway.url, "open", { owner: "me" }, headers)).result)).toContain(
      String.raw`\"name\":\"create\",\"arguments\":{\"owner\":\"red\"}`,
    )
    expect((await callTool(gateway.url, "create", {}, headers)).error).toMatchObject({ code: -32_602 })
    expect((await callTool(gateway.url, "drop", {}, headers)).error).toMatchObject({ code: -32_602 })
    // The header that repeats the name is the server's own too.
    const called = server.requests.filter((one) => one.headers["mcp-method"] === "tools/call")
    expect(called.map((one) => one.headers["mcp-name"])).toEqual(["create"])
  })
})

describe("bundles", () => {
  it("are all that their callers see, and nobody else sees anything", async () => {
    const server = await scripted(echo)
    open.push(server)
    const bundles = `[{name: builders, when: 'request.headers["x-team"] == "red"', tools: ["one/create"]}, {name: admins, when: 'request.headers["x-team"] == "blue"', tools: ["*"]}]`
    const gateway = await gatewayOf(`{targets: [{name: one, mcp: {host: "${server.url}"}}], bundles: ${bundles}}`)
    const red = { "x-team": "red" }
    expect(await toolNames(gateway.url, red)).toEqual(["create"])
    expect(await toolNames(gateway.url, { "x-team": "blue" })).toEqual(["create", "drop"])
    expect(await toolNames(gateway.url)).toEqual([])
    expect((await callTool(gateway.url, "create", {}, red)).result).toBeDefined()
    expect((await callTool(gateway.url, "drop", {}, red)).error).toMatchObject({
      code: -32_602,
      message: "Unknown tool: drop",
    })
    expect((await callTool(gateway.url, "create")).error).toMatchObject({ code: -32_602 })
  })
})

describe("a process behind the gateway", () => {
  it("is federated with others, and ends with the gateway", { timeout: 30_000 }, async () => {
    const server = await scripted(echo)
    open.push(server)
    const processes = makeProcesses()
    const node = JSON.stringify(process.execPath)
    const gateway = await mcpGateway(
      `{targets: [{name: text, stdio: {cmd: ${node}, args: [src/embedded/textServer.ts]}}, {name: web, mcp: {host: "${server.url}"}}]}`,
      { options: { processes } },
    )
    expect(await toolNames(gateway.url)).toEqual([
      "text_count_words",
      "text_checksum",
      "text_change_case",
      "web_create",
      "web_drop",
    ])
    const { result } = await callTool(gateway.url, "text_change_case", { text: "hello world", to: "title" })
    expect(result).toMatchObject({ content: [{ type: "text", text: "Hello World" }] })
    expect(processes.count()).toBe(1)
    await gateway.close()
    expect(processes.count()).toBe(0)
  })

  it("that cannot be started costs the others nothing, and is named", async () => {
    const server = await scripted(echo)
    open.push(server)
    const gateway = await gatewayOf(
      `{targets: [{name: none, stdio: {cmd: /no/such/server}}, {name: web, mcp: {host: "${server.url}"}}]}`,
    )
    const { result } = answerOf(await ask(gateway.url, "tools/list"))
    expect(result?.["tools"]).toMatchObject([{ name: "web_create" }, { name: "web_drop" }])
    expect(JSON.stringify(result?.["_meta"])).toContain('"target":"none"')
    expect(JSON.stringify(result)).not.toContain("/no/such/server")
  })
})
