/**
 * What the public compatibility kit calls mandatory for an agent of 1.0, each of it asked of one that is behind the
 * gateway: in every binding, of an agent that speaks the same, and of one that speaks only another.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Fields, fieldsOf, listOf, textOf } from "../../../protocols/a2a/Fields.ts"
import { type FaultName, faults } from "../../../protocols/a2a/Fault.ts"
import type { Binding, Dialed } from "../../../protocols/a2a/operation.ts"
import { type Started, until } from "../harness.ts"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { ask, gatewayFor } from "./gateway.ts"
import { type Hook, startHook } from "./hook.ts"
import { type Events, type Failed, type Raw, rawClient, type Told } from "./Raw.ts"
import { freePort } from "../../freePort.ts"

/** As the newest text of the specification has them in each binding; the codes of gRPC by name. */
const codes: Readonly<Partial<Record<FaultName, Readonly<Record<Binding, number | string>>>>> = {
  TaskNotFound: { JSONRPC: -32001, "HTTP+JSON": 404, GRPC: "NOT_FOUND" },
  TaskNotCancelable: { JSONRPC: -32002, "HTTP+JSON": 400, GRPC: "FAILED_PRECONDITION" },
  PushNotificationNotSupported: { JSONRPC: -32003, "HTTP+JSON": 400, GRPC: "FAILED_PRECONDITION" },
  UnsupportedOperation: { JSONRPC: -32004, "HTTP+JSON": 400, GRPC: "FAILED_PRECONDITION" },
  ContentTypeNotSupported: { JSONRPC: -32005, "HTTP+JSON": 400, GRPC: "INVALID_ARGUMENT" },
  ExtendedAgentCardNotConfigured: { JSONRPC: -32007, "HTTP+JSON": 400, GRPC: "FAILED_PRECONDITION" },
  ExtensionSupportRequired: { JSONRPC: -32008, "HTTP+JSON": 400, GRPC: "FAILED_PRECONDITION" },
  VersionNotSupported: { JSONRPC: -32009, "HTTP+JSON": 400, GRPC: "FAILED_PRECONDITION" },
}

const wanted = "urn:a2a:tck:required-extension"
const terminal = /^TASK_STATE_(?:COMPLETED|FAILED|CANCELED|REJECTED)$/

const said = (word: string, more: Fields = {}): Fields => ({
  message: {
    messageId: `${word}-${crypto.randomUUID()}`,
    role: "ROLE_USER",
    parts: [{ text: "Hello from the kit" }],
    ...more,
  },
})

const taskOf = ({ failed, result }: Told): Fields => {
  if (failed !== undefined) throw new Error(`refused: ${JSON.stringify(failed)}`)
  const task = fieldsOf(result["task"] ?? result)
  expect(textOf(task["id"])).toMatch(/\S/)
  return task
}
const stateIn = (value: unknown): string => textOf(fieldsOf(fieldsOf(value)["status"])["state"]) ?? ""
const stateOf = (event: Fields | undefined): string => stateIn(event?.["task"] ?? event?.["statusUpdate"])
const kindOf = (event: Fields): string => Object.keys(event)[0] ?? ""

const streamOf = (told: Events | { failed: Failed }): Events => {
  if ("failed" in told) throw new Error(`refused: ${JSON.stringify(told.failed)}`)
  return told
}

interface Pair {
  readonly binding: Binding
  readonly spoken: ReadonlyArray<Dialed>
  readonly how: string
}

const other: Readonly<Record<Binding, Binding>> = { JSONRPC: "GRPC", "HTTP+JSON": "JSONRPC", GRPC: "HTTP+JSON" }

const pairs: ReadonlyArray<Pair> = (["JSONRPC", "HTTP+JSON", "GRPC"] as const).flatMap((binding) => [
  { binding, spoken: everyInterface, how: "every binding" },
  { binding, spoken: [{ binding: other[binding], version: "1.0" }], how: `only ${other[binding]}` },
])

let hook: Hook
beforeAll(async () => {
  hook = await startHook()
})
afterAll(() => hook.close())

