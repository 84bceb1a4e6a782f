/** What is said to agents and by them under guard: whatever it is said in, in one piece, in pieces, in data and in files. */
import { Role, type SendMessageRequest, type Task } from "@a2a-js/sdk"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Started } from "../harness.ts"
import { type Agent, everyInterface, startAgent } from "./agent.ts"
import { part, textPart } from "./Behaviour.ts"
import { ask, clientSpeaking, gatewayFor } from "./gateway.ts"

type Part = NonNullable<SendMessageRequest["message"]>["parts"][number]

const message = (parts: ReadonlyArray<Part>, messageId: string = crypto.randomUUID()): SendMessageRequest => ({
  tenant: "",
  message: {
    messageId,
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [...parts],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  },
  configuration: undefined,
  metadata: undefined,
})

const textOf = (task: Task): string =>
  task.artifacts
    .flatMap(({ parts }) => parts)
    .map(({ content }) =>
      content?.$case === "text" ? content.value : content?.$case === "raw" ? String(content.value) : "",
    )
    .join("|")

interface Judged {
  readonly body: { readonly messages: ReadonlyArray<{ readonly role: string; readonly content: string }> }
}

interface Hook {
  readonly url: string
  readonly asked: Array<{ readonly path: string; readonly body: Judged }>
  answer: (path: string, body: Judged) => unknown
  readonly close: () => Promise<unknown>
}

/** A webhook that judges as it is told. */
const hook = async (): Promise<Hook> => {
  const asked: Hook["asked"] = []
  const made = { answer: (): unknown => ({ action: { pass: {} } }) } as { answer: Hook["answer"] }
  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString())
      asked.push({ path: request.url ?? "", body })
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify(made.answer(request.url ?? "", body)))
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(made, {
    url: `127.0.0.1:${port}`,
    asked,
    close: () => new Promise((resolve) => server.close(resolve)),
  })
}

const closing: Array<{ readonly close: () => Promise<unknown> }> = []
afterAll(async () => {
  for (const one of closing.toReversed()) await one.close()
})

const behind = async (agent: Agent, guardrails: string): Promise<{ root: string; gateway: Started }> => {
  const gateway = await gatewayFor(`
routes:
- backends:
  - host: '127.0.0.1:${agent.port}'
    policies:
      a2a:
        bridge: {}
        guardrails:
${guardrails.replaceAll(/^/gm, "          ")}
`)
  closing.push(gateway)
  return { root: `http://127.0.0.1:${gateway.port}`, gateway }
}

const open = async (words: Parameters<typeof startAgent>[0] = {}): Promise<Agent> => {
  const agent = await startAgent(words)
  closing.push(agent)
  return agent
}

