/**
 * What the public compatibility kit holds an agent of 1.0 to, asked of one that is behind the gateway, in the bytes of
 * each binding: errors in all their words, names and values as JSON writes them, lists, streams and what is malformed.
 */
import * as grpc from "@grpc/grpc-js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as codec from "../../../protocols/a2a/binding/grpc.ts"
import { type Fields, fieldsOf, isFields, listOf, textOf } from "../../../protocols/a2a/Fields.ts"
import { type Binding, grpcService, type Operation } from "../../../protocols/a2a/operation.ts"
import type { Started } from "../harness.ts"
import { type Agent, startAgent } from "./agent.ts"
import { ask, gatewayFor } from "./gateway.ts"

const modern = { "a2a-version": "1.0" }

let agent: Agent
let plainAgent: Agent
let grpcAgent: Agent
const gateways: Array<Started> = []
let client: grpc.Client
let root: string
let plainRoot: string
/** Of an agent that speaks gRPC, so that whatever is said in JSON is read by the gateway. */
let bridgedRoot: string

const open = async (to: Agent): Promise<Started> => {
  const gateway = await gatewayFor(`
routes:
- policies: {a2a: {bridge: {}}}
  backends: [{host: '127.0.0.1:${to.port}'}]
`)
  gateways.push(gateway)
  return gateway
}

beforeAll(async () => {
  agent = await startAgent({ longMillis: 60_000 })
  plainAgent = await startAgent({
    speaks: [{ binding: "JSONRPC", version: "1.0" }],
    card: {
      capabilities: { streaming: false, pushNotifications: false, extendedAgentCard: false, extensions: [] },
    },
  })
  grpcAgent = await startAgent({ speaks: [{ binding: "GRPC", version: "1.0" }] })
  bridgedRoot = `http://127.0.0.1:${(await open(grpcAgent)).port}`
  const gateway = await open(agent)
  root = `http://127.0.0.1:${gateway.port}`
  plainRoot = `http://127.0.0.1:${(await open(plainAgent)).port}`
  client = new grpc.Client(`127.0.0.1:${gateway.port}`, grpc.credentials.createInsecure())
})
afterAll(async () => {
  client.close()
  for (const gateway of gateways) await gateway.close()
  await grpcAgent.close()
  await plainAgent.close()
  await agent.close()
})

const rpc = async (method: string, params: unknown, to = root): Promise<Fields> => {
  const { body, status, text } = await ask("POST", to, { jsonrpc: "2.0", id: "mine", method, params }, modern)
  if (!isFields(body)) throw new Error(`${status} ${text}`)
  expect([body["jsonrpc"], body["id"]]).toEqual(["2.0", "mine"])
  return body
}
const message = (word = "tck-complete-task", more: Fields = {}): Fields => ({
  message: { messageId: `${word}-${crypto.randomUUID()}`, role: "ROLE_USER", parts: [{ text: "hi" }], ...more },
})
const taskOf = async (word?: string, more?: Fields, to = root): Promise<Fields> =>
  fieldsOf(fieldsOf((await rpc("SendMessage", message(word, more), to))["result"])["task"])
const idOf = async (word?: string): Promise<string> => textOf((await taskOf(word))["id"]) ?? ""

/** Every member of a value, however deep. */
const members = (value: unknown): ReadonlyArray<readonly [string, unknown]> =>
  Array.isArray(value)
    ? value.flatMap(members)
    : isFields(value)
      ? Object.entries(value).flatMap(([name, one]) => [[name, one] as const, ...members(one)])
      : []

interface Failed {
  readonly code: unknown
  readonly reason: unknown
  readonly domain: unknown
  readonly message: unknown
}

const infoIn = (details: unknown): Fields =>
  fieldsOf(listOf(details).find((one) => String(fieldsOf(one)["@type"]).endsWith("google.rpc.ErrorInfo")))

const overGrpc = (operation: Operation, params: Fields, version = "1.0"): Promise<Failed | Fields> => {
  const call = codec.writeCall({ operation, params }, "1.0")
  if (call._tag === "Unreadable") throw new Error(call.fault.message)
  const metadata = new grpc.Metadata()
  metadata.set("a2a-version", version)
  const same = (bytes: Buffer): Buffer => bytes
  return new Promise((resolve) => {
    const path = `/${grpcService["1.0"]}/${operation}`
    client.makeUnaryRequest(path, same, same, Buffer.from(call.value), metadata, (error, bytes) => {
      if (error === null) {
        const answer = codec.readAnswer(operation, "1.0", bytes ?? Buffer.alloc(0))
        return resolve(answer._tag === "Fault" ? fieldsOf(answer.fault) : fieldsOf(answer.result))
      }
      const details = error.metadata.get("grpc-status-details-bin")[0]
      const text = Buffer.isBuffer(details) ? details.toString("base64") : undefined
      const { domain, reason } = infoIn(codec.readFault(error.code, error.details, text).data)
      resolve({ code: grpc.status[error.code], reason, domain, message: error.details })
    })
  })
}

