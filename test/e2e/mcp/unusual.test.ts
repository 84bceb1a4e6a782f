/** What clients seldom do and servers seldom send, with clients of both SDKs and bare ones before servers of both kinds. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { CreateMessageRequestSchema, LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import {
  answerOf,
  ask,
  begin,
  type Json,
  legacy,
  mcpGateway,
  modern,
  post,
  type Script,
  scripted,
  targetsOf,
  type Turn,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<unknown> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const eras = ["legacy", "modern"] as const
type Era = (typeof eras)[number]

const start = async (era: Era, script: Script, capabilities?: Json, more = "") => {
  const server = await scripted(era === "legacy" ? legacy(script, capabilities) : modern(script, capabilities))
  open.push(server)
  const gateway = await mcpGateway(targetsOf({ one: server }, more))
  open.push(gateway)
  return { server, gateway }
}

const clients = {
  "the first SDK": async (url: string) => {
    const client = new Client(
      { name: "tester", version: "1" },
      { capabilities: { sampling: { tools: {} }, roots: {}, elicitation: { url: {}, form: {} } } },
    )
    await client.connect(new StreamableHTTPClientTransport(new URL(url)) as Transport)
    open.push(client)
    return client
  },
  "the second SDK": async (url: string) => {
    const client = new ModernClient(
      { name: "tester", version: "1" },
      { versionNegotiation: { mode: { pin: "2026-07-28" } } },
    )
    await client.connect(new ModernTransport(new URL(url)))
    open.push(client)
    return client
  },
}
const byClient = Object.entries(clients).flatMap(([name, connect]) => eras.map((era) => [name, era, connect] as const))

const kindOf = (era: Era): Json => (era === "modern" ? { resultType: "complete" } : {})
const cached = (era: Era): Json => (era === "modern" ? { resultType: "complete", ttlMs: 0, cacheScope: "private" } : {})

const big = "é".repeat(5_000_000)
const names = ["weather.today", "größe", "検索", "a/b", "rocket-🚀", "name with spaces"]

/** A thousand tools, one of which says very much, once as one document and once in a stream. */
const rich =
  (era: Era): Script =>
  ({ error, message, result, stream }: Turn) => {
    if (message.method === "tools/list") {
      const plain = Array.from({ length: 1_000 - names.length }, (_, i) => `tool_${i}`)
      return result({
        tools: [...names, ...plain].map((name) => ({
          name,
          inputSchema: { type: "object" },
          icons: [{ src: "https://example.com/i.png", sizes: ["48x48"], theme: "dark" }],
          _meta: { "example.com/kept": 1 },
        })),
        ...cached(era),
      })
    }
    if (message.method !== "tools/call") return error(-32_601, "Method not found")
    const { arguments: args, name } = message.params as { name: string; arguments?: Json }
    const content = [
      { type: "text", text: args?.["much"] === true ? big : name, annotations: { audience: ["user"], priority: 0.5 } },
      {
        type: "resource_link",
        uri: "file:///é",
        name: "link",
        icons: [{ src: "data:image/png;base64,AA==" }],
        size: 3,
      },
    ]
    const outcome = { content, _meta: { "example.com/kept": { deep: [null] } }, ...kindOf(era) }
    if (args?.["streamed"] !== true) return result(outcome)
    const events = stream()
    events.send({ jsonrpc: "2.0", id: message.id, result: outcome })
    return events.end()
  }

interface Listed {
  readonly name: string
  readonly icons?: unknown
  readonly _meta?: unknown
}

describe.each(byClient)("a client of %s at a %s server", (_client, era, connect) => {
  it("has a thousand tools, whatever they are called, and all that is said of them", async () => {
    const { gateway } = await start(era, rich(era))
    const client = await connect(gateway.url)
    const { tools } = (await client.listTools()) as { tools: ReadonlyArray<Listed> }
    expect(tools).toHaveLength(1_000)
    expect(tools.slice(0, names.length).map(({ name }) => name)).toEqual(names)
    expect(tools[2]).toMatchObject({
      icons: [{ src: "https://example.com/i.png", sizes: ["48x48"], theme: "dark" }],
      _meta: { "example.com/kept": 1 },
    })
    for (const name of names) {
      const { _meta, content } = (await client.callTool({ name, arguments: {} })) as Json
      expect(content).toMatchObject([
        { text: name, annotations: { audience: ["user"], priority: 0.5 } },
        { type: "resource_link", uri: "file:///é", icons: [{ src: "data:image/png;base64,AA==" }], size: 3 },
      ])
      expect(_meta).toMatchObject({ "example.com/kept": { deep: [null] } })
    }
  })

  it.each([false, true])(
    "is given ten million bytes at once, in a stream: %s",
    { timeout: 60_000 },
    async (streamed) => {
      const { gateway } = await start(era, rich(era))
      const client = await connect(gateway.url)
      const { content } = (await client.callTool({ name: "tool_1", arguments: { much: true, streamed } })) as Json
      const [first] = content as ReadonlyArray<{ text: string }>
      expect(first?.text === big).toBe(true)
    },
  )
})

