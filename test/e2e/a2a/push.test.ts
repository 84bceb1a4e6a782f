/**
 * Notifications through the gateway, from every kind of agent to every kind of client: where they go is the gateway's to
 * know, what arrives is in the version it was asked for in, signed, once, and in order.
 */
import { Role, type SendMessageRequest, type Task, TaskState } from "@a2a-js/sdk"
import * as jose from "jose"
import { createHash } from "node:crypto"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientSpeaking, gatewayFor } from "./gateway.ts"
import { type Hook, type Notified, startHook } from "./hook.ts"
import type { Started } from "../harness.ts"
import { freePort } from "../../freePort.ts"

const message = (word: string, url?: string, more: Record<string, string> = {}): SendMessageRequest => ({
  tenant: "",
  message: {
    messageId: `${word}-${crypto.randomUUID()}`,
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [textPart("hello")],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
    ...more,
  },
  configuration:
    url === undefined
      ? undefined
      : {
          acceptedOutputModes: [],
          historyLength: undefined,
          returnImmediately: false,
          taskPushNotificationConfig: {
            tenant: "",
            id: "inline",
            taskId: "",
            url,
            token: "my-token",
            authentication: { scheme: "Bearer", credentials: "my-credentials" },
          },
        },
  metadata: undefined,
})

const taskIn = ({ body }: Notified): string | undefined => {
  const inner = (body["task"] ?? body["statusUpdate"] ?? body["artifactUpdate"] ?? body) as Record<string, string>
  return inner["taskId"] ?? inner["id"]
}

let hook: Hook
beforeAll(async () => {
  hook = await startHook()
})
afterAll(() => hook.close())
beforeEach(() => {
  hook.answer = () => 204
})

const gatewayWith = async (agent: Agent): Promise<Started> => {
  const port = await freePort()
  return gatewayFor(
    `
routes:
- policies: {a2a: {bridge: {}}}
  backends: [{host: '127.0.0.1:${agent.port}'}]
`,
    { push: { callback: `http://127.0.0.1:${port}`, allowedHosts: ["127.0.0.1"], timeoutMillis: 2_000 } },
    port,
  )
}

const of = (id: string): ReadonlyArray<Notified> => hook.got.filter((one) => taskIn(one) === id)

