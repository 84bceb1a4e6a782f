/** Agents made with the public SDK as tools for clients made with the public SDKs of MCP, of both generations. */
import type { AgentSkill } from "@a2a-js/sdk"
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { answerOf, ask, type Json, type McpGateway, mcpGateway, modern, scripted } from "../mcp/harness.ts"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { gatewayFor } from "./gateway.ts"
import { form, Talking } from "./Talking.ts"

const skill = (id: string, more: Partial<AgentSkill> = {}): AgentSkill => ({
  id,
  name: `The skill ${id}`,
  description: `Does ${id}`,
  tags: ["test"],
  examples: [],
  inputModes: [],
  outputModes: [],
  securityRequirements: [],
  ...more,
})

const skills = [
  skill("travel", { examples: ["book a flight"] }),
  skill("figures", { inputModes: ["application/json"], name: "Figures" }),
  skill("plan a trip!", { inputModes: ["text/plain", "image/png"] }),
]
const modes = { defaultInputModes: ["text/plain", "application/json"] }

let talking: Talking
let agent: Agent
let gateway: McpGateway
const closing: Array<{ readonly close: () => Promise<unknown> }> = []

const open = async <A extends { readonly close: () => Promise<unknown> }>(one: Promise<A>): Promise<A> => {
  const made = await one
  closing.push(made)
  return made
}

beforeAll(async () => {
  talking = new Talking()
  agent = await startAgent({ executor: talking, card: { skills, ...modes } })
  gateway = await mcpGateway(`{targets: [{name: one, a2a: {host: "http://127.0.0.1:${agent.port}"}}]}`)
})
afterAll(async () => {
  await gateway.close()
  await agent.close()
})
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close()
})

interface Result {
  readonly content: ReadonlyArray<Json>
  readonly structuredContent?: Json
  readonly isError?: boolean
}

interface Caller {
  readonly tools: () => Promise<ReadonlyArray<Json>>
  readonly call: (args: Json, options?: CallOptions) => Promise<Result>
  readonly close: () => Promise<unknown>
}

interface CallOptions {
  readonly name?: string
  readonly onprogress?: (progress: { readonly progress: number; readonly message?: string }) => void
  readonly signal?: AbortSignal
}

type Answers = (question: Json) => Json

const info = { name: "test", version: "1" }
const elicitation = { elicitation: { form: {}, url: {} } }

const old = async (url: string, answers?: Answers): Promise<Caller> => {
  const client = new Client(info, { capabilities: answers === undefined ? {} : elicitation })
  if (answers !== undefined) {
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => answers(params as Json) as never)
  }
  await client.connect(new StreamableHTTPClientTransport(new URL(url)) as Transport)
  return {
    tools: async () => (await client.listTools()).tools as ReadonlyArray<Json>,
    call: async (args, { name = "travel", ...options } = {}) =>
      (await client.callTool({ name, arguments: args }, undefined, options as never)) as unknown as Result,
    close: () => client.close(),
  }
}

const recent = async (url: string, answers?: Answers): Promise<Caller> => {
  const client = new ModernClient(info, {
    capabilities: answers === undefined ? {} : elicitation,
    versionNegotiation: { mode: { pin: "2026-07-28" } },
  })
  if (answers !== undefined) {
    client.setRequestHandler("elicitation/create", async ({ params }) => answers(params as Json) as never)
  }
  await client.connect(new ModernTransport(new URL(url)))
  return {
    tools: async () => (await client.listTools()).tools as unknown as ReadonlyArray<Json>,
    call: async (args, { name = "travel", ...options } = {}) =>
      (await client.callTool({ name, arguments: args }, options as never)) as unknown as Result,
    close: () => client.close(),
  }
}

const textOf = ({ content }: Result): string => content.map(({ text }) => text ?? "").join("")