describe("numbers of requests", () => {
  it.each(eras)("come back as they were written, from a %s server", async (era) => {
    const { gateway } = await start(era, ({ message, result }) =>
      result({ content: [{ type: "text", text: String(message.params?.["name"]) }], ...kindOf(era) }),
    )
    const session = await begin(gateway.url)
    for (const id of ['"a b"', "0", "9007199254740993", "-7", '"9007199254740993"', '"\\u00e9"', '""']) {
      const said = await post(
        gateway.url,
        `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"x","arguments":{}}}`,
        { "mcp-session-id": session.id, "mcp-protocol-version": "2025-11-25" },
      )
      const written = /"id":("(?:[^"\\]|\\.)*"|-?\d+)/.exec(said.text)?.[1] ?? ""
      // A text may be written with other escapes, a number may not.
      expect(id.startsWith('"') ? JSON.parse(written) : written).toBe(id.startsWith('"') ? JSON.parse(id) : id)
    }
  })
})

/** Says how far it is, and ends when it is told to. */
const slow = (era: Era) => {
  const waiting = new Map<
    unknown,
    { readonly finish: () => void; readonly tick: (n: number) => void; readonly name: string; gone: boolean }
  >()
  /** Calls that the server was told to give up, by their session and number. */
  const cancelled = new Set<string>()
  const script: Script = ({ headers, message, response, result, stream }) => {
    const nameOf = (id: unknown): string => `${headers["mcp-session-id"]} ${JSON.stringify(id)}`
    if (message.method === "notifications/cancelled") return cancelled.add(nameOf(message.params?.["requestId"]))
    if (message.method === "tools/list") {
      return result({ tools: [{ name: "slow", inputSchema: { type: "object" } }], ...cached(era) })
    }
    if (message.method !== "tools/call") return
    const { _meta, arguments: args } = message.params as { _meta?: Json; arguments: { who: string } }
    const events = stream()
    const entry = {
      gone: false,
      name: nameOf(message.id),
      tick: (progress: number) =>
        events.send({
          jsonrpc: "2.0",
          method: "notifications/progress",
          params: { progressToken: _meta?.["progressToken"], progress, message: args.who },
        }),
      finish: () => {
        events.send({
          jsonrpc: "2.0",
          id: message.id,
          result: { content: [{ type: "text", text: args.who }], ...kindOf(era) },
        })
        events.end()
      },
    }
    response.on("close", () => (entry.gone = true))
    waiting.set(args.who, entry)
  }
  return { cancelled, script, waiting }
}

describe.each(eras)("calls that last, at a %s server", (era) => {
  it("of several clients with one token each hear of their own only", async () => {
    const { script, waiting } = slow(era)
    const { gateway } = await start(era, script)
    const sessions = await Promise.all(["ann", "bob"].map(async (who) => ({ who, session: await begin(gateway.url) })))
    const calls = sessions.map(({ session, who }) =>
      session.request("tools/call", { name: "slow", arguments: { who }, _meta: { progressToken: 1 } }),
    )
    const modernCall = ask(
      gateway.url,
      "tools/call",
      { name: "slow", arguments: { who: "eve" } },
      { meta: { progressToken: 1 } },
    )
    await until("three calls", () => waiting.size === 3)
    for (const one of waiting.values()) one.tick(1)
    for (const one of waiting.values()) one.finish()
    const said = await Promise.all([...calls, modernCall])
    for (const [i, who] of ["ann", "bob", "eve"].entries()) {
      const { messages = [] } = said[i] ?? {}
      expect(messages.map(({ method, params }) => [method, (params as Json | undefined)?.["message"]])).toEqual([
        ["notifications/progress", who],
        [undefined, undefined],
      ])
      expect(messages[0]).toMatchObject({ params: { progressToken: 1 } })
    }
  })

  it("are given up when the client ends its session, or goes away without one", async () => {
    const { cancelled, script, waiting } = slow(era)
    const { gateway, server } = await start(era, script)
    const session = await begin(gateway.url)
    const call = session.request("tools/call", { name: "slow", arguments: { who: "ann" } }).catch(() => undefined)
    const abort = new AbortController()
    const other = ask(
      gateway.url,
      "tools/call",
      { name: "slow", arguments: { who: "eve" } },
      { signal: abort.signal },
    ).catch(() => undefined)
    await until("two calls", () => waiting.size === 2)
    const isGivenUp = (who: string): boolean => {
      const { gone, name = "" } = waiting.get(who) ?? {}
      return era === "modern" ? gone === true : cancelled.has(name)
    }
    abort.abort()
    await until("the second call given up", () => isGivenUp("eve"))
    expect(isGivenUp("ann")).toBe(false)
    expect(await session.end()).toBeLessThan(300)
    // A server with sessions may be told by the end of the session alone.
    await until(
      "the first call given up",
      () => isGivenUp("ann") || server.requests.some(({ method }) => method === "DELETE"),
    )
    await until("nobody waiting for the first call", () => waiting.get("ann")?.gone === true)
    await Promise.all([call, other])
    expect((await session.request("ping")).status).toBe(404)
  })
})

