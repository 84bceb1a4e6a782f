/** Tasks of published agents over two workers, and over a sudden end of the gateway: found, followed, answered and told. */
import * as fs from "node:fs"
import * as path from "node:path"
import { DatabaseSync } from "node:sqlite"
import { afterEach, expect, it } from "vitest"
import { modern, scripted, type Turn } from "../mcp/harness.ts"
import { makeDirectory, Standalone, until } from "../standalone.ts"
import { ask } from "./gateway.ts"
import { type Hook, startHook } from "./hook.ts"
import { freePort } from "../../freePort.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const tools = ["ask", "wait"].map((name) => ({
  name,
  description: `Does ${name}`,
  inputSchema: { type: "object", properties: {} },
}))

const waiting: Array<() => void> = []

const script = (turn: Turn): unknown => {
  const { message } = turn
  const params = message.params ?? {}
  if (message.method === "tools/list") {
    return turn.result({ resultType: "complete", tools, ttlMs: 0, cacheScope: "private" })
  }
  const done = (text: string): unknown => turn.result({ resultType: "complete", content: [{ type: "text", text }] })
  if (params["name"] === "wait") return void waiting.push(() => void done("waited"))
  const responses = params["inputResponses"] as Record<string, { content?: { city?: string } }> | undefined
  if (responses !== undefined) return done(`to ${responses["q"]?.content?.city}`)
  const requestedSchema = { type: "object", properties: { city: { type: "string" } } }
  return turn.result({
    resultType: "input_required",
    inputRequests: {
      q: { method: "elicitation/create", params: { mode: "form", message: "Where?", requestedSchema } },
    },
    requestState: "state",
  })
}

interface Task {
  readonly id: string
  readonly contextId: string
  readonly status: { readonly state: string }
}

