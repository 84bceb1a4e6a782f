/** Streams that break on the way from the agent go on for the client, who misses nothing and hears nothing twice. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ask, gatewayFor } from "./gateway.ts"
import type { Started } from "../harness.ts"

type Json = Readonly<Record<string, unknown>>

const status = (state: string, timestamp: string): Json => ({ state: `TASK_STATE_${state}`, timestamp })
const working = status("WORKING", "2026-01-01T00:00:00Z")
const completed = status("COMPLETED", "2026-01-01T00:00:01Z")
const named = { contextId: "c" }
const artifact = { artifactId: "a", parts: [{ text: "all of it" }] }

/** What the agent knows of its only task, and what became of those who listened. */
interface Script {
  /** Said before the stream breaks. */
  readonly before: ReadonlyArray<Json>
  /** What each who subscribes is told; undefined: it breaks at once. */
  readonly after: ReadonlyArray<ReadonlyArray<Json> | "broken" | "over">
  readonly task: Json
}

const task = (id: string, now: Json, artifacts: ReadonlyArray<Json> = []): Json => ({
  id,
  ...named,
  status: now,
  artifacts,
})
const update = (taskId: string, now: Json): Json => ({ statusUpdate: { taskId, ...named, status: now } })
const made = (taskId: string): Json => ({ artifactUpdate: { taskId, ...named, artifact, lastChunk: true } })

const scripts: Readonly<Record<string, (id: string) => Script>> = {
  "and nothing happened meanwhile": (id) => ({
    before: [{ task: task(id, working) }],
    after: [[{ task: task(id, working) }, made(id), update(id, completed)]],
    task: task(id, completed, [artifact]),
  }),
  "and breaks again and again": (id) => ({
    before: [{ task: task(id, working) }],
    after: ["broken", [{ task: task(id, working) }], [{ task: task(id, working) }, made(id), update(id, completed)]],
    task: task(id, completed, [artifact]),
  }),
  "and the task moved on meanwhile": (id) => ({
    before: [{ task: task(id, status("SUBMITTED", "2025-12-31T00:00:00Z")) }],
    after: [[{ task: task(id, working, [artifact]) }, update(id, completed)]],
    task: task(id, completed, [artifact]),
  }),
  "and the task ended meanwhile": (id) => ({
    before: [{ task: task(id, working) }],
    after: ["over"],
    task: task(id, completed, [artifact]),
  }),
}

let server: http.Server
let gateway: Started
let root: string
const running = new Map<string, { readonly script: Script; subscribed: number }>()

const answer = (response: http.ServerResponse, id: unknown, events: ReadonlyArray<Json>, isBroken: boolean): void => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.flushHeaders()
  for (const result of events) response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`)
  if (isBroken) setTimeout(() => response.destroy(), 20)
  else response.end()
}

const fault = (response: http.ServerResponse, id: unknown, code: number): void => {
  response.writeHead(200, { "content-type": "application/json" })
  response.end(JSON.stringify({ jsonrpc: "2.0", id, error: { code, message: "no" } }))
}

const serve = (response: http.ServerResponse, { id, method, params }: Record<string, unknown>): void => {
  const given = params as { readonly id?: string; readonly message?: { readonly messageId: string } }
  if (method === "SendStreamingMessage") {
    const messageId = given.message?.messageId ?? ""
    const script = scripts[messageId.split(":")[0] ?? ""]?.(messageId)
    if (script === undefined) return void fault(response, id, -32603)
    running.set(messageId, { script, subscribed: 0 })
    return answer(response, id, script.before, true)
  }
  const one = running.get(given.id ?? "")
  if (one === undefined) return fault(response, id, -32001)
  if (method === "GetTask") {
    response.writeHead(200, { "content-type": "application/json" })
    return void response.end(JSON.stringify({ jsonrpc: "2.0", id, result: one.script.task }))
  }
  const step = one.script.after[one.subscribed++]
  if (step === "broken") return void response.destroy()
  if (step === "over" || step === undefined) return fault(response, id, -32004)
  const isLast = one.subscribed === one.script.after.length
  answer(response, id, step, !isLast)
}

beforeAll(async () => {
  server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => serve(response, JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>))
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  gateway = await gatewayFor(`
routes:
- policies: {a2a: {bridge: {interfaces: [{binding: JSONRPC, version: "1.0", path: /rpc}]}}}
  backends: [{host: '127.0.0.1:${(server.address() as AddressInfo).port}'}]
`)
  root = `http://127.0.0.1:${gateway.port}`
})
afterAll(async () => {
  await gateway.close()
  server.closeAllConnections()
  server.close()
})

let count = 0
const clients = {
  "JSON-RPC 1.0": (messageId: string) =>
    ask(
      "POST",
      root,
      {
        jsonrpc: "2.0",
        id: 7,
        method: "SendStreamingMessage",
        params: { message: { messageId, role: "ROLE_USER", parts: [{ text: "x" }] } },
      },
      { "a2a-version": "1.0" },
    ),
  "JSON-RPC 0.3": (messageId: string) =>
    ask("POST", root, {
      jsonrpc: "2.0",
      id: 7,
      method: "message/stream",
      params: { message: { kind: "message", messageId, role: "user", parts: [{ kind: "text", text: "x" }] } },
    }),
} as const

/** What a client knows of its task, by all it was told. */
const learned = (text: string) => {
  const events = text
    .split("\n")
    .filter((line) => line.startsWith("data: "))
    .map((line) => (JSON.parse(line.slice(6)) as { readonly result: Json }).result)
  const states: Array<unknown> = []
  const artifacts = new Set<unknown>()
  let isFinal = false
  for (const event of events) {
    const inner = (event["task"] ?? event["statusUpdate"] ?? event["artifactUpdate"] ?? event) as Json
    const now = inner["status"] as Json | undefined
    if (now !== undefined) states.push(String(now["state"]).toLowerCase().replace("task_state_", ""))
    if (inner["artifact"] !== undefined) artifacts.add((inner["artifact"] as Json)["artifactId"])
    for (const one of (inner["artifacts"] as ReadonlyArray<Json> | undefined) ?? []) artifacts.add(one["artifactId"])
    isFinal ||= inner["final"] === true
  }
  return { states, artifacts: [...artifacts], isFinal }
}

describe.each(Object.keys(clients) as ReadonlyArray<keyof typeof clients>)("a stream for a client of %s", (spoken) => {
  it.each(Object.keys(scripts))("breaks %s", async (word) => {
    const posted = await clients[spoken](`${word}:${++count}`)
    const { artifacts, isFinal, states } = learned(posted.text)
    expect(posted.text).not.toContain('"error"')
    expect(states.at(-1), posted.text).toBe("completed")
    expect(artifacts).toEqual(["a"])
    if (spoken === "JSON-RPC 0.3") expect(isFinal).toBe(true)
    // Where nothing happened, nothing was said.
    if (word !== "and the task moved on meanwhile") expect(states.filter((state) => state === "working").length).toBe(1)
  })
})

it("nothing is held for any of them afterwards", async () => {
  await expect.poll(() => gateway.gateway.open().exchanges, { timeout: 5_000 }).toBe(0)
})
