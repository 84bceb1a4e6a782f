/** Models and MCP servers as agents, for clients made with the public SDK in every binding and version. */
import { Role, type SendMessageRequest, type Task, TaskState } from "@a2a-js/sdk"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { until, type Started } from "../harness.ts"
import { legacy, modern, type Scripted, scripted, type Turn } from "../mcp/harness.ts"
import { everyInterface } from "./agent.ts"
import { part, textPart } from "./Behaviour.ts"
import { ask, clientSpeaking, gatewayFor } from "./gateway.ts"

type Message = NonNullable<SendMessageRequest["message"]>

const message = (text: string, more: Partial<Message> = {}, immediately = false): SendMessageRequest => ({
  tenant: "",
  message: {
    messageId: crypto.randomUUID(),
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [textPart(text)],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
    ...more,
  },
  configuration: {
    acceptedOutputModes: [],
    historyLength: undefined,
    returnImmediately: immediately,
    taskPushNotificationConfig: undefined,
  },
  metadata: undefined,
})

const skill = (name: string): Partial<Message> => ({ metadata: { skill: name } })
const textOf = (task: Task): string =>
  task.artifacts
    .flatMap(({ parts }) => parts)
    .map(({ content }) => (content?.$case === "text" ? content.value : ""))
    .join("")
const saidOf = ({ status }: Task): string =>
  (status?.message?.parts ?? []).map(({ content }) => (content?.$case === "text" ? content.value : "")).join("")

const tools = [
  {
    name: "greet",
    description: "Greets somebody",
    inputSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  },
  { name: "add", description: "Adds numbers", inputSchema: { type: "object", properties: { a: {}, b: {} } } },
  { name: "ask", description: "Asks back", inputSchema: { type: "object", properties: {} } },
  { name: "wait", description: "Takes long", inputSchema: { type: "object", properties: {} } },
]

let cancelled = 0

const script = (turn: Turn): unknown => {
  const { message: asked } = turn
  const params = asked.params ?? {}
  if (asked.method === "tools/list") {
    return turn.result({ resultType: "complete", tools, ttlMs: 0, cacheScope: "private" })
  }
  const args = (params["arguments"] ?? {}) as Record<string, unknown>
  const done = (content: ReadonlyArray<unknown>, more: object = {}): void =>
    turn.result({ resultType: "complete", content, ...more })
  switch (params["name"]) {
    case "greet":
      return done([{ type: "text", text: `hello ${String(args["name"])}` }])
    case "add": {
      const sum = { sum: Number(args["a"]) + Number(args["b"]) }
      return done([{ type: "text", text: JSON.stringify(sum) }], { structuredContent: sum })
    }
    case "ask": {
      const responses = params["inputResponses"] as Record<string, { content?: { city?: string } }> | undefined
      if (responses !== undefined) return done([{ type: "text", text: `to ${responses["q"]?.content?.city}` }])
      const requestedSchema = { type: "object", properties: { city: { type: "string" } } }
      return turn.result({
        resultType: "input_required",
        inputRequests: {
          q: { method: "elicitation/create", params: { mode: "form", message: "Where?", requestedSchema } },
        },
        requestState: "state",
      })
    }
    case "wait":
      turn.response.on("close", () => cancelled++)
      return undefined
    default:
      return turn.error(-32_602, "Unknown tool")
  }
}

let server: Scripted
let model: Started
let servers: Started

beforeAll(async () => {
  server = await scripted(modern(script))
  model = await gatewayFor(`
routes:
- backends:
  - ai: {name: echo, provider: {echo: {model: echo}}}
    policies:
      a2a: {publish: {name: Sage, description: Knows things, instructions: Be brief, skills: [{id: chat}]}}
`)
  servers = await gatewayFor(`
routes:
- backends:
  - mcp: {targets: [{name: one, mcp: {host: '${server.url}'}}]}
    policies:
      a2a: {publish: {name: Toolbox}}
`)
})
afterAll(async () => {
  await model.close()
  await servers.close()
  await server.close()
})

