/** Lists that many clients want at once, from servers as people have them, which count who asks. */
import { type NodeIncomingMessageLike, toNodeHandler } from "@modelcontextprotocol/node"
import { createMcpHandler, InMemoryServerEventBus, McpServer } from "@modelcontextprotocol/server"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { answerOf, ask, listen, mcpGateway, type Said } from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

interface Gated {
  readonly url: string
  /** Answers those who ask for its tools, from the first to the last. */
  readonly waiting: Array<() => void>
  readonly tools: Array<string>
  readonly change: () => void
  /** How often its tools were asked for, and by how many who left before they were told. */
  asked: number
  left: number
}

/** A server whose list of tools may be kept for long, and comes when the test says so, as it was when it was asked for. */
const gated = async (cacheScope: "public" | "private", ttlMs = 600_000): Promise<Gated> => {
  const bus = new InMemoryServerEventBus()
  const tools = ["first"]
  const handle = toNodeHandler(
    createMcpHandler(
      () => {
        const hint = { ttlMs, cacheScope }
        const server = new McpServer(
          { name: "gated", version: "1" },
          {
            capabilities: { tools: { listChanged: true } },
            cacheHints: { "tools/list": hint, "server/discover": hint },
          },
        )
        for (const name of tools) server.registerTool(name, { description: name }, () => ({ content: [] }))
        return server
      },
      { legacy: "reject", bus },
    ),
  )
  const waiting: Array<() => void> = []
  const server = http.createServer(
    (request, response) =>
      void text(request).then((body) => {
        const message: unknown = JSON.parse(body)
        const answer = (): void => void handle(request as NodeIncomingMessageLike, response, message)
        if (request.headers["mcp-method"] !== "tools/list") return answer()
        gate.asked++
        response.on("close", () => {
          if (!response.writableEnded) gate.left++
        })
        waiting.push(answer)
      }),
  )
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  open.push({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
  const gate: Gated = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    waiting,
    tools,
    change: () => bus.publish({ kind: "tools_list_changed" }),
    asked: 0,
    left: 0,
  }
  return gate
}

const anyone =
  '{basicAuth: {mode: strict, htpasswd: "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}}'
const basic = (name: string) => ({ authorization: `Basic ${Buffer.from(`${name}:password`).toString("base64")}` })

const start = async (servers: Readonly<Record<string, Gated>>, policies = "") => {
  const targets = Object.entries(servers).map(([name, { url }]) => `{name: ${name}, mcp: {host: "${url}"}}`)
  const gateway = await mcpGateway(`{targets: [${targets.join(", ")}]}`, { policies })
  open.push(gateway)
  return gateway
}

const names = (said: Said): ReadonlyArray<string> =>
  ((answerOf(said).result?.["tools"] ?? []) as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)

const release = (...servers: ReadonlyArray<Gated>): void => {
  for (const { waiting } of servers) for (const answer of waiting.splice(0)) answer()
}

/** Asks as many clients as that, and goes on once the gateway has them all. */
const askAll = async (
  gateway: { readonly url: string },
  count: number,
  options: Parameters<typeof ask>[3] = {},
): Promise<ReadonlyArray<Promise<Said>>> => {
  const all = Array.from({ length: count }, () => ask(gateway.url, "tools/list", {}, options))
  // Whoever asks for something nobody has to wait for comes after those.
  for (let i = 0; i < 3; i++) await ask(gateway.url, "server/discover", {}, options)
  return all
}

describe("a list that many clients want at once", () => {
  it("is asked for once at every server, and then kept", async () => {
    const [a, b] = [await gated("private"), await gated("public")]
    const gateway = await start({ a, b })
    const all = await askAll(gateway, 20)
    await until("both are asked", () => a.asked > 0 && b.asked > 0)
    release(a, b)
    for (const said of await Promise.all(all)) expect(names(said)).toEqual(["a_first", "b_first"])
    expect(names(await ask(gateway.url, "tools/list"))).toEqual(["a_first", "b_first"])
    expect([a.asked, b.asked]).toEqual([1, 1])
  })

  it("comes to those who stay when those leave who asked first", async () => {
    const [a, b] = [await gated("private"), await gated("public")]
    const gateway = await start({ a, b })
    const abort = new AbortController()
    const leaving = ask(gateway.url, "tools/list", {}, { signal: abort.signal })
    await until("both are asked", () => a.asked > 0 && b.asked > 0)
    const staying = await askAll(gateway, 5)
    abort.abort()
    await expect(leaving).rejects.toThrow()
    for (let i = 0; i < 3; i++) await ask(gateway.url, "server/discover")
    release(a, b)
    for (const said of await Promise.all(staying)) expect(names(said)).toEqual(["a_first", "b_first"])
    expect([a.asked, b.asked, a.left, b.left]).toEqual([1, 1, 0, 0])
  })

  it("is given up at every server when the last of them has left", async () => {
    const [a, b] = [await gated("private"), await gated("public")]
    const gateway = await start({ a, b })
    const abort = new AbortController()
    const all = await askAll(gateway, 5, { signal: abort.signal })
    await until("both are asked", () => a.asked > 0 && b.asked > 0)
    const ends = Promise.allSettled(all)
    abort.abort()
    expect((await ends).every(({ status }) => status === "rejected")).toBe(true)
    await until("both are told", () => a.left === 1 && b.left === 1)
    expect([a.asked, b.asked]).toEqual([1, 1])
    a.waiting.length = b.waiting.length = 0
    const next = ask(gateway.url, "tools/list")
    await until("both are asked again", () => a.asked === 2 && b.asked === 2)
    release(a, b)
    expect(names(await next)).toEqual(["a_first", "b_first"])
  })

  it("is asked for on behalf of each identity", async () => {
    const [a, b] = [await gated("private"), await gated("private")]
    const gateway = await start({ a, b }, anyone)
    const all = [
      ...(await askAll(gateway, 4, { headers: basic("ann") })),
      ...(await askAll(gateway, 4, { headers: basic("bob") })),
    ]
    await until("both are asked for both", () => a.asked === 2 && b.asked === 2)
    release(a, b)
    for (const said of await Promise.all(all)) expect(names(said)).toEqual(["a_first", "b_first"])
    expect([a.asked, b.asked]).toEqual([2, 2])
  })

  it("is each one's own where its server lets nobody keep it", async () => {
    const [a, b] = [await gated("private", 0), await gated("public")]
    const gateway = await start({ a, b })
    const first = ask(gateway.url, "tools/list")
    await until("both are asked", () => a.asked === 1 && b.asked === 1)
    release(a, b)
    await first
    const all = Array.from({ length: 3 }, () => ask(gateway.url, "tools/list"))
    await until("each asks for himself", () => a.asked === 4)
    release(a)
    for (const said of await Promise.all(all)) expect(names(said)).toEqual(["a_first", "b_first"])
    expect(b.asked).toBe(1)
  })
})

describe("a change while a list is read", () => {
  it("sends whoever comes after it to the server once more, and what was read before is not kept", async () => {
    const [a, b] = [await gated("private"), await gated("private")]
    const gateway = await start({ a, b })
    const told = await listen(gateway.url, { toolsListChanged: true }, "listen")
    open.push({ close: async () => told.close() })
    const heard = (method: string): boolean => told.events.some(({ data }) => data?.["method"] === method)
    await until("it listens", () => heard("notifications/subscriptions/acknowledged"))
    const before = ask(gateway.url, "tools/list")
    await until("both are asked", () => a.asked === 1 && b.asked === 1)
    release(b)
    const old = a.waiting.splice(0)
    a.change()
    await until("the change is told", () => heard("notifications/tools/list_changed"))
    const after = ask(gateway.url, "tools/list")
    await until("it is asked again", () => a.asked === 2)
    for (const answer of old) answer()
    expect(names(await before)).toEqual(["a_first", "b_first"])
    a.tools.push("second")
    release(a)
    expect(names(await after)).toEqual(["a_first", "a_second", "b_first"])
    expect(names(await ask(gateway.url, "tools/list"))).toEqual(["a_first", "a_second", "b_first"])
    expect([a.asked, b.asked]).toEqual([2, 1])
  })
})
