/** Several replicas of an agent, each with its tasks in its own memory. */
import { Role, type Task } from "@a2a-js/sdk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Kept from "../../../src/a2a/places.ts"
import * as Storage from "../../../src/store/Storage.ts"
import type { Places } from "../../../stages/ports/Places.ts"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientSpeaking, gatewayFor } from "./gateway.ts"
import type { Dialed } from "../../../protocols/a2a/operation.ts"
import type { Started } from "../harness.ts"

const message = (word: string, more: Record<string, string> = {}) => ({
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

const serviceOf = (replicas: ReadonlyArray<{ readonly port: number }>, policy: string): string => `
services:
- name: agents
  namespace: default
  hostname: agents.internal
  vips: []
  ports: {"9000": 9000}
workloads:
${replicas
  .map(
    ({ port }, i) => `- uid: replica-${i}
  name: replica-${i}
  namespace: default
  trustDomain: cluster.local
  serviceAccount: default
  network: ""
  workloadIps: [127.0.0.1]
  status: Healthy
  services: {default/agents.internal: {"9000": ${port}}}`,
  )
  .join("\n")}
routes:
- policies: {a2a: ${policy}}
  backends: [{service: {name: default/agents.internal, port: 9000}}]
`

/** What gateways keep in a database in memory that they share. */
const sharedPlaces = async (): Promise<{ readonly places: Places; readonly close: () => Promise<void> }> => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(Storage.memory, scope))
  return {
    places: Kept.make(Context.get(context, Storage.Storage).of(Kept.component)),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}

describe("three replicas of an agent", () => {
  let replicas: ReadonlyArray<Agent>
  let gateway: Started
  let root: string

  beforeAll(async () => {
    replicas = await Promise.all(
      [1, 2, 3].map(() =>
        startAgent({
          at: "http://agents.internal:9000",
          speaks: everyInterface.filter(({ binding }) => binding === "JSONRPC"),
        }),
      ),
    )
    gateway = await gatewayFor(serviceOf(replicas, "{bridge: {}}"))
    root = `http://127.0.0.1:${gateway.port}`
  })
  afterAll(async () => {
    await gateway.close()
    for (const replica of replicas) await replica.close()
  })

  const counts = (): ReadonlyArray<number> => replicas.map(({ behaviour }) => behaviour.begun.length)

  it.each(everyInterface.filter(({ binding }) => binding !== "GRPC"))(
    "keep what they began, for a client that speaks $binding $version",
    async (dialed) => {
      const client = await clientSpeaking(root, dialed)
      const before = counts()
      for (let i = 0; i < 12; i++) {
        const task = (await client.sendMessage(message("tck-input-required"))) as Task
        expect((await client.getTask({ tenant: "", id: task.id })).id).toBe(task.id)
        const { contextId, id } = task
        expect(((await client.sendMessage(message("again", { contextId, taskId: id }))) as Task).id).toBe(id)
      }
      // Without memory, one in three would find its task: twelve times in a row that does not happen.
      expect(counts().filter((count, i) => count > (before[i] ?? 0)).length).toBeGreaterThan(1)
    },
  )

  it("say so when nobody knows a task", async () => {
    const call = { jsonrpc: "2.0", id: 1, method: "tasks/get", params: { id: "nobody" } }
    const { body } = await ask("POST", root, call)
    expect(body).toMatchObject({ id: 1, error: { code: -32001 } })
  })

  it("are listed with a word about guards of their tasks that could not be asked", async () => {
    const webhook = "{webhook: {target: {host: '127.0.0.1:9'}, failureMode: failOpen}}"
    const guarding = await gatewayFor(serviceOf(replicas, `{bridge: {}, guardrails: {response: [${webhook}]}}`))
    try {
      const at = `http://127.0.0.1:${guarding.port}`
      const params = { message: { messageId: "guarded", role: "ROLE_USER", parts: [{ text: "hello" }] } }
      const versioned = { "a2a-version": "1.0" }
      await ask("POST", at, { jsonrpc: "2.0", id: 1, method: "SendMessage", params }, versioned)
      const listed = await ask("POST", at, { jsonrpc: "2.0", id: 2, method: "ListTasks", params: {} }, versioned)
      expect(listed.body).toMatchObject({ result: { tasks: expect.arrayContaining([expect.anything()]) } })
      expect(listed.headers.get("x-sluice-guardrails-failed-open")).toBe("webhook")
    } finally {
      await guarding.close()
    }
  })

  it("are not asked in circles", async () => {
    const via = Array.from({ length: 16 }, () => "1.1 sluice").join(", ")
    const call = { jsonrpc: "2.0", id: 1, method: "tasks/get", params: { id: "nobody" } }
    const { body, status } = await ask("POST", root, call, { via })
    expect(status).toBe(508)
    expect(body).toMatchObject({
      jsonrpc: "2.0",
      id: 1,
      error: { message: "loop detected: it has passed 16 gateways" },
    })
    expect((await ask("POST", root, call, { via: "1.1 other, 1.1 sluice" })).status).toBe(200)
  })
})

describe("tasks whose gateway is gone", () => {
  const three = (speaks: Dialed) =>
    Promise.all(
      [1, 2, 3].map(async () => {
        const agent = await startAgent({ at: "http://agents.internal:9000", speaks: [speaks] })
        return { agent, port: agent.port }
      }),
    )

  const afterwards = async (
    policy: string,
    speaks: Dialed,
    path: string,
    work: (send: Send, other: Send) => Promise<void>,
  ): Promise<void> => {
    const replicas = await three(speaks)
    const { close, places } = await sharedPlaces()
    const gateways = await Promise.all([1, 2].map(() => gatewayFor(serviceOf(replicas, policy), { places })))
    const sendTo =
      ({ port }: Started): Send =>
      async (method, params) =>
        (
          await ask(
            "POST",
            `http://127.0.0.1:${port}${path}`,
            { jsonrpc: "2.0", id: 1, method, params },
            { "a2a-version": "1.0" },
          )
        ).body
    const [first, second] = gateways.map(sendTo)
    try {
      await work(first as Send, second as Send)
    } finally {
      for (const gateway of gateways) await gateway.close()
      await close()
      for (const { agent } of replicas) await agent.close()
    }
  }

  type Send = (method: string, params: unknown) => Promise<unknown>

  const said = (word: string, more: Record<string, string> = {}) => ({
    message: { messageId: `${word}-${crypto.randomUUID()}`, role: "ROLE_USER", parts: [{ text: "hi" }], ...more },
  })
  const taskIn = (body: unknown) =>
    (body as { readonly result: { readonly task: { readonly id: string; readonly contextId: string } } }).result.task

  it.each([
    ["that bridges", "{bridge: {interfaces: [{binding: JSONRPC, version: '1.0', path: /a2a/jsonrpc}]}}", ""],
    ["that passes calls through", "{}", "/a2a/jsonrpc"],
  ])("are found by another one %s, at once, with what was said before", async (_, policy, path) =>
    afterwards(policy, { binding: "JSONRPC", version: "1.0" }, path, async (send, other) => {
      for (let i = 0; i < 10; i++) {
        const task = taskIn(await send("SendMessage", said("tck-input-required")))
        expect(await other("GetTask", { id: task.id })).toMatchObject({ result: { id: task.id } })
        // A new task of the same context, begun where the context is.
        const next = taskIn(await other("SendMessage", said("tck-input-required", { contextId: task.contextId })))
        expect(await send("GetTask", { id: next.id })).toMatchObject({ result: { contextId: task.contextId } })
        const cancelled = await other("CancelTask", { id: task.id })
        expect(cancelled).toMatchObject({ result: { status: { state: "TASK_STATE_CANCELED" } } })
      }
    }),
  )

  it("are listed together, page by page", async () =>
    afterwards(
      "{bridge: {interfaces: [{binding: JSONRPC, version: '1.0', path: /a2a/jsonrpc}]}}",
      { binding: "JSONRPC", version: "1.0" },
      "",
      async (send, other) => {
        const begun: Array<string> = []
        for (let i = 0; i < 9; i++) begun.push(taskIn(await send("SendMessage", said("tck-input-required"))).id)
        const listed: Array<string> = []
        let pageToken = ""
        do {
          const { result } = (await other("ListTasks", {
            pageSize: 2,
            ...(pageToken === "" ? {} : { pageToken }),
          })) as {
            readonly result: {
              readonly tasks: ReadonlyArray<{ readonly id: string }>
              readonly nextPageToken: string
              readonly totalSize: number
            }
          }
          expect(result.tasks.length).toBeLessThanOrEqual(2)
          expect(result.totalSize).toBe(9)
          listed.push(...result.tasks.map(({ id }) => id))
          pageToken = result.nextPageToken
        } while (pageToken !== "")
        expect(listed.toSorted()).toEqual(begun.toSorted())
        expect(await other("ListTasks", { pageToken: "made up" })).toMatchObject({ error: { code: -32602 } })
      },
    ))
})
