/**
 * What a client may do in its session, and with its tasks, whichever worker it meets: while all of them live, after some
 * were killed, in the next process, and at another gateway with the same key and the same Postgres.
 */
import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import * as Keepsakes from "../../../src/mcp/keepsakes.ts"
import * as Storage from "../../../src/store/Storage.ts"
import { makeDirectory, Standalone, until } from "../standalone.ts"
import {
  answerOf,
  ask,
  begin,
  type Json,
  legacy,
  type McpGateway,
  mcpGateway,
  post,
  readReply,
  type Said,
  type Scripted,
  scripted,
  targetsOf,
} from "./harness.ts"
import { freePort } from "../../freePort.ts"

const faults = fileURLToPath(new URL("../workerFaults.ts", import.meta.url))
const root = makeDirectory()
const open: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})
afterAll(() => fs.rmSync(root, { recursive: true, force: true }))

/** A server of 2025-11-25 that knows tasks and subscriptions only in the session that has them, as strict ones do. */
const strict = async (): Promise<Scripted & { readonly told: Array<Json>; readonly levels: Array<unknown> }> => {
  const tasks = new Map<string, { readonly session: string; status: string; isAsking?: boolean }>()
  const waiting = new Map<string, (answer: Json) => void>()
  const told: Array<Json> = []
  let questions = 0
  const levels: Array<unknown> = []
  const now = "2026-01-01T00:00:00Z"
  const shown = (taskId: string) => ({
    taskId,
    status: tasks.get(taskId)?.status,
    createdAt: now,
    lastUpdatedAt: now,
    ttl: 600_000,
    pollInterval: 50,
  })
  const content = (text: string) => ({ content: [{ type: "text", text }] })
  const server = await scripted(
    legacy(
      (turn) => {
        const { error, headers, message, result } = turn
        const { id, method, params = {} } = message
        const session = String(headers["mcp-session-id"])
        if (method === undefined) return waiting.get(String(id))?.((message as { result?: Json }).result ?? {})
        const taskId = String(params["taskId"])
        const task = tasks.get(taskId)
        const asking = (text: (answer: Json) => string, meta: Json = {}): void => {
          const stream = turn.stream()
          const asked = `question ${++questions}`
          waiting.set(asked, (answer) => {
            if (task !== undefined) task.status = "completed"
            stream.send({ jsonrpc: "2.0", id, result: { ...content(text(answer)), ...meta } })
            stream.end()
          })
          const requestedSchema = { type: "object", properties: {} }
          stream.send({
            jsonrpc: "2.0",
            id: asked,
            method: "elicitation/create",
            params: { message: "Sure?", requestedSchema, ...meta },
          })
        }
        switch (method) {
          case "tools/list": {
            const tool = (name: string, taskSupport: string) => ({
              name,
              inputSchema: { type: "object" },
              execution: { taskSupport },
            })
            return result({
              tools: [
                tool("plain", "optional"),
                tool("quick", "forbidden"),
                tool("long", "required"),
                tool("asks", "forbidden"),
                tool("doubts", "required"),
              ],
            })
          }
          case "prompts/list":
            return result({ prompts: [{ name: "p" }] })
          case "prompts/get":
            return result({ messages: [] })
          case "resources/list":
            return result({ resources: [{ uri: "note://a", name: "a" }] })
          case "resources/templates/list":
            return result({ resourceTemplates: [] })
          case "resources/read":
            return result({ contents: [{ uri: params["uri"], text: "text" }] })
          case "completion/complete":
            return result({ completion: { values: ["v"] } })
          case "logging/setLevel":
            levels.push(params["level"])
            return result({})
          case "resources/subscribe":
          case "resources/unsubscribe":
            told.push({ method, uri: params["uri"], session })
            return result({})
          case "tools/call": {
            const name = String(params["name"])
            if (name === "asks") return asking((answer) => JSON.stringify(answer))
            if (params["task"] === undefined) return result(content(`plain in ${session}`))
            const made = `native-${tasks.size + 1}`
            tasks.set(made, { session, status: name === "doubts" ? "input_required" : "working" })
            return result({ task: shown(made) })
          }
          default: {
            if (task === undefined || task.session !== session) return error(-32_602, "no such task here")
            if (method === "tasks/get") return result(shown(taskId))
            const related = { _meta: { "io.modelcontextprotocol/related-task": { taskId } } }
            if (method === "tasks/cancel") {
              task.status = "cancelled"
              return result(shown(taskId))
            }
            if (task.status === "input_required") {
              // Whoever waits first is asked; others wait for the end, unless that one goes away.
              if (task.isAsking) return turn.stream()
              task.isAsking = true
              turn.response.on("close", () => (task.isAsking = false))
              return asking((answer) => JSON.stringify(answer), related)
            }
            task.status = "completed"
            return result({ ...content(`${taskId} is done`), ...related })
          }
        }
      },
      {
        tools: { listChanged: true },
        prompts: {},
        completions: {},
        logging: {},
        resources: { subscribe: true, listChanged: true },
        tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
      },
    ),
  )
  open.push(() => server.close())
  return Object.assign(server, { told, levels })
}

