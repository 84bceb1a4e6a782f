/** One gateway behind another: what each seals, only it opens, and the other one passes it on. */
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
  type Script,
  scripted,
  type Scripted,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const before = async (url: string): Promise<McpGateway> => {
  const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${url}"}}]}`)
  open.push(gateway)
  return gateway
}

const elicitation = { elicitation: {} }

/** Its tool asks who is there, and says what it was answered. */
const asking = (): Script => {
  let answer: ((result: unknown) => void) | undefined
  return legacy((turn) => {
    if (turn.message.method === undefined) return answer?.(turn.message["result"])
    if (turn.message.method !== "tools/call") return undefined
    const stream = turn.stream()
    stream.send({
      jsonrpc: "2.0",
      id: "q",
      method: "elicitation/create",
      params: { message: "?", requestedSchema: {} },
    })
    answer = (result) => {
      stream.send({ jsonrpc: "2.0", id: turn.message.id, result: { content: [], structuredContent: result } })
      stream.end()
    }
    return undefined
  })
}

const params = { name: "x", arguments: {} }

const chain = async (): Promise<{
  readonly server: Scripted
  readonly inner: McpGateway
  readonly outer: McpGateway
}> => {
  const server = await scripted(asking())
  open.push(server)
  const inner = await before(server.url)
  return { server, inner, outer: await before(inner.url) }
}

describe("a gateway behind a gateway", () => {
  it("asks, and is answered, by results that the first one passes on", async () => {
    const { outer } = await chain()
    const asked = answerOf(await ask(outer.url, "tools/call", params, { capabilities: elicitation })).result as Json
    expect(asked).toMatchObject({ resultType: "input_required" })
    const [key = ""] = Object.keys(asked["inputRequests"] as Json)
    const said = await ask(
      outer.url,
      "tools/call",
      { ...params, requestState: asked["requestState"], inputResponses: { [key]: { action: "decline" } } },
      { capabilities: elicitation },
    )
    expect(answerOf(said).result).toMatchObject({ structuredContent: { action: "decline" } })
  })

  it("asks, and is answered, by a client with a session", async () => {
    const { outer, server } = await chain()
    const client = await begin(outer.url, { capabilities: elicitation })
    const calling = fetch(outer.url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "*/*", "mcp-session-id": client.id },
      body: JSON.stringify({ jsonrpc: "2.0", id: 5, method: "tools/call", params }),
    })
    await until("the server is asked", () => server.calls("tools/call").length === 1)
    const reply = await calling
    const reader = (reply.body as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    let text = ""
    while (!text.includes("elicitation/create"))
      text += new TextDecoder().decode((await reader.next()).value as Uint8Array)
    const question = JSON.parse(/data: (\{.*elicitation\/create.*)/.exec(text)?.[1] ?? "{}") as Json
    await client.send({ id: question["id"], result: { action: "decline" } })
    for (let one = await reader.next(); one.done !== true; one = await reader.next())
      text += new TextDecoder().decode(one.value)
    expect(text).toContain('"structuredContent":{"action":"decline"}')
    expect(server.calls("tools/call")).toHaveLength(1)
  })

  it("has states of its own, which are for nobody else: what it cannot have sealed is refused, and never a new call", async () => {
    const { inner, outer, server } = await chain()
    const asked = answerOf(await ask(inner.url, "tools/call", params, { capabilities: elicitation })).result as Json
    const state = String(asked["requestState"])
    const forged = `${state.slice(0, -2)}${state.endsWith("AA") ? "BB" : "AA"}`
    for (const [url, requestState] of [
      [inner.url, forged],
      [outer.url, forged],
      [inner.url, "slc1.made-up"],
      [inner.url, "anything"],
    ] as const) {
      const said = await ask(
        url,
        "tools/call",
        { ...params, requestState, inputResponses: {} },
        { capabilities: elicitation },
      )
      expect(answerOf(said).error, requestState).toMatchObject({ code: -32_602 })
    }
    expect(server.calls("tools/call")).toHaveLength(1)
  })
})
