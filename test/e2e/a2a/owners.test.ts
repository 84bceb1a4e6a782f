/** Whose a task is: it exists for nobody else, in whatever they ask, unless rules let them. */
import * as grpc from "@grpc/grpc-js"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as codec from "../../../protocols/a2a/binding/grpc.ts"
import { fieldsOf, listOf, textOf } from "../../../protocols/a2a/Fields.ts"
import { grpcService, type Operation, operations, rpcOf, type Version } from "../../../protocols/a2a/operation.ts"
import type { Started } from "../harness.ts"
import { type Agent, startAgent } from "./agent.ts"
import { ask, gatewayFor } from "./gateway.ts"

let agent: Agent
const closing: Array<{ readonly close: () => Promise<unknown> }> = []
afterAll(async () => {
  for (const one of closing.toReversed()) await one.close()
})
beforeAll(async () => {
  agent = await startAgent({ longMillis: 60_000 })
  closing.push(agent)
})

const open = async (a2a: string, more = ""): Promise<{ root: string; gateway: Started }> => {
  const gateway = await gatewayFor(`
routes:
- policies:
    apiKey:
      keys:
      - {key: ann-key, metadata: {name: ann}}
      - {key: bob-key, metadata: {name: bob}}
  backends:
  - host: '127.0.0.1:${agent.port}'
    policies:
      a2a: ${a2a}
${more.replaceAll(/^(?=.)/gm, "      ")}
`)
  closing.push(gateway)
  return { root: `http://127.0.0.1:${gateway.port}`, gateway }
}

const by = (who: string, version: Version = "1.0") => ({ authorization: `Bearer ${who}-key`, "a2a-version": version })
const rpc = async (root: string, who: string, method: string, params: object): Promise<Json> => {
  const { body, text } = await ask("POST", root, { jsonrpc: "2.0", id: 1, method, params }, by(who))
  if (body === undefined) throw new Error(text)
  return body as Json
}
interface Said {
  readonly id: string
  readonly contextId: string
}
interface Json {
  readonly result: Said & { readonly task: Said; readonly tasks: ReadonlyArray<Said> }
  readonly error?: { readonly code: number }
}

const message = (more: object = {}, id: string = crypto.randomUUID()) => ({
  message: { messageId: id, role: "ROLE_USER", parts: [{ text: "hello" }], ...more },
})
const begin = async (root: string, who: string, id?: string): Promise<{ id: string; contextId: string }> => {
  const params = { ...message({}, id), configuration: { returnImmediately: true } }
  return (await rpc(root, who, "SendMessage", params)).result.task
}