/** Each connection may be another worker's. */
const apart = { connection: "close" }
const tasked = { elicitation: { form: {} }, extensions: { "io.modelcontextprotocol/tasks": {} } }
const elicits = { elicitation: { form: {} } }

const textOf = (said: Said): string =>
  ((answerOf(said).result?.["content"] as ReadonlyArray<{ text: string }> | undefined) ?? [])[0]?.text ?? said.text

type Client = Awaited<ReturnType<typeof begin>>

const fileFor = async (name: string, server: Scripted, database: string): Promise<{ file: string; url: string }> => {
  const port = await freePort()
  const file = path.join(root, `${name}.json`)
  const config = { session: { key: "cd".repeat(32) }, database: { url: database, maxConnections: 2 } }
  fs.writeFileSync(
    file,
    JSON.stringify({ config, mcp: { port, targets: [{ name: "one", mcp: { host: server.url } }] } }),
  )
  return { file, url: `http://localhost:${port}/mcp` }
}

const started = async (file: string, workers: number): Promise<Standalone> => {
  const one = new Standalone({
    args: ["-f", file],
    node: ["--import", faults],
    env: { WORKER_THREADS: String(workers) },
  })
  open.push(async () => {
    one.kill("SIGKILL")
    await one.ended
  })
  await one.serving()
  return one
}

const met = ({ error }: Standalone, who: string): number => error.split(`accepted by ${who}\n`).length

/** Connections come to both threads by now. */
const bothServe = async (one: Standalone, url: string): Promise<void> => {
  const before = met(one, "a worker")
  while (met(one, "a worker") === before) await post(url, {}, apart)
}

/** Answers a question that came on the stream of a call, over whatever connection. */
const answered = async (url: string, client: Client, params: Json): Promise<Said> => {
  const own = {
    ...apart,
    "mcp-session-id": client.id,
    "mcp-protocol-version": "2025-11-25",
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  }
  const body = JSON.stringify({ jsonrpc: "2.0", id: 77, method: "tools/call", params })
  const reply = await fetch(url, { method: "POST", headers: own, body })
  const stream = readReply(reply, () => {})
  const question = (): Json | undefined =>
    stream.events.find(({ data }) => data?.["method"] === "elicitation/create")?.data
  await until(() => question() !== undefined)
  await post(url, { jsonrpc: "2.0", id: question()?.["id"], result: { action: "accept", content: { yes: true } } }, own)
  await stream.closed
  const messages = stream.events.flatMap(({ data }) => (data === undefined ? [] : [data])) as Said["messages"]
  return { status: reply.status, headers: reply.headers, text: "", messages }
}

interface Scene {
  readonly url: string
  readonly client: Client
  readonly server: Awaited<ReturnType<typeof strict>>
  /** How its session at the server is called. */
  readonly native: string
}