describe.each([
  ["with sessions", old],
  ["without sessions", recent],
] as const)("a client %s", (kind, connect) => {
  it("finds the skills of an agent as tools", async () => {
    const client = await open(connect(gateway.url))
    const tools = await client.tools()
    expect(tools.map(({ name }) => name)).toEqual(["travel", "figures", "plan-a-trip"])
    expect(tools[0]).toMatchObject({
      title: "The skill travel",
      description: 'Does travel\n\nExamples of what to say: "book a flight"\n\nDone by the agent Sample agent.',
      inputSchema: { type: "object" },
    })
    const argumentsOf = ({ inputSchema }: Json): ReadonlyArray<string> =>
      Object.keys((inputSchema as Json)["properties"] as Json)
    expect(argumentsOf(tools[0] as Json)).toEqual(["message", "data", "conversation"])
    expect(argumentsOf(tools[1] as Json)).toEqual(["data", "conversation"])
    expect(argumentsOf(tools[2] as Json)).toEqual(["message", "files", "conversation"])
  })

  it("says things and hears what came of them, and the agent is told which skill is meant", async () => {
    const client = await open(connect(gateway.url))
    const said = await client.call({ message: "hello" })
    expect(textOf(said)).toBe("hello (1)")
    expect(said.structuredContent).toMatchObject({ state: "completed", artifacts: [{ artifactId: "result" }] })
    expect(talking.heard.at(-1)?.metadata).toEqual({ skill: "travel" })
    expect(textOf(await client.call({ data: { a: 1 } }, { name: "figures" }))).toContain('{"a":1}')
    expect(talking.heard.at(-1)?.metadata).toEqual({ skill: "figures" })
    expect(textOf(await client.call({ message: "just talk" }))).toBe("just talking")
  })

  it("hears of progress, and gets pieces as one whole", async () => {
    const client = await open(connect(gateway.url))
    const heard: Array<string> = []
    const said = await client.call(
      { message: "in pieces" },
      { onprogress: ({ message, progress }) => void heard.push(`${progress} ${message}`) },
    )
    expect(said.content).toEqual([
      { type: "text", text: "one, two, three" },
      { type: "text", text: "that was all" },
    ])
    await until("all progress", () => heard.length >= 6)
    expect(heard.map((one) => one.replace(/^\S+ /, ""))).toEqual([
      "submitted",
      "thinking",
      "one, ",
      "two, ",
      "three",
      "that was all",
    ])
  })

  it("gets files, links and data as what they are", async () => {
    const client = await open(connect(gateway.url))
    const said = await client.call({ message: "files" })
    expect(said.content).toMatchObject([
      { type: "image", data: Buffer.from("png").toString("base64"), mimeType: "image/png" },
      { type: "resource", resource: { mimeType: "application/zip", blob: Buffer.from("zip").toString("base64") } },
      { type: "resource_link", uri: "https://example.com/a.txt", name: "a.txt", mimeType: "text/plain" },
      { type: "text", text: '{"total":3}' },
    ])
    expect(said.structuredContent).toMatchObject({ data: { total: 3 } })
    expect(JSON.stringify(said.structuredContent)).not.toContain(Buffer.from("zip").toString("base64"))
  })

  it("is told of failures and refusals as of tools that fail", async () => {
    const client = await open(connect(gateway.url))
    expect(await client.call({ message: "fail" })).toMatchObject({
      isError: true,
      content: [{ text: "it did not work" }],
    })
    expect(await client.call({ message: "refuse" })).toMatchObject({
      isError: true,
      structuredContent: { state: "rejected" },
    })
    expect(await client.call({})).toMatchObject({ isError: true })
    expect(await client.call({ message: "a", more: 1 })).toMatchObject({ isError: true })
  })

  it("is asked what the agent asks, in words and by the agent's own form", async () => {
    const questions: Array<Json> = []
    const client = await open(
      connect(gateway.url, (question) => {
        questions.push(question)
        const { properties } = question["requestedSchema"] as Json
        return "answer" in (properties as Json)
          ? { action: "accept", content: { answer: "Rome" } }
          : { action: "accept", content: { city: "Oslo", nights: 2 } }
      }),
    )
    const said = await client.call({ message: "ask" })
    expect(textOf(said)).toBe("to Rome")
    expect(questions[0]).toMatchObject({ message: "Where to?" })
    const filled = await client.call({ message: "ask by form" })
    expect(questions[1]).toMatchObject({ requestedSchema: form })
    expect(filled.structuredContent).toMatchObject({ state: "completed", data: { city: "Oslo", nights: 2 } })
  })

  it("gives the task up by not answering", async () => {
    const client = await open(connect(gateway.url, () => ({ action: "decline" })))
    const before = talking.cancelled.length
    expect(await client.call({ message: "ask" })).toMatchObject({ isError: true })
    await until("the task is cancelled", () => talking.cancelled.length > before)
  })

  it("that cannot be asked answers by calling again", async () => {
    const client = await open(connect(gateway.url))
    const said = await client.call({ message: "ask" })
    expect(said.isError).not.toBe(true)
    expect(said.structuredContent).toMatchObject({ state: "input-required" })
    expect(textOf(said)).toContain("Where to?")
    const { conversation } = said.structuredContent as Json
    const done = await client.call({ message: "Bonn", conversation })
    expect(textOf(done)).toBe("to Bonn")
  })

  it("is led to where somebody signs in, and goes on from there", async () => {
    const urls: Array<unknown> = []
    const client = await open(
      connect(gateway.url, ({ url }) => {
        urls.push(url)
        talking.signIn()
        return { action: "accept" }
      }),
    )
    const said = await client.call({ message: "sign in" })
    expect(urls).toEqual(["https://login.example.com/device?code=1"])
    expect(textOf(said)).toContain("signed in")
  })

  it("that cannot be led anywhere is told the address, and asks again", async () => {
    const client = await open(connect(gateway.url))
    const said = await client.call({ message: "sign in" })
    expect(said).toMatchObject({
      isError: true,
      structuredContent: { state: "auth-required", url: "https://login.example.com/device?code=1" },
    })
    talking.signIn()
    const { conversation } = said.structuredContent as Json
    let again = await client.call({ conversation })
    for (let i = 0; i < 50 && again.structuredContent?.["state"] !== "completed"; i++) {
      again = await client.call({ conversation })
    }
    expect(textOf(again)).toContain("signed in")
  })

  it("cancels a task by cancelling its call", async () => {
    const client = await open(connect(gateway.url))
    const leave = new AbortController()
    const before = talking.cancelled.length
    const call = client.call({ message: "take long" }, { signal: leave.signal }).then(
      () => "done",
      () => "cancelled",
    )
    await until("the task runs", () => talking.waits === 1)
    leave.abort()
    expect(await call).toBe("cancelled")
    await until("the task is cancelled", () => talking.cancelled.length > before)
  })

  it(kind === "with sessions" ? "stays in one conversation" : "goes on with a conversation it names", async () => {
    const client = await open(connect(gateway.url))
    const first = await client.call({ message: "one" })
    expect(textOf(first)).toBe("one (1)")
    const { conversation } = first.structuredContent as Json
    const second = await client.call(kind === "with sessions" ? { message: "two" } : { message: "two", conversation })
    expect(textOf(second)).toBe("two (2)")
    const other = await open(connect(gateway.url))
    expect(textOf(await other.call({ message: "three" }))).toBe("three (1)")
  })
})

