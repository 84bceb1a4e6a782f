/** Twenty thousand sessions over HTTP, each with a stream, a call, a subscription and a task, ended or left to their clients. */
import { afterEach, describe, expect, it } from "vitest"
import { answerOf, begin, legacy, type McpGateway, mcpGateway, type Scripted, scripted } from "../e2e/mcp/harness.ts"
import { inMemory } from "../../stages/ports/Keepsakes.ts"
import { twoHalves } from "./halves.ts"

const sessions = Number(process.env["MCP_SESSIONS"] ?? 20_000)
/** One that is kept takes kilobytes, and a name that is remembered takes a hundred. */
const SESSION_BYTES_MAX = 16
const AT_ONCE = 8

describe("sessions that come and go", () => {
  let gateway: McpGateway | undefined
  let server: Scripted | undefined
  afterEach(async () => {
    await gateway?.close()
    await server?.close()
  })

  /** What others could see is bounded by itself, and reaches that bound long before the end. */
  const bounds = { owned: 256, ownedChars: 1_000_000, kept: 500, keptChars: 1_000_000 }

  it.each([
    ["of a gateway by itself", undefined],
    ["of one of several workers", bounds],
  ] as const)(`leave nothing behind after ${sessions} of them, %s`, { timeout: 3_600_000 }, async (_, shared) => {
    server = await scripted(
      legacy((turn) =>
        turn.message.method === "tools/call"
          ? turn.result({ content: [{ type: "text", text: "done" }] })
          : turn.result({ tools: [{ name: "quick", inputSchema: { type: "object" } }] }),
      ),
    )
    const { messages, requests } = server
    gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`, {
      options: shared === undefined ? {} : { keepsakes: inMemory(shared) },
    })
    const { url } = gateway
    const one = async (): Promise<void> => {
      const session = await begin(url)
      expect(answerOf(await session.request("tools/list")).result).toBeDefined()
      expect(answerOf(await session.request("resources/subscribe", { uri: "note://a" })).error).toBeUndefined()
      const called = answerOf(await session.request("tools/call", { name: "quick", task: { ttl: 1_000 } }))
      expect(called.error).toBeUndefined()
      const stream = await session.listen()
      stream.close()
      await stream.closed
      expect(await session.end()).toBe(200)
      // The harness keeps what it was told, for whoever asks about it.
      gateway?.told.exchanges.splice(0)
      messages.splice(0)
      requests.splice(0)
    }
    const chain = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await one()
    }
    const some = async (count: number): Promise<void> => {
      await Promise.all(Array.from({ length: AT_ONCE }, () => chain(Math.ceil(count / AT_ONCE))))
    }
    await twoHalves("sessions over HTTP", sessions, SESSION_BYTES_MAX, some, 64)
  })
})
