/** Agents that break off at every point there is: each question is answered once, in the client's words, or visibly not. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ask, gatewayFor, type Posted } from "./gateway.ts"
import type { Started } from "../harness.ts"

type Json = Readonly<Record<string, unknown>>

const task = { id: "t", contextId: "c", status: { state: "TASK_STATE_WORKING" } }
const done = { statusUpdate: { taskId: "t", contextId: "c", status: { state: "TASK_STATE_COMPLETED" } } }

let server: http.Server
let gateway: Started
let root: string
/** How often each question reached the agent. */
const reached = new Map<string, number>()

const event = (id: unknown, result: unknown): string => `data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`

/** What the agent does before it breaks off. */
const behaviours: Readonly<Record<string, (response: http.ServerResponse, id: unknown) => void>> = {
  "before the head": (response) => response.destroy(),
  "after the head": (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    setTimeout(() => response.destroy(), 30)
  },
  "in the middle of the first event": (response, id) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(event(id, { task }).slice(0, 30))
    setTimeout(() => response.destroy(), 30)
  },
  "between two events": (response, id) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(event(id, { task }))
    setTimeout(() => response.destroy(), 30)
  },
  "in the middle of a later event": (response, id) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(event(id, { task }) + event(id, done).slice(0, 40))
    setTimeout(() => response.destroy(), 30)
  },
  "with nonsense": (response, id) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.end(`${event(id, { task })}data: <html>\n\n`)
  },
  "not at all": (response, id) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.end(event(id, { task }) + event(id, done))
  },
}

beforeAll(async () => {
  server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as {
        id: unknown
        method: string
        params: Json
      }
      // Nobody who comes back finds the task.
      if (method !== "SendStreamingMessage") {
        response.writeHead(200, { "content-type": "application/json" })
        return response.end(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32001, message: "not found" } }))
      }
      const { messageId } = params["message"] as { readonly messageId: string }
      reached.set(messageId, (reached.get(messageId) ?? 0) + 1)
      return behaviours[messageId.split(":")[0] ?? ""]?.(response, id)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  gateway = await gatewayFor(`
routes:
- policies:
    retry: {attempts: 2, codes: [503]}
    a2a: {bridge: {interfaces: [{binding: JSONRPC, version: "1.0", path: /rpc}]}}
  backends: [{host: '127.0.0.1:${(server.address() as AddressInfo).port}'}]
`)
  root = `http://127.0.0.1:${gateway.port}`
})
afterAll(async () => {
  await gateway.close()
  server.closeAllConnections()
  server.close()
})

const eventsOf = ({ text }: Posted): ReadonlyArray<Json> =>
  text
    .split("\n")
    .filter((line) => line.startsWith("data: "))
    .map((line) => JSON.parse(line.slice(6)) as Json)

let count = 0
const stream = {
  "JSON-RPC 0.3": (word: string) =>
    ask("POST", root, {
      jsonrpc: "2.0",
      id: `mine-${++count}`,
      method: "message/stream",
      params: {
        message: { kind: "message", messageId: `${word}:${count}`, role: "user", parts: [{ kind: "text", text: "x" }] },
      },
    }),
  "HTTP 1.0": (word: string) =>
    ask(
      "POST",
      `${root}/message:stream`,
      { message: { messageId: `${word}:${++count}`, role: "ROLE_USER", parts: [{ text: "x" }] } },
      { "a2a-version": "1.0" },
    ),
} as const

describe.each(Object.keys(stream) as ReadonlyArray<keyof typeof stream>)("a client that speaks %s", (spoken) => {
  it.each(Object.keys(behaviours))("is told of an agent that breaks off %s", async (word) => {
    const posted = await stream[spoken](word)
    const key = `${word}:${count}`
    const began = !["before the head", "after the head", "in the middle of the first event"].includes(word)
    if (!began) {
      expect(posted.status).toBe(503)
      if (spoken === "HTTP 1.0") expect(posted.body).toMatchObject({ error: { status: "UNAVAILABLE" } })
      else
        expect(posted.body).toMatchObject({ id: `mine-${count}`, error: { code: -32603, message: expect.any(String) } })
      // Asked twice it could do twice what was asked.
      expect(reached.get(key)).toBe(1)
      return
    }
    const events = eventsOf(posted)
    expect(posted.status).toBe(200)
    expect(events.length).toBe(2)
    expect(reached.get(key)).toBe(1)
    const [first, last] = events
    if (spoken === "HTTP 1.0") {
      expect(first).toHaveProperty("task")
      if (word === "not at all") expect(last).toHaveProperty("statusUpdate")
      else {
        expect(last).toHaveProperty("error")
        expect(posted.text).toContain("event: error")
      }
    } else {
      expect(events.map(({ id }) => id)).toEqual([`mine-${count}`, `mine-${count}`])
      expect(first).toMatchObject({ result: { kind: "task" } })
      expect(last).toMatchObject(
        word === "not at all" ? { result: { final: true } } : { error: { code: expect.any(Number) } },
      )
    }
  })
})

it("nothing is held for any of them afterwards", async () => {
  await expect.poll(() => gateway.gateway.open().exchanges, { timeout: 5_000 }).toBe(0)
})
