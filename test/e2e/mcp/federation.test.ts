import { afterEach, describe, expect, it } from "vitest"
import { sleep, until } from "../harness.ts"
import {
  answerOf,
  ask,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  modern,
  type Said,
  type Script,
  type Scripted,
  scripted,
  targetsOf,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

/** A server with tools of these names, each of which says whose it is. */
const serverOf = (whose: string, tools: ReadonlyArray<string>, more: Script = () => {}): Script =>
  modern(
    (turn) => {
      const { message } = turn
      switch (message.method) {
        case "tools/list":
          return turn.result({
            resultType: "complete",
            tools: tools.map((name) => ({ name, description: whose, inputSchema: { type: "object" } })),
            ttlMs: 0,
            cacheScope: "public",
          })
        case "tools/call":
          return turn.result({
            resultType: "complete",
            content: [
              { type: "text", text: `${whose} ${String(message.params?.["name"])}` },
              { type: "resource_link", uri: "note://1", name: "a note" },
              { type: "resource", resource: { uri: "note://2", text: "x" } },
            ],
          })
        case "resources/list":
          return turn.result({
            resultType: "complete",
            resources: [{ uri: "note://1", name: whose }],
            ttlMs: 0,
            cacheScope: "public",
          })
        case "resources/read":
          return turn.result({
            resultType: "complete",
            contents: [{ uri: message.params?.["uri"], text: whose }],
            ttlMs: 0,
            cacheScope: "public",
          })
        default:
          more(turn)
          if (!turn.response.headersSent) turn.error(-32_601, "Method not found", undefined, 404)
      }
    },
    { tools: {}, resources: { subscribe: true } },
  )

const federation = async (
  servers: Readonly<Record<string, Script>>,
  more = "",
): Promise<{ readonly gateway: McpGateway; readonly servers: Readonly<Record<string, Scripted>> }> => {
  const started: Record<string, Scripted> = {}
  for (const [name, script] of Object.entries(servers)) open.push((started[name] = await scripted(script)))
  const gateway = await mcpGateway(targetsOf(started, more))
  open.push(gateway)
  return { gateway, servers: started }
}

const names = (result: Json | undefined, list = "tools", field = "name"): ReadonlyArray<unknown> =>
  ((result?.[list] ?? []) as ReadonlyArray<Json>).map((item) => item[field])

describe("names", () => {
  it("are told apart by their targets, and lead back", async () => {
    const { gateway } = await federation({ a: serverOf("A", ["get", "x_y"]), b: serverOf("B", ["get"]) })
    expect(names(answerOf(await ask(gateway.url, "tools/list")).result)).toEqual(["a_get", "a_x_y", "b_get"])
    const said = await ask(gateway.url, "tools/call", { name: "a_x_y" })
    expect(answerOf(said).result?.["content"]).toEqual([
      { type: "text", text: "A x_y" },
      { type: "resource_link", uri: "a+note://1", name: "a note" },
      { type: "resource", resource: { uri: "a+note://2", text: "x" } },
    ])
    const read = await ask(gateway.url, "resources/read", { uri: "b+note://1" })
    expect(answerOf(read).result?.["contents"]).toEqual([{ uri: "b+note://1", text: "B" }])
    expect(answerOf(await ask(gateway.url, "tools/call", { name: "c_get" })).error).toMatchObject({ code: -32_602 })
    expect(answerOf(await ask(gateway.url, "tools/call", { name: "get" })).error).toMatchObject({ code: -32_602 })
  })

  it("get a prefix only where they clash, if that is what is wanted", async () => {
    const { gateway } = await federation(
      { a: serverOf("A", ["get", "own"]), b: serverOf("B", ["get"]) },
      "prefixMode: on-conflict",
    )
    expect(names(answerOf(await ask(gateway.url, "tools/list")).result)).toEqual(["a_get", "own", "b_get"])
    const said = await ask(gateway.url, "tools/call", { name: "own" })
    expect(answerOf(said).result?.["content"]).toContainEqual({ type: "text", text: "A own" })
  })

  it("of a single target can have a prefix, and without one nothing is touched", async () => {
    const one = await federation({ a: serverOf("A", ["get"]) }, "prefixMode: always")
    expect(names(answerOf(await ask(one.gateway.url, "tools/list")).result)).toEqual(["a_get"])
    const never = await federation({ a: serverOf("A", ["get"]), b: serverOf("B", ["put"]) }, "prefixMode: never")
    expect(names(answerOf(await ask(never.gateway.url, "tools/list")).result)).toEqual(["get", "put"])
    const said = await ask(never.gateway.url, "tools/call", { name: "put" })
    expect(answerOf(said).result?.["content"]).toContainEqual({ type: "text", text: "B put" })
  })
})

describe("a target that fails", () => {
  it("is missing from the list, which says so, and its absence costs the others nothing", async () => {
    const { gateway, servers } = await federation({ a: serverOf("A", ["get"]), b: serverOf("B", ["get"]) })
    await servers["b"]?.close()
    const result = answerOf(await ask(gateway.url, "tools/list")).result
    expect(names(result)).toEqual(["a_get"])
    expect(result?.["ttlMs"]).toBe(0)
    expect(result?.["_meta"]).toEqual({
      "dev.sluice/missing": [{ target: "b", stale: false, reason: "unreachable" }],
    })
    const said = await ask(gateway.url, "tools/call", { name: "a_get" })
    expect(answerOf(said).result?.["isError"]).toBeUndefined()
    const dead = answerOf(await ask(gateway.url, "tools/call", { name: "b_get" })).error as Json
    expect(dead["data"]).toMatchObject({ target: "b" })
  })

  it("that was there before is shown as it was", async () => {
    const { gateway, servers } = await federation({ a: serverOf("A", ["get"]), b: serverOf("B", ["get"]) })
    await ask(gateway.url, "tools/list")
    await servers["b"]?.close()
    const result = answerOf(await ask(gateway.url, "tools/list")).result
    expect(names(result)).toEqual(["a_get", "b_get"])
    expect(result?.["_meta"]).toMatchObject({ "dev.sluice/missing": [{ target: "b", stale: true }] })
  })

  it("that is slow is waited for no longer than its own deadline", async () => {
    const slow: Script = (turn) => (turn.message.method === "tools/list" ? undefined : serverOf("B", ["get"])(turn))
    const started = [await scripted(serverOf("A", ["get"])), await scripted(slow)] as const
    open.push(...started)
    const gateway = await mcpGateway(
      `{targets: [{name: a, mcp: {host: "${started[0].url}"}}, {name: b, mcp: {host: "${started[1].url}"}, timeouts: {list: 300ms}}]}`,
    )
    open.push(gateway)
    const result = answerOf(await ask(gateway.url, "tools/list")).result
    expect(names(result)).toEqual(["a_get"])
    expect(result?.["_meta"]).toMatchObject({ "dev.sluice/missing": [{ target: "b", reason: "timeout" }] })
  })

  it("fails the list where that is wanted, by name", async () => {
    const { gateway, servers } = await federation(
      { a: serverOf("A", ["get"]), b: serverOf("B", ["get"]) },
      "failureMode: failClosed",
    )
    await servers["b"]?.close()
    expect(answerOf(await ask(gateway.url, "tools/list")).error).toMatchObject({
      code: -32_603,
      data: { targets: ["b"] },
    })
  })

  it("does not keep a session from beginning", async () => {
    const { gateway, servers } = await federation({ a: legacy(serverOf("A", ["get"])), b: serverOf("B", ["get"]) })
    await servers["b"]?.close()
    const client = await begin(gateway.url)
    expect(client.introduction["capabilities"]).toMatchObject({ tools: { listChanged: true } })
  })
})

describe("what is said of all together", () => {
  it("is fresh for as long as the shortest-lived part, and public only if every part is", async () => {
    const listing = (ttlMs: number, cacheScope: string): Script =>
      modern((turn) => turn.result({ resultType: "complete", tools: [], ttlMs, cacheScope }))
    const { gateway, servers } = await federation({ a: listing(60_000, "public"), b: listing(30_000, "private") })
    const result = answerOf(await ask(gateway.url, "tools/list")).result
    expect(result?.["cacheScope"]).toBe("private")
    expect(result?.["ttlMs"]).toBeLessThanOrEqual(30_000)
    expect(result?.["ttlMs"]).toBeGreaterThan(20_000)
    await ask(gateway.url, "tools/list")
    expect(servers["a"]?.calls("tools/list")).toHaveLength(1)
  })

  it("takes in every page, an empty cursor included", async () => {
    const pages: Script = modern((turn) => {
      const cursor = turn.message.params?.["cursor"]
      const page = cursor === undefined ? 0 : cursor === "" ? 1 : 2
      turn.result({
        resultType: "complete",
        tools: [{ name: `t${page}`, inputSchema: { type: "object" } }],
        ...(page < 2 ? { nextCursor: page === 0 ? "" : "more" } : {}),
        ttlMs: 0,
        cacheScope: "private",
      })
    })
    const { gateway } = await federation({ a: pages, b: serverOf("B", []) })
    const result = answerOf(await ask(gateway.url, "tools/list")).result
    expect(names(result)).toEqual(["a_t0", "a_t1", "a_t2"])
    expect(result).not.toHaveProperty("nextCursor")
  })
})

describe("cancelling", () => {
  it("reaches every target that had begun", async () => {
    const begun: Script = modern(() => {})
    const { gateway, servers } = await federation({ a: begun, b: begun })
    const abort = new AbortController()
    const listing = ask(gateway.url, "tools/list", {}, { signal: abort.signal })
    const all = Object.values(servers)
    await until("all have begun", () => all.every((server) => server.calls("tools/list").length === 1))
    abort.abort()
    await expect(listing).rejects.toThrow()
    await until("all are told", () =>
      all.every((server) =>
        server.requests.some((request) => request.headers["mcp-method"] === "tools/list" && request.destroyed),
      ),
    )
    await sleep(20)
  })

  it("is said to a server with sessions by its own number", async () => {
    const { gateway, servers } = await federation({ a: legacy(() => {}) })
    const abort = new AbortController()
    const calling = ask(gateway.url, "tools/call", { name: "slow" }, { signal: abort.signal })
    const server = servers["a"] as Scripted
    await until("it has begun", () => server.calls("tools/call").length === 1)
    abort.abort()
    await expect(calling).rejects.toThrow()
    await until("it is told", () => server.calls("notifications/cancelled").length === 1)
    expect(server.calls("notifications/cancelled")[0]?.params?.["requestId"]).toBe(server.calls("tools/call")[0]?.id)
  })
})

describe("a name that was too long for its prefix", () => {
  it("leads back to its tool where nobody has listed anything yet", async () => {
    const long = "t".repeat(127)
    const script = serverOf("A", [long])
    const { gateway } = await federation({ a: script, b: serverOf("B", ["x"]) })
    const [shown = ""] = names(answerOf(await ask(gateway.url, "tools/list")).result)
    expect(shown).toHaveLength(128)
    await gateway.close()
    const fresh = await federation({ a: script, b: serverOf("B", ["x"]) })
    const said = answerOf(await ask(fresh.gateway.url, "tools/call", { name: shown, arguments: {} })).result
    expect(said?.["content"]).toContainEqual({ type: "text", text: `A ${long}` })
  })
})

describe("a list that was to be good for an hour", () => {
  const keeping = (tools: Array<string>): Script =>
    modern((turn) =>
      turn.message.method === "tools/list"
        ? turn.result({
            resultType: "complete",
            tools: tools.map((name) => ({ name, inputSchema: { type: "object" } })),
            ttlMs: 3_600_000,
            cacheScope: "public",
          })
        : tools.includes(String(turn.message.params?.["name"]))
          ? turn.result({ resultType: "complete", content: [] })
          : turn.error(-32_602, "Unknown tool"),
    )
  it("is asked for anew once its server does not know what is on it", async () => {
    const tools = ["one", "two"]
    const { gateway } = await federation({ a: keeping(tools), b: keeping(["x"]) })
    const listed = async () => names(answerOf(await ask(gateway.url, "tools/list")).result)
    expect(await listed()).toEqual(["a_one", "a_two", "b_x"])
    tools.pop()
    expect(await listed()).toEqual(["a_one", "a_two", "b_x"])
    expect(answerOf(await ask(gateway.url, "tools/call", { name: "a_two", arguments: {} })).error).toBeDefined()
    expect(await listed()).toEqual(["a_one", "b_x"])
  })
})

describe("a list from the cursor null", () => {
  it("is the list from its beginning", async () => {
    const { gateway } = await federation({ a: serverOf("A", ["x"]), b: serverOf("B", ["x"]) })
    expect(names(answerOf(await ask(gateway.url, "tools/list", { cursor: null })).result)).toEqual(["a_x", "b_x"])
  })
})

describe("a resource in what a server asks by its result", () => {
  it("is called as everywhere else", async () => {
    const content = { type: "resource", resource: { uri: "note://1", text: "x" } }
    const asking: Script = modern((turn) =>
      turn.result({
        resultType: "input_required",
        inputRequests: {
          k: { method: "sampling/createMessage", params: { messages: [{ role: "user", content }], maxTokens: 1 } },
        },
      }),
    )
    const { gateway } = await federation({ a: asking, b: serverOf("B", []) })
    const said = await ask(
      gateway.url,
      "tools/call",
      { name: "a_x", arguments: {} },
      { capabilities: { sampling: {} } },
    )
    expect(answerOf(said).result).toMatchObject({
      inputRequests: { k: { params: { messages: [{ content: { resource: { uri: "a+note://1" } } }] } } },
    })
  })
})

describe("a tool that wants its arguments in headers", () => {
  const mirroring: Script = modern((turn) =>
    turn.message.method === "tools/list"
      ? turn.result({
          resultType: "complete",
          tools: [
            {
              name: "hidden",
              inputSchema: { type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } } },
            },
          ],
          ttlMs: 60_000,
          cacheScope: "public",
        })
      : turn.result({ resultType: "complete", content: [] }),
  )
  it("is not given away by its headers to who may not use it", async () => {
    const server = await scripted(mirroring)
    open.push(server)
    const gateway = await mcpGateway(`{targets: [{name: a, mcp: {host: "${server.url}"}}]}`, {
      policies: `{mcpAuthorization: {rules: ['mcp.tool.name != "hidden"']}}`,
    })
    open.push(gateway)
    await ask(gateway.url, "tools/list")
    const [there, none] = await Promise.all(
      ["hidden", "none"].map((name) =>
        ask(gateway.url, "tools/call", { name, arguments: { region: "x" } }, { headers: { "mcp-param-region": "y" } }),
      ),
    )
    expect(there?.status).toBe(none?.status)
    expect(answerOf(there as Said).error).toEqual({ code: -32_602, message: "Unknown tool: hidden" })
    expect(answerOf(none as Said).error).toBeUndefined()
  })

  it("is on no list of many for who may not use it, and on that of others", async () => {
    const [a, b] = [await scripted(mirroring), await scripted(mirroring)]
    open.push(a, b)
    const gateway = await mcpGateway(targetsOf({ a, b }), {
      policies: `{mcpAuthorization: {rules: ['mcp.tool.target == "b" || request.headers["x-all"] == "1"']}}`,
    })
    open.push(gateway)
    const listed = async (headers: Record<string, string>) =>
      names(answerOf(await ask(gateway.url, "tools/list", {}, { headers })).result)
    for (let i = 0; i < 2; i++) {
      expect(await listed({})).toEqual(["b_hidden"])
      expect(await listed({ "x-all": "1" })).toEqual(["a_hidden", "b_hidden"])
    }
  })

  it("gets other headers of the kind as its client sent them", async () => {
    const { gateway, servers } = await federation({ a: mirroring })
    await ask(gateway.url, "tools/list")
    const params = { name: "hidden", arguments: { region: "x" } }
    const headers = { "mcp-param-region": "x", "mcp-param-other": "kept" }
    await ask(gateway.url, "tools/call", params, { headers })
    const call = (servers["a"] as Scripted).requests.find((one) => one.headers["mcp-method"] === "tools/call")
    expect(call?.headers).toMatchObject(headers)
  })
})