describe.each(pairs)("in $binding, of an agent that speaks $how", ({ binding, spoken }) => {
  const agents: Array<Agent> = []
  const gateways: Array<Started> = []
  const clients: Array<Raw> = []
  let agent: Agent
  let client: Raw
  let root: string

  const behind = async (words: Parameters<typeof startAgent>[0]): Promise<readonly [Agent, Raw, string]> => {
    const one = await startAgent({ longMillis: 120_000, speaks: spoken, ...words })
    agents.push(one)
    const port = await freePort()
    const gateway = await gatewayFor(
      `
routes:
- policies: {a2a: {bridge: {offers: [JSONRPC, HTTP+JSON, GRPC]}}}
  backends: [{host: '127.0.0.1:${one.port}'}]
`,
      { push: { callback: `http://127.0.0.1:${port}`, allowedHosts: ["127.0.0.1"], timeoutMillis: 2_000 } },
      port,
    )
    gateways.push(gateway)
    const raw = rawClient(binding, port)
    clients.push(raw)
    return [one, raw, `http://127.0.0.1:${port}`]
  }

  beforeAll(async () => {
    ;[agent, client, root] = await behind({})
  })
  afterAll(async () => {
    for (const one of clients) one.close()
    for (const one of gateways) await one.close()
    for (const one of agents) await one.close()
  })

  const send = (word: string, more?: Fields): Promise<Told> => client.call("SendMessage", said(word, more))
  const idOf = async (word: string): Promise<string> => textOf(taskOf(await send(word))["id"]) ?? ""
  const begun = async (): Promise<string> => {
    const told = await client.call("SendMessage", { ...said("long"), configuration: { returnImmediately: true } })
    return textOf(taskOf(told)["id"]) ?? ""
  }
  const expectFailed = (told: object, name: FaultName): void => {
    const { failed } = told as { readonly failed?: Failed }
    expect(failed).toEqual({
      code: codes[name]?.[binding],
      reason: faults[name].reason,
      domain: "a2a-protocol.org",
      message: expect.stringMatching(/\S/),
    })
  }

  describe("messages", () => {
    it("are answered with a task, or with a message", async () => {
      expect(stateIn(taskOf(await send("tck-complete-task")))).toBe("TASK_STATE_COMPLETED")
      const { result } = await send("tck-message-response")
      expect(result).toMatchObject({ message: { role: "ROLE_AGENT", parts: [{ text: "Direct message response" }] } })
    })

    it("to a task that is over are refused", async () => {
      const taskId = await idOf("tck-complete-task")
      expectFailed(await send("tck-complete-task", { taskId }), "UnsupportedOperation")
    })

    it("of a type that the agent does not take are refused", async () => {
      const parts = [{ raw: "dGNr", mediaType: "application/x-unsupported-tck-type" }]
      expectFailed(await send("tck-send-003", { parts }), "ContentTypeNotSupported")
    })

    it("to a task that nobody knows are refused", async () => {
      expectFailed(await send("multi-004", { taskId: crypto.randomUUID() }), "TaskNotFound")
    })

    it("begin tasks of their own, in a context that is told", async () => {
      const [one, two] = [taskOf(await send("tck-complete-task")), taskOf(await send("tck-complete-task"))]
      expect(one["id"]).not.toBe(two["id"])
      for (const { contextId } of [one, two]) expect(textOf(contextId)).toMatch(/\S/)
      const contextId = crypto.randomUUID()
      expect(taskOf(await send("tck-complete-task", { contextId }))["contextId"]).toBe(contextId)
    })

    it("to a task go on in its context, and in no other", async () => {
      const task = taskOf(await send("tck-input-required"))
      const taskId = textOf(task["id"]) ?? ""
      const wrong = await send("tck-complete-task", { taskId, contextId: crypto.randomUUID() })
      expect(wrong.failed).toMatchObject({ message: expect.stringMatching(/\S/) })
      const followed = taskOf(await send("tck-complete-task", { taskId }))
      expect(followed).toMatchObject({ id: taskId, contextId: task["contextId"] })
    })

    it.each(["input", "auth"])("wait until %s is required, and no longer", async (what) => {
      const task = taskOf(await send(`tck-${what}-required`))
      const state = `TASK_STATE_${what.toUpperCase()}_REQUIRED`
      expect(stateIn(task)).toBe(state)
      expect(stateIn(taskOf(await client.call("GetTask", { id: task["id"] })))).toBe(state)
    })

    it("go on with what waited for input until it is over", async () => {
      const taskId = await idOf("tck-input-required")
      expect(stateIn(taskOf(await send("tck-complete-task", { taskId })))).toMatch(terminal)
    })

    it("do not wait where nobody wants to", async () => {
      const id = await begun()
      expect(stateIn(taskOf(await client.call("GetTask", { id })))).not.toMatch(terminal)
      await client.call("CancelTask", { id })
    })

    it("without what they need are refused before anything is done", async () => {
      const begunBefore = agent.behaviour.begun.length
      // Whoever speaks as the agent does is passed on to it, and what it makes of a message without parts is its own.
      const empty = spoken === everyInterface ? [] : [{ message: { messageId: "x", role: "ROLE_USER", parts: [] } }]
      for (const params of [{}, ...empty]) {
        const { failed } = await client.call("SendMessage", params)
        expect(failed).toMatchObject({
          code: { JSONRPC: -32_602, "HTTP+JSON": 400, GRPC: "INVALID_ARGUMENT" }[binding],
          message: expect.stringMatching(/\S/),
        })
      }
      expect(agent.behaviour.begun).toHaveLength(begunBefore)
    })

    if (binding !== "GRPC") {
      it("in another content type than JSON are refused", async () => {
        const headers = { "content-type": "text/plain" }
        expectFailed(await client.call("SendMessage", said("tck-complete-task"), headers), "ContentTypeNotSupported")
      })
    }

    it("may name extensions that nobody knows", async () => {
      const headers = { "a2a-extensions": "https://example.com/ext/v1,https://example.com/ext/v2" }
      expect(stateIn(taskOf(await client.call("SendMessage", said("tck-complete-task"), headers)))).toMatch(terminal)
    })
  })

  describe("tasks", () => {
    it("are told as they stand", async () => {
      const id = await idOf("tck-artifact-text")
      const task = taskOf(await client.call("GetTask", { id }))
      expect(task).toMatchObject({ id, artifacts: [{ parts: [{ text: "Generated text content" }] }] })
      expect(stateIn(task)).toBe("TASK_STATE_COMPLETED")
    })

    it("that nobody knows are not found, nor cancelled, nor subscribed to", async () => {
      const id = crypto.randomUUID()
      expectFailed(await client.call("GetTask", { id }), "TaskNotFound")
      expectFailed(await client.call("CancelTask", { id }), "TaskNotFound")
      expectFailed(await client.stream("SubscribeToTask", { id }), "TaskNotFound")
    })

    it("are cancelled, unless they are over", async () => {
      const id = await begun()
      const cancelled = taskOf(await client.call("CancelTask", { id }))
      expect([cancelled["id"], stateIn(cancelled)]).toEqual([id, "TASK_STATE_CANCELED"])
      expectFailed(await client.call("CancelTask", { id: await idOf("tck-complete-task") }), "TaskNotCancelable")
    })

    it("are told with no more of their history than was asked for", async () => {
      const taskId = await idOf("tck-input-required")
      await send("tck-input-required", { taskId })
      await send("tck-complete-task", { taskId })
      const historyOf = async (historyLength: number): Promise<number> =>
        listOf(taskOf(await client.call("GetTask", { id: taskId, historyLength }))["history"]).length
      expect(await historyOf(10)).toBeGreaterThan(1)
      expect(await historyOf(1)).toBe(1)
      expect(await historyOf(0)).toBe(0)
    })

    it("are listed page by page, the newest first, without artifacts", async () => {
      const contextId = crypto.randomUUID()
      const made: Array<unknown> = []
      for (let i = 0; i < 3; i++) made.push(taskOf(await send("tck-artifact-text", { contextId }))["id"])
      const seen: Array<Fields> = []
      let pageToken = ""
      do {
        const { result } = await client.call("ListTasks", {
          contextId,
          pageSize: 2,
          ...(pageToken === "" ? {} : { pageToken }),
        })
        expect(result).toMatchObject({ totalSize: 3, nextPageToken: expect.any(String) })
        seen.push(...listOf(result?.["tasks"]).map(fieldsOf))
        pageToken = textOf(result?.["nextPageToken"]) ?? ""
      } while (pageToken !== "" && seen.length < 10)
      expect(seen.map(({ id }) => id).toSorted()).toEqual(made.toSorted())
      for (const task of seen) expect(listOf(task["artifacts"])).toEqual([])
      const times = seen.map(({ status }) => Date.parse(textOf(fieldsOf(status)["timestamp"]) ?? ""))
      expect(times).toEqual(times.toSorted((a, b) => b - a))
    })
  })

  describe("streams", () => {
    const stream = async (word: string): Promise<readonly [Events, ReadonlyArray<Fields>]> => {
      const events = streamOf(await client.stream("SendStreamingMessage", said(word)))
      return [events, await events.rest()]
    }

    it("begin with the task, keep its order, and end with it", async () => {
      const [{ contentType }, events] = await stream("tck-stream-artifact-chunked")
      expect(contentType).toContain(binding === "GRPC" ? "application/grpc" : "text/event-stream")
      expect(events.map(kindOf)).toEqual(["task", "artifactUpdate", "artifactUpdate", "statusUpdate"])
      const texts = events.flatMap((event) => listOf(fieldsOf(fieldsOf(event["artifactUpdate"])["artifact"])["parts"]))
      expect(texts.map((part) => fieldsOf(part)["text"])).toEqual(["chunk-1 ", "chunk-2"])
      expect(stateOf(events.at(-1))).toMatch(terminal)
    })

    it("of a message alone have that message and nothing else", async () => {
      const [, events] = await stream("tck-message-response")
      expect(events.map(kindOf)).toEqual(["message"])
    })

    it("of a task are opened anew with the task as it is, and end with it", async () => {
      const id = await begun()
      const events = streamOf(await client.stream("SubscribeToTask", { id }))
      const first = await events.next()
      expect(fieldsOf(first?.["task"])["id"]).toBe(id)
      await client.call("CancelTask", { id })
      expect(stateOf((await events.rest()).at(-1))).toBe("TASK_STATE_CANCELED")
    })

    it("of what is over are not opened", async () => {
      const id = await idOf("tck-complete-task")
      expectFailed(await client.stream("SubscribeToTask", { id }), "UnsupportedOperation")
    })

    it("of one task tell the same, and one that is closed takes no other with it", async () => {
      const id = await begun()
      const open = async (): Promise<readonly [Events, Fields | undefined]> => {
        const events = streamOf(await client.stream("SubscribeToTask", { id }))
        return [events, await events.next()]
      }
      const [[leaving], [one, first], [two, second]] = [await open(), await open(), await open()]
      leaving.close()
      await client.call("CancelTask", { id })
      const [rest, restOfOther] = await Promise.all([one.rest(), two.rest()])
      expect(rest.length).toBeGreaterThan(0)
      expect(restOfOther).toEqual(rest)
      expect(second).toEqual(first)
    })
  })

  describe("notifications", () => {
    it("are arranged, read, listed and deleted, and deleting twice does no harm", async () => {
      const taskId = await idOf("tck-complete-task")
      const id = `push-${crypto.randomUUID()}`
      const url = `${hook.url}/never`
      const made = await client.call("CreateTaskPushNotificationConfig", { taskId, id, url })
      expect(made.result).toMatchObject({ id, url })
      const kept = await client.call("GetTaskPushNotificationConfig", { taskId, id })
      expect(kept.result).toMatchObject({ id, url })
      const nobody = await client.call("GetTaskPushNotificationConfig", { taskId, id: "nobody" })
      expect(nobody.failed).toMatchObject({ message: expect.stringMatching(/\S/) })
      const all = await client.call("ListTaskPushNotificationConfigs", { taskId })
      expect(all.result).toMatchObject({ configs: [{ id, url }] })
      for (let i = 0; i < 2; i++) {
        expect((await client.call("DeleteTaskPushNotificationConfig", { taskId, id })).failed).toBeUndefined()
      }
      const gone = await client.call("GetTaskPushNotificationConfig", { taskId, id })
      expect(gone.failed).toMatchObject({ message: expect.stringMatching(/\S/) })
    })

    it("arrive with the credentials that were given, as events of a stream", async () => {
      const url = `${hook.url}/${crypto.randomUUID()}`
      const configuration = {
        taskPushNotificationConfig: { id: "p", url, authentication: { scheme: "Bearer", credentials: "tck-token" } },
      }
      const first = await client.call("SendMessage", { ...said("tck-input-required"), configuration })
      const taskId = textOf(taskOf(first)["id"]) ?? ""
      taskOf(await send("tck-complete-task", { taskId }))
      const arrived = () => hook.got.filter(({ path }) => url.endsWith(path))
      await until("it is told that the task is over", () => arrived().some(({ body }) => terminal.test(stateOf(body))))
      for (const { body, headers } of arrived()) {
        expect(headers.authorization).toBe("Bearer tck-token")
        expect(["task", "statusUpdate", "artifactUpdate", "message"]).toContain(kindOf(body))
        expect(Object.keys(body)).toHaveLength(1)
      }
    })
  })

  describe("what is not there", () => {
    let bare: Raw
    let strict: Raw
    beforeAll(async () => {
      const capabilities = { streaming: false, pushNotifications: false, extendedAgentCard: false, extensions: [] }
      ;[, bare] = await behind({ card: { capabilities } })
      const extension = { uri: wanted, description: "", required: true, params: undefined }
      ;[, strict] = await behind({ card: { capabilities: { ...capabilities, extensions: [extension] } } })
    })

    it("are streams, and it is said", async () => {
      expectFailed(await bare.stream("SendStreamingMessage", said("tck-stream-001")), "UnsupportedOperation")
      expectFailed(await bare.stream("SubscribeToTask", { id: "x" }), "UnsupportedOperation")
    })

    it("is an extended card, and it is said", async () => {
      expectFailed(await bare.call("GetExtendedAgentCard", {}), "UnsupportedOperation")
    })

    it("is who speaks an extension that is required, and it is said", async () => {
      expectFailed(await strict.call("SendMessage", said("tck-complete-task")), "ExtensionSupportRequired")
      const told = await strict.call("SendMessage", said("tck-complete-task"), { "a2a-extensions": wanted })
      expect(stateIn(taskOf(told))).toMatch(terminal)
    })

    it("is a version of 99", async () => {
      const headers = { "a2a-version": "99.0" }
      expectFailed(await client.call("SendMessage", said("tck-complete-task"), headers), "VersionNotSupported")
    })

    it("are versions of patches: they count for nothing", async () => {
      const told = await client.call("SendMessage", said("tck-complete-task"), { "a2a-version": "1.0.7" })
      expect(stateIn(taskOf(told))).toMatch(terminal)
    })
  })

  it("the card says where the agent is, and what it can do", async () => {
    const { body, headers } = await ask("GET", `${root}/.well-known/agent-card.json`, undefined, {
      "a2a-version": "1.0",
    })
    const card = fieldsOf(body)
    for (const name of ["name", "description", "version"]) expect(textOf(card[name]), name).toMatch(/\S/)
    expect(listOf(card["skills"])).not.toHaveLength(0)
    expect(card["capabilities"]).toMatchObject({ streaming: true, pushNotifications: true })
    const interfaces = listOf(card["supportedInterfaces"]).map(fieldsOf)
    expect(new Set(interfaces.map(({ protocolBinding }) => protocolBinding))).toEqual(
      new Set(["JSONRPC", "HTTP+JSON", "GRPC"]),
    )
    const authority = new URL(root).host
    for (const { url } of interfaces) expect(textOf(url)).toContain(authority)
    expect(headers.get("cache-control")).toMatch(/max-age=\d+/)
    expect(headers.get("etag")).toMatch(/\S/)
  })
})