/** Everything that a session has a method for; what the client said once holds. */
const checkSession = async ({ client, native, server, url }: Scene, times: number): Promise<void> => {
  const plain: ReadonlyArray<readonly [string, Json?]> = [
    ["ping"],
    ["tools/list"],
    ["prompts/list"],
    ["prompts/get", { name: "p" }],
    ["resources/list"],
    ["resources/templates/list"],
    ["resources/read", { uri: "note://a" }],
    ["completion/complete", { ref: { type: "ref/prompt", name: "p" }, argument: { name: "a", value: "v" } }],
  ]
  for (let i = 0; i < times; i++) {
    for (const [method, params] of plain) {
      const said = await client.request(method, params)
      expect([method, said.status, answerOf(said).error]).toEqual([method, 200, undefined])
    }
    expect(textOf(await client.request("tools/call", { name: "plain" }))).toBe(`plain in ${native}`)
    expect(textOf(await answered(url, client, { name: "asks" }))).toContain("accept")
    const changed = await client.send({ method: "notifications/roots/list_changed" })
    expect(changed.status).toBe(202)
  }
  // The stream is one worker's, and what comes of requests to the others is heard on it all the same.
  const stream = await client.listen()
  await until(() => server.streams.size > 0)
  const updates = (uri: string): number =>
    stream.events.filter(({ data }) => (data?.["params"] as Json | undefined)?.["uri"] === uri).length
  const told = async (uri: string): Promise<void> => {
    await until(() => {
      server.push({ jsonrpc: "2.0", method: "notifications/resources/updated", params: { uri } })
      return updates(uri) > 0
    })
  }
  await told("note://kept")
  const fresh = `note://fresh-${server.told.length}`
  await client.request("resources/subscribe", { uri: fresh })
  await told(fresh)
  expect(updates("note://nobody")).toBe(0)
  await client.request("resources/unsubscribe", { uri: fresh })
  stream.close()
  await stream.closed
}

const listed = async (client: Client): Promise<Record<string, unknown>> => {
  const tasks = answerOf(await client.request("tasks/list")).result?.["tasks"] as ReadonlyArray<Json>
  return Object.fromEntries(tasks.map(({ status, taskId }) => [String(taskId), status]))
}

const newTask = async (client: Client, name: string): Promise<string> => {
  const said = answerOf(await client.request("tools/call", { name, task: { ttl: 600_000 } }))
  return String((said.result?.["task"] as Json | undefined)?.["taskId"])
}

interface Begun {
  readonly atOnce: string
  readonly long: string
  readonly given: string
}

const beginTasks = async (client: Client): Promise<Begun> => ({
  atOnce: await newTask(client, "quick"),
  long: await newTask(client, "long"),
  given: await newTask(client, "long"),
})

/** Every method of tasks, for tasks that were begun before whatever has happened. */
const checkTasks = async ({ client, native }: Scene, { atOnce, given, long }: Begun): Promise<void> => {
  expect(await listed(client)).toMatchObject({ [atOnce]: "completed", [long]: "working", [given]: "working" })
  const got = async (taskId: string): Promise<unknown> =>
    answerOf(await client.request("tasks/get", { taskId })).result?.["status"]
  expect([await got(atOnce), await got(long)]).toEqual(["completed", "working"])
  const atOnceResult = await client.request("tasks/result", { taskId: atOnce })
  expect(textOf(atOnceResult)).toBe(`plain in ${native}`)
  expect(answerOf(atOnceResult).result?.["_meta"]).toEqual({
    "io.modelcontextprotocol/related-task": { taskId: atOnce },
  })
  const cancelled = answerOf(await client.request("tasks/cancel", { taskId: given }))
  expect(cancelled.result).toMatchObject({ taskId: given, status: "cancelled" })
  expect(answerOf(await client.request("tasks/cancel", { taskId: atOnce })).error).toMatchObject({ code: -32_602 })
  expect(await listed(client)).toMatchObject({ [atOnce]: "completed", [long]: "working", [given]: "cancelled" })
  expect(answerOf(await client.request("tasks/list", { cursor: "x" })).error).toMatchObject({ code: -32_602 })
}

/** What a client without a session may do with a task, each time over whatever connection. */
const modern = (url: string) => {
  const asked = async (method: string, params: Json): Promise<Json> => {
    const said = answerOf(await ask(url, method, params, { capabilities: tasked, headers: apart }))
    return said.result ?? (said.error as Json)
  }
  return {
    begin: async (name: string): Promise<string> => String((await asked("tools/call", { name }))["taskId"]),
    asked,
  }
}