describe.each(everyInterface)("a client that speaks $binding $version", (dialed) => {
  const toModel = () => clientSpeaking(`http://127.0.0.1:${model.port}`, dialed)
  const toServers = () => clientSpeaking(`http://127.0.0.1:${servers.port}`, dialed)

  it("talks to a model, and finds its tasks again", async () => {
    const client = await toModel()
    const task = (await client.sendMessage(message("good morning"))) as Task
    expect(task.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
    expect(textOf(task)).toContain("good morning")
    const again = await client.getTask({ tenant: "", id: task.id })
    expect(textOf(again)).toBe(textOf(task))
    await expect(client.cancelTask({ tenant: "", id: task.id, metadata: undefined })).rejects.toThrow()
    await expect(client.getTask({ tenant: "", id: "nobody" })).rejects.toThrow()
    if (dialed.version !== "1.0") return
    const { tasks } = await client.listTasks({
      tenant: "",
      contextId: task.contextId,
      status: TaskState.TASK_STATE_UNSPECIFIED,
      pageToken: "",
      statusTimestampAfter: undefined,
    })
    expect(tasks.map(({ id }) => id)).toEqual([task.id])
  })

  it("hears a model piece by piece", async () => {
    const client = await toModel()
    let text = ""
    let last: TaskState | undefined
    for await (const { payload } of client.sendMessageStream(message("one two three four"))) {
      if (payload?.$case === "artifactUpdate") {
        for (const { content } of payload.value.artifact?.parts ?? []) {
          if (content?.$case === "text") text += content.value
        }
      }
      if (payload?.$case === "statusUpdate") last = payload.value.status?.state
    }
    expect(text).toContain("one two three four")
    expect(last).toBe(TaskState.TASK_STATE_COMPLETED)
  })

  it("has tools called by their names, with text or data, and gets what they give back", async () => {
    const client = await toServers()
    const greeted = (await client.sendMessage(message("Ada", skill("greet")))) as Task
    expect(textOf(greeted)).toBe("hello Ada")
    const parts = [part({ $case: "data", value: { a: 1, b: 2 } })]
    const added = (await client.sendMessage(message("", { parts, ...skill("add") }))) as Task
    expect(added.artifacts[0]?.parts[0]?.content).toEqual({ $case: "data", value: { sum: 3 } })
  })

  it("is asked what a tool asks, and which tool is meant", async () => {
    const client = await toServers()
    const asking = (await client.sendMessage(message("go", skill("ask")))) as Task
    expect(asking.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
    expect(saidOf(asking)).toContain("Where?")
    const { contextId, id: taskId } = asking
    const done = (await client.sendMessage(message("Rome", { taskId, contextId }))) as Task
    expect([done.id, textOf(done)]).toEqual([taskId, "to Rome"])
    const unclear = (await client.sendMessage(message("do something"))) as Task
    expect(unclear.status?.state).toBe(TaskState.TASK_STATE_INPUT_REQUIRED)
    expect(saidOf(unclear)).toContain("greet, add, ask, wait")
    await client.cancelTask({ tenant: "", id: unclear.id, metadata: undefined })
  })

  it("cancels what takes too long, and the tool hears of it", async () => {
    const client = await toServers()
    const before = cancelled
    const task = (await client.sendMessage(message("go", skill("wait"), true))) as Task
    await until("the tool is called", () => server.calls("tools/call").at(-1)?.params?.["name"] === "wait")
    const ended = await client.cancelTask({ tenant: "", id: task.id, metadata: undefined })
    expect(ended.status?.state).toBe(TaskState.TASK_STATE_CANCELED)
    await until("the tool is left", () => cancelled > before)
  })
})

describe("the card", () => {
  it("says what a model is good at, and which tools there are", async () => {
    const sage = await ask("GET", `http://127.0.0.1:${model.port}/.well-known/agent-card.json`)
    expect(sage.body).toMatchObject({ name: "Sage", description: "Knows things", skills: [{ id: "chat" }] })
    const box = await ask("GET", `http://127.0.0.1:${servers.port}/.well-known/agent-card.json`)
    expect((box.body as { skills: ReadonlyArray<{ id: string }> }).skills.map(({ id }) => id)).toEqual(
      tools.map(({ name }) => name),
    )
  })
})

describe("a conversation", () => {
  it("is remembered by its context, and by nobody else's", async () => {
    let seen: ReadonlyArray<{ readonly role: string; readonly content: string }> = []
    const provider = await scripted((turn) => {
      seen = turn.message["messages"] as typeof seen
      return turn.json(200, {
        id: "1",
        object: "chat.completion",
        model: "m",
        choices: [{ index: 0, message: { role: "assistant", content: "an answer" }, finish_reason: "stop" }],
        usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      })
    })
    const own = await gatewayFor(
      `
routes:
- policies: {apiKey: {mode: strict, keys: [{key: red-key-1}, {key: blue-key-1}]}}
  backends:
  - ai: {name: m, provider: {openAI: {model: m}}, hostOverride: '127.0.0.1:${provider.port}'}
    policies: {a2a: {publish: {name: Sage, instructions: Be brief}}, backendTLS: null}
`.replace(", backendTLS: null", ""),
    )
    const call = async (key: string, method: string, params: unknown): Promise<Record<string, never>> => {
      const headers = { authorization: `Bearer ${key}`, "a2a-version": "1.0" }
      const said = await ask(
        "POST",
        `http://127.0.0.1:${own.port}/`,
        { jsonrpc: "2.0", id: 1, method, params },
        headers,
      )
      return said.body as Record<string, never>
    }
    const say = (key: string, text: string, contextId?: string) =>
      call(key, "SendMessage", {
        message: {
          messageId: crypto.randomUUID(),
          role: "ROLE_USER",
          parts: [{ text }],
          ...(contextId === undefined ? {} : { contextId }),
        },
      })
    try {
      const { task } = (await say("red-key-1", "one"))["result"] as unknown as {
        task: { id: string; contextId: string }
      }
      await say("red-key-1", "two", task.contextId)
      expect(seen).toEqual([
        { role: "system", content: "Be brief" },
        { role: "user", content: "one" },
        { role: "assistant", content: "an answer" },
        { role: "user", content: "two" },
      ])
      await say("blue-key-1", "three", task.contextId)
      expect(seen.map(({ content }) => content)).toEqual(["Be brief", "three"])
      expect((await call("blue-key-1", "GetTask", { id: task.id }))["error"]).toMatchObject({ code: -32_001 })
    } finally {
      await own.close()
      await provider.close()
    }
  })
})

describe("published agents in a catalogue", () => {
  it("stand beside others, with their skills in the common card", async () => {
    const old = await scripted(legacy(script, { tools: {} }))
    const gateway = await gatewayFor(`
backends:
- name: tools
  mcp: {targets: [{name: one, mcp: {host: '${old.url}'}}]}
- name: agents
  a2a:
    agents:
    - {name: box, backend: /tools, policies: {a2a: {publish: {name: Toolbox}}}}
routes:
- backends: [{backend: /agents}]
`)
    try {
      const root = `http://127.0.0.1:${gateway.port}`
      const list = await ask("GET", `${root}/agents`)
      expect(list.body).toMatchObject({ agents: [{ id: "box", name: "Toolbox" }] })
      const client = await clientSpeaking(`${root}/box`, { binding: "JSONRPC", version: "1.0" })
      expect(textOf((await client.sendMessage(message("Ada", skill("greet")))) as Task)).toBe("hello Ada")
    } finally {
      await gateway.close()
      await old.close()
    }
  })
})