describe("guards of this gateway", () => {
  let agent: Agent
  let root: string

  beforeAll(async () => {
    agent = await open()
    ;({ root } = await behind(
      agent,
      `
request:
- keywords: {words: [forbidden], action: reject}
  rejection: {body: 'not here', status: 422, headers: {set: {x-why: guard}}}
- regex: {rules: [{builtin: email}]}
response:
- regex: {rules: [{pattern: 'chunk-1 chunk', name: both}, {pattern: 'file content', name: held}]}
- keywords: {words: ['poison'], action: reject}
`,
    ))
  })

  describe.each(everyInterface)("for a client that speaks $binding $version", (dialed) => {
    it("mask and reject what is said to the agent, in words, data and files", async () => {
      const client = await clientSpeaking(root, dialed)
      const before = agent.behaviour.begun.length
      const said = (await client.sendMessage(message([textPart("write to me@example.com now")]))) as Task
      expect(textOf(said)).toMatch(/^write to <EMAIL_ADDRESS> now$/i)
      for (const bad of [
        textPart("a forbidden word"),
        part({ $case: "data", value: { deep: ["this is forbidden"] } }),
        part({ $case: "raw", value: Buffer.from("a forbidden file") }, { filename: "a.txt", mediaType: "text/plain" }),
        part({ $case: "url", value: "https://example.com/forbidden" }, { mediaType: "text/html" }),
      ]) {
        await expect(client.sendMessage(message([bad]))).rejects.toThrow(/not here/)
        await expect(
          (async () => {
            for await (const _ of client.sendMessageStream(message([bad])));
          })(),
        ).rejects.toThrow(/not here/)
      }
      expect(agent.behaviour.begun.length).toBe(before + 1)
    })

    it("mask and reject what the agent says, also where it comes in pieces", async () => {
      const client = await clientSpeaking(root, dialed)
      const events: Array<string> = []
      for await (const event of client.sendMessageStream(
        message([textPart("x")], `tck-stream-artifact-chunked${crypto.randomUUID()}`),
      )) {
        const { payload } = event as {
          payload?: { $case: string; value: { artifact?: { parts: ReadonlyArray<Part> } } }
        }
        if (payload?.$case === "artifactUpdate") {
          events.push(
            (payload.value.artifact?.parts ?? [])
              .map(({ content }) => (content?.$case === "text" ? content.value : ""))
              .join(""),
          )
        }
      }
      expect(events.join("")).toBe("<both>-2")
      const file = (await client.sendMessage(
        message([textPart("x")], `tck-artifact-file${crypto.randomUUID()}`),
      )) as Task
      expect(textOf(file)).toContain("<held>")
      const poisoned = client.sendMessage(message([textPart("poison")]))
      await expect(poisoned).rejects.toThrow(/inappropriate/)
      await expect(
        (async () => {
          for await (const _ of client.sendMessageStream(message([textPart("poison")])));
        })(),
      ).rejects.toThrow(/inappropriate/)
    })
  })

  it("say so under the status and with the fields of the configuration", async () => {
    const params = { message: { messageId: "1", role: "ROLE_USER", parts: [{ text: "forbidden" }] } }
    const call = { jsonrpc: "2.0", id: 4, method: "SendMessage", params }
    const rpc = await ask("POST", root, call, { "a2a-version": "1.0" })
    expect([rpc.status, rpc.headers.get("x-why")]).toEqual([422, "guard"])
    expect(rpc.body).toMatchObject({ id: 4, error: { message: "not here" } })
    const rest = await ask("POST", `${root}/message:send`, params, { "a2a-version": "1.0" })
    expect([rest.status, rest.headers.get("x-why")]).toEqual([422, "guard"])
  })

  it("let nothing get past them that they cannot read", async () => {
    const asked = agent.asked.length
    const plain = await ask("POST", `${root}/a2a/jsonrpc`, "forbidden", { "content-type": "text/plain" })
    expect(plain.body).toMatchObject({ error: { code: expect.any(Number) } })
    const other = await ask("PUT", `${root}/a2a/jsonrpc`, "forbidden", { "content-type": "text/plain" })
    expect(other.status).toBe(400)
    expect(agent.asked.length).toBe(asked)
    const params = {
      taskId: "t",
      url: "https://example.com/hook",
    }
    const push = { jsonrpc: "2.0", id: 4, method: "CreateTaskPushNotificationConfig", params }
    expect((await ask("POST", root, push, { "a2a-version": "1.0" })).body).toMatchObject({ error: { code: -32003 } })
    const card = await ask("GET", `${root}/.well-known/agent-card.json`, undefined, { "a2a-version": "1.0" })
    expect(card.body).toMatchObject({ capabilities: { pushNotifications: false, streaming: true } })
  })
})

