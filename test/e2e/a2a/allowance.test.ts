/** How often agents may be sent messages: for each agent, for each caller, in every binding, and over restarts. */
import { Role, type SendMessageRequest } from "@a2a-js/sdk"
import { afterEach, describe, expect, it } from "vitest"
import { inMemory } from "../../../stages/ports/Spending.ts"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientSpeaking, gatewayFor } from "./gateway.ts"

const closing: Array<{ readonly close: () => Promise<unknown> }> = []
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close()
})

const open = async <A extends { readonly close: () => Promise<unknown> }>(one: Promise<A>): Promise<A> => {
  const made = await one
  closing.push(made)
  return made
}

const message = (text: string): SendMessageRequest => ({
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
  configuration: undefined,
  metadata: undefined,
})

const call = (method = "SendMessage") => ({
  jsonrpc: "2.0",
  id: 3,
  method,
  params: { message: { messageId: crypto.randomUUID(), role: "ROLE_USER", parts: [{ text: "hello" }] } },
})
const by = (who: string) => ({ "a2a-version": "1.0", "x-caller": who })

const limited = (agent: Agent, spoken: string) => `
routes:
- backends:
  - host: '127.0.0.1:${agent.port}'
    policies:
      a2a:
        ${spoken}
        rateLimits: [{limit: 2, unit: days, key: 'request.headers["x-caller"]'}]
`

describe.each(["bridge: {}", ""])("an agent with a limit (%s)", (spoken) => {
  it("is sent so many messages by each caller, and everything else as often as they like", async () => {
    const agent = await open(startAgent())
    const gateway = await open(gatewayFor(limited(agent, spoken)))
    const root = spoken === "" ? `http://127.0.0.1:${gateway.port}/a2a/jsonrpc` : `http://127.0.0.1:${gateway.port}`
    expect((await ask("POST", root, call(), by("ann"))).status).toBe(200)
    const second = await ask("POST", root, call(), by("ann"))
    expect(second.headers.get("x-ratelimit-remaining")).toBe("0")
    const third = await ask("POST", root, call(), by("ann"))
    expect(third.status).toBe(429)
    expect(Number(third.headers.get("retry-after"))).toBeGreaterThan(0)
    expect(third.body).toMatchObject({ jsonrpc: "2.0", id: 3, error: { message: "rate limit exceeded" } })
    expect((await ask("POST", root, call(), by("bob"))).status).toBe(200)
    const look = { jsonrpc: "2.0", id: 1, method: "GetTask", params: { id: "none" } }
    for (let i = 0; i < 4; i++) {
      expect((await ask("POST", root, look, by("ann"))).body).toMatchObject({ error: { code: -32001 } })
    }
    expect(agent.behaviour.begun).toHaveLength(3)
  })
})

describe.each(everyInterface)("a client that speaks $binding $version", (dialed) => {
  it("is counted like any other", async () => {
    const agent = await open(startAgent())
    const gateway = await open(
      gatewayFor(`
routes:
- backends:
  - host: '127.0.0.1:${agent.port}'
    policies: {a2a: {bridge: {}, rateLimits: [{limit: 1, unit: days}]}}
`),
    )
    const client = await clientSpeaking(`http://127.0.0.1:${gateway.port}`, dialed)
    await client.sendMessage(message("hello"))
    await expect(client.sendMessage(message("again"))).rejects.toThrow(/rate limit|429|exceeded/i)
    await expect(
      (async () => {
        for await (const _ of client.sendMessageStream(message("again")));
      })(),
    ).rejects.toThrow(/rate limit|429|exceeded/i)
    expect(agent.behaviour.begun).toHaveLength(1)
  })
})

it("every agent of a catalogue has its own limits", async () => {
  const [one, two] = [await open(startAgent()), await open(startAgent())]
  const limit = "policies: {a2a: {rateLimits: [{limit: 1, unit: days}]}}"
  const gateway = await open(
    gatewayFor(`
backends:
- name: agents
  a2a:
    agents:
    - {name: one, host: '127.0.0.1:${one.port}', ${limit}}
    - {name: two, host: '127.0.0.1:${two.port}', ${limit}}
routes: [{backends: [{backend: /agents}]}]
`),
  )
  const root = `http://127.0.0.1:${gateway.port}`
  const statuses: Array<number> = []
  for (const at of ["/one", "/two", "/one", "/two"]) {
    statuses.push((await ask("POST", `${root}${at}`, call(), by("ann"))).status)
  }
  expect(statuses).toEqual([200, 200, 429, 429])
})

describe("a budget of messages", () => {
  const budget = (port: number) => `
routes:
- backends:
  - host: '127.0.0.1:${port}'
    policies:
      a2a:
        bridge: {}
        budgets: [{name: monthly, messages: 2, window: 720h, key: 'request.headers["x-caller"]'}]
`

  it("goes on where it was when the gateway is another one", async () => {
    const agent = await open(startAgent())
    const spending = inMemory(Date.now, () => crypto.randomUUID())
    const first = await gatewayFor(budget(agent.port), { spending })
    await ask("POST", `http://127.0.0.1:${first.port}`, call(), by("ann"))
    await first.close()
    const second = await open(gatewayFor(budget(agent.port), { spending }))
    const statuses: Array<number> = []
    for (let i = 0; i < 2; i++) {
      statuses.push((await ask("POST", `http://127.0.0.1:${second.port}`, call(), by("ann"))).status)
    }
    expect(statuses).toEqual([200, 429])
  })

  it("is each caller's own, and messages that reached nobody are not counted", async () => {
    const agent = await open(startAgent())
    const gateway = await open(gatewayFor(budget(agent.port)))
    const root = `http://127.0.0.1:${gateway.port}`
    await ask("POST", root, call(), by("ann"))
    await ask("POST", root, call(), by("ann"))
    const third = await ask("POST", root, call(), by("ann"))
    expect(third.status).toBe(429)
    expect(third.body).toMatchObject({ id: 3, error: { message: 'the budget "monthly" of 2 messages is used up' } })
    expect((await ask("POST", root, call(), by("bob"))).status).toBe(200)
    const nobody = await open(gatewayFor(budget(9).replace("bridge: {}", "bridge: {interfaces: [{binding: JSONRPC}]}")))
    const away = `http://127.0.0.1:${nobody.port}`
    for (let i = 0; i < 4; i++) expect((await ask("POST", away, call(), by("ann"))).status).toBe(503)
  })
})