const overRest = async (
  verb: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = modern,
  at = root,
) => {
  const posted = await ask(verb, `${at}${path}`, body, headers)
  const error = fieldsOf(fieldsOf(posted.body)["error"])
  const { domain, reason } = infoIn(error["details"])
  expect(error["code"]).toBe(posted.status)
  expect(error["status"]).toEqual(expect.stringMatching(/^[A-Z_]+$/))
  return { code: posted.status, reason, domain, message: error["message"] }
}

const overRpc = async (method: string, params: Fields): Promise<Failed> => {
  const error = fieldsOf((await rpc(method, params))["error"])
  const { domain, reason } = infoIn(error["data"])
  return { code: error["code"], reason, domain, message: error["message"] }
}

describe("errors have their code, their reason and some words", () => {
  const push = { url: "http://127.0.0.1:9/x" }
  const cases: ReadonlyArray<
    readonly [
      name: string,
      reason: string,
      codes: Readonly<Record<Binding, unknown>>,
      word: string | undefined,
      calls: (id: string) => readonly [Operation, Fields, verb: string, path: string, body?: Fields],
    ]
  > = [
    ...(
      [
        ["a task that nobody knows, read", (id) => ["GetTask", { id }, "GET", `/tasks/${id}`]],
        ["a task that nobody knows, cancelled", (id) => ["CancelTask", { id }, "POST", `/tasks/${id}:cancel`, {}]],
        [
          "a task that nobody knows, gone on with",
          (id) => {
            const body = message("tck-complete-task", { taskId: id })
            return ["SendMessage", body, "POST", "/message:send", body]
          },
        ],
        [
          "a task that nobody knows, to be told of",
          (id) => [
            "CreateTaskPushNotificationConfig",
            { taskId: id, ...push },
            "POST",
            `/tasks/${id}/pushNotificationConfigs`,
            push,
          ],
        ],
      ] as ReadonlyArray<readonly [string, (id: string) => readonly [Operation, Fields, string, string, Fields?]]>
    ).map(
      ([name, calls]) =>
        [
          name,
          "TASK_NOT_FOUND",
          { JSONRPC: -32001, "HTTP+JSON": 404, GRPC: "NOT_FOUND" } as Readonly<Record<Binding, unknown>>,
          undefined,
          calls,
        ] as const,
    ),
    [
      "a task that is over, cancelled",
      "TASK_NOT_CANCELABLE",
      { JSONRPC: -32002, "HTTP+JSON": 400, GRPC: "FAILED_PRECONDITION" },
      "tck-complete-task",
      (id) => ["CancelTask", { id }, "POST", `/tasks/${id}:cancel`, {}],
    ],
  ]

  describe.each(cases)("%s", (_, reason, codes, word, calls) => {
    const expected = (binding: Binding) => ({
      code: codes[binding],
      reason,
      domain: "a2a-protocol.org",
      message: expect.stringMatching(/\S/),
    })
    it("in JSON-RPC", async () => {
      const [operation, params] = calls(word === undefined ? crypto.randomUUID() : await idOf(word))
      expect(await overRpc(operation, params)).toEqual(expected("JSONRPC"))
    })
    it("over HTTP", async () => {
      const [, , verb, path, body] = calls(word === undefined ? crypto.randomUUID() : await idOf(word))
      expect(await overRest(verb, path, body)).toEqual(expected("HTTP+JSON"))
    })
    it("in gRPC", async () => {
      const [operation, params] = calls(word === undefined ? crypto.randomUUID() : await idOf(word))
      expect(await overGrpc(operation, params)).toEqual(expected("GRPC"))
    })
  })

  it("for versions that nobody speaks", async () => {
    const unknown = { "a2a-version": "99.0" }
    const { body } = await ask("POST", root, { jsonrpc: "2.0", id: 1, method: "GetTask", params: { id: "x" } }, unknown)
    const { code, data } = fieldsOf(fieldsOf(body)["error"])
    expect([code, infoIn(data)["reason"]]).toEqual([-32009, "VERSION_NOT_SUPPORTED"])
    const rest = await overRest("GET", "/tasks/x", undefined, unknown)
    expect(rest).toMatchObject({ code: 400, reason: "VERSION_NOT_SUPPORTED" })
    expect(await overGrpc("GetTask", { id: "x" }, "99.0")).toMatchObject({ reason: "VERSION_NOT_SUPPORTED" })
  })

  it("for what the card says there is not", async () => {
    const push = { taskId: "x", id: "p", url: "http://127.0.0.1:9/x" }
    const created = fieldsOf((await rpc("CreateTaskPushNotificationConfig", push, plainRoot))["error"])
    expect(typeof created["code"]).toBe("number")
    const card = fieldsOf((await rpc("GetExtendedAgentCard", {}, plainRoot))["error"])
    expect([-32004, -32007]).toContain(card["code"])
  })
})

