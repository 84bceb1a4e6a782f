/** What would be lost between the generations if nobody took care of it. */
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
  readStream,
  type Script,
  type Scripted,
  scripted,
  targetsOf,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const started = async (script: Script, get?: Parameters<typeof scripted>[1]): Promise<Scripted> => {
  const server = await scripted(script, get)
  open.push(server)
  return server
}

const before = async (backend: string, more: Parameters<typeof mcpGateway>[1] = {}): Promise<McpGateway> => {
  const gateway = await mcpGateway(backend, more)
  open.push(gateway)
  return gateway
}

const tokenOf = ({ params }: { readonly params?: Json }): unknown =>
  (params?.["_meta"] as Json | undefined)?.["progressToken"]

const asking = (url: string, id = "k", state?: string) => ({
  resultType: "input_required",
  inputRequests: { [id]: { method: "elicitation/create", params: { mode: "url", message: "Go there", url } } },
  ...(state === undefined ? {} : { requestState: state }),
})

const done = { resultType: "complete", content: [{ type: "text", text: "done" }] }

/** A POST of a client with a session, whose reply is read as it comes. */
const streamed = (url: string, session: string, message: Json) =>
  readStream(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": session,
      "mcp-protocol-version": "2025-11-25",
    },
    body: JSON.stringify({ jsonrpc: "2.0", ...message }),
  })

describe("a client with a session, at a server that asks by results", () => {
  it("is told when what a person was sent to do is done, by the name it was given for it", async () => {
    let calls = 0
    const server = await started(
      modern((turn) => turn.result(++calls < 3 ? asking("https://login.example.test/1") : done)),
    )
    const gateway = await before(targetsOf({ one: server }))
    const client = await begin(gateway.url, { capabilities: { elicitation: { form: {}, url: {} } } })
    const stream = await streamed(gateway.url, client.id, {
      id: 7,
      method: "tools/call",
      params: { name: "x", arguments: {} },
    })
    const said = (method: string) => stream.events.find(({ data }) => data?.["method"] === method)?.data
    await until("it is asked", () => said("elicitation/create") !== undefined)
    const question = said("elicitation/create") as Json
    const { elicitationId } = question["params"] as Json
    expect(typeof elicitationId).toBe("string")
    await client.send({ id: question["id"], result: { action: "accept" } })
    await until("it is answered", () => stream.events.some(({ data }) => data?.["id"] === 7))
    expect(said("notifications/elicitation/complete")?.["params"]).toEqual({ elicitationId })
    // Once it had been sent there, it was not asked the same again.
    expect(stream.events.filter(({ data }) => data?.["method"] === "elicitation/create")).toHaveLength(1)
  })

  it("sees progress that only ever grows, round after round", async () => {
    let round = 0
    const server = await started(
      modern((turn) => {
        const token = tokenOf(turn.message)
        const stream = turn.stream()
        const progress = (value: number) =>
          stream.send({
            jsonrpc: "2.0",
            method: "notifications/progress",
            params: { progressToken: token, progress: value },
          })
        progress(1)
        progress(2)
        stream.send({
          jsonrpc: "2.0",
          id: turn.message.id,
          result: ++round < 3 ? { resultType: "input_required", requestState: "s" } : done,
        })
        stream.end()
      }),
    )
    const gateway = await before(targetsOf({ one: server }))
    const client = await begin(gateway.url)
    const said = await client.request("tools/call", { name: "x", arguments: {}, _meta: { progressToken: "t" } })
    const values = said.messages.flatMap((one) =>
      one["method"] === "notifications/progress" ? [Number((one["params"] as Json)["progress"])] : [],
    )
    expect(values).toEqual([1, 2, 3, 4, 5, 6])
  })
})

describe("a call that waits for answers", () => {
  it("keeps the last progress of the meantime for when its client is back", async () => {
    let push: ((message: unknown) => void) | undefined
    let finish = (): void => {}
    const server = await started(
      legacy((turn) => {
        if (turn.message.method === undefined) return finish()
        const token = tokenOf(turn.message)
        const stream = turn.stream()
        push = (progress) =>
          stream.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: token, progress } })
        finish = () => {
          push?.(9)
          stream.send({ jsonrpc: "2.0", id: turn.message.id, result: { content: [] } })
          stream.end()
        }
        stream.send({
          jsonrpc: "2.0",
          id: "q",
          method: "elicitation/create",
          params: { message: "?", requestedSchema: {} },
        })
      }),
    )
    const gateway = await before(targetsOf({ one: server }))
    const options = { capabilities: { elicitation: { form: {} } }, meta: { progressToken: "t" } }
    const asked = answerOf(await ask(gateway.url, "tools/call", { name: "x" }, options)).result as Json
    push?.(3)
    push?.(4)
    const [key = ""] = Object.keys(asked["inputRequests"] as Json)
    const said = await ask(
      gateway.url,
      "tools/call",
      { name: "x", requestState: asked["requestState"], inputResponses: { [key]: { action: "decline" } } },
      options,
    )
    const values = said.messages.flatMap((one) =>
      one["method"] === "notifications/progress" ? [(one["params"] as Json)["progress"]] : [],
    )
    expect(values.at(-1)).toBe(9)
    expect(values.length).toBeLessThanOrEqual(2)
    expect(answerOf(said).result).toMatchObject({ content: [] })
  })
})