it("tasks are found, followed, told and gone on with by any worker, also of the next gateway", async () => {
  const server = await scripted(modern(script))
  closing.push(() => server.close())
  let held = 0
  const provider = await scripted((turn) => {
    if (JSON.stringify(turn.message["messages"]).includes("hold")) return void held++
    return turn.json(200, {
      id: "1",
      object: "chat.completion",
      model: "m",
      choices: [{ index: 0, message: { role: "assistant", content: "an answer" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    })
  })
  closing.push(() => provider.close())
  const hook: Hook = await startHook()
  closing.push(() => hook.close())
  const directory = makeDirectory()
  closing.push(() => fs.rmSync(directory, { recursive: true, force: true }))
  const port = await freePort()
  const file = path.join(directory, "gateway.yaml")
  fs.writeFileSync(
    file,
    `
config:
  database: {url: 'sqlite://${path.join(directory, "data.db")}'}
  a2a: {push: {callback: 'http://127.0.0.1:${port}', allowHosts: [127.0.0.1]}}
gateways: {default: {port: ${port}}}
routes:
- matches: [{path: {pathPrefix: /sage}}]
  backends:
  - ai: {name: m, provider: {openAI: {model: m}}, hostOverride: '127.0.0.1:${provider.port}'}
    policies: {a2a: {publish: {name: Sage}}}
- backends:
  - mcp: {targets: [{name: one, mcp: {host: '${server.url}'}}]}
    policies: {a2a: {publish: {name: Toolbox}}}
`,
  )
  const start = async (): Promise<Standalone> => {
    const gateway = new Standalone({ args: ["-f", file], env: { WORKER_THREADS: "2" } })
    closing.push(() => gateway.kill("SIGKILL"))
    return gateway.serving()
  }
  const root = `http://127.0.0.1:${port}`
  // A connection of its own for every call, so that the kernel spreads them over the workers.
  const headers = { "a2a-version": "1.0", connection: "close" }
  const rpc = async (method: string, params: object, at = root): Promise<Record<string, unknown>> => {
    const { body, text } = await ask("POST", at, { jsonrpc: "2.0", id: 1, method, params }, headers)
    const { result } = body as { readonly result?: Record<string, unknown> }
    if (result === undefined) throw new Error(`${method}: ${text}`)
    return result
  }
  const say = (skill: string, more: object = {}, configuration: object = {}) => ({
    message: {
      messageId: crypto.randomUUID(),
      role: "ROLE_USER",
      parts: [{ text: "go" }],
      metadata: { skill },
      ...more,
    },
    configuration: { taskPushNotificationConfig: { id: "mine", url: hook.url, token: "shh" }, ...configuration },
  })
  const told = (id: string): ReadonlyArray<string> =>
    hook.got
      .filter(({ text }) => text.includes(id))
      .flatMap(({ text }) => /"state":"TASK_STATE_(\w+)"/.exec(text)?.[1] ?? [])

  const first = await start()
  const asking = (await rpc("SendMessage", say("ask")))["task"] as Task
  expect(asking.status.state).toBe("TASK_STATE_INPUT_REQUIRED")
  await until(() => told(asking.id).includes("INPUT_REQUIRED"))

  // Whichever worker is asked knows of it, and of what was arranged.
  for (let i = 0; i < 12; i++) {
    expect(await rpc("GetTask", { id: asking.id })).toMatchObject({ status: { state: "TASK_STATE_INPUT_REQUIRED" } })
    expect(await rpc("GetTaskPushNotificationConfig", { taskId: asking.id, id: "mine" })).toMatchObject({
      url: hook.url,
    })
  }
  expect((await rpc("ListTasks", {}))["tasks"]).toMatchObject([{ id: asking.id }])

  // Whoever subscribes to a task that is worked on, at any worker, hears of its end.
  const working = (await rpc("SendMessage", say("wait", {}, { returnImmediately: true })))["task"] as Task
  await until(() => waiting.length === 1)
  const streams = Array.from({ length: 6 }, () =>
    ask("POST", root, { jsonrpc: "2.0", id: 1, method: "SubscribeToTask", params: { id: working.id } }, headers),
  )
  const isOpen = async (): Promise<boolean> =>
    ((await rpc("GetTask", { id: working.id })) as unknown as Task).status.state === "TASK_STATE_WORKING"
  await expect.poll(isOpen, { timeout: 20_000 }).toBe(true)
  for (const go of waiting.splice(0)) go()
  for (const { text } of await Promise.all(streams)) {
    // A stream that came late is told that the task is over; all others hear its end.
    expect(text).toMatch(/"state":"TASK_STATE_COMPLETED"|UNSUPPORTED_OPERATION/)
  }
  await until(() => told(working.id).includes("COMPLETED"))
  expect(told(working.id).filter((state) => state === "COMPLETED")).toHaveLength(1)

  // A model that is an agent tells of its tasks as well; one that was not done when its gateway ended has failed.
  const sage = `${root}/sage`
  const answered = (await rpc("SendMessage", say("chat"), sage))["task"] as Task
  await until(() => told(answered.id).includes("COMPLETED"))
  const parts = [{ text: "hold" }]
  const abandoned = (await rpc("SendMessage", say("chat", { parts }, { returnImmediately: true }), sage))[
    "task"
  ] as Task
  await until(() => held === 1)

  // The next gateway goes on where this one was.
  first.kill("SIGKILL")
  await first.ended
  const database = new DatabaseSync(path.join(directory, "data.db"))
  // As if nobody had worked on it for longer than anybody waits here.
  database.prepare("UPDATE a2a_task SET beat = 0 WHERE id = ?").run(abandoned.id)
  database.close()
  await start()
  await until(() => told(abandoned.id).includes("FAILED"))
  for (let i = 0; i < 6; i++) {
    expect(await rpc("GetTask", { id: abandoned.id }, sage)).toMatchObject({ status: { state: "TASK_STATE_FAILED" } })
    expect(await rpc("GetTask", { id: answered.id }, sage)).toMatchObject({
      status: { state: "TASK_STATE_COMPLETED" },
      artifacts: [{ parts: [{ text: "an answer" }] }],
    })
  }
  for (const [id, state] of [
    [abandoned.id, "FAILED"],
    [answered.id, "COMPLETED"],
  ] as const) {
    expect(told(id).filter((one) => one === state)).toHaveLength(1)
  }
  expect(await rpc("GetTask", { id: working.id })).toMatchObject({ status: { state: "TASK_STATE_COMPLETED" } })
  const answer = { taskId: asking.id, contextId: asking.contextId, parts: [{ text: "Rome" }] }
  const done = (await rpc("SendMessage", { message: say("ask", answer).message }))["task"] as Task
  expect(done).toMatchObject({
    id: asking.id,
    status: { state: "TASK_STATE_COMPLETED" },
    artifacts: [{ parts: [{ text: "to Rome" }] }],
  })
  await until(() => told(asking.id).includes("COMPLETED"))
  const names = hook.got.map((one) => one.headers["x-a2a-notification-id"])
  expect(new Set(names).size).toBe(names.length)

  // A conversation with a model goes on, whichever worker and gateway had its beginning.
  const hello = (await rpc("SendMessage", { message: say("chat").message }, sage))["task"] as Task
  for (let i = 0; i < 6; i++) {
    expect(await rpc("GetTask", { id: hello.id }, sage)).toMatchObject({
      status: { state: "TASK_STATE_COMPLETED" },
    })
  }
}, 120_000)
