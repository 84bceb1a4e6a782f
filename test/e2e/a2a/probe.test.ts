/**
 * Thirty-eight raw requests, as people write them by hand from the specification, at an agent of both versions behind
 * the gateway: what is said in bytes, not what an SDK makes of it.
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Agent, startAgent } from "./agent.ts"
import { ask, gatewayFor, type Posted } from "./gateway.ts"
import type { Started } from "../harness.ts"

type Json = Readonly<Record<string, unknown>>

const modern = { "a2a-version": "1.0" }
const legacy = { "a2a-version": "0.3" }
const completed = { status: { state: "TASK_STATE_COMPLETED" } }

let agent: Agent
let gateway: Started
let root: string
let hook: http.Server
let hookUrl: string
const notified: Array<{ readonly headers: http.IncomingHttpHeaders; readonly body: Json }> = []

beforeAll(async () => {
  agent = await startAgent()
  gateway = await gatewayFor(`
routes:
- policies: {a2a: {bridge: {}}}
  backends: [{host: '127.0.0.1:${agent.port}'}]
`)
  root = `http://127.0.0.1:${gateway.port}`
  hook = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      notified.push({ headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) as Json })
      response.end()
    })
  })
  await new Promise<void>((resolve) => void hook.listen(0, "127.0.0.1", resolve))
  hookUrl = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/hook`
})
afterAll(async () => {
  hook.closeAllConnections()
  hook.close()
  await gateway.close()
  await agent.close()
})

const rpc = (method: string, params: unknown, headers: Record<string, string> = modern): Promise<Posted> =>
  ask("POST", root, { jsonrpc: "2.0", id: 1, method, params }, headers)
const said = (word = "tck-complete-task", more: Json = {}): Json => ({
  message: { messageId: `${word}-${crypto.randomUUID()}`, role: "ROLE_USER", parts: [{ text: "hi" }], ...more },
})
const saidBefore = (word = "tck-complete-task"): Json => ({
  message: {
    kind: "message",
    messageId: `${word}-${crypto.randomUUID()}`,
    role: "user",
    parts: [{ kind: "text", text: "hi" }],
  },
})
const resultOf = ({ body }: Posted): Json => (body as { readonly result: Json }).result
const taskOf = async (word?: string): Promise<string> =>
  String((resultOf(await rpc("SendMessage", said(word)))["task"] as Json)["id"])
const eventsOf = ({ text }: Posted): ReadonlyArray<Json> =>
  text
    .split("\n")
    .filter((line) => line.startsWith("data: "))
    .map((line) => JSON.parse(line.slice(6)) as Json)
const failure = (posted: Posted, code: number): void =>
  expect(posted.body).toMatchObject({ jsonrpc: "2.0", error: { code, message: expect.any(String) } })

describe("JSON-RPC 1.0", () => {
  it("sends", async () => expect(resultOf(await rpc("SendMessage", said()))).toMatchObject({ task: completed }))
  it("streams", async () => {
    const posted = await rpc("SendStreamingMessage", said())
    expect(posted.headers.get("content-type")).toContain("text/event-stream")
    expect(eventsOf(posted).map(({ id, result }) => [id, Object.keys(result as Json)[0]])).toEqual([
      [1, "task"],
      [1, "statusUpdate"],
      [1, "artifactUpdate"],
      [1, "statusUpdate"],
    ])
  })
  it("gets", async () => {
    const id = await taskOf()
    expect(resultOf(await rpc("GetTask", { id }))).toMatchObject({ id, ...completed })
  })
  it("gets without history", async () => {
    const task = resultOf(await rpc("GetTask", { id: await taskOf(), historyLength: 0 }))
    expect(task["history"] ?? []).toEqual([])
  })
  it("does not know other tasks", async () => failure(await rpc("GetTask", { id: "nobody" }), -32001))
  it("lists", async () => expect(resultOf(await rpc("ListTasks", {}))).toMatchObject({ tasks: expect.any(Array) }))
  it("lists pages", async () => {
    await taskOf()
    await taskOf()
    const page = resultOf(await rpc("ListTasks", { pageSize: 1 }))
    expect([(page["tasks"] as ReadonlyArray<unknown>).length, page["pageSize"]]).toEqual([1, 1])
    expect(page["nextPageToken"]).not.toBe("")
  })
  it("cancels", async () => {
    const id = await taskOf("tck-input-required")
    expect(resultOf(await rpc("CancelTask", { id }))).toMatchObject({ status: { state: "TASK_STATE_CANCELED" } })
  })
  it("does not cancel what is over", async () => failure(await rpc("CancelTask", { id: await taskOf() }), -32002))
  it("does not subscribe to what is over", async () => {
    const posted = await rpc("SubscribeToTask", { id: await taskOf() })
    expect(posted.text).toContain("-32004")
  })
  it("knows no other methods", async () => failure(await rpc("Dance", {}), -32601))
  it("wants JSON", async () => failure(await ask("POST", root, "{", modern), -32700))
  it("does not speak 2.0", async () => failure(await rpc("GetTask", { id: "x" }, { "a2a-version": "2.0" }), -32009))
})

describe("JSON-RPC 0.3", () => {
  const before = (method: string, params: unknown): Promise<Posted> => rpc(method, params, {})
  it("sends", async () =>
    expect(resultOf(await before("message/send", saidBefore()))).toMatchObject({
      kind: "task",
      status: { state: "completed" },
    }))
  it("streams, and says what is final", async () => {
    const events = eventsOf(await before("message/stream", saidBefore())).map(({ result }) => result as Json)
    expect(events.map(({ kind }) => kind)).toEqual(["task", "status-update", "artifact-update", "status-update"])
    expect(events.at(-1)).toMatchObject({ final: true })
  })
  it("gets", async () => {
    const id = await taskOf()
    expect(resultOf(await before("tasks/get", { id }))).toMatchObject({ id, kind: "task" })
  })
  it("does not know other tasks", async () => failure(await before("tasks/get", { id: "nobody" }), -32001))
  it("does not cancel what is over", async () => failure(await before("tasks/cancel", { id: await taskOf() }), -32002))
  it("knows no other methods", async () => failure(await before("tasks/dance", {}), -32601))
  it("is not spoken under the header of 1.0", async () =>
    failure(await rpc("message/send", saidBefore(), modern), -32009))
})

describe("HTTP 1.0", () => {
  it("sends", async () => {
    const { body, headers, status } = await ask("POST", `${root}/message:send`, said(), modern)
    expect([status, headers.get("content-type")?.split(";")[0]]).toEqual([200, "application/a2a+json"])
    expect(body).toMatchObject({ task: completed })
  })
  it("streams", async () => {
    const posted = await ask("POST", `${root}/message:stream`, said(), modern)
    expect(eventsOf(posted).map((event) => Object.keys(event)[0])).toEqual([
      "task",
      "statusUpdate",
      "artifactUpdate",
      "statusUpdate",
    ])
  })
  it("gets", async () => {
    const id = await taskOf()
    expect((await ask("GET", `${root}/tasks/${id}`, undefined, modern)).body).toMatchObject({ id, ...completed })
  })
  it("does not know other tasks", async () => {
    const { body, status } = await ask("GET", `${root}/tasks/nobody`, undefined, modern)
    expect(status).toBe(404)
    expect(JSON.stringify(body)).toContain("TASK_NOT_FOUND")
  })
  it("lists", async () => {
    const { body } = await ask("GET", `${root}/tasks?pageSize=1`, undefined, modern)
    expect(body).toMatchObject({ pageSize: 1, nextPageToken: expect.any(String), totalSize: expect.any(Number) })
  })
  it("cancels", async () => {
    const id = await taskOf("tck-input-required")
    const { body } = await ask("POST", `${root}/tasks/${id}:cancel`, {}, modern)
    expect(body).toMatchObject({ status: { state: "TASK_STATE_CANCELED" } })
  })
  it("does not cancel what is over", async () => {
    const { status } = await ask("POST", `${root}/tasks/${await taskOf()}:cancel`, {}, modern)
    expect(status).toBe(400)
  })
  it("subscribes by either verb", async () => {
    for (const method of ["GET", "POST"]) {
      const { text } = await ask(method, `${root}/tasks/${await taskOf()}:subscribe`, undefined, modern)
      expect(text).toContain("UNSUPPORTED_OPERATION")
    }
  })
  it("shows the extended card", async () => {
    const { body } = await ask("GET", `${root}/extendedAgentCard`, undefined, modern)
    expect(JSON.stringify(body)).toContain(root)
  })
})

describe("HTTP 0.3", () => {
  it("sends what the protobuf package says", async () => {
    const message = { messageId: "tck-complete-task-1", role: "ROLE_USER", content: [{ text: "hi" }] }
    const { body, status } = await ask("POST", `${root}/v1/message:send`, { message }, legacy)
    expect(status).toBeLessThan(300)
    expect(body).toMatchObject({ task: completed })
  })
  it("sends what the text of the specification shows", async () => {
    const { body, status } = await ask("POST", `${root}/v1/message:send`, saidBefore(), legacy)
    expect(status).toBeLessThan(300)
    expect(body).toMatchObject({ kind: "task", status: { state: "completed" } })
  })
  it("gets", async () => {
    const id = await taskOf()
    expect((await ask("GET", `${root}/v1/tasks/${id}`, undefined, {})).body).toMatchObject({ id })
  })
  it("does not know other tasks", async () => {
    const { body, status } = await ask("GET", `${root}/v1/tasks/nobody`, undefined, {})
    expect([status, (body as Json)["code"]]).toEqual([404, -32001])
  })
})

describe("cards", () => {
  it("of 1.0", async () => {
    const { body } = await ask("GET", `${root}/.well-known/agent-card.json`, undefined, modern)
    expect(body).toMatchObject({ supportedInterfaces: expect.any(Array) })
    expect(body).not.toHaveProperty("url")
  })
  it("of 0.3", async () => {
    const { body } = await ask("GET", `${root}/.well-known/agent-card.json`, undefined, legacy)
    expect(body).toMatchObject({ url: `${root}/`, protocolVersion: "0.3.0", preferredTransport: "JSONRPC" })
    expect(body).not.toHaveProperty("supportedInterfaces")
  })
  it("where agents of before 0.3 have theirs", async () => {
    const { body, status } = await ask("GET", `${root}/.well-known/agent.json`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ url: `${root}/`, supportedInterfaces: expect.any(Array) })
  })
})

describe("push notifications", () => {
  const arrived = async (count: number): Promise<void> => {
    await expect.poll(() => notified.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(count)
  }
  it("come as 1.0 has them to who asked in 1.0", async () => {
    notified.length = 0
    const configuration = { taskPushNotificationConfig: { url: hookUrl, token: "t1" } }
    await rpc("SendMessage", { ...said(), configuration })
    await arrived(3)
    expect(notified[0]?.headers["content-type"]).toContain("application/a2a+json")
    expect(Object.keys(notified[0]?.body ?? {})[0]).toMatch(/^(?:task|statusUpdate|artifactUpdate)$/)
  })
  it("come as 0.3 has them to who asked in 0.3", async () => {
    notified.length = 0
    const configuration = { pushNotificationConfig: { url: hookUrl, token: "t2" } }
    await rpc("message/send", { ...saidBefore(), configuration }, {})
    await arrived(3)
    expect(notified[0]?.headers["x-a2a-notification-token"]).toBe("t2")
    expect(notified[0]?.body).toHaveProperty("kind")
  })
})
