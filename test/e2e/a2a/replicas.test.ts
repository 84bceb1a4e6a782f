/** Several replicas of an agent, each with its tasks in its own memory. */
import { Role, type Task } from "@a2a-js/sdk"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientSpeaking, gatewayFor } from "./gateway.ts"
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
    gateway = await gatewayFor(`
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
- policies: {a2a: {bridge: {}}}
  backends: [{service: {name: default/agents.internal, port: 9000}}]
`)
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

  it("are not asked in circles", async () => {
    const via = Array.from({ length: 16 }, () => "1.1 sluice").join(", ")
    const call = { jsonrpc: "2.0", id: 1, method: "tasks/get", params: { id: "nobody" } }
    const { body, status } = await ask("POST", root, call, { via })
    expect(status).toBe(508)
    expect(body).toMatchObject({ jsonrpc: "2.0", id: 1, error: { message: "loop detected" } })
    expect((await ask("POST", root, call, { via: "1.1 other, 1.1 sluice" })).status).toBe(200)
  })
})
