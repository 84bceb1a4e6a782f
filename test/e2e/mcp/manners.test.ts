/** What is between a client with a session and the gateway alone: forms of replies, cancelling, batches, being asked. */
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import {
  answerOf,
  ask,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  modern,
  post,
  readReply,
  type Script,
  scripted,
  type Scripted,
  type SessionClient,
  targetsOf,
  type Turn,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const started = async (script: Script, port = 0): Promise<Scripted> => {
  const server = await scripted(script, undefined, port)
  open.push(server)
  return server
}

const before = async (servers: Readonly<Record<string, Scripted>>): Promise<McpGateway> => {
  const gateway = await mcpGateway(targetsOf(servers))
  open.push(gateway)
  return gateway
}

const behind = async (script: Script): Promise<{ readonly gateway: McpGateway; readonly server: Scripted }> => {
  const server = await started(script)
  return { server, gateway: await before({ one: server }) }
}

const done = { content: [{ type: "text", text: "done" }] }

/** A call whose reply is read as it comes. */
const streamed = async (url: string, { id }: Pick<SessionClient, "id">, message: unknown, accept = "*/*") => {
  const abort = new AbortController()
  const reply = await fetch(url, {
    method: "POST",
    headers: { accept, "content-type": "application/json", "mcp-session-id": id },
    body: JSON.stringify(message),
    signal: abort.signal,
  })
  return { reply, stream: readReply(reply, () => abort.abort()) }
}

const progressing = (turn: Turn, result: Json): void => {
  const stream = turn.stream()
  const { progressToken } = (turn.message.params?.["_meta"] ?? {}) as { progressToken?: unknown }
  stream.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress: 1 } })
  stream.send({ jsonrpc: "2.0", id: turn.message.id, result })
  stream.end()
}

describe.each([
  ["with sessions", legacy((turn) => progressing(turn, done))],
  ["without", modern((turn) => progressing(turn, { resultType: "complete", ...done }))],
])("a reply, from a server %s,", (_who, script) => {
  const params = { name: "x", arguments: {}, _meta: { progressToken: 1 } }

  it("is one document for a client that takes nothing else, and a stream for one that takes only that", async () => {
    const { gateway } = await behind(script)
    const client = await begin(gateway.url)
    const call = { jsonrpc: "2.0", id: 5, method: "tools/call", params }
    const ping = { jsonrpc: "2.0", id: 6, method: "ping" }
    const by = (accept: string, message: Json) =>
      post(gateway.url, message, { accept, "mcp-session-id": client.id, "mcp-protocol-version": "2025-11-25" })
    const document = await by("application/json", call)
    expect(document.headers.get("content-type")).toBe("application/json")
    expect(answerOf(document)).toMatchObject({ id: 5, result: done })
    for (const message of [call, ping]) {
      const stream = await by("text/event-stream", message)
      expect(stream.headers.get("content-type")).toBe("text/event-stream")
      expect(answerOf(stream)).toMatchObject({ id: message["id"] })
    }
    expect((await by("application/json;q=1, text/event-stream;q=0", call)).headers.get("content-type")).toBe(
      "application/json",
    )
    expect((await by("application/json;q=0, text/html", call)).status).toBe(406)
  })

  it("is one document for a client without a session that takes nothing else", async () => {
    const { gateway } = await behind(script)
    const said = await ask(gateway.url, "tools/call", params, { headers: { accept: "application/json" } })
    expect(said.headers.get("content-type")).toBe("application/json")
    expect(answerOf(said).result).toMatchObject({ resultType: "complete", ...done })
  })
})

const neverEnding: ReadonlySet<string> = new Set(["tools/call", "notifications/cancelled"])