describe("what is malformed", () => {
  const post = async (body: unknown, headers: Record<string, string> = modern, at = bridgedRoot): Promise<Fields> =>
    fieldsOf((await ask("POST", at, body, headers)).body)

  it.each<readonly [string, unknown, number]>([
    ["ends too early", '{"jsonrpc": "2.0", "method": "SendMessage", "params": {"foo": "bar"}', -32_700],
    ["is no request", "[]", -32_600],
    ["is a text", '"hello"', -32_600],
    ["is not JSON-RPC 2.0", { jsonrpc: "1.0", id: 1, method: "GetTask", params: { id: "x" } }, -32_600],
    ["says no version", { id: 1, method: "GetTask", params: { id: "x" } }, -32_600],
    ["names no method", { jsonrpc: "2.0", id: 1, params: {} }, -32_600],
    ["names a method that is a number", { jsonrpc: "2.0", id: 1, method: 7, params: {} }, -32_600],
    ["has an object for an id", { jsonrpc: "2.0", id: { bad: 1 }, method: "GetTask", params: { id: "x" } }, -32_600],
    ["names a method that nobody knows", { jsonrpc: "2.0", id: 1, method: "NoSuch", params: {} }, -32_601],
    ["has no message", { jsonrpc: "2.0", id: 1, method: "SendMessage", params: {} }, -32_602],
    [
      "has parts of text",
      { jsonrpc: "2.0", id: 1, method: "SendMessage", params: { message: { parts: "x" } } },
      -32_602,
    ],
    ["has a list for parameters", { jsonrpc: "2.0", id: 1, method: "GetTask", params: ["x"] }, -32_602],
    [
      "says a text where a number belongs",
      { jsonrpc: "2.0", id: 1, method: "ListTasks", params: { pageSize: "many" } },
      -32_602,
    ],
    ["names no task", { jsonrpc: "2.0", id: 1, method: "GetTask", params: {} }, -32_602],
  ])("in JSON-RPC because it %s", async (_, body, code) => {
    const { error, jsonrpc } = await post(body)
    expect(jsonrpc).toBe("2.0")
    expect(fieldsOf(error)).toMatchObject({ code, message: expect.stringMatching(/\S/) })
    // What cannot even be read as JSON-RPC is answered in the same words in front of an agent that speaks it.
    if (code !== -32_600 && code !== -32_700) return
    expect(fieldsOf((await post(body, modern, root))["error"])["code"]).toBe(code)
  })

  it.each<readonly [string, string, string, unknown]>([
    ["an empty message", "POST", "/message:send", {}],
    ["a message without its end", "POST", "/message:send", "{"],
    ["parts of text", "POST", "/message:send", { message: { messageId: "1", role: "ROLE_USER", parts: "x" } }],
    ["a page of no size", "GET", "/tasks?pageSize=many", undefined],
  ])("over HTTP: %s", async (_, verb, path, body) => {
    const { code } = await overRest(verb, path, body, modern, bridgedRoot)
    expect(code).toBe(400)
  })

  it("does not hurt who comes next", async () => {
    expect(await taskOf()).toMatchObject({ status: { state: "TASK_STATE_COMPLETED" } })
  })
})

describe("what is written", () => {
  it.each(["JSON-RPC", "HTTP"])("has names and values as the protocol has them, in %s", async (binding) => {
    const body = message("tck-artifact-file")
    const whole =
      binding === "HTTP"
        ? (await ask("POST", `${root}/message:send`, body, modern)).body
        : (await rpc("SendMessage", body))["result"]
    const all = members(whole)
    expect(all.map(([name]) => name).filter((name) => /^[a-z]+(?:_[a-z]+)+$/.test(name))).toEqual([])
    const of = (name: string): ReadonlyArray<unknown> => all.flatMap(([one, value]) => (one === name ? [value] : []))
    expect(of("state")).toEqual(["TASK_STATE_COMPLETED"])
    for (const role of of("role")) expect(["ROLE_USER", "ROLE_AGENT"]).toContain(role)
    for (const at of of("timestamp")) expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/)
    expect(of("timestamp").length).toBeGreaterThan(0)
    expect(of("raw")).toEqual([Buffer.from("file content").toString("base64")])
    expect(of("kind")).toEqual([])
  })

  it("takes members that nobody knows", async () => {
    const body = { ...message("tck-complete-task", { unheardOf: "yes" }), more: 42 }
    expect((await rpc("SendMessage", body))["error"]).toBeUndefined()
    expect((await ask("POST", `${root}/message:send`, body, modern)).status).toBe(200)
  })

  it("may be large", async () => {
    const text = "x".repeat(1_000_000)
    const { artifacts } = await taskOf("tck-complete-task", { parts: [{ text }] }, bridgedRoot)
    expect(fieldsOf(listOf(fieldsOf(listOf(artifacts)[0])["parts"])[0])["text"]).toBe(text)
  })
})

