/** Taking up what was lost, where the revision has that, and nowhere else. */
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import {
  begin,
  type Json,
  legacy,
  mcpGateway,
  modern,
  readStream,
  type Script,
  scripted,
  type Stream,
} from "./harness.ts"

const open: Array<{ readonly close: () => Promise<void> }> = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close()
})

const before = async (script: Script): Promise<string> => {
  const server = await scripted(script)
  open.push(server)
  const gateway = await mcpGateway(`{targets: [{name: one, mcp: {host: "${server.url}"}}]}`)
  open.push(gateway)
  return gateway.url
}

/** Says one word at once, and two more when it may. */
const slow = (): { readonly script: Script; readonly go: Array<() => void> } => {
  const go: Array<() => void> = []
  const script = legacy((turn) => {
    const stream = turn.stream()
    const name = String(turn.message.params?.["name"])
    const log = (word: string): void =>
      stream.send({
        jsonrpc: "2.0",
        method: "notifications/message",
        params: { level: "info", data: `${name} ${word}` },
      })
    log("one")
    go.push(() => {
      log("two")
      stream.send({ jsonrpc: "2.0", id: turn.message.id, result: { content: [] } })
      stream.end()
    })
  })
  return { script, go }
}

const call = (url: string, session: string, id: number, name: string, version: string): Promise<Stream> =>
  readStream(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": session,
      "mcp-protocol-version": version,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name } }),
  })

const said = ({ events }: Stream): ReadonlyArray<unknown> =>
  events.flatMap(({ data }) =>
    data === undefined ? [] : [(data["params"] as Json | undefined)?.["data"] ?? data["id"]],
  )

describe("a stream of a session", () => {
  it("begins with a name to come back to where the revision has that", async () => {
    const { go, script } = slow()
    const url = await before(script)
    for (const version of ["2025-11-25", "2025-06-18"]) {
      const { id } = await begin(url, { version })
      const stream = await call(url, id, 1, "a", version)
      await until("something is said", () => said(stream).length === 1)
      expect(stream.events[0]?.id).toBeDefined()
      expect(stream.events[0]?.data === undefined).toBe(version === "2025-11-25")
      go.pop()?.()
      await stream.closed
    }
  })

  it("gives back what was lost of it, and nothing of another one", async () => {
    const { go, script } = slow()
    const url = await before(script)
    const client = await begin(url)
    const [a, b] = [await call(url, client.id, 1, "a", "2025-11-25"), await call(url, client.id, 2, "b", "2025-11-25")]
    await until("both have begun", () => said(a).length === 1 && said(b).length === 1)
    const last = a.events.at(-1)?.id
    a.close()
    await a.closed
    for (const one of go) one()
    await b.closed
    const again = await client.listen(last)
    await again.closed
    expect(said(again)).toEqual(["a two", 1])
    expect(said(b)).toEqual(["b one", "b two", 2])
    // What was read to its end has no rest, and an unknown name is no stream of this session.
    const nothing = await client.listen(b.events.at(-1)?.id)
    await nothing.closed
    expect(said(nothing)).toEqual([])
  })
})

describe("a request without a session", () => {
  it("has nothing to come back to", async () => {
    const url = await before(
      modern((turn) => {
        const stream = turn.stream()
        const { progressToken } = (turn.message.params?.["_meta"] ?? {}) as { readonly progressToken?: unknown }
        stream.send({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress: 1 } })
        stream.send({ jsonrpc: "2.0", id: turn.message.id, result: { resultType: "complete", content: [] } })
        stream.end()
      }),
    )
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "x",
      "last-event-id": "1_1",
    }
    const _meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      progressToken: "t",
    }
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "x", _meta } })
    const reply = await fetch(url, { method: "POST", headers, body })
    const text = await reply.text()
    expect(text).toContain("notifications/progress")
    expect(text).not.toMatch(/^(id|retry):/m)
    expect(reply.headers.get("mcp-session-id")).toBeNull()
    for (const method of ["GET", "DELETE"]) {
      expect((await fetch(url, { method, headers: { ...headers, accept: "text/event-stream" } })).status).toBe(405)
    }
  })
})