describe("a service that guards", () => {
  const rules = (url: string, more = ""): string => `
request:
- webhook: {target: {host: '${url}'}${more}}
response:
- webhook: {target: {host: '${url}'}${more}}
`

  it("sees the words of both sides by message, and masks and rejects them", async () => {
    const agent = await open()
    const service = await hook()
    closing.push(service)
    const { root } = await behind(agent, rules(service.url))
    const client = await clientSpeaking(root, { binding: "GRPC", version: "1.0" })
    service.answer = (path, body) =>
      path === "/request"
        ? {
            action: {
              body: {
                messages: body.body.messages.map((one) => ({ ...one, content: one.content.toUpperCase() })),
              },
            },
          }
        : { action: { pass: {} } }
    const said = (await client.sendMessage(message([textPart("hello"), textPart("there")]))) as Task
    expect(textOf(said)).toBe("HELLO THERE")
    expect(service.asked[0]).toMatchObject({
      path: "/request",
      body: { body: { messages: [{ role: "user", content: "hello\nthere" }] } },
    })
    expect(service.asked.some(({ path }) => path === "/response")).toBe(true)
    service.answer = () => ({ action: { body: "never", status_code: 451 } })
    const before = agent.behaviour.begun.length
    await expect(client.sendMessage(message([textPart("hello")]))).rejects.toThrow(/never/)
    expect(agent.behaviour.begun.length).toBe(before)
  })

  it("sees the words in files and data of both sides, and where files are", async () => {
    const agent = await open()
    const service = await hook()
    closing.push(service)
    const { root } = await behind(agent, rules(service.url))
    const client = await clientSpeaking(root, { binding: "JSONRPC", version: "1.0" })
    const parts = [
      part(
        { $case: "raw", value: Buffer.from("words in a file") },
        { mediaType: "text/plain", filename: "letter.txt" },
      ),
      part({ $case: "url", value: "https://files.example/a.pdf" }, { mediaType: "application/pdf" }),
      part({ $case: "data", value: { deep: [{ note: "words in data" }] } }),
    ]
    await client.sendMessage(message(parts, `tck-artifact-file-${crypto.randomUUID()}`))
    const seen = (path: string): string => JSON.stringify(service.asked.filter((one) => one.path === path))
    for (const words of ["words in a file", "letter.txt", "https://files.example/a.pdf", "words in data"]) {
      expect(seen("/request")).toContain(words)
    }
    expect(seen("/response")).toContain("file content")
  })

  it("that cannot be asked lets nothing pass, and says so; unless it is told to, and says so too", async () => {
    const agent = await open()
    const closed = await behind(agent, rules("127.0.0.1:9"))
    const params = { message: { messageId: "1", role: "ROLE_USER", parts: [{ text: "hello" }] } }
    const call = { jsonrpc: "2.0", id: 4, method: "SendMessage", params }
    const shut = await ask("POST", closed.root, call, { "a2a-version": "1.0" })
    expect(shut.status).toBe(503)
    expect(shut.body).toMatchObject({ error: { message: expect.stringContaining("could not be asked (webhook)") } })
    expect(agent.behaviour.begun).toEqual([])
    const opened = await behind(agent, rules("127.0.0.1:9", ", failureMode: failOpen"))
    const passed = await ask("POST", opened.root, call, { "a2a-version": "1.0" })
    expect(passed.headers.get("x-sluice-guardrails-failed-open")).toBe("webhook")
    expect(passed.body).toMatchObject({ result: { task: { status: { state: "TASK_STATE_COMPLETED" } } } })
    const streamed = await ask(
      "POST",
      opened.root,
      { ...call, method: "SendStreamingMessage" },
      { "a2a-version": "1.0" },
    )
    expect(streamed.headers.get("content-type")).toMatch(/^text\/event-stream/)
    expect(streamed.headers.get("x-sluice-guardrails-failed-open")).toBe("webhook")
  })
})

describe("a model that is published as an agent", () => {
  it("is guarded as an agent is", async () => {
    const gateway = await gatewayFor(`
routes:
- backends:
  - ai: {name: echo, provider: {echo: {model: echo}}}
    policies:
      a2a:
        publish: {name: Sage}
        guardrails: {request: [{keywords: {words: [forbidden], action: reject}}]}
`)
    closing.push(gateway)
    const client = await clientSpeaking(`http://127.0.0.1:${gateway.port}`, { binding: "HTTP+JSON", version: "0.3" })
    await expect(client.sendMessage(message([textPart("forbidden")]))).rejects.toThrow(/inappropriate/)
    expect(await client.sendMessage(message([textPart("fine")]))).toBeDefined()
  })
})
