/** Calls that wait for answers: whose question it is, who may answer it, and what becomes of it when something is lost. */
import type { ServerResponse } from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import {
  answerOf,
  ask,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  type Said,
  type Scripted,
  scripted,
  type Turn,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})
const closed = <A extends { readonly close: () => Promise<void> }>(one: A): A => {
  open.push(one)
  return one
}

const form = { message: "Who?", requestedSchema: { type: "object", properties: { name: { type: "string" } } } }
const capabilities = { elicitation: {} }
const question = (id: unknown): Json => ({ jsonrpc: "2.0", id, method: "elicitation/create", params: form })

/** Asks on the stream of the call, and says what it was answered. */
const asking = async (): Promise<Scripted> => {
  const waiting = new Map<unknown, { readonly turn: Turn; readonly stream: ReturnType<Turn["stream"]> }>()
  let last = 0
  return closed(
    await scripted(
      legacy((turn) => {
        const { id, method } = turn.message
        if (method === undefined) {
          const call = waiting.get(id)
          const text = JSON.stringify((turn.message["result"] as Json | undefined)?.["content"])
          call?.stream.send({ jsonrpc: "2.0", id: call.turn.message.id, result: resultOf(call.turn, text) })
          return call?.stream.end()
        }
        if (method === "notifications/cancelled") return undefined
        const stream = turn.stream()
        waiting.set(++last, { turn, stream })
        return stream.send(question(last))
      }),
    ),
  )
}

const resultOf = ({ message }: Turn, text: string): Json =>
  message.method === "prompts/get"
    ? { messages: [{ role: "user", content: { type: "text", text } }] }
    : { content: [{ type: "text", text }] }

const before = async ({ url }: Scripted, more: Parameters<typeof mcpGateway>[1] = {}): Promise<McpGateway> =>
  closed(await mcpGateway(`{targets: [{name: one, mcp: {host: "${url}"}}]}`, more))

const call = (url: string, more: Json = {}, headers: Record<string, string> = {}, method = "tools/call") =>
  ask(url, method, { name: "ask", arguments: {}, ...more }, { capabilities, headers })

const answered = (asked: Said, name: string): Json => {
  const result = answerOf(asked).result as Json
  const [key = ""] = Object.keys(result["inputRequests"] as Json)
  return {
    requestState: result["requestState"],
    inputResponses: { [key]: { action: "accept", content: { name } } },
  }
}

const firstOf = (said: Said): unknown =>
  (answerOf(said).result?.["content"] as ReadonlyArray<Json> | undefined)?.[0]?.["text"]
const textOf = (said: Said): string => JSON.stringify(answerOf(said).result?.["content"] ?? said.text)

describe("a question", () => {
  it("on the stream for everything reaches the one of two calls that it can belong to", async () => {
    const streams = new Map<string, ServerResponse>()
    const calls = new Map<string, Turn>()
    const server = closed(
      await scripted(
        legacy((turn) => {
          const session = String(turn.headers["mcp-session-id"])
          const { message } = turn
          if (message.method === undefined) {
            const answer = JSON.stringify((message["result"] as Json)["content"])
            const [asked, own] = [String(message.id).split("/")[1], calls.get(session)]
            own?.result({ content: [{ type: "text", text: `${asked === session} ${answer}` }] })
            return
          }
          calls.set(session, turn)
          streams.get(session)?.write(`data: ${JSON.stringify(question(`q/${session}`))}\n\n`)
        }),
        (request, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.flushHeaders()
          streams.set(String(request.headers["mcp-session-id"]), response)
        },
      ),
    )
    const { url } = await before(server)
    const [one, two] = await Promise.all([call(url), call(url)])
    const done = await Promise.all([call(url, answered(one, "Ann")), call(url, answered(two, "Bob"))])
    expect(done.map((said) => firstOf(said))).toEqual(['true {"name":"Ann"}', 'true {"name":"Bob"}'])
  })

  it("is answered by nobody but who was asked", async () => {
    const server = await asking()
    const { url } = await before(server, { policies: "{apiKey: {mode: strict, keys: [{key: ann}, {key: bob}]}}" })
    const [ann, bob] = [{ authorization: "Bearer ann" }, { authorization: "Bearer bob" }]
    const asked = await call(url, {}, ann)
    expect(answerOf(await call(url, answered(asked, "Eve"), bob)).error).toMatchObject({ code: -32_602 })
    expect(textOf(await call(url, answered(asked, "Ann"), ann))).toContain("Ann")
    expect(server.calls("tools/call")).toHaveLength(1)
  })
})

describe("a call whose gateway is gone", () => {
  const key = { options: { sealingKey: new Uint8Array(32).fill(5) } }

  it("is not made a second time by another one where it may have done something", async () => {
    const server = await asking()
    const first = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`, key)
    const asked = await call(first.url)
    await first.close()
    const { url } = await before(server, key)
    const late = answerOf(await call(url, answered(asked, "Ann"))).result
    expect(late).toMatchObject({ resultType: "complete", isError: true })
    expect(server.calls("tools/call")).toHaveLength(1)
  })

  it("is asked anew where it only reads", async () => {
    const server = await asking()
    const first = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`, key)
    const asked = await call(first.url, {}, {}, "prompts/get")
    await first.close()
    const { url } = await before(server, key)
    const again = await call(url, answered(asked, "Ann"), {}, "prompts/get")
    expect(answerOf(again).result).toMatchObject({ resultType: "input_required" })
    const done = await call(url, answered(again, "Ann"), {}, "prompts/get")
    expect(JSON.stringify(answerOf(done).result)).toContain("Ann")
  })
})

describe("hanging up", () => {
  it("after the question came is no cancellation, and while the answer is worked on it is", async () => {
    const server = closed(
      await scripted(
        legacy((turn) => {
          if (turn.message.method !== "tools/call") return
          turn.stream().send(question("q"))
        }),
      ),
    )
    const { url } = await before(server)
    const asked = await call(url)
    expect(server.calls("notifications/cancelled")).toEqual([])
    const abort = new AbortController()
    const params = { name: "ask", arguments: {}, ...answered(asked, "Ann") }
    const going = ask(url, "tools/call", params, { capabilities, signal: abort.signal })
    await until("the server has the answer", () => server.messages.some(({ id }) => id === "q"))
    expect(server.calls("notifications/cancelled")).toEqual([])
    abort.abort()
    await expect(going).rejects.toThrow()
    await until("the server is told", () => server.calls("notifications/cancelled").length === 1, 15_000)
  })
})