describe.each(everyInterface)("an agent that speaks $binding $version", (spoken) => {
  it("is a tool like any other", async () => {
    const own = new Talking()
    const agent = await open(startAgent({ speaks: [spoken], executor: own, card: { skills, ...modes } }))
    const gateway = await open(mcpGateway(`{targets: [{name: one, a2a: {host: "http://127.0.0.1:${agent.port}"}}]}`))
    const client = await open(recent(gateway.url, () => ({ action: "accept", content: { answer: "Rome" } })))
    expect(textOf(await client.call({ message: "hello" }))).toBe("hello (1)")
    expect(textOf(await client.call({ message: "ask" }))).toBe("to Rome")
    expect(agent.around).toEqual([])
  })
})

describe("an agent that cannot stream", () => {
  it("is waited for", async () => {
    const own = new Talking()
    const capabilities = { streaming: false, pushNotifications: false, extendedAgentCard: false, extensions: [] }
    const agent = await open(startAgent({ executor: own, card: { skills, capabilities, ...modes } }))
    const gateway = await open(mcpGateway(`{targets: [{name: one, a2a: {host: "http://127.0.0.1:${agent.port}"}}]}`))
    const client = await open(recent(gateway.url))
    expect(textOf(await client.call({ message: "hello" }))).toBe("hello (1)")
    expect(textOf(await client.call({ message: "in pieces" }))).toBe("one, two, threethat was all")
  })
})

describe("agents among other targets", () => {
  it("are called by their names, shaped, and do not harm the others when they are gone", async () => {
    const own = new Talking()
    const second = await startAgent({ executor: own, card: { skills, ...modes } })
    const server = await open(
      scripted(
        modern((turn) =>
          turn.message.method === "tools/list"
            ? turn.result({
                resultType: "complete",
                tools: [{ name: "plain", inputSchema: { type: "object" } }],
                ttlMs: 0,
                cacheScope: "private",
              })
            : turn.result({ resultType: "complete", content: [{ type: "text", text: "plain answer" }] }),
        ),
      ),
    )
    const federated = await open(
      mcpGateway(
        `{failureMode: failOpen, targets: [
          {name: trips, a2a: {host: "http://127.0.0.1:${second.port}"}, tools: {include: [travel], override: {travel: {name: go, description: "Goes"}}}},
          {name: tools, mcp: {host: "${server.url}"}}]}`,
      ),
    )
    const client = await open(old(federated.url))
    expect((await client.tools()).map(({ name }) => name)).toEqual(["trips_go", "tools_plain"])
    expect(textOf(await client.call({ message: "hello" }, { name: "trips_go" }))).toBe("hello (1)")
    expect(textOf(await client.call({}, { name: "tools_plain" }))).toBe("plain answer")
    await second.close()
    expect(textOf(await client.call({}, { name: "tools_plain" }))).toBe("plain answer")
    await expect(client.call({ message: "hello" }, { name: "trips_go" })).rejects.toThrow(/trips/)
  })
})

