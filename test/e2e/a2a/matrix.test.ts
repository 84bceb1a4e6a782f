/**
 * Every client reaches every agent: three bindings and two versions on each side, with the public SDK as the client and
 * as the agent, through the whole gateway.
 */
import { Role, type SendMessageRequest, type Task, TaskState } from "@a2a-js/sdk"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Dialed } from "../../../protocols/a2a/operation.ts"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { clientSpeaking, gatewayFor } from "./gateway.ts"
import type { Started } from "../harness.ts"

const message = (word: string, more: Partial<NonNullable<SendMessageRequest["message"]>> = {}): SendMessageRequest => ({
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
  configuration: undefined,
  metadata: undefined,
})

const nameOf = ({ binding, version }: Dialed): string => `${binding} ${version}`

describe.each(everyInterface)("an agent that speaks $binding $version only", (spoken) => {
  let agent: Agent
  let gateway: Started

  beforeAll(async () => {
    agent = await startAgent({ speaks: [spoken] })
    gateway = await gatewayFor(`
routes:
- policies: {a2a: {bridge: {}}}
  backends: [{host: '127.0.0.1:${agent.port}'}]
`)
  })
  afterAll(async () => {
    await gateway.close()
    await agent.close()
  })

  const connect = (dialed: Dialed) => clientSpeaking(`http://127.0.0.1:${gateway.port}`, dialed)

  describe.each(everyInterface)("to a client that speaks $binding $version", (dialed) => {
    it("is sent messages, and answers with tasks and messages", async () => {
      const client = await connect(dialed)
      const task = (await client.sendMessage(message("tck-complete-task"))) as Task
      expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
      expect(task.artifacts[0]?.parts[0]?.content).toEqual({ $case: "text", value: "hello" })
      expect(task.metadata).toEqual({ served: true })
      expect(await client.sendMessage(message("tck-message-response"))).toMatchObject({
        role: Role.ROLE_AGENT,
        parts: [{ content: { $case: "text", value: "Direct message response" } }],
      })
      const data = (await client.sendMessage(message("tck-artifact-data"))) as Task
      expect(data.artifacts[0]?.parts[0]?.content).toEqual({ $case: "data", value: { key: "value", count: 42 } })
      const file = (await client.sendMessage(message("tck-artifact-file"))) as Task
      const content = file.artifacts[0]?.parts[0]?.content
      expect(content?.$case === "raw" ? Buffer.from(content.value).toString() : content).toBe("file content")
      expect(file.artifacts[0]?.parts[0]?.mediaType).toBe("text/plain")
    })

    it("streams", async () => {
      const client = await connect(dialed)
      const seen: Array<string> = []
      let last: TaskState | undefined
      for await (const { payload } of client.sendMessageStream(message("tck-stream-001"))) {
        seen.push(payload?.$case ?? "nothing")
        if (payload?.$case === "statusUpdate") last = payload.value.status?.state
      }
      expect(seen).toEqual(["task", "statusUpdate", "artifactUpdate", "statusUpdate"])
      expect(last).toBe(TaskState.TASK_STATE_COMPLETED)
    })

    it("asks for input and for credentials, and goes on", async () => {
      const client = await connect(dialed)
      const asking = (await client.sendMessage(message("tck-input-required"))) as Task
      expect(asking.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
      const { contextId, id } = asking
      const done = (await client.sendMessage(message("tck-complete-task", { taskId: id, contextId }))) as Task
      expect([done.id, done.status?.state]).toEqual([id, TaskState.TASK_STATE_COMPLETED])
      const locked = (await client.sendMessage(message("auth-required"))) as Task
      expect(locked.status?.state).toBe(TaskState.TASK_STATE_AUTH_REQUIRED)
    })

    it("asks for input and for credentials in streams, and says there what it will not do", async () => {
      const client = await connect(dialed)
      for (const [word, state] of [
        ["tck-input-required", TaskState.TASK_STATE_INPUT_REQUIRED],
        ["auth-required", TaskState.TASK_STATE_AUTH_REQUIRED],
        ["tck-reject-task", TaskState.TASK_STATE_REJECTED],
        ["fail", TaskState.TASK_STATE_FAILED],
      ] as const) {
        let last: TaskState | undefined
        for await (const { payload } of client.sendMessageStream(message(word))) {
          if (payload?.$case === "statusUpdate" || payload?.$case === "task") last = payload.value.status?.state
        }
        expect(last, word).toBe(state)
      }
    })

    it("answers at once where nobody waits, and later says how it went", async () => {
      const client = await connect(dialed)
      const configuration = {
        acceptedOutputModes: [],
        historyLength: undefined,
        returnImmediately: true,
        taskPushNotificationConfig: undefined,
      }
      const begun = (await client.sendMessage({ ...message("long"), configuration })) as Task
      expect([TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING]).toContain(begun.status?.state)
      const cancelled = await client.cancelTask({ tenant: "", id: begun.id, metadata: undefined })
      expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED)
      const seen = await client.getTask({ tenant: "", id: begun.id })
      expect(seen.status?.state).toBe(TaskState.TASK_STATE_CANCELED)
    })

    it("tells of tasks, and cancels them", async () => {
      const client = await connect(dialed)
      const done = (await client.sendMessage(message("tck-complete-task"))) as Task
      expect(await client.getTask({ tenant: "", id: done.id })).toMatchObject({
        id: done.id,
        contextId: done.contextId,
      })
      await expect(client.getTask({ tenant: "", id: "nobody" })).rejects.toThrow(/not found/i)
      await expect(client.cancelTask({ tenant: "", id: done.id, metadata: undefined })).rejects.toThrow(/cancel/i)
      const asking = (await client.sendMessage(message("tck-input-required"))) as Task
      const cancelled = await client.cancelTask({ tenant: "", id: asking.id, metadata: undefined })
      expect(cancelled.status?.state).toBe(TaskState.TASK_STATE_CANCELED)
    })

    it("has tasks that can be subscribed to, and a client that leaves does not end them", async () => {
      const client = await connect(dialed)
      const stream = client.sendMessageStream(message("long"))
      const first = (await stream.next()).value
      const id = first?.payload?.$case === "task" ? first.payload.value.id : ""
      await stream.return()
      const again = client.resubscribeTask({ tenant: "", id })
      const snapshot = (await again.next()).value
      expect(snapshot?.payload).toMatchObject({ $case: "task", value: { id } })
      await again.return()
      const state = (await client.getTask({ tenant: "", id })).status?.state
      expect([TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_WORKING]).toContain(state)
      await client.cancelTask({ tenant: "", id, metadata: undefined })
    })

    it("keeps where to notify", async () => {
      const client = await connect(dialed)
      const task = (await client.sendMessage(message("tck-input-required"))) as Task
      const wanted = { tenant: "", taskId: task.id, id: "one", url: "https://example.com/hook", token: "secret" }
      const made = await client.createTaskPushNotificationConfig({
        ...wanted,
        authentication: { scheme: "Bearer", credentials: "abc" },
      })
      expect(made).toMatchObject(wanted)
      const asked = { tenant: "", taskId: task.id, id: "one" }
      expect(await client.getTaskPushNotificationConfig(asked)).toMatchObject({
        ...wanted,
        authentication: { scheme: "Bearer", credentials: "abc" },
      })
      const list = async () =>
        (await client.listTaskPushNotificationConfig({ tenant: "", taskId: task.id, pageSize: 0, pageToken: "" }))
          .configs
      expect((await list()).map(({ id }) => id)).toContain("one")
      await client.deleteTaskPushNotificationConfig(asked)
      expect((await list()).map(({ id }) => id)).not.toContain("one")
    })

    if (dialed.version === "1.0")
      it("lists tasks, where the agent has words for that", async () => {
        const client = await connect(dialed)
        const task = (await client.sendMessage(message("tck-complete-task"))) as Task
        const listing = client.listTasks({
          tenant: "",
          contextId: task.contextId,
          status: TaskState.TASK_STATE_UNSPECIFIED,
          pageToken: "",
          statusTimestampAfter: undefined,
        })
        if (spoken.version === "1.0") expect((await listing).tasks.map(({ id }) => id)).toEqual([task.id])
        else await expect(listing).rejects.toThrow()
      })

    it("shows an extended card that leads to the gateway", async () => {
      const client = await connect(dialed)
      const card = await client.getAgentCard()
      const urls = card.supportedInterfaces.map(({ url }) => url)
      expect(urls.length).toBeGreaterThan(0)
      for (const url of urls) expect(url, nameOf(dialed)).toContain(`127.0.0.1:${gateway.port}`)
    })
  })
})