describe.each([
  ["bridged", "{bridge: {}}", ""],
  ["passed through", "{}", "/a2a/jsonrpc"],
])("tasks of an agent that is %s", (_, a2a, at) => {
  let root: string
  beforeAll(async () => {
    root = `${(await open(a2a)).root}${at}`
  })

  it("exist for whoever began them, and for nobody else", async () => {
    const task = await begin(root, "ann", `tck-input-required${crypto.randomUUID()}`)
    const mine: ReadonlyArray<readonly [string, object]> = [
      ["GetTask", { id: task.id }],
      ["CreateTaskPushNotificationConfig", { taskId: task.id, id: "p", url: "http://127.0.0.1:9/x" }],
      ["ListTaskPushNotificationConfigs", { taskId: task.id }],
      ["GetTaskPushNotificationConfig", { taskId: task.id, id: "p" }],
      ["DeleteTaskPushNotificationConfig", { taskId: task.id, id: "p" }],
      ["SendMessage", message({ taskId: task.id, contextId: task.contextId })],
    ]
    const foreign: ReadonlyArray<readonly [string, object]> = [
      ...mine,
      ["SubscribeToTask", { id: task.id }],
      ["CancelTask", { id: task.id }],
      ["SendMessage", message({ contextId: task.contextId })],
      ["SendStreamingMessage", message({ taskId: task.id })],
      ["SendMessage", message({ referenceTaskIds: [task.id] })],
    ]
    for (const [method, params] of foreign) {
      expect((await rpc(root, "bob", method, params)).error, method).toMatchObject({ code: -32001 })
    }
    for (const [method, params] of mine) {
      expect((await rpc(root, "ann", method, params)).error, method).toBeUndefined()
    }
  })

  it("are listed for whoever began them, and for nobody else", async () => {
    const [anns, bobs] = [await begin(root, "ann"), await begin(root, "bob")]
    const listed = async (who: string): Promise<ReadonlyArray<string>> =>
      (await rpc(root, who, "ListTasks", {})).result.tasks.map(({ id }: { id: string }) => id)
    expect(await listed("ann")).toContain(anns.id)
    expect(await listed("ann")).not.toContain(bobs.id)
    expect(await listed("bob")).toContain(bobs.id)
    expect(await listed("bob")).not.toContain(anns.id)
  })

  it("are taken up again by whoever began them, and by nobody else", async () => {
    const task = await begin(root, "ann", `long${crypto.randomUUID()}`)
    const call = { jsonrpc: "2.0", id: 1, method: "SubscribeToTask", params: { id: task.id } }
    const own = await fetch(root, {
      method: "POST",
      headers: { ...by("ann"), "content-type": "application/json", accept: "text/event-stream" },
      body: JSON.stringify(call),
    })
    expect(own.headers.get("content-type")).toContain("text/event-stream")
    await own.body?.cancel()
    expect((await rpc(root, "bob", "CancelTask", { id: task.id })).error).toMatchObject({ code: -32001 })
    expect((await rpc(root, "ann", "CancelTask", { id: task.id })).error).toBeUndefined()
  })
})

it("over HTTP and in 0.3 it is no different", async () => {
  const { root } = await open("{bridge: {}}")
  const task = await begin(root, "ann")
  expect((await ask("GET", `${root}/tasks/${task.id}`, undefined, by("bob"))).status).toBe(404)
  expect((await ask("GET", `${root}/tasks/${task.id}`, undefined, by("ann"))).status).toBe(200)
  const legacy = { jsonrpc: "2.0", id: 1, method: "tasks/get", params: { id: task.id } }
  expect((await ask("POST", root, legacy, by("bob", "0.3"))).body).toMatchObject({ error: { code: -32001 } })
  expect((await ask("POST", root, legacy, by("ann", "0.3"))).body).toMatchObject({ result: { id: task.id } })
})