/** A question of a task is seen and answered, and its answer arrives; a task that goes on is given up. */
const checkModernTasks = async (url: string, { doubts, long }: { readonly doubts: string; readonly long: string }) => {
  const { asked } = modern(url)
  let questions: Json = {}
  for (;;) {
    const task = await asked("tasks/get", { taskId: doubts })
    expect(task["taskId"]).toBe(doubts)
    questions = (task["inputRequests"] as Json | undefined) ?? {}
    if (Object.keys(questions).length > 0) break
  }
  // Whoever asks again sees the same question, and not a second one.
  for (let i = 0; i < 4; i++) {
    const again = await asked("tasks/get", { taskId: doubts })
    expect(Object.keys(again["inputRequests"] as Json)).toEqual(Object.keys(questions))
  }
  const inputResponses = Object.fromEntries(
    Object.keys(questions).map((key) => [key, { action: "accept", content: { yes: doubts } }]),
  )
  expect(await asked("tasks/update", { taskId: doubts, inputResponses })).toEqual({ resultType: "complete" })
  for (;;) {
    const task = await asked("tasks/get", { taskId: doubts })
    if (task["status"] !== "completed") continue
    expect(JSON.stringify(task["result"])).toContain(doubts)
    break
  }
  expect(await asked("tasks/cancel", { taskId: long })).toEqual({ resultType: "complete" })
  expect(await asked("tasks/get", { taskId: long })).toMatchObject({ status: "cancelled" })
}

const beginModern = async (url: string) => {
  const { begin: one } = modern(url)
  return { doubts: await one("doubts"), long: await one("long") }
}

const several = <A>(count: number, make: () => Promise<A>): Promise<ReadonlyArray<A>> =>
  Promise.all(Array.from({ length: count }, make))

const scene = async (url: string, server: Scene["server"]): Promise<Scene> => {
  const client = await begin(url, { headers: apart, capabilities: elicits })
  const native = textOf(await client.request("tools/call", { name: "plain" })).slice("plain in ".length)
  expect(answerOf(await client.request("logging/setLevel", { level: "warning" })).result).toBeDefined()
  await client.request("resources/subscribe", { uri: "note://kept" })
  return { url, client, server, native }
}

