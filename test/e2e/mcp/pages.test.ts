/** Lists of several targets in parts of a size that the configuration says, for real clients and bare ones. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { afterEach, describe, expect, it } from "vitest"
import { answerOf, ask, begin, type Json, mcpGateway, modern, scripted, targetsOf } from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const anyone =
  '{basicAuth: {mode: strict, htpasswd: "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\\nbob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}}'
const basic = (name: string) => ({ authorization: `Basic ${Buffer.from(`${name}:password`).toString("base64")}` })

/** Servers whose tools can be exchanged while they run. */
const start = async (counts: Readonly<Record<string, number>>, more: string, policies = "") => {
  const tools = new Map(
    Object.entries(counts).map(([name, count]) => [name, Array.from({ length: count }, (_, i) => `t${i}`)]),
  )
  const servers = Object.fromEntries(
    await Promise.all(
      [...tools.keys()].map(
        async (name) =>
          [
            name,
            await scripted(
              modern(
                ({ error, message, result }) =>
                  message.method === "tools/list"
                    ? result({
                        resultType: "complete",
                        tools: tools.get(name)?.map((one) => ({ name: one, inputSchema: { type: "object" } })),
                        ttlMs: 0,
                        cacheScope: "public",
                      })
                    : message.method === "prompts/list"
                      ? result({
                          resultType: "complete",
                          prompts: tools.get(name)?.map((one) => ({ name: one })),
                          ttlMs: 0,
                          cacheScope: "public",
                        })
                      : error(-32_601, "Method not found"),
                { tools: {}, prompts: {} },
              ),
            ),
          ] as const,
      ),
    ),
  )
  open.push(...Object.values(servers))
  const gateway = await mcpGateway(targetsOf(servers, more), { policies })
  open.push(gateway)
  return { gateway, tools }
}

const page = async (url: string, cursor?: unknown, method = "tools/list", headers: Record<string, string> = {}) => {
  const { error, result } = answerOf(
    await ask(url, method, cursor === undefined ? {} : ({ cursor } as Json), { headers }),
  )
  const items = (result?.["tools"] ?? result?.["prompts"]) as ReadonlyArray<{ name: string }> | undefined
  return { error, names: items?.map(({ name }) => name), next: result?.["nextCursor"] as string | undefined }
}

describe("lists in parts", () => {
  it("have so many items each, and together everything once", async () => {
    const { gateway } = await start({ a: 5, b: 6 }, "pageSize: 4")
    const sizes: Array<number> = []
    const all: Array<string> = []
    let next: string | undefined
    do {
      const one = await page(gateway.url, next)
      sizes.push(one.names?.length ?? 0)
      all.push(...(one.names ?? []))
      next = one.next
    } while (next !== undefined)
    expect(sizes).toEqual([4, 4, 3])
    expect(new Set(all).size).toBe(11)
    const client = new Client({ name: "tester", version: "1" })
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.url)) as Transport)
    const first = await client.listTools()
    const second = await client.listTools({ cursor: first.nextCursor as string })
    expect([...first.tools, ...second.tools].map(({ name }) => name)).toEqual(all.slice(0, 8))
    await client.close()
  })

  it.each([
    ["nobody made", "abc"],
    ["is empty", ""],
    ["is no text", 7],
  ])("refuse a cursor that %s, to clients of each generation", async (_, cursor) => {
    const { gateway } = await start({ a: 3, b: 3 }, "pageSize: 2")
    expect((await page(gateway.url, cursor)).error).toMatchObject({ code: -32_602 })
    const session = await begin(gateway.url)
    expect(answerOf(await session.request("tools/list", { cursor })).error).toMatchObject({ code: -32_602 })
    expect((await page(gateway.url)).names).toHaveLength(2)
  })

  it("lead on in no other list, for nobody else, and not where the list has changed", async () => {
    const { gateway, tools } = await start({ a: 3, b: 3 }, "pageSize: 2", anyone)
    const [ann, bob] = [basic("ann"), basic("bob")]
    const { next } = await page(gateway.url, undefined, "tools/list", ann)
    expect((await page(gateway.url, next, "tools/list", ann)).names).toHaveLength(2)
    expect((await page(gateway.url, next, "tools/list", bob)).error).toMatchObject({ code: -32_602 })
    expect((await page(gateway.url, next, "prompts/list", ann)).error).toMatchObject({ code: -32_602 })
    tools.get("b")?.pop()
    expect((await page(gateway.url, next, "tools/list", ann)).error).toMatchObject({ code: -32_602 })
  })

  it("are none where the list is no longer than one", async () => {
    const { gateway } = await start({ a: 1, b: 1 }, "pageSize: 2")
    expect(await page(gateway.url)).toMatchObject({ names: ["a_t0", "b_t0"], next: undefined })
  })
})
