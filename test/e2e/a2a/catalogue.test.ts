/** Many agents behind one endpoint. */
import { Role, type Task } from "@a2a-js/sdk"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Agent, startAgent } from "./agent.ts"
import { textPart } from "./Behaviour.ts"
import { ask, clientOf, gatewayFor } from "./gateway.ts"
import type { Started } from "../harness.ts"
import { freePort } from "../../freePort.ts"

const skill = (id: string, ...tags: Array<string>) => ({
  id,
  name: id,
  description: `Does ${id}`,
  tags,
  examples: [],
  inputModes: [],
  outputModes: [],
  securityRequirements: [],
})

interface Entry {
  readonly id: string
  readonly cardUrl: string
  readonly health: string
  readonly skills: ReadonlyArray<{ readonly id: string }>
}

describe("a catalogue", () => {
  let weather: Agent
  let travel: Agent
  let gateway: Started
  let root: string

  beforeAll(async () => {
    weather = await startAgent({
      name: "weather",
      speaks: [{ binding: "JSONRPC", version: "1.0" }],
      card: { name: "Weather", skills: [skill("forecast", "weather"), skill("history", "weather", "past")] },
    })
    travel = await startAgent({
      name: "travel",
      speaks: [{ binding: "HTTP+JSON", version: "0.3" }],
      card: { name: "Travel", skills: [skill("booking", "trips")] },
    })
    gateway = await gatewayFor(`
backends:
- name: everybody
  a2a:
    agents:
    - {name: weather, host: '127.0.0.1:${weather.port}'}
    - name: travel
      host: '127.0.0.1:${travel.port}'
      policies:
        authorization: {rules: [{deny: '"x-who" in request.headers && request.headers["x-who"] == "guest"'}]}
    - {name: gone, host: '127.0.0.1:${await freePort()}'}
routes:
- matches: [{path: {pathPrefix: /a2a}}]
  policies: {urlRewrite: {path: {prefix: /}}}
  backends: [{backend: /everybody}]
`)
    root = `http://127.0.0.1:${gateway.port}/a2a`
  })
  afterAll(async () => {
    await gateway.close()
    await weather.close()
    await travel.close()
  })

  const list = async (query = "", who = "member"): Promise<ReadonlyArray<Entry>> => {
    const { body, status } = await ask("GET", `${root}/agents${query}`, undefined, { "x-who": who })
    expect(status).toBe(200)
    return (body as { readonly agents: ReadonlyArray<Entry> }).agents
  }
  const message = (text: string, metadata?: Record<string, unknown>, more: Record<string, string> = {}) => ({
    tenant: "",
    message: {
      messageId: `m-${crypto.randomUUID()}`,
      contextId: "",
      taskId: "",
      role: Role.ROLE_USER,
      parts: [textPart(text)],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
      ...more,
    },
    configuration: undefined,
    metadata,
  })
  const said = (task: unknown): string => {
    const content = (task as Task).artifacts[0]?.parts[0]?.content
    return content?.$case === "text" ? content.value : "nothing"
  }

  it("lists its agents, with what they can do and whether they are there", async () => {
    const entries = await list()
    expect(entries.map(({ health, id }) => [id, health])).toEqual([
      ["weather", "reachable"],
      ["travel", "reachable"],
      ["gone", "unreachable"],
    ])
    expect(entries[0]).toMatchObject({
      name: "Weather",
      cardUrl: `${root}/weather/.well-known/agent-card.json`,
      skills: [{ id: "forecast" }, { id: "history" }],
      tags: ["weather", "past"],
      agentVersions: ["1.0"],
    })
  })

  it("is searched by skill, tag, mode and words, and read page by page", async () => {
    const ids = async (query: string) => (await list(query)).map(({ id }) => id)
    expect(await ids("?skill=booking")).toEqual(["travel"])
    expect(await ids("?tag=past")).toEqual(["weather"])
    expect(await ids("?q=does%20FORECAST")).toEqual(["weather"])
    expect(await ids("?inputMode=text/plain")).toEqual(["weather", "travel"])
    expect(await ids("?outputMode=image/png")).toEqual([])
    const { body } = await ask("GET", `${root}/agents?pageSize=2`)
    expect(body).toMatchObject({ nextPageToken: "travel", totalSize: 3 })
    expect(await ids("?pageSize=2&pageToken=travel")).toEqual(["gone"])
  })

  it("does not know for a client what its rules keep from it", async () => {
    expect((await list("", "guest")).map(({ id }) => id)).toEqual(["weather", "gone"])
    const guest = { "x-who": "guest" }
    const card = `${root}/travel/.well-known/agent-card.json`
    expect((await ask("GET", card, undefined, guest)).status).toBe(404)
    expect((await ask("GET", card)).status).toBe(200)
    const call = { jsonrpc: "2.0", id: 1, method: "tasks/get", params: { id: "x" } }
    expect((await ask("POST", `${root}/travel`, call, guest)).status).toBe(404)
    const facade = await ask("GET", `${root}/.well-known/agent-card.json`, undefined, guest)
    expect(facade.text).not.toContain("booking")
  })

  it("has every agent below its name, whatever it speaks", async () => {
    for (const name of ["weather", "travel"]) {
      for (const binding of ["JSONRPC", "HTTP+JSON"] as const) {
        const client = await clientOf(`${root}/${name}/.well-known/agent-card.json`, binding)
        expect(said(await client.sendMessage(message("hello")))).toBe(`hello (${name})`)
      }
    }
  })

  it("is one agent with the skills of all, and follows a task to whoever has it", async () => {
    const { body } = await ask("GET", `${root}/.well-known/agent-card.json`, undefined, { "a2a-version": "1.0" })
    const { skills } = body as { readonly skills: ReadonlyArray<{ readonly id: string }> }
    expect(skills.map(({ id }) => id)).toEqual(["weather__forecast", "weather__history", "travel__booking"])
    const client = await clientOf(`${root}/.well-known/agent-card.json`, "JSONRPC")
    expect(said(await client.sendMessage(message("sunny?", { skill: "weather__forecast" })))).toBe("sunny? (weather)")
    expect(said(await client.sendMessage(message("a seat", { skill: "booking" })))).toBe("a seat (travel)")
    const begun = message("a bed", { skill: "booking" })
    begun.message.messageId = `tck-input-required-${crypto.randomUUID()}`
    const task = (await client.sendMessage(begun)) as Task
    expect((await client.getTask({ tenant: "", id: task.id })).id).toBe(task.id)
    const { contextId, id } = task
    expect(said(await client.sendMessage(message("for two", undefined, { taskId: id, contextId })))).toBe(
      "for two (travel)",
    )
    expect(said(await client.sendMessage(message("and back", undefined, { contextId })))).toBe("and back (travel)")
    const stream = client.sendMessageStream(message("by train", { skill: "travel__booking" }))
    const first = (await stream.next()).value
    const streamed = first?.payload?.$case === "task" ? first.payload.value.id : ""
    for await (const _ of stream);
    expect((await client.getTask({ tenant: "", id: streamed })).id).toBe(streamed)
  })

  it("refuses what nobody can do", async () => {
    const { status } = await ask(
      "POST",
      root,
      {
        jsonrpc: "2.0",
        id: 1,
        method: "SendMessage",
        params: {
          message: { messageId: "1", role: "ROLE_USER", parts: [{ text: "x" }], metadata: { skill: "cooking" } },
        },
      },
      { "a2a-version": "1.0" },
    )
    expect(status).toBe(404)
    expect((await ask("GET", `${root}/nobody/at/home`)).status).toBe(404)
  })
})