describe.runIf(process.platform === "linux")("sessions and tasks", { timeout: 180_000 }, () => {
  it("go on with whichever worker a client meets, after some were killed, and in the next process", async () => {
    const server = await strict()
    const { file, url } = await fileFor("workers", server, `sqlite://${path.join(root, "workers.db")}`)
    const first = await started(file, 2)
    await bothServe(first, url)
    const scenes = await Promise.all(Array.from({ length: 4 }, () => scene(url, server)))
    const tasks = await Promise.all(scenes.map(({ client }) => beginTasks(client)))
    const stranger = await begin(url, { headers: apart })
    await Promise.all(scenes.map((one) => checkSession(one, 2)))
    await Promise.all(scenes.map((one, i) => checkTasks(one, tasks[i] as Begun)))
    expect(Math.min(met(first, "a worker"), met(first, "the main thread"))).toBeGreaterThan(20)
    const modernTasks = await several(4, () => beginModern(url))
    await Promise.all(modernTasks.map((one) => checkModernTasks(url, one)))
    // Whoever proved nothing shares nothing with others who did not either.
    expect(await listed(stranger)).toEqual({})

    const second = await Promise.all(scenes.map(({ client }) => beginTasks(client)))
    const secondModern = await several(4, () => beginModern(url))
    first.kill("SIGUSR2")
    await first.says("worker 1 ended; another takes its place")
    await bothServe(first, url)
    await Promise.all(scenes.map((one) => checkSession(one, 2)))
    await Promise.all(scenes.map((one, i) => checkTasks(one, second[i] as Begun)))
    await Promise.all(secondModern.map((one) => checkModernTasks(url, one)))

    const third = await Promise.all(scenes.map(({ client }) => beginTasks(client)))
    const thirdModern = await several(4, () => beginModern(url))
    const ended = await begin(url, { headers: apart })
    expect(await ended.end()).toBe(200)
    first.kill("SIGKILL")
    await first.ended
    await bothServe(await started(file, 2), url)
    await Promise.all(scenes.map((one) => checkSession(one, 2)))
    await Promise.all(scenes.map((one, i) => checkTasks(one, third[i] as Begun)))
    await Promise.all(thirdModern.map((one) => checkModernTasks(url, one)))
    // What was over stays over.
    expect((await ended.request("ping")).status).toBe(404)
  })

  it("stay where they are while the configuration changes around them, and nothing of them is there twice", async () => {
    const server = await strict()
    const { file, url } = await fileFor("reload", server, `sqlite:${path.join(root, "reload.db")}`)
    const one = await started(file, 2)
    await until(() => one.error.includes("thread began"))
    await bothServe(one, url)
    const client = await begin(url, { headers: apart, capabilities: elicits })
    const native = textOf(await client.request("tools/call", { name: "plain" })).replace("plain in ", "")
    await client.request("resources/subscribe", { uri: "note://kept" })
    const scene = { client, native, server, url }
    const [tasks, modernTasks] = [await beginTasks(client), await beginModern(url)]
    const begun = server.calls("initialize").length
    const before = JSON.parse(fs.readFileSync(file, "utf8")) as Json
    for (const round of [1, 2]) {
      const routes = [{ policies: { directResponse: { status: 200, body: `round ${round}` } } }]
      const binds = [{ port: await freePort(), listeners: [{ routes }] }]
      fs.writeFileSync(file, JSON.stringify({ ...before, binds }))
      await until(() => one.out.split("configuration reloaded").length > round)
      await checkSession(scene, 3)
    }
    await checkTasks(scene, tasks)
    await checkModernTasks(url, modernTasks)
    expect(server.calls("initialize").length).toBe(begun)
  })

  it("go on at another gateway with the same key and the same Postgres", async () => {
    const database = await PGlite.create()
    const postgres = new PGLiteSocketServer({ db: database, port: 0, host: "127.0.0.1", maxConnections: 16 })
    await postgres.start()
    open.push(async () => {
      await postgres.stop()
      await database.close()
    })
    const server = await strict()
    const url = Redacted.make(`postgres://postgres:postgres@${postgres.getServerConn()}/postgres`)
    const sealingKey = new Uint8Array(32).fill(5)
    const gateway = async (): Promise<McpGateway> => {
      const scope = Effect.runSync(Scope.make())
      open.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
      const layer = Storage.layer({ _tag: "Postgres", url, connectionsMax: 1 })
      const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
      const keepsakes = Keepsakes.make(Context.get(context, Storage.Storage).of(Keepsakes.component))
      const one = await mcpGateway(targetsOf({ one: server }), { options: { keepsakes, sealingKey } })
      open.push(() => one.close())
      return one
    }
    const [a, b] = [await gateway(), await gateway()]
    const here = await scene(a.url, server)
    const begun = await beginTasks(here.client)
    const begunModern = await beginModern(a.url)
    const there: Scene = { ...here, url: b.url, client: elsewhere(here.client, b.url) }
    await checkSession(there, 1)
    await checkTasks(there, begun)
    await checkModernTasks(b.url, begunModern)
    await checkTasks(here, await beginTasks(there.client))
    expect(await here.client.end()).toBe(200)
    const third = await gateway()
    expect((await elsewhere(here.client, third.url).request("ping")).status).toBe(404)
  })
})

/** The same client, led to another gateway. */
const elsewhere = (client: Client, url: string): Client => {
  const own = { ...apart, "mcp-session-id": client.id, "mcp-protocol-version": "2025-11-25" }
  let last = 10_000
  return {
    ...client,
    request: (method, params) =>
      post(url, { jsonrpc: "2.0", id: ++last, method, ...(params === undefined ? {} : { params }) }, own),
    send: (message) => post(url, { jsonrpc: "2.0", ...message }, own),
    listen: async () => {
      const abort = new AbortController()
      const reply = await fetch(url, { headers: { ...own, accept: "text/event-stream" }, signal: abort.signal })
      return readReply(reply, () => abort.abort())
    },
  }
}