describe.each(everyInterface)("an agent that speaks $binding $version only", (spoken) => {
  let agent: Agent
  let gateway: Started
  let root: string
  beforeAll(async () => {
    agent = await startAgent({ speaks: [spoken] })
    gateway = await gatewayWith(agent)
    root = `http://127.0.0.1:${gateway.port}`
  })
  afterAll(async () => {
    await gateway.close()
    await agent.close()
  })

  describe.each(everyInterface)("and a client that speaks $binding $version", (dialed) => {
    it("who asked for it while sending is told of everything, in order, in its own version", async () => {
      const client = await clientSpeaking(root, dialed)
      const task = (await client.sendMessage(message("tck-complete-task", hook.url))) as Task
      await expect
        .poll(() => of(task.id).some(({ text }) => /"(?:TASK_STATE_COMPLETED|completed)"/.test(text)), {
          timeout: 20_000,
        })
        .toBe(true)
      const told = of(task.id)
      for (const { body, headers } of told) {
        expect(headers["x-a2a-notification-token"]).toBe("my-token")
        expect(headers["authorization"]).toBe("Bearer my-credentials")
        expect(headers["content-type"]).toBe(dialed.version === "1.0" ? "application/a2a+json" : "application/json")
        expect("kind" in body).toBe(dialed.version === "0.3")
      }
      expect(new Set(told.map(({ headers }) => headers["x-a2a-notification-id"])).size).toBe(told.length)
      const numbers = told.map(({ headers }) => Number(/(\d+)$/.exec(String(headers["x-a2a-notification-id"]))?.[1]))
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    })

    it("shows clients what they said, and agents nothing of it", async () => {
      const client = await clientSpeaking(root, dialed)
      const task = (await client.sendMessage(message("tck-input-required"))) as Task
      const wanted = {
        tenant: "",
        taskId: task.id,
        id: "one",
        url: hook.url,
        token: "my-token",
        authentication: { scheme: "Bearer", credentials: "my-credentials" },
      }
      expect(await client.createTaskPushNotificationConfig(wanted)).toMatchObject(wanted)
      const asked = { tenant: "", taskId: task.id, id: "one" }
      expect(await client.getTaskPushNotificationConfig(asked)).toMatchObject(wanted)
      const list = async () =>
        (await client.listTaskPushNotificationConfig({ tenant: "", taskId: task.id, pageSize: 0, pageToken: "" }))
          .configs
      expect((await list()).map(({ id, url }) => [id, url])).toEqual([["one", hook.url]])
      expect(await agent.webhooks(task.id)).toEqual([expect.stringContaining(`${gateway.port}/.sluice/a2a/push/`)])
      const { contextId, id } = task
      const done = (await client.sendMessage(
        message("tck-complete-task", undefined, { taskId: id, contextId }),
      )) as Task
      expect(done.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
      await expect.poll(() => of(id).length, { timeout: 20_000 }).toBeGreaterThan(0)
      await client.deleteTaskPushNotificationConfig(asked)
      expect((await list()).map((one) => one.id)).toEqual([])
      expect(await agent.webhooks(task.id)).toEqual([])
    })

    it("is told of streams as well", async () => {
      const client = await clientSpeaking(root, dialed)
      let id = ""
      for await (const { payload } of client.sendMessageStream(message("tck-stream-001", hook.url))) {
        if (payload?.$case !== "task") continue
        id = payload.value.id
        const configs = await client.listTaskPushNotificationConfig({
          tenant: "",
          taskId: id,
          pageSize: 0,
          pageToken: "",
        })
        expect(configs.configs.map((one) => one.url)).toEqual([hook.url])
      }
      await expect.poll(() => of(id).length, { timeout: 20_000 }).toBeGreaterThan(0)
    })
  })
})

describe("what is passed on", () => {
  let agent: Agent
  let gateway: Started
  let root: string
  beforeAll(async () => {
    agent = await startAgent({ speaks: everyInterface.filter(({ binding }) => binding === "JSONRPC") })
    gateway = await gatewayWith(agent)
    root = `http://127.0.0.1:${gateway.port}`
  })
  afterAll(async () => {
    await gateway.close()
    await agent.close()
  })

  const rpc = (method: string, params: unknown, headers: Record<string, string> = {}) =>
    ask("POST", root, { jsonrpc: "2.0", id: 1, method, params }, { "a2a-version": "1.0", ...headers })
  const send = async (word: string, config?: Record<string, unknown>): Promise<string> => {
    const { body } = await rpc("SendMessage", {
      message: { messageId: `${word}-${crypto.randomUUID()}`, role: "ROLE_USER", parts: [{ text: "hi" }] },
      ...(config === undefined ? {} : { configuration: { taskPushNotificationConfig: config } }),
    })
    return (body as { result: { task: { id: string } } }).result.task.id
  }
  const create = (taskId: string, url: string, id = "one") =>
    rpc("CreateTaskPushNotificationConfig", { taskId, id, url })

  it("is signed by a key that is published", async () => {
    const id = await send("tck-complete-task", { url: hook.url })
    await expect.poll(() => of(id).length, { timeout: 20_000 }).toBeGreaterThan(0)
    const [first] = of(id)
    const signed = String(first?.headers["x-a2a-notification-signature"])
    expect(first?.headers["authorization"]).toBe(`Bearer ${signed}`)
    const keys = jose.createRemoteJWKSet(new URL(String(jose.decodeProtectedHeader(signed).jku)))
    const { payload } = await jose.jwtVerify(signed, keys, { issuer: root, audience: `http://127.0.0.1:${hook.port}` })
    expect(payload["request_body_sha256"]).toBe(
      createHash("sha256")
        .update(first?.text ?? "")
        .digest("hex"),
    )
    expect(payload.sub).toBe(id)
  })

  it("is tried again when the receiver fails, and in order", async () => {
    // What other tests began may still be told of.
    const others = new Set(hook.got.map(taskIn))
    let failures = 2
    hook.answer = (notified) => (!others.has(taskIn(notified)) && failures-- > 0 ? 503 : 204)
    const id = await send("tck-complete-task", { url: hook.url })
    await expect
      .poll(() => of(id).some(({ text }) => text.includes("TASK_STATE_COMPLETED")), { timeout: 30_000 })
      .toBe(true)
    const ids = of(id).map(({ headers }) => headers["x-a2a-notification-id"])
    // The first arrived three times by the same name, and nothing overtook it.
    expect(ids.slice(0, 3)).toEqual([ids[0], ids[0], ids[0]])
    expect(new Set(ids).size).toBe(ids.length - 2)
  })

  it("is not sent any more to a receiver that says it is gone", async () => {
    hook.answer = () => 410
    const id = await send("tck-complete-task", { url: hook.url })
    await expect.poll(() => of(id).length, { timeout: 20_000 }).toBe(1)
    await expect
      .poll(async () => (await rpc("ListTaskPushNotificationConfigs", { taskId: id })).body, { timeout: 20_000 })
      .toMatchObject({ result: { configs: [] } })
  })

  it("goes to no place that is not public, unless it is named", async () => {
    const id = await send("tck-input-required")
    for (const url of [
      "http://example.com/hook",
      "https://10.0.0.1/hook",
      "https://169.254.169.254/latest",
      "https://[::1]/hook",
      "https://localhost/hook",
      "https://user:secret@example.com/",
      "ftp://example.com/",
      "",
    ]) {
      expect((await create(id, url)).body, url).toMatchObject({ error: { code: -32602 } })
      const sent = await rpc("SendMessage", {
        message: { messageId: "tck-complete-task-x", role: "ROLE_USER", parts: [{ text: "hi" }] },
        configuration: { taskPushNotificationConfig: { url } },
      })
      expect(sent.body, url).toMatchObject({ error: { code: -32602 } })
    }
    expect((await create(id, "https://example.com/hook")).body).toMatchObject({ result: { id: "one" } })
  })

  it("is taken only from the agent that was told where to send it", async () => {
    const id = await send("tck-input-required")
    await create(id, hook.url)
    const [url = ""] = await agent.webhooks(id)
    const event = { statusUpdate: { taskId: id, contextId: "c", status: { state: "TASK_STATE_WORKING" } } }
    expect((await ask("POST", url, event)).status).toBe(401)
    expect((await ask("POST", url, event, { authorization: "Bearer guess" })).status).toBe(401)
    expect((await ask("POST", url, event, { "x-a2a-notification-token": "guess" })).status).toBe(401)
    expect((await ask("POST", `${root}/.sluice/a2a/push/nobody`, event)).status).toBe(404)
    const token = await agent.tokenFor(id)
    const proof = { "x-a2a-notification-token": token }
    expect((await ask("POST", url, "{", proof)).status).toBe(400)
    expect((await ask("POST", url, { hello: 1 }, proof)).status).toBe(400)
    const other = { statusUpdate: { ...event.statusUpdate, taskId: "another" } }
    expect((await ask("POST", url, other, proof)).status).toBe(403)
    expect(of(id)).toEqual([])
    expect((await ask("POST", url, event, proof)).status).toBe(202)
    // An agent that did not hear the answer says it again.
    expect((await ask("POST", url, event, proof)).status).toBe(202)
    await expect.poll(() => of(id).length, { timeout: 20_000 }).toBe(1)
    const completed = { statusUpdate: { ...event.statusUpdate, status: { state: "TASK_STATE_COMPLETED" } } }
    expect((await ask("POST", url, completed, { authorization: `Bearer ${token}` })).status).toBe(202)
    await expect.poll(() => of(id).length, { timeout: 20_000 }).toBe(2)
  })

  it("is arranged ten times for a task, and not more", async () => {
    const id = await send("tck-input-required")
    for (let i = 0; i < 10; i++) {
      expect((await create(id, hook.url, `c${i}`)).body).toMatchObject({ result: { id: `c${i}` } })
    }
    expect((await create(id, hook.url, "c10")).body).toMatchObject({ error: { code: -32602 } })
    // In the place of one there is room.
    expect((await create(id, `${hook.url}/other`, "c3")).body).toMatchObject({ result: { url: `${hook.url}/other` } })
    const { body } = await rpc("ListTaskPushNotificationConfigs", { taskId: id })
    expect((body as { result: { configs: ReadonlyArray<unknown> } }).result.configs.length).toBe(10)
    expect((await agent.webhooks(id)).length).toBe(10)
  })

  it("is not arranged for tasks that nobody knows", async () => {
    expect((await create("nobody", hook.url)).body).toMatchObject({ error: { code: -32001 } })
    expect((await rpc("GetTaskPushNotificationConfig", { taskId: "nobody", id: "one" })).body).toMatchObject({
      error: { code: expect.any(Number) },
    })
  })
})