describe("what a server with sessions says", () => {
  it("of its log is for each client what that one chose, and not what another did", async () => {
    const levels = new Map<unknown, unknown>()
    const { gateway } = await start(
      "legacy",
      ({ headers, message, result, stream }) => {
        const session = headers["mcp-session-id"]
        if (message.method === "logging/setLevel") {
          levels.set(session, message.params?.["level"])
          return result({})
        }
        if (message.method !== "tools/call") return result({ tools: [{ name: "x", inputSchema: { type: "object" } }] })
        const events = stream()
        events.send({
          jsonrpc: "2.0",
          method: "notifications/message",
          params: { level: "error", data: levels.get(session) },
        })
        events.send({ jsonrpc: "2.0", id: message.id, result: { content: [] } })
        return events.end()
      },
      { tools: {}, logging: {} },
    )
    const heard: Array<readonly [chosen: string, data: unknown]> = []
    const own = await Promise.all(
      (["error", "debug"] as const).map(async (level) => {
        const client = (await clients["the first SDK"](gateway.url)) as Client
        client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
          heard.push([level, params.data])
        })
        await client.setLoggingLevel(level)
        return client
      }),
    )
    for (const client of own) await client.callTool({ name: "x", arguments: {} })
    await until("what both were told", () => heard.length === 2)
    expect(heard).toEqual([
      ["error", "error"],
      ["debug", "debug"],
    ])
  })

  it("to a model passes with its tools, and what the model wants to call comes back", async () => {
    const request = {
      messages: [{ role: "user", content: { type: "text", text: "weather?" } }],
      maxTokens: 10,
      tools: [{ name: "get_weather", inputSchema: { type: "object", properties: { city: { type: "string" } } } }],
      toolChoice: { mode: "required" },
    }
    const answers: Array<unknown> = []
    let finish = (): void => {}
    const { gateway } = await start("legacy", ({ message, result, stream }) => {
      if (message.method === undefined) {
        answers.push(message["result"])
        return finish()
      }
      if (message.method === "tools/list") return result({ tools: [{ name: "x", inputSchema: { type: "object" } }] })
      const events = stream()
      finish = () => {
        events.send({ jsonrpc: "2.0", id: message.id, result: { content: [{ type: "text", text: "done" }] } })
        events.end()
      }
      return events.send({ jsonrpc: "2.0", id: "ask", method: "sampling/createMessage", params: request })
    })
    const client = (await clients["the first SDK"](gateway.url)) as Client
    const asked: Array<unknown> = []
    const use = { type: "tool_use", id: "u1", name: "get_weather", input: { city: "Ulm" } } as const
    client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
      asked.push(params)
      return { model: "m", role: "assistant" as const, stopReason: "toolUse", content: [use] }
    })
    expect(await client.callTool({ name: "x", arguments: {} })).toMatchObject({ content: [{ text: "done" }] })
    expect(asked).toMatchObject([request])
    expect(answers).toMatchObject([{ stopReason: "toolUse", content: [use] }])
  })

  it("when it is asked to complete is for the values chosen so far", async () => {
    const { gateway, server } = await start(
      "legacy",
      ({ message, result }) =>
        message.method === "completion/complete"
          ? result({ completion: { values: ["x"], total: 1, hasMore: false } })
          : result({ prompts: [{ name: "p", arguments: [{ name: "a" }, { name: "b" }] }] }),
      { prompts: {}, completions: {} },
    )
    const client = (await clients["the first SDK"](gateway.url)) as Client
    const said = await client.complete({
      ref: { type: "ref/prompt", name: "p" },
      argument: { name: "b", value: "x" },
      context: { arguments: { a: "chosen" } },
    })
    expect(said.completion).toEqual({ values: ["x"], total: 1, hasMore: false })
    expect(server.calls("completion/complete").at(-1)?.params).toMatchObject({
      context: { arguments: { a: "chosen" } },
    })
  })
})

describe("a client that loses everything it listens to", () => {
  it("comes back with the same name, as often as it likes", async () => {
    const { gateway, server } = await start("legacy", ({ result }) => result({ tools: [] }))
    const session = await begin(gateway.url)
    let last: string | undefined
    for (let i = 0; i < 5; i++) {
      const stream = await session.listen(last)
      await until("a stream", () => server.streams.size >= 1)
      server.push({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
      await until("news", () =>
        stream.events.some(({ data }) => data?.["method"] === "notifications/tools/list_changed"),
      )
      last = stream.events.findLast(({ id }) => id !== undefined)?.id ?? last
      stream.close()
      await stream.closed
    }
    expect(answerOf(await session.request("tools/list")).result).toBeDefined()
    expect(server.calls("initialize")).toHaveLength(1)
  })
})