describe("the agents of a catalogue", () => {
  it("are tools one by one, and all together with calls going to whoever has the skill", async () => {
    const [one, two] = [new Talking(), new Talking()]
    const trips = await open(startAgent({ executor: one, card: { skills: [skill("travel")], ...modes } }))
    const sums = await open(startAgent({ executor: two, card: { skills: [skill("figures")], ...modes } }))
    const gateway = await open(
      gatewayFor(`
backends:
- name: agents
  a2a:
    agents:
    - {name: trips, host: '127.0.0.1:${trips.port}'}
    - {name: sums, host: '127.0.0.1:${sums.port}'}
routes:
- matches: [{path: {pathPrefix: /one}}]
  backends: [{mcp: {targets: [{name: sums, a2a: {backend: /agents, path: /sums}}]}}]
- matches: [{path: {pathPrefix: /all}}]
  backends: [{mcp: {targets: [{name: all, a2a: {backend: /agents}}]}}]
`),
    )
    const origin = `http://127.0.0.1:${gateway.port}`
    const single = await open(old(`${origin}/one`))
    expect((await single.tools()).map(({ name }) => name)).toEqual(["figures"])
    expect(textOf(await single.call({ message: "hello" }, { name: "figures" }))).toBe("hello (1)")
    const all = await open(old(`${origin}/all`))
    expect((await all.tools()).map(({ name }) => name)).toEqual(["trips__travel", "sums__figures"])
    expect(textOf(await all.call({ message: "hi" }, { name: "trips__travel" }))).toBe("hi (1)")
    expect([one.heard.length, two.heard.length]).toEqual([1, 1])
  })
})

describe("what a caller brings back", () => {
  it("opens for nobody else", async () => {
    const keys = `{apiKey: {mode: strict, keys: [{key: red-key-1}, {key: blue-key-1}]}}`
    const guarded = await open(
      mcpGateway(`{targets: [{name: one, a2a: {host: "http://127.0.0.1:${agent.port}"}}]}`, { policies: keys }),
    )
    const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` }, capabilities: { elicitation: {} } })
    const call = (key: string, params: Json) =>
      ask(guarded.url, "tools/call", { name: "travel", ...params }, as(key)).then((said) => answerOf(said))
    const asked = await call("red-key-1", { arguments: { message: "ask" } })
    const { inputRequests, requestState } = asked.result as Json
    const [key] = Object.keys(inputRequests as Json)
    const inputResponses = { [key as string]: { action: "accept", content: { answer: "Rome" } } }
    const back = { arguments: { message: "ask" }, inputResponses, requestState }
    expect((await call("blue-key-1", back)).result).toMatchObject({ isError: true })
    expect((await call("red-key-1", back)).result).toMatchObject({ content: [{ text: "to Rome" }] })
    const { structuredContent } = (await call("red-key-1", { arguments: { message: "one" } })).result as Json
    const { conversation } = structuredContent as Json
    const more = { arguments: { message: "two", conversation } }
    expect((await call("blue-key-1", more)).result).toMatchObject({ isError: true })
    expect((await call("red-key-1", more)).result).toMatchObject({ content: [{ text: "two (2)" }] })
  })

  it("opens after the gateway was started anew", async () => {
    const file = `{targets: [{name: one, a2a: {host: "http://127.0.0.1:${agent.port}"}}]}`
    const key = new Uint8Array(32).fill(7)
    const first = await mcpGateway(file, { options: { sealingKey: key } })
    const options = { capabilities: { elicitation: {} } }
    const asked = answerOf(
      await ask(first.url, "tools/call", { name: "travel", arguments: { message: "ask" } }, options),
    )
    await first.close()
    const second = await open(mcpGateway(file, { options: { sealingKey: key } }))
    const { inputRequests, requestState } = asked.result as Json
    const inputResponses = {
      [Object.keys(inputRequests as Json)[0] as string]: { action: "accept", content: { answer: "Rome" } },
    }
    const params = { name: "travel", arguments: { message: "ask" }, inputResponses, requestState }
    const done = answerOf(await ask(second.url, "tools/call", params, options))
    expect(done.result).toMatchObject({ content: [{ text: "to Rome" }] })
  })
})