describe("lists of tasks", () => {
  it("go page by page to an end, newest first, without artifacts unless they are asked for", async () => {
    const contextId = crypto.randomUUID()
    const made: Array<unknown> = []
    for (let i = 0; i < 5; i++) made.push((await taskOf("tck-complete-task", { contextId }))["id"])
    const seen: Array<Fields> = []
    let pageToken = ""
    for (let page = 0; page < 10; page++) {
      const more = pageToken === "" ? {} : { pageToken }
      const result = fieldsOf((await rpc("ListTasks", { contextId, pageSize: 2, ...more }))["result"])
      expect(result).toMatchObject({ nextPageToken: expect.any(String), totalSize: 5, pageSize: expect.any(Number) })
      seen.push(...listOf(result["tasks"]).map(fieldsOf))
      pageToken = textOf(result["nextPageToken"]) ?? ""
      if (pageToken === "") break
    }
    expect(pageToken).toBe("")
    expect(seen.map(({ id }) => id).toSorted()).toEqual(made.toSorted())
    const times = seen.map(({ status }) => Date.parse(textOf(fieldsOf(status)["timestamp"]) ?? ""))
    expect(times).toEqual(times.toSorted((a, b) => b - a))
    for (const task of seen) expect(task).not.toHaveProperty("artifacts")
    const whole = fieldsOf((await rpc("ListTasks", { contextId, includeArtifacts: true }))["result"])
    for (const task of listOf(whole["tasks"])) expect(listOf(fieldsOf(task)["artifacts"])).not.toHaveLength(0)
  })

  it("are empty, and say so, where there is nothing", async () => {
    for (const result of [
      (await rpc("ListTasks", { contextId: crypto.randomUUID() }))["result"],
      (await ask("GET", `${root}/tasks?contextId=${crypto.randomUUID()}`, undefined, modern)).body,
      await overGrpc("ListTasks", { contextId: crypto.randomUUID() }),
    ]) {
      expect(result).toMatchObject({ tasks: [], totalSize: 0, nextPageToken: "" })
    }
  })

  it("are of one state where one is asked for", async () => {
    const contextId = crypto.randomUUID()
    await taskOf("tck-complete-task", { contextId })
    const waiting = await taskOf("tck-input-required", { contextId })
    const result = fieldsOf((await rpc("ListTasks", { contextId, status: "TASK_STATE_INPUT_REQUIRED" }))["result"])
    expect(listOf(result["tasks"]).map((task) => fieldsOf(task)["id"])).toEqual([waiting["id"]])
  })
})

describe("notifications that were arranged", () => {
  it("are read, listed and deleted, and deleting twice does no harm", async () => {
    const taskId = await idOf("tck-input-required")
    const url = "http://127.0.0.1:9/x"
    const at = `/tasks/${taskId}/pushNotificationConfigs`
    const made = await ask("POST", `${root}${at}`, { id: "p", url }, modern)
    expect(made.body).toMatchObject({ id: "p", url })
    expect((await ask("GET", `${root}${at}/p`, undefined, modern)).body).toMatchObject({ id: "p", url })
    expect((await ask("GET", `${root}${at}`, undefined, modern)).body).toMatchObject({ configs: [{ id: "p", url }] })
    for (let i = 0; i < 2; i++) {
      const gone = await ask("DELETE", `${root}${at}/p`, undefined, modern)
      expect(gone.status).toBeLessThan(300)
    }
    expect((await rpc("GetTaskPushNotificationConfig", { taskId, id: "p" }))["error"]).toBeDefined()
  })
})

describe("messages at the same time", () => {
  it("in one context are tasks of their own", async () => {
    const contextId = crypto.randomUUID()
    const tasks = await Promise.all(Array.from({ length: 12 }, () => taskOf("tck-complete-task", { contextId })))
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(12)
    expect(new Set(tasks.map((task) => task["contextId"]))).toEqual(new Set([contextId]))
  })

  it("return at once where nobody waits", async () => {
    const params = { ...message("long"), configuration: { returnImmediately: true } }
    const task = fieldsOf(fieldsOf((await rpc("SendMessage", params))["result"])["task"])
    expect(["TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"]).toContain(fieldsOf(task["status"])["state"])
    expect((await rpc("CancelTask", { id: task["id"] }))["result"]).toMatchObject({
      status: { state: "TASK_STATE_CANCELED" },
    })
  })
})