describe.each(["1.0", "0.3"] as const)("over gRPC of %s", (version) => {
  const asking = async (
    client: grpc.Client,
    who: string,
    operation: Operation,
    params: object,
  ): Promise<{ readonly code: number; readonly reason?: string; readonly result?: unknown }> => {
    const call = codec.writeCall({ operation, params: params as Readonly<Record<string, unknown>> }, version)
    if (call._tag === "Unreadable") throw new Error(call.fault.message)
    const metadata = new grpc.Metadata()
    for (const [name, value] of Object.entries(by(who, version))) metadata.set(name, value)
    const path = `/${grpcService[version]}/${rpcOf(version, operation)}`
    const same = (bytes: Buffer): Buffer => bytes
    return new Promise((resolve) => {
      if (operations[operation].streams) {
        const stream = client.makeServerStreamRequest(path, same, same, Buffer.from(call.value), metadata)
        stream.on("data", () => {
          resolve({ code: 0 })
          stream.cancel()
        })
        stream.on("error", (error: grpc.ServiceError) => resolve({ code: error.code }))
        return
      }
      client.makeUnaryRequest(path, same, same, Buffer.from(call.value), metadata, (error, bytes) => {
        const details = error?.metadata.get("grpc-status-details-bin")[0]
        if (error !== null) {
          const { data } = codec.readFault(
            error.code,
            error.details,
            Buffer.isBuffer(details) ? details.toString("base64") : undefined,
          )
          const [info] = listOf(data)
          return resolve({ code: error.code, reason: textOf(fieldsOf(info)["reason"]) ?? "" })
        }
        const answer = codec.readAnswer(operation, version, bytes ?? Buffer.alloc(0))
        resolve(answer._tag === "Fault" ? { code: -1 } : { code: 0, result: answer.result })
      })
    })
  }

  it("tasks exist for whoever began them, and for nobody else, unless rules say so", async () => {
    const dial = ({ gateway: { port } }: { gateway: Started }): grpc.Client =>
      new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure())
    const strict = dial(await open("{bridge: {}}"))
    const ruled = dial(
      await open(
        `{bridge: {}, foreignTasks: 'apiKey.name == "bob" && a2a.taskOwner == "ann" && a2a.operation == "GetTask"'}`,
      ),
    )
    try {
      const sent = await asking(strict, "ann", "SendMessage", message({}, `tck-input-required${crypto.randomUUID()}`))
      expect(sent.code).toBe(0)
      const { contextId, id } = fieldsOf(fieldsOf(sent.result)["task"])
      const foreign: ReadonlyArray<readonly [Operation, object]> = [
        ["GetTask", { id }],
        ["SubscribeToTask", { id }],
        ["CreateTaskPushNotificationConfig", { taskId: id, id: "p", url: "http://127.0.0.1:9/x" }],
        ["GetTaskPushNotificationConfig", { taskId: id, id: "p" }],
        ["ListTaskPushNotificationConfigs", { taskId: id }],
        ["DeleteTaskPushNotificationConfig", { taskId: id, id: "p" }],
        ["SendMessage", message({ taskId: id, contextId })],
        ["SendMessage", message({ contextId })],
        ["SendStreamingMessage", message({ taskId: id })],
        ["CancelTask", { id }],
      ]
      for (const [operation, params] of foreign) {
        expect(await asking(strict, "bob", operation, params), operation).toMatchObject({ code: grpc.status.NOT_FOUND })
      }
      expect(await asking(strict, "bob", "GetTask", { id })).toMatchObject({
        reason: version === "1.0" ? "TASK_NOT_FOUND" : expect.any(String),
      })
      if (version === "1.0") {
        const idsFor = async (who: string): Promise<ReadonlyArray<unknown>> =>
          listOf(fieldsOf((await asking(strict, who, "ListTasks", {})).result)["tasks"]).map(
            (task) => fieldsOf(task)["id"],
          )
        expect(await idsFor("ann")).toContain(id)
        expect(await idsFor("bob")).not.toContain(id)
      }
      expect(await asking(strict, "ann", "GetTask", { id })).toMatchObject({ code: 0, result: { id } })
      expect((await asking(strict, "ann", "CancelTask", { id })).code).toBe(0)

      const other = await asking(ruled, "ann", "SendMessage", message({}, `tck-input-required${crypto.randomUUID()}`))
      const known = { id: fieldsOf(fieldsOf(other.result)["task"])["id"] }
      expect(await asking(ruled, "bob", "GetTask", known)).toMatchObject({ code: 0, result: known })
      expect((await asking(ruled, "bob", "CancelTask", known)).code).toBe(grpc.status.NOT_FOUND)
    } finally {
      strict.close()
      ruled.close()
    }
  })
})

