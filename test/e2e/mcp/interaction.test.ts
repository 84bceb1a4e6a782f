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
  readReply,
  type Said,
  type Script,
  type Scripted,
  scripted,
  type Turn,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const behind = async (
  script: Script,
  more = "",
  get?: Parameters<typeof scripted>[1],
): Promise<{ readonly server: Scripted; readonly gateway: McpGateway }> => {
  const server = await scripted(script, get)
  open.push(server)
  const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}${more}}]}`)
  open.push(gateway)
  return { server, gateway }
}

const form = { message: "Who are you?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } }
const elicitation = { elicitation: {} }

/** A server with sessions whose tool asks on its stream, as often as told, and says what it was answered. */
const asking = (rounds = 1, atOnce = 1): Script => {
  const calls = new Map<
    number,
    { readonly turn: Turn; readonly stream: ReturnType<Turn["stream"]>; answers: Array<unknown>; left: number }
  >()
  let last = 100
  return legacy((turn) => {
    const { message } = turn
    if (message.method === undefined) {
      const call = calls.get(Number(message.id))
      if (call === undefined) return
      call.answers.push(message["result"] ?? message["error"])
      next(call)
      return
    }
    if (message.method === "notifications/cancelled") return
    if (message.method !== "tools/call") return turn.error(-32_601, "Method not found")
    const call = { turn, stream: turn.stream(), answers: [] as Array<unknown>, left: rounds }
    next(call)
  })
  function next(call: {
    readonly turn: Turn
    readonly stream: ReturnType<Turn["stream"]>
    answers: Array<unknown>
    left: number
  }): void {
    if (call.answers.length < (rounds - call.left) * atOnce) return
    if (call.left === 0) {
      call.stream.send({
        jsonrpc: "2.0",
        id: call.turn.message.id,
        result: { content: [{ type: "text", text: JSON.stringify(call.answers) }] },
      })
      return call.stream.end()
    }
    call.left--
    for (let i = 0; i < atOnce; i++) {
      calls.set(++last, call)
      call.stream.send({ jsonrpc: "2.0", id: last, method: "elicitation/create", params: form })
    }
  }
}

const textOf = (said: Said): unknown => {
  const [first] = (answerOf(said).result?.["content"] ?? []) as ReadonlyArray<Json>
  return first?.["text"]
}

const requestsOf = (said: Said): Readonly<Record<string, Json>> =>
  (answerOf(said).result?.["inputRequests"] ?? {}) as Readonly<Record<string, Json>>

const accepted = (name: string): Json => ({ action: "accept", content: { name } })

const retry = (
  url: string,
  said: Said,
  answers: Json,
  more: Json = {},
  headers: Record<string, string> = {},
): Promise<Said> =>
  ask(
    url,
    "tools/call",
    {
      name: "ask",
      arguments: {},
      inputResponses: answers,
      requestState: answerOf(said).result?.["requestState"],
      ...more,
    },
    { capabilities: elicitation, headers },
  )

const first = (url: string, headers: Record<string, string> = {}): Promise<Said> =>
  ask(url, "tools/call", { name: "ask", arguments: {} }, { capabilities: elicitation, headers })

const answering = (said: Said, name: string): Json =>
  Object.fromEntries(Object.keys(requestsOf(said)).map((key) => [key, accepted(name)]))

describe("a server that asks by requests, for a client that is asked by results", () => {
  it("is answered by the retry, and nothing is called twice", async () => {
    const { gateway, server } = await behind(asking())
    const asked = await first(gateway.url)
    expect(answerOf(asked).result).toMatchObject({ resultType: "input_required" })
    expect(Object.values(requestsOf(asked))).toEqual([
      { method: "elicitation/create", params: { ...form, mode: "form" } },
    ])
    const done = await retry(gateway.url, asked, answering(asked, "Ann"))
    expect(textOf(done)).toBe(JSON.stringify([accepted("Ann")]))
    expect(server.calls("tools/call")).toHaveLength(1)
  })

  it("may ask several things at once, and round after round", async () => {
    const { gateway } = await behind(asking(2, 2))
    const asked = await first(gateway.url)
    expect(Object.keys(requestsOf(asked))).toHaveLength(2)
    const again = await retry(gateway.url, asked, answering(asked, "Ann"))
    expect(Object.keys(requestsOf(again))).toHaveLength(2)
    const done = await retry(gateway.url, again, answering(again, "Bob"))
    expect(textOf(done)).toBe(JSON.stringify([accepted("Ann"), accepted("Ann"), accepted("Bob"), accepted("Bob")]))
  })

  it("asks again for what was left open, and does not look at what nobody asked", async () => {
    const { gateway } = await behind(asking(1, 2))
    const asked = await first(gateway.url)
    const [key = "", other = ""] = Object.keys(requestsOf(asked))
    const again = await retry(gateway.url, asked, { [key]: accepted("Ann"), unasked: accepted("Eve") })
    expect(Object.keys(requestsOf(again))).toEqual([other])
    const done = await retry(gateway.url, again, { [other]: accepted("Bob") })
    expect(textOf(done)).toBe(JSON.stringify([accepted("Ann"), accepted("Bob")]))
  })

  it("is not answered by a state that was used, was changed, or belongs to another request", async () => {
    const { gateway } = await behind(asking(2))
    const asked = await first(gateway.url)
    const invalid = { code: -32_602 }
    expect(
      answerOf(await retry(gateway.url, asked, answering(asked, "x"), { arguments: { other: 1 } })).error,
    ).toMatchObject(invalid)
    const state = String(answerOf(asked).result?.["requestState"])
    const forged = `${state.slice(0, -2)}${state.endsWith("AA") ? "BB" : "AA"}`
    expect(
      answerOf(await retry(gateway.url, asked, answering(asked, "x"), { requestState: forged })).error,
    ).toMatchObject(invalid)
    const again = await retry(gateway.url, asked, answering(asked, "Ann"))
    expect(answerOf(await retry(gateway.url, asked, answering(asked, "Ann"))).error).toMatchObject(invalid)
    expect(textOf(await retry(gateway.url, again, answering(again, "Bob")))).toContain("Bob")
  })

  it("hears that nobody answered when the time is over, and a late answer is told so", async () => {
    const { gateway, server } = await behind(asking(), ", timeouts: {ask: 200ms}")
    const asked = await first(gateway.url)
    await until("the server is told", () => server.messages.some((message) => message["result"] !== undefined))
    expect(server.messages.find((message) => message["result"] !== undefined)?.["result"]).toEqual({ action: "cancel" })
    const late = answerOf(await retry(gateway.url, asked, answering(asked, "Ann")))
    expect(late.error ?? late.result).toBeDefined()
    expect(late.result === undefined ? "refused" : late.result["isError"]).not.toBe(undefined)
    expect(server.calls("tools/call")).toHaveLength(1)
  })

  it("may ask where a question belongs to no call, and the right call is answered", async () => {
    let pending: Turn | undefined
    const { gateway, server } = await behind(
      legacy((turn) => {
        if (turn.message.method === undefined) {
          const [given] = [turn.message["result"] as Json]
          pending?.result({ content: [{ type: "text", text: JSON.stringify(given) }] })
          return
        }
        if (turn.message.method !== "tools/call") return turn.error(-32_601, "Method not found")
        pending = turn
        server.push({ jsonrpc: "2.0", id: 7, method: "elicitation/create", params: form })
      }),
    )
    const asked = await first(gateway.url)
    expect(Object.keys(requestsOf(asked))).toHaveLength(1)
    expect(textOf(await retry(gateway.url, asked, answering(asked, "Ann")))).toBe(JSON.stringify(accepted("Ann")))
  })

  it("is not told of what its client cannot do", async () => {
    const { gateway, server } = await behind(asking())
    const done = await ask(gateway.url, "tools/call", { name: "ask", arguments: {} })
    expect(server.calls("initialize").at(-1)?.params?.["capabilities"]).toEqual({})
    expect(textOf(done)).toContain("-32601")
  })

  it("is told when its client hangs up before anything was asked", async () => {
    const { gateway, server } = await behind(legacy(() => {}))
    const abort = new AbortController()
    const calling = ask(gateway.url, "tools/call", { name: "ask" }, { capabilities: elicitation, signal: abort.signal })
    await until("it has begun", () => server.calls("tools/call").length === 1)
    abort.abort()
    await expect(calling).rejects.toThrow()
    await until("it is told", () => server.calls("notifications/cancelled").length === 1)
  })

  it("serves calls that may ask one after the other where nothing else tells them apart", async () => {
    const { gateway, server } = await behind(asking())
    const [one, two] = await Promise.all([first(gateway.url), first(gateway.url)])
    expect(server.calls("initialize")).toHaveLength(2)
    const done = await Promise.all([
      retry(gateway.url, one, answering(one, "Ann")),
      retry(gateway.url, two, answering(two, "Bob")),
    ])
    expect(done.map(textOf)).toEqual([JSON.stringify([accepted("Ann")]), JSON.stringify([accepted("Bob")])])
  })
})

describe("a server that asks by results, for a client that is asked by requests", () => {
  /** Asks for a name, keeps state, and says what it was told. */
  const needy: Script = modern((turn) => {
    const { params } = turn.message
    if (turn.message.method !== "tools/call") return turn.error(-32_601, "Method not found", undefined, 404)
    const responses = params?.["inputResponses"] as Json | undefined
    if (responses === undefined) {
      return turn.result({
        resultType: "input_required",
        inputRequests: { user_name: { method: "elicitation/create", params: { ...form, mode: "form" } } },
        requestState: "opaque",
      })
    }
    turn.result({
      resultType: "complete",
      content: [{ type: "text", text: JSON.stringify([responses, params?.["requestState"]]) }],
    })
  })

  it("is called again with the answers and its own state", async () => {
    const { gateway, server } = await behind(needy)
    const client = await begin(gateway.url, { capabilities: elicitation })
    const calling = client.request("tools/call", { name: "ask", arguments: { a: 1 } })
    await until("it was asked", () => server.calls("tools/call").length === 1)
    // The question has the first number of the session's own.
    await until("the question is out", () => server.calls("tools/call").length === 1)
    await sleep(30)
    await client.send({ id: 1, result: accepted("Ann") })
    const said = await calling
    expect(said.messages.map(({ method }) => method ?? "answer")).toEqual(["elicitation/create", "answer"])
    expect(textOf(said)).toBe(JSON.stringify([{ user_name: accepted("Ann") }, "opaque"]))
    expect(server.calls("tools/call")[1]?.params).toMatchObject({ name: "ask", arguments: { a: 1 } })
  })

  it("is told of a refusal as a cancellation", async () => {
    const { gateway, server } = await behind(needy)
    const client = await begin(gateway.url, { capabilities: elicitation })
    const calling = client.request("tools/call", { name: "ask" })
    await until("it was asked", () => server.calls("tools/call").length === 1)
    await sleep(30)
    await client.send({ id: 1, error: { code: -1, message: "no" } })
    expect(textOf(await calling)).toContain('"action":"cancel"')
  })

  it("may want nothing but time", async () => {
    let calls = 0
    const { gateway } = await behind(
      modern((turn) =>
        ++calls < 3
          ? turn.result({ resultType: "input_required", requestState: `s${calls}` })
          : turn.result({
              resultType: "complete",
              content: [{ type: "text", text: String(turn.message.params?.["requestState"]) }],
            }),
      ),
    )
    const client = await begin(gateway.url)
    expect(textOf(await client.request("tools/call", { name: "x" }))).toBe("s2")
  })
})

describe("a question on the stream of one call", () => {
  it("comes to its client on the stream of that call, whichever began last", async () => {
    const turns = new Map<string, { readonly turn: Turn; readonly stream: ReturnType<Turn["stream"]> }>()
    const end = (name: string): void => {
      const call = turns.get(name)
      call?.stream.send({ jsonrpc: "2.0", id: call.turn.message.id, result: { content: [] } })
      call?.stream.end()
    }
    const { gateway } = await behind(
      legacy((turn) => {
        // The answer to its question ends the first call, and that the second one.
        if (turn.message.method === undefined) return ["first", "second"].forEach(end)
        return void turns.set(String(turn.message.params?.["name"]), { turn, stream: turn.stream() })
      }),
    )
    const client = await begin(gateway.url, { capabilities: elicitation })
    const call = async (name: string) => {
      const reply = fetch(gateway.url, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "*/*", "mcp-session-id": client.id },
        body: JSON.stringify({ jsonrpc: "2.0", id: name, method: "tools/call", params: { name } }),
      })
      await until("it has begun", () => turns.has(name))
      return reply
    }
    // Neither reply has a head before something is said in it.
    const replies = [call("first"), call("second")]
    await until("both have begun", () => turns.size === 2)
    turns.get("first")?.stream.send({ jsonrpc: "2.0", id: "q", method: "elicitation/create", params: form })
    const first = readReply((await replies[0]) as Response, () => {})
    await until("it is asked", () => first.events.some(({ data }) => data?.["method"] === "elicitation/create"))
    const question = first.events.find(({ data }) => data?.["method"] === "elicitation/create")?.data
    await client.send({ id: question?.["id"], result: { action: "decline" } })
    await first.closed
    expect(first.events.at(-1)?.data).toMatchObject({ id: "first" })
    const second = await ((await replies[1]) as Response).text()
    expect(second).not.toContain("elicitation/create")
    expect(second).toContain('"id":"second"')
  })
})