const pages = (name: string, count: number): Script =>
  modern(
    (turn) => {
      const { cursor = "" } = (turn.message.params ?? {}) as { cursor?: string }
      const page = cursor === "" ? 1 : Number(cursor.slice(1))
      if (!(page >= 1 && page <= count)) return turn.error(-32_602, "unknown cursor")
      return turn.result({
        resultType: "complete",
        resources: [{ uri: `${name}://${page}`, name: String(page) }],
        ...(page < count ? { nextCursor: `p${page + 1}` } : {}),
        ttlMs: 1000,
        cacheScope: "private",
      })
    },
    { resources: {} },
  )

describe("lists by pages", () => {
  it("lead through all targets at once, each to its own end", async () => {
    const gateway = await before(
      targetsOf({ a: await started(pages("a", 3)), b: await started(pages("b", 1)) }, "pagination: composite"),
    )
    const seen: Array<ReadonlyArray<string>> = []
    let cursor: unknown
    do {
      const params = cursor === undefined ? {} : { cursor }
      const result = answerOf(await ask(gateway.url, "resources/list", params)).result as Json
      seen.push((result["resources"] as ReadonlyArray<{ uri: string }>).map(({ uri }) => uri))
      cursor = result["nextCursor"]
    } while (cursor !== undefined)
    expect(seen).toEqual([["a+a://1", "b+b://1"], ["a+a://2"], ["a+a://3"]])
  })

  it("go on for nobody else, nor for another list, nor where the server has forgotten its cursor", async () => {
    let isForgetful = false
    const script = pages("a", 2)
    const a = await started((turn) =>
      isForgetful && turn.message.params?.["cursor"] !== undefined ? turn.error(-32_602, "gone") : script(turn),
    )
    const gateway = await before(targetsOf({ a, b: await started(pages("b", 1)) }, "pagination: composite"), {
      policies: "{apiKey: {mode: optional, keys: [{key: somebody-else}]}}",
    })
    const first = answerOf(await ask(gateway.url, "resources/list")).result as Json
    const cursor = String(first["nextCursor"])
    const refused = { code: -32_602 }
    const other = { authorization: "Bearer somebody-else" }
    expect(answerOf(await ask(gateway.url, "resources/list", { cursor }, { headers: other })).error).toMatchObject(
      refused,
    )
    expect(answerOf(await ask(gateway.url, "resources/list", { cursor })).error).toBeUndefined()
    const forged = `${cursor.slice(0, -2)}${cursor.endsWith("AA") ? "BB" : "AA"}`
    expect(answerOf(await ask(gateway.url, "resources/list", { cursor: forged })).error).toMatchObject(refused)
    expect(answerOf(await ask(gateway.url, "resources/templates/list", { cursor })).error).toMatchObject(refused)
    isForgetful = true
    expect(answerOf(await ask(gateway.url, "resources/list", { cursor })).error).toMatchObject(refused)
  })
})

const tools = (name: string, count: number): Script =>
  modern((turn) =>
    turn.result({
      resultType: "complete",
      tools: Array.from({ length: count }, (_, i) => ({ name: `${name}${i}`, inputSchema: { type: "object" } })),
      ttlMs: 0,
      cacheScope: "private",
    }),
  )

describe("a list in pages of a size", () => {
  const paged = async (): Promise<{ readonly url: string; readonly grow: () => void }> => {
    let count = 3
    const a = await started((turn) => tools("a", count)(turn))
    const gateway = await before(targetsOf({ a, b: await started(tools("b", 2)) }, "pageSize: 2"))
    return {
      url: gateway.url,
      grow: () => {
        count++
      },
    }
  }

  it("has every item once, and no page with more than that", async () => {
    const { url } = await paged()
    const seen: Array<ReadonlyArray<string>> = []
    let cursor: unknown
    do {
      const result = answerOf(await ask(url, "tools/list", cursor === undefined ? {} : { cursor })).result as Json
      seen.push((result["tools"] as ReadonlyArray<{ name: string }>).map(({ name }) => name))
      cursor = result["nextCursor"]
    } while (cursor !== undefined)
    expect(seen).toEqual([["a_a0", "a_a1"], ["a_a2", "b_b0"], ["b_b1"]])
  })

  it("leads on in that list only, and only while it is what it was", async () => {
    const { grow, url } = await paged()
    const first = answerOf(await ask(url, "tools/list")).result as Json
    const cursor = String(first["nextCursor"])
    const refused = { code: -32_602 }
    expect(answerOf(await ask(url, "prompts/list", { cursor })).error).toMatchObject(refused)
    expect(answerOf(await ask(url, "tools/list", { cursor: "x" })).error).toMatchObject(refused)
    expect(answerOf(await ask(url, "tools/list", { cursor })).error).toBeUndefined()
    grow()
    expect(answerOf(await ask(url, "tools/list", { cursor })).error).toMatchObject(refused)
  })
})