describe("rules", () => {
  it("may let others know of tasks, and say of whose", async () => {
    const { root } = await open(`{bridge: {}, foreignTasks: 'apiKey.name == "bob" && a2a.taskOwner == "ann"'}`)
    const [anns, bobs] = [await begin(root, "ann"), await begin(root, "bob")]
    expect((await rpc(root, "bob", "GetTask", { id: anns.id })).result.id).toBe(anns.id)
    expect((await rpc(root, "ann", "GetTask", { id: bobs.id })).error).toMatchObject({ code: -32001 })
    const ids = (await rpc(root, "bob", "ListTasks", {})).result.tasks.map(({ id }: { id: string }) => id)
    expect(ids).toEqual(expect.arrayContaining([anns.id, bobs.id]))
  })

  it("in CEL see agent, skill, method, parts and owner", async () => {
    const { root } = await open(
      `{bridge: {}, foreignTasks: 'true'}`,
      `authorization:
  rules:
  - deny: has(a2a.taskOwner) && a2a.taskOwner != apiKey.name && a2a.operation != "GetTask"
  - deny: has(a2a.skill) && a2a.skill == "nuclear"
  - deny: has(a2a.message) && a2a.message.parts.exists(part, has(part.url))
`,
    )
    const task = await begin(root, "ann", `tck-input-required${crypto.randomUUID()}`)
    expect((await rpc(root, "bob", "GetTask", { id: task.id })).result.id).toBe(task.id)
    expect((await rpc(root, "bob", "CancelTask", { id: task.id })).error).toMatchObject({ code: -32603 })
    const skilled = { ...message(), metadata: { skill: "nuclear" } }
    expect((await rpc(root, "ann", "SendMessage", skilled)).error).toMatchObject({ code: -32603 })
    const file = message({ parts: [{ url: "https://example.com/x" }] })
    expect((await rpc(root, "ann", "SendMessage", file)).error).toMatchObject({ code: -32603 })
    expect((await rpc(root, "ann", "CancelTask", { id: task.id })).error).toBeUndefined()
  })

  it("in Cedar see the same", async () => {
    const { root } = await open(
      `{bridge: {}, foreignTasks: 'true'}`,
      `authorization:
  cedar:
    action: a2a.operation
    resource: {type: Agent, id: '"weather"'}
    context: {owner: 'a2a.taskOwner', me: 'apiKey.name', skill: 'a2a.skill', parts: 'a2a.message.parts'}
    policies: |
      permit (principal, action in [Action::"SendMessage", Action::"GetTask"], resource == Agent::"weather");
      permit (principal, action == Action::"CancelTask", resource) when { context has owner && context.owner == context.me };
      forbid (principal, action, resource) when { context has skill && context.skill == "nuclear" };
      forbid (principal, action, resource) when { context has parts && context.parts.contains({"text": "secret"}) };
`,
    )
    const task = await begin(root, "ann", `tck-input-required${crypto.randomUUID()}`)
    expect((await rpc(root, "bob", "GetTask", { id: task.id })).result.id).toBe(task.id)
    expect((await rpc(root, "bob", "CancelTask", { id: task.id })).error).toMatchObject({ code: -32603 })
    const skilled = { ...message(), metadata: { skill: "nuclear" } }
    expect((await rpc(root, "ann", "SendMessage", skilled)).error).toMatchObject({ code: -32603 })
    const secret = message({ parts: [{ text: "secret" }] })
    expect((await rpc(root, "ann", "SendMessage", secret)).error).toMatchObject({ code: -32603 })
    expect((await rpc(root, "ann", "ListTasks", {})).error).toMatchObject({ code: -32603 })
    expect((await rpc(root, "ann", "CancelTask", { id: task.id })).error).toBeUndefined()
  })

  it("in Cedar name the agent by the request", async () => {
    const policies = `{a2a: {bridge: {}}, authorization: {cedar: {action: a2a.operation, resource: {type: Agent, id: a2a.agent}, policies: 'permit (principal, action, resource == Agent::"weather");'}}}`
    const gateway = await gatewayFor(`
backends:
- name: both
  a2a:
    agents:
    - {name: weather, host: '127.0.0.1:${agent.port}', policies: ${policies}}
    - {name: travel, host: '127.0.0.1:${agent.port}', policies: ${policies}}
routes:
- backends: [{backend: /both}]
`)
    closing.push(gateway)
    const at = (name: string): string => `http://127.0.0.1:${gateway.port}/${name}`
    const before = agent.behaviour.begun.length
    expect((await rpc(at("weather"), "ann", "SendMessage", message())).error).toBeUndefined()
    // What a caller may not use does not exist.
    const call = { jsonrpc: "2.0", id: 1, method: "SendMessage", params: message() }
    expect((await ask("POST", at("travel"), call, by("ann"))).status).toBe(404)
    expect(agent.behaviour.begun.length).toBe(before + 1)
  })
})
