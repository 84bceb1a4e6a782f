/** One target that dies, forgets or takes its time, and everybody else. */
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import {
  answerOf,
  ask,
  begin,
  type Json,
  type McpGateway,
  mcpGateway,
  modern,
  type Script,
  type Scripted,
  scripted,
  targetsOf,
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

const textOf = (answer: { readonly result?: Json }): unknown =>
  (answer.result?.["content"] as ReadonlyArray<Json> | undefined)?.[0]?.["text"]

const tool = { name: "say", inputSchema: { type: "object" } }
const lists = { resultType: "complete", tools: [tool], ttlMs: 0, cacheScope: "public" }
const says = (text: string) => ({ resultType: "complete", content: [{ type: "text", text }] })

const good = (whose: string): Script =>
  modern((turn) => turn.result(turn.message.method === "tools/list" ? lists : says(whose)))

/** What goes wrong with a target, from a question of one kind on; `undefined`: it is not there at all. */
const phases: Readonly<Record<string, ((turn: Turn) => boolean) | undefined>> = {
  "before anybody asked it": undefined,
  "while it says what it can": ({ message, request }) =>
    message.method === "server/discover" && (request.socket.destroy(), true),
  "while it lists": ({ message, request }) => message.method === "tools/list" && (request.socket.destroy(), true),
  "and never answers a list": ({ message }) => message.method === "tools/list",
  "in the middle of a call": ({ message, request }) =>
    message.method === "tools/call" && (request.socket.destroy(), true),
  "in the middle of a stream": ({ message, stream, response }) => {
    if (message.method !== "tools/call") return false
    stream().send({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "x" } })
    response.destroy()
    return true
  },
}

describe("a target that is lost", () => {
  it.each(Object.entries(phases))("%s costs the others nothing, and is named", async (_when, goesWrong) => {
    const servers: Record<string, Scripted> = {}
    for (const name of ["a", "c"]) servers[name] = closed(await scripted(good(name)))
    const broken = closed(await scripted((turn) => (goesWrong?.(turn) === true ? undefined : good("b")(turn))))
    if (goesWrong === undefined) await broken.close()
    const gateway = closed(
      await mcpGateway(
        `{targets: [${Object.entries({ a: servers["a"], b: broken, c: servers["c"] })
          .map(([name, one]) => `{name: ${name}, mcp: {host: "${one?.url}"}, timeouts: {list: 500ms}}`)
          .join(", ")}]}`,
      ),
    )
    const client = await begin(gateway.url)
    for (let round = 0; round < 2; round++) {
      const list = answerOf(await ask(gateway.url, "tools/list")).result
      const names = ((list?.["tools"] ?? []) as ReadonlyArray<Json>).map(({ name }) => name)
      expect(names).toEqual(expect.arrayContaining(["a_say", "c_say"]))
      const isListed = names.includes("b_say")
      if (!isListed) {
        expect(list?.["_meta"]).toMatchObject({ "dev.sluice/missing": [{ target: "b" }] })
      }
      const lost = answerOf(await ask(gateway.url, "tools/call", { name: "b_say" }))
      for (const name of ["a", "c"]) {
        expect(textOf(answerOf(await ask(gateway.url, "tools/call", { name: `${name}_say` })))).toBe(name)
        expect(textOf(answerOf(await client.request("tools/call", { name: `${name}_say` })))).toBe(name)
      }
      if (lost.error !== undefined) expect(lost.error["data"]).toMatchObject({ target: "b" })
      else expect(textOf(lost)).toBe("b")
    }
  })
})

describe("sessions that servers forget", () => {
  it("in the middle of everything are begun anew, and no client ever sees an error", async () => {
    const forgetful = (whose: string): Script => {
      const known = new Set<string>()
      let begun = 0
      let requests = 0
      return ({ headers, json, message, response, result }) => {
        const { id, method } = message
        if (headers["mcp-protocol-version"] === "2026-07-28") return response.writeHead(400).end()
        if (method === "initialize") {
          const session = `${whose}${++begun}`
          known.add(session)
          const introduction = {
            protocolVersion: "2025-11-25",
            capabilities: { tools: {} },
            serverInfo: { name: whose },
          }
          return json(200, { jsonrpc: "2.0", id, result: introduction }, { "mcp-session-id": session })
        }
        if (++requests % 25 === 0) known.clear()
        if (!known.has(String(headers["mcp-session-id"]))) return response.writeHead(404).end()
        return id === undefined ? response.writeHead(202).end() : result({ content: [{ type: "text", text: whose }] })
      }
    }
    const servers: Record<string, Scripted> = {}
    for (const name of ["a", "b", "c"]) servers[name] = closed(await scripted(forgetful(name)))
    const gateway: McpGateway = closed(await mcpGateway(targetsOf(servers)))
    const clients = await Promise.all([1, 2, 3].map(() => begin(gateway.url)))
    const wrong: Array<unknown> = []
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        ["a", "b", "c"].flatMap((name) => [
          ...clients.map(async (client) => {
            const answer = answerOf(await client.request("tools/call", { name: `${name}_say` }))
            if (textOf(answer) !== name) wrong.push(answer)
          }),
          (async () => {
            const answer = answerOf(await ask(gateway.url, "tools/call", { name: `${name}_say` }))
            if (textOf(answer) !== name) wrong.push(answer)
          })(),
        ]),
      )
    }
    expect(wrong).toEqual([])
    expect(servers["a"]?.calls("initialize").length).toBeGreaterThan(4)
  })
})

const USERS = Number(process.env["SLOW_USERS"] ?? 1_000)

describe("many users of one slow tool", () => {
  it("do not hold up those of another one", { timeout: 120_000 }, async () => {
    const waiting: Array<Turn> = []
    const slow = closed(await scripted(modern((turn) => void waiting.push(turn))))
    const quick = closed(await scripted(good("quick")))
    const gateway = closed(await mcpGateway(targetsOf({ slow, quick })))
    const slowly = Array.from({ length: USERS }, () => ask(gateway.url, "tools/call", { name: "slow_say" }))
    await until("all of them wait", () => waiting.length === USERS, 60_000)
    for (let i = 0; i < 20; i++) {
      expect(textOf(answerOf(await ask(gateway.url, "tools/call", { name: "quick_say" })))).toBe("quick")
    }
    expect(waiting).toHaveLength(USERS)
    for (const turn of waiting) turn.result(says("slow"))
    const texts = new Set((await Promise.all(slowly)).map((said) => textOf(answerOf(said))))
    expect(texts).toEqual(new Set(["slow"]))
  })
})