describe("the revision a server is asked to speak", () => {
  const spoken = async (more: string): Promise<unknown> => {
    const server = await started(legacy((turn) => turn.result({ tools: [] })))
    const gateway = await before(`{targets: [{name: one, mcp: {host: "${server.url}"}${more}}]}`)
    const client = await begin(gateway.url, { version: "2025-03-26" })
    expect(client.introduction["protocolVersion"]).toBe("2025-03-26")
    return server.calls("initialize").at(-1)?.params?.["protocolVersion"]
  }

  it("is the newest it may know, whatever its client speaks, unless that is to be passed on", async () => {
    expect(await spoken("")).toBe("2025-11-25")
    expect(await spoken(", passVersion: true")).toBe("2025-03-26")
  })
})

describe("a server that is replaced by one of another generation", () => {
  const echo = (era: "legacy" | "modern") => {
    const script: Script = (turn) =>
      turn.result({ ...(era === "modern" ? { resultType: "complete" } : {}), content: [{ type: "text", text: era }] })
    return era === "legacy" ? legacy(script) : modern(script)
  }
  const textOf = (said: Json | undefined): unknown =>
    (said?.["content"] as ReadonlyArray<{ text: string }> | undefined)?.[0]?.text

  it("is asked anew when it contradicts what was found, and no call is lost", async () => {
    let now = echo("modern")
    const server = await started((turn) => now(turn))
    const gateway = await before(targetsOf({ one: server }))
    expect(textOf(answerOf(await ask(gateway.url, "tools/call", { name: "x" })).result)).toBe("modern")
    // What an old server makes of a request without a session.
    const refusing: Script = (turn) =>
      turn.headers["mcp-protocol-version"] === "2026-07-28"
        ? turn.json(400, { jsonrpc: "2.0", id: null, error: { code: -32_000, message: "Bad Request: no session" } })
        : echo("legacy")(turn)
    now = refusing
    expect(textOf(answerOf(await ask(gateway.url, "tools/call", { name: "x" })).result)).toBe("legacy")
    now = (turn) =>
      turn.headers["mcp-protocol-version"] === "2026-07-28"
        ? echo("modern")(turn)
        : turn.error(-32_022, "Unsupported protocol version", { supported: ["2026-07-28"] }, 400)
    expect(textOf(answerOf(await ask(gateway.url, "tools/call", { name: "x" })).result)).toBe("modern")
  })

  it.each([
    ["wants to know who calls", 401],
    ["is not ready", 503],
  ])("says nothing about what it speaks while it %s", async (_why, status) => {
    let isOpen = false
    const inner = echo("legacy")
    const server = await started((turn) => (isOpen ? inner(turn) : turn.json(status, {})))
    const gateway = await before(targetsOf({ one: server }))
    const first = await ask(gateway.url, "tools/call", { name: "x" })
    expect(answerOf(first).error).toBeDefined()
    isOpen = true
    expect(textOf(answerOf(await ask(gateway.url, "tools/call", { name: "x" })).result)).toBe("legacy")
  })
})

it("a batch of 2025-03-26 is several exchanges with one answer, and of other revisions it is refused", async () => {
  const server = await started(legacy((turn) => turn.result({ content: [], name: turn.message.params?.["name"] })))
  const gateway = await before(targetsOf({ one: server }))
  const batch = (session: string, version: string) =>
    post(
      gateway.url,
      [1, 2].map((id) => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name: `n${id}` } })),
      { "mcp-session-id": session, ...(version >= "2025-06-18" ? { "mcp-protocol-version": version } : {}) },
    )
  const old = await begin(gateway.url, { version: "2025-03-26" })
  const answers = JSON.parse((await batch(old.id, "2025-03-26")).text) as ReadonlyArray<{ id: number; result: Json }>
  expect(answers.map(({ id, result }) => [id, result["name"]])).toEqual([
    [1, "n1"],
    [2, "n2"],
  ])
  const newer = await begin(gateway.url)
  expect((await batch(newer.id, "2025-11-25")).status).toBe(400)
})