describe("a call that its client gives up", () => {
  it.each([
    ["with sessions", legacy],
    ["without", modern],
  ] as const)("is not answered, whatever the server %s does", async (_who, kind) => {
    const { gateway, server } = await behind(
      kind((turn) => (neverEnding.has(String(turn.message.method)) ? undefined : turn.result({}))),
    )
    const client = await begin(gateway.url)
    const calling = streamed(gateway.url, client, {
      jsonrpc: "2.0",
      id: "mine",
      method: "tools/call",
      params: { name: "x" },
    })
    await until("it has begun", () => server.calls("tools/call").length === 1)
    await client.send({ method: "notifications/cancelled", params: { requestId: "mine" } })
    const { reply, stream } = await calling
    expect(reply.headers.get("content-type")).toBe("text/event-stream")
    await stream.closed
    expect(reply.status).toBe(200)
    expect(stream.events.filter(({ data }) => data !== undefined)).toEqual([])
  })

  it("is not answered on a stream that carries everything", async () => {
    const { gateway, server } = await behind(
      legacy((turn) => (neverEnding.has(String(turn.message.method)) ? undefined : turn.result({ tools: [] }))),
    )
    const abort = new AbortController()
    const stream = readReply(
      await fetch(gateway.url, { headers: { accept: "text/event-stream" }, signal: abort.signal }),
      () => abort.abort(),
    )
    const place = new URL(await stream.endpoint, gateway.url).href
    const send = (message: Json) => post(place, { jsonrpc: "2.0", ...message })
    const isAnswered = (id: number) => stream.events.some(({ data }) => data?.["id"] === id)
    await send({ id: 1, method: "initialize", params: { protocolVersion: "2024-11-05", capabilities: {} } })
    await until("it is introduced", () => isAnswered(1))
    await send({ id: 2, method: "tools/call", params: { name: "x" } })
    await until("it has begun", () => server.calls("tools/call").length === 1)
    await send({ method: "notifications/cancelled", params: { requestId: 2 } })
    await until("the server is told", () => server.calls("notifications/cancelled").length === 1)
    await send({ id: 3, method: "tools/list" })
    await until("the next one is answered", () => isAnswered(3))
    expect(isAnswered(2)).toBe(false)
    stream.close()
  })
})

describe("a batch", () => {
  const begun = async (script: Script) => {
    const { gateway, server } = await behind(script)
    const client = await begin(gateway.url, { version: "2025-03-26", capabilities: { elicitation: {}, sampling: {} } })
    return { gateway, server, client }
  }
  const call = (id: unknown, name = "x") => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name } })

  it("may be asked something in, and is a stream then", async () => {
    let answer: ((result: unknown) => void) | undefined
    const { client, gateway } = await begun(
      legacy((turn) => {
        if (turn.message.method === undefined) return answer?.(turn.message["result"])
        if (turn.message.params?.["name"] === "quick") return turn.result(done)
        const stream = turn.stream()
        stream.send({ jsonrpc: "2.0", id: "q", method: "sampling/createMessage", params: { messages: [] } })
        answer = (result) => {
          stream.send({ jsonrpc: "2.0", id: turn.message.id, result: { content: [], structuredContent: result } })
          stream.end()
        }
        return undefined
      }),
    )
    const { reply, stream } = await streamed(gateway.url, client, [call("quick", "quick"), call("asking")])
    expect(reply.headers.get("content-type")).toBe("text/event-stream")
    const question = () => stream.events.find(({ data }) => data?.["method"] === "sampling/createMessage")?.data
    await until("it is asked", () => question() !== undefined)
    const said = { role: "assistant", model: "m", content: { type: "text", text: "Paris" } }
    await client.send({ id: question()?.["id"], result: said })
    await stream.closed
    const answers = stream.events.flatMap(({ data }) => (data?.["result"] === undefined ? [] : [data]))
    expect(answers.map(({ id }) => id).toSorted()).toEqual(["asking", "quick"])
    expect(answers.find(({ id }) => id === "asking")?.["result"]).toMatchObject({ structuredContent: said })
  })

  it("does not hold an introduction", async () => {
    const { client, gateway, server } = await begun(legacy((turn) => turn.result(done)))
    const introduced = server.calls("initialize").length
    const introduction = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-03-26" } }
    const { reply } = await streamed(gateway.url, client, [introduction, call(2)])
    expect(reply.status).toBe(400)
    expect(server.calls("initialize")).toHaveLength(introduced)
  })

  it("of nothing but answers and notifications is taken, and what is wrong in it is named", async () => {
    const { client, gateway } = await begun(legacy((turn) => turn.result(done)))
    const own = { "mcp-session-id": client.id }
    const taken = await post(gateway.url, [{ jsonrpc: "2.0", method: "notifications/made/up" }], own)
    expect([taken.status, taken.text]).toEqual([202, ""])
    for (const wrong of [[], [1], [{ jsonrpc: "2.0", id: 7 }]]) {
      const said = await post(gateway.url, wrong, own)
      expect(said.status, JSON.stringify(wrong)).toBe(400)
      expect(answerOf(said).error).toMatchObject({ code: -32_600 })
    }
  })
})

