/** Rules about what is asked of agents, whatever it is asked in. */
import { Role } from "@a2a-js/sdk"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientSpeaking, gatewayFor } from "./gateway.ts"
import type { Started } from "../harness.ts"

let agent: Agent
let gateway: Started
let root: string

beforeAll(async () => {
  agent = await startAgent()
  gateway = await gatewayFor(`
routes:
- backends:
  - host: '127.0.0.1:${agent.port}'
    policies:
      a2a: {bridge: {}}
      authorization:
        rules:
        - deny: a2a.operation == "CancelTask"
        - deny: has(a2a.pushUrl) && !a2a.pushUrl.startsWith("http://127.0.0.1:9/")
        - deny: has(a2a.message) && has(a2a.message.parts) && a2a.message.parts.exists(part, has(part.text) && part.text.contains("secret"))
`)
  root = `http://127.0.0.1:${gateway.port}`
})
afterAll(async () => {
  await gateway.close()
  await agent.close()
})

const message = (text: string, url?: string) => ({
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
  },
  configuration:
    url === undefined
      ? undefined
      : {
          acceptedOutputModes: [],
          historyLength: undefined,
          returnImmediately: false,
          taskPushNotificationConfig: { tenant: "", id: "p", taskId: "", url, token: "", authentication: undefined },
        },
  metadata: undefined,
})

describe.each(everyInterface)("a client that speaks $binding $version", (dialed) => {
  it("may do what no rule keeps from it, and nothing else", async () => {
    const client = await clientSpeaking(root, dialed)
    const before = agent.behaviour.begun.length
    await client.sendMessage(message("hello"))
    await client.sendMessage(message("hello", "http://127.0.0.1:9/mine"))
    expect(agent.behaviour.begun.length).toBe(before + 2)
    await expect(client.sendMessage(message("the secret word"))).rejects.toThrow()
    await expect(client.sendMessage(message("hello", "http://169.254.169.254/latest"))).rejects.toThrow()
    await expect(client.cancelTask({ tenant: "", id: "x", metadata: undefined })).rejects.toThrow(
      /authorization failed|denied|403/i,
    )
    expect(agent.behaviour.begun.length).toBe(before + 2)
  })
})

describe.each([
  [
    "CEL",
    (operations: string) => `rules: [{allow: 'a2a.operation in [${operations}]'}]`,
    (operation: string) => `"${operation}"`,
  ],
  [
    "Cedar",
    (operations: string) =>
      `cedar: {action: a2a.operation, resource: {type: Agent, id: a2a.agent}, policies: 'permit (principal, action in [${operations}], resource == Agent::"weather");'}`,
    (operation: string) => `Action::"${operation}"`,
  ],
])("rules in %s that name operations", (_, rulesOf, named) => {
  it.each([
    [["GetAgentCard", "SendMessage"], ["weather"], 200, 200],
    // For whoever may not look at an agent of a catalogue it does not exist.
    [["SendMessage"], [], 404, 404],
    [["GetAgentCard"], ["weather"], 200, 403],
  ])("%j: lists show it, and its card and itself can be had", async (operations, listed, card, sent) => {
    const behind = await gatewayFor(`
backends:
- name: all
  a2a:
    agents:
    - name: weather
      host: '127.0.0.1:${agent.port}'
      policies: {a2a: {bridge: {}}, authorization: {${rulesOf(operations.map(named).join(", "))}}}
routes: [{backends: [{backend: /all}]}]
`)
    try {
      const at = `http://127.0.0.1:${behind.port}`
      const { agents } = (await ask("GET", `${at}/agents`)).body as { readonly agents: ReadonlyArray<{ id: string }> }
      expect(agents.map(({ id }) => id)).toEqual(listed)
      expect((await ask("GET", `${at}/weather/.well-known/agent-card.json`)).status).toBe(card)
      const params = { message: { messageId: "1", role: "ROLE_USER", parts: [{ text: "hi" }] } }
      const call = { jsonrpc: "2.0", id: 1, method: "SendMessage", params }
      expect((await ask("POST", `${at}/weather`, call, { "a2a-version": "1.0" })).status).toBe(sent)
    } finally {
      await behind.close()
    }
  })
})

it("who is refused is told in the words of its binding, under the status of HTTP", async () => {
  const call = { jsonrpc: "2.0", id: "mine", method: "tasks/cancel", params: { id: "x" } }
  const rpc = await ask("POST", root, call)
  expect(rpc.status).toBe(403)
  expect(rpc.body).toEqual({ jsonrpc: "2.0", id: "mine", error: { code: -32603, message: "authorization failed" } })
  const rest = await ask("POST", `${root}/tasks/x:cancel`, {}, { "a2a-version": "1.0" })
  expect(rest.status).toBe(403)
  expect(rest.body).toMatchObject({ error: { code: 403, status: "PERMISSION_DENIED" } })
})

it("nobody gets past a rule by saying more than it reads", async () => {
  const before = agent.behaviour.begun.length
  const params = {
    message: {
      messageId: "1",
      role: "ROLE_USER",
      parts: [{ text: "secret" }],
      metadata: { padding: "x".repeat(3_000_000) },
    },
  }
  const { body, status } = await ask(
    "POST",
    root,
    { jsonrpc: "2.0", id: 9, method: "SendMessage", params },
    { "a2a-version": "1.0" },
  )
  expect(status).toBe(413)
  expect(body).toMatchObject({ jsonrpc: "2.0", error: { message: expect.stringContaining("too large") } })
  expect(agent.behaviour.begun.length).toBe(before)
})