describe("a message that is nested too deeply", () => {
  it("is refused by its number", async () => {
    const { gateway } = await behind(legacy((turn) => turn.result(done)))
    const client = await begin(gateway.url)
    const deep = `${"[".repeat(200)}${"]".repeat(200)}`
    const said = await post(gateway.url, `{"jsonrpc":"2.0","id":"deep","method":"ping","params":{"a":${deep}}}`, {
      "mcp-session-id": client.id,
    })
    expect(said.status).toBe(400)
    expect(answerOf(said)).toMatchObject({ id: "deep", error: { code: -32_600 } })
  })
})

describe("a question that belongs to no call", () => {
  it("waits a while for a client that has no stream open", async () => {
    let asked: Turn["response"] | undefined
    const answers: Array<unknown> = []
    const server = await scripted(
      legacy((turn) => (turn.message.method === undefined ? answers.push(turn.message) : turn.result(done))),
      (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.flushHeaders()
        asked = response
      },
    )
    open.push(server)
    const gateway = await before({ one: server })
    const client = await begin(gateway.url, { capabilities: { elicitation: {} } })
    await until("the server can speak", () => asked !== undefined)
    const question = { jsonrpc: "2.0", id: "q", method: "elicitation/create", params: { message: "?" } }
    asked?.write(`data: ${JSON.stringify(question)}\n\n`)
    // What was written before this answer has been read before it.
    await client.request("ping")
    const stream = await client.listen()
    const found = () => stream.events.find(({ data }) => data?.["method"] === "elicitation/create")?.data
    await until("the client is asked", () => found() !== undefined || answers.length > 0)
    expect(answers).toEqual([])
    await client.send({ id: found()?.["id"], result: { action: "decline" } })
    await until("the server has its answer", () => answers.length === 1)
    expect(answers).toMatchObject([{ id: "q", result: { action: "decline" } }])
    stream.close()
  })
})

describe("a request to a model", () => {
  const params: Json = { messages: [{ role: "user", content: { type: "text", text: "?" } }], maxTokens: 1 }
  const tools = [{ name: "t", inputSchema: { type: "object" } }]
  it.each([
    ["with tools", { ...params, tools }],
    ["with a choice of tools", { ...params, toolChoice: { mode: "auto" } }],
    [
      "with several pieces of content",
      { ...params, messages: [{ role: "user", content: [{ type: "text", text: "?" }] }] },
    ],
    [
      "about what a tool said",
      { ...params, messages: [{ role: "user", content: { type: "tool_result", toolUseId: "1", content: [] } }] },
    ],
  ])("%s goes to nobody who has not said that it can be made one", async (_what, asked) => {
    const answers: Array<Json> = []
    const { gateway } = await behind(
      legacy((turn) => {
        if (turn.message.method === undefined) return answers.push(turn.message)
        const stream = turn.stream()
        stream.send({ jsonrpc: "2.0", id: "q", method: "sampling/createMessage", params: asked })
        return void until("it is answered", () => answers.length > 0).then(() => {
          stream.send({ jsonrpc: "2.0", id: turn.message.id, result: done })
          stream.end()
        })
      }),
    )
    const client = await begin(gateway.url, { capabilities: { sampling: {} } })
    const said = await client.request("tools/call", { name: "x" })
    expect(said.messages.some(({ method }) => method === "sampling/createMessage")).toBe(false)
    expect(answers).toMatchObject([{ id: "q", error: { code: -32_601 } }])
  })
})

describe("what a session has chosen", () => {
  it("is told to a server that was not there when it was", async () => {
    const logging: Script = legacy((turn) => turn.result(done), { tools: {}, logging: {} })
    const first = await started(logging)
    const second = await started(logging)
    const { port } = second
    const gateway = await before({ a: first, b: second })
    await second.close()
    open.splice(open.indexOf(second), 1)
    const client = await begin(gateway.url)
    await client.request("logging/setLevel", { level: "warning" })
    expect(first.calls("logging/setLevel")).toHaveLength(1)
    const back = await started(logging, port)
    while (back.calls("tools/call").length === 0) await client.request("tools/call", { name: "b_x", arguments: {} })
    expect(back.calls("logging/setLevel").map(({ params }) => params)).toEqual([{ level: "warning" }])
  })
})
