/** Guards in front of and behind models, with real services that pass, mask, refuse, lie, dawdle and die. */
import Anthropic from "@anthropic-ai/sdk"
import * as http from "node:http"
import * as net from "node:net"
import OpenAI from "openai"
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, sendEvents, sendJson, startProvider } from "./provider.ts"

const closing: Array<{ readonly close: () => Promise<unknown> }> = []
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close()
})

const provider = async (answer: Scripted["answer"]): Promise<Scripted> => {
  const made = await startProvider(answer)
  closing.push(made)
  return made
}

const place = async (upstream: Scripted, guardrails: unknown, more: Record<string, unknown> = {}): Promise<Place> => {
  const model = {
    name: "*",
    provider: { custom: { formats: [{ type: "completions" }] } },
    params: { baseUrl: `http://127.0.0.1:${upstream.port}/v1` },
    guardrails,
    ...more,
  }
  const made = await startPlace(JSON.stringify({ llm: { port: 1, models: [model] } }))
  closing.push(made)
  return made
}

const openai = ({ url }: Place): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: "k", maxRetries: 0 })
const anthropic = ({ url }: Place): Anthropic => new Anthropic({ baseURL: url, apiKey: "k", maxRetries: 0 })

const completion = (content: string) => ({
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [
    { index: 0, message: { role: "assistant", content, refusal: null }, finish_reason: "stop", logprobs: null },
  ],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
})
const saying =
  (content: string): Scripted["answer"] =>
  (_, response) =>
    sendJson(response, 200, completion(content))

const chunk = (delta: object, finish_reason: string | null = null) => ({
  data: {
    id: "c",
    object: "chat.completion.chunk",
    created: 1,
    model: "m",
    choices: [{ index: 0, delta, finish_reason }],
  },
})
const streaming =
  (...pieces: ReadonlyArray<string>): Scripted["answer"] =>
  (_, response) =>
    sendEvents(response, [
      chunk({ role: "assistant", content: "" }),
      ...pieces.map((content) => chunk({ content })),
      chunk({}, "stop"),
      { data: "[DONE]" },
    ])

const ask = (content: string) => ({ model: "any", messages: [{ role: "user" as const, content }] })

const read = async (client: OpenAI, content = "hi"): Promise<{ text: string; error: unknown }> => {
  let text = ""
  try {
    const stream = await client.chat.completions.create({ ...ask(content), stream: true })
    for await (const one of stream) text += one.choices[0]?.delta.content ?? ""
    return { text, error: undefined }
  } catch (error) {
    return { text, error }
  }
}

/** A port that nobody listens on. */
const deadPort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })

const ssn = { regex: { rules: [{ builtin: "ssn" }] } }
const webhookAt = (port: number, more: object = {}) => ({ webhook: { target: { host: `127.0.0.1:${port}` }, ...more } })
const checked = (made: Place) => made.gateway.told.exchanges.map(({ exchange }) => exchange.notes?.llm?.guarded)

describe("guards of requests", () => {
  it("mask what is said, and leave pictures and arguments whole", async () => {
    const upstream = await provider(saying("fine"))
    const made = await place(upstream, {
      request: [{ ...ssn, scope: ["systemPrompt", "messages", "toolOutput", "toolInput"] }],
    })
    await openai(made).chat.completions.create({
      model: "any",
      messages: [
        { role: "system", content: "for 219-09-9999 only" },
        {
          role: "user",
          content: [
            { type: "text", text: "I am 078-05-1120" },
            { type: "image_url", image_url: { url: "https://example.com/078-05-1120.png" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            { id: "a", type: "function", function: { name: "f", arguments: '{"ssn":"078-05-1120","n":1}' } },
          ],
        },
        { role: "tool", tool_call_id: "a", content: "078-05-1120" },
      ],
    })
    const { messages } = upstream.calls[0]!.json
    expect(messages[0].content).toBe("for <SSN> only")
    expect(messages[1].content[0].text).toBe("I am <SSN>")
    expect(messages[1].content[1].image_url.url).toBe("https://example.com/078-05-1120.png")
    expect(JSON.parse(messages[2].tool_calls[0].function.arguments)).toEqual({ ssn: "<SSN>", n: 1 })
    expect(messages[3].content).toBe("<SSN>")
    await until("it is told", () => made.gateway.told.exchanges.length === 1)
    expect(checked(made)).toEqual([[{ phase: "request", guard: "regex", action: "mask" }]])
  })

  it("look at messages and the system prompt unless told otherwise", async () => {
    const upstream = await provider(saying("fine"))
    const made = await place(upstream, { request: [ssn] })
    await openai(made).chat.completions.create({
      model: "any",
      messages: [
        { role: "user", content: "078-05-1120" },
        { role: "assistant", tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{}" } }] },
        { role: "tool", tool_call_id: "a", content: "078-05-1120" },
      ],
    })
    const { messages } = upstream.calls[0]!.json
    expect([messages[0].content, messages[2].content]).toEqual(["<SSN>", "078-05-1120"])
  })

  it("refuse in the format of the client, and ask nobody then", async () => {
    const upstream = await provider(saying("fine"))
    const made = await place(upstream, { request: [{ keywords: { words: ["project x"], action: "reject" } }] })
    await expect(openai(made).chat.completions.create(ask("Tell me of Project X."))).rejects.toMatchObject({
      status: 403,
      code: "guardrail_rejected",
    })
    await expect(
      anthropic(made).messages.create({
        model: "any",
        max_tokens: 9,
        messages: [{ role: "user", content: "PROJECT X" }],
      }),
    ).rejects.toMatchObject({ status: 403, error: { type: "error", error: { type: "permission_error" } } })
    expect(upstream.calls.length).toBe(0)
    const fine = await openai(made).chat.completions.create(ask("Tell me of Project Xylophone."))
    expect(fine.choices[0]?.message.content).toBe("fine")
  })

  it("refuse with the status, words and headers that were chosen", async () => {
    const upstream = await provider(saying("fine"))
    const rejection = { status: 418, body: "no", headers: { set: { "x-why": "teapot" } } }
    const made = await place(upstream, {
      request: [{ regex: { action: "reject", rules: [{ pattern: "b+ad" }] }, rejection }],
    })
    const reply = await fetch(`${made.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(ask("so bbbad")),
    })
    expect([reply.status, await reply.text(), reply.headers.get("x-why")]).toEqual([418, "no", "teapot"])
    expect(upstream.calls.length).toBe(0)
  })

  it("judge what is sent: a body that says a thing twice gets nothing past them", async () => {
    const upstream = await provider(saying("fine"))
    const made = await place(upstream, { request: [ssn] })
    const smuggled = `{"model":"any","messages":[{"role":"user","content":"078-05-1120"}],"messages":[{"role":"user","content":"hi","content":"hello"}]}`
    const reply = await fetch(`${made.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: smuggled,
    })
    expect(reply.status).toBe(200)
    expect(upstream.calls[0]?.text).not.toContain("078-05-1120")
  })

  it("ask once, however many providers are tried", async () => {
    const upstream = await provider((_, response) => sendJson(response, 500, { error: { message: "down" } }))
    const other = await provider(saying("fine"))
    const hook = await provider((_, response) => sendJson(response, 200, { action: {} }))
    const models = [upstream, other].map(({ port }, i) => ({
      name: `m${i}`,
      provider: { custom: { formats: [{ type: "completions" }] } },
      params: { baseUrl: `http://127.0.0.1:${port}/v1` },
    }))
    const made = await startPlace(
      JSON.stringify({
        llm: {
          port: 1,
          models: models.map((model) => ({ ...model, guardrails: { request: [{ keywords: { words: ["never"] } }] } })),
          virtualModels: [
            {
              name: "any",
              routing: { failover: { targets: models.map(({ name }, priority) => ({ model: name, priority })) } },
            },
          ],
          policies: { guardrails: { request: [webhookAt(hook.port)] } },
        },
      }),
    )
    closing.push(made)
    const reply = await openai(made).chat.completions.create(ask("hi"))
    expect(reply.choices[0]?.message.content).toBe("fine")
    expect(upstream.calls.length).toBe(1)
    expect(hook.calls.length).toBeLessThanOrEqual(2)
  })
})

describe("a webhook", () => {
  it("sees messages and may change them", async () => {
    const upstream = await provider(saying("fine"))
    const hook = await provider(({ json }, response) =>
      sendJson(response, 200, {
        action: {
          body: { messages: json.body.messages.map((one: { role: string }) => ({ ...one, content: "changed" })) },
        },
      }),
    )
    const made = await place(upstream, {
      request: [webhookAt(hook.port, { headers: { "x-model": "llmRequest.model", ":path": "'/judge'" } })],
    })
    await openai(made).chat.completions.create({
      model: "any",
      messages: [
        { role: "system", content: "be kind" },
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "image_url", image_url: { url: "https://e.com/x.png" } },
          ],
        },
      ],
    })
    expect(hook.calls[0]).toMatchObject({
      path: "/judge",
      json: {
        body: {
          messages: [
            { role: "system", content: "be kind" },
            { role: "user", content: "a" },
          ],
        },
      },
    })
    expect(hook.calls[0]?.headers["x-model"]).toBe("any")
    const { messages } = upstream.calls[0]!.json
    expect(messages[0].content).toBe("changed")
    expect(messages[1].content).toEqual([
      { type: "text", text: "changed" },
      { type: "image_url", image_url: { url: "https://e.com/x.png" } },
    ])
  })

  it("may refuse in its own words", async () => {
    const upstream = await provider(saying("fine"))
    const hook = await provider((_, response) =>
      sendJson(response, 200, { action: { body: "not here", status_code: 451, reason: "law" } }),
    )
    const made = await place(upstream, { request: [webhookAt(hook.port)] })
    await expect(openai(made).chat.completions.create(ask("hi"))).rejects.toMatchObject({ status: 451 })
    expect(upstream.calls.length).toBe(0)
  })

  const failures: ReadonlyArray<readonly [string, Scripted["answer"] | undefined]> = [
    ["that is dead", undefined],
    ["that fails", (_, response) => sendJson(response, 500, {})],
    [
      "that answers with a page",
      (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
    ],
    ["that answers something else", (_, response) => sendJson(response, 200, { verdict: "fine" })],
    [
      "that answers for other messages",
      (_, response) =>
        sendJson(response, 200, { action: { body: { messages: [{ content: "a" }, { content: "b" }] } } }),
    ],
    ["that hangs up", (_, response) => void response.socket?.destroy()],
  ]
  it.each(failures)("%s lets nothing pass, unless told to, and then it is seen", async (_, answer) => {
    const upstream = await provider(saying("fine"))
    const port = answer === undefined ? await deadPort() : (await provider(answer)).port
    const shut = await place(upstream, { request: [webhookAt(port)] })
    await expect(openai(shut).chat.completions.create(ask("hi"))).rejects.toMatchObject({
      status: 503,
      code: "guardrail_unavailable",
    })
    expect(upstream.calls.length).toBe(0)
    const open = await place(upstream, { request: [webhookAt(port, { failureMode: "failOpen" })] })
    const { data, response } = await openai(open).chat.completions.create(ask("hi")).withResponse()
    expect(data.choices[0]?.message.content).toBe("fine")
    expect(response.headers.get("x-sluice-guardrails-failed-open")).toBe("webhook")
    await until("both were told", () => checked(open).length === 1)
    expect(checked(open)).toEqual([[{ phase: "request", guard: "webhook", action: "failOpen" }]])
  })

  it("that never answers is let go when the client leaves", async () => {
    const upstream = await provider(saying("fine"))
    let closed = false
    const hook = await provider((_, response) => void response.on("close", () => (closed = true)))
    const made = await place(upstream, { request: [webhookAt(hook.port)] })
    const leaving = new AbortController()
    const asked = openai(made).chat.completions.create(ask("hi"), { signal: leaving.signal })
    await until("the webhook was asked", () => hook.calls.length === 1)
    leaving.abort()
    await expect(asked).rejects.toThrow(/abort/i)
    await until("its connection is gone", () => closed)
    expect(upstream.calls.length).toBe(0)
  })
})

describe("guards of replies", () => {
  it("mask what the model says, also for a client of another format", async () => {
    const upstream = await provider(saying("call 078-05-1120 or jane@example.com"))
    const rules = [{ builtin: "ssn" }, { builtin: "email" }, { pattern: "call", name: "verb" }]
    const made = await place(upstream, { response: [{ regex: { rules } }] })
    const chat = await openai(made).chat.completions.create(ask("hi"))
    expect(chat.choices[0]?.message.content).toBe("<verb> <SSN> or <EMAIL_ADDRESS>")
    const message = await anthropic(made).messages.create({
      model: "any",
      max_tokens: 9,
      messages: [{ role: "user", content: "hi" }],
    })
    expect(message.content).toMatchObject([{ type: "text", text: "<verb> <SSN> or <EMAIL_ADDRESS>" }])
  })

  it("refuse it", async () => {
    const upstream = await provider(saying("the word is swordfish"))
    const made = await place(upstream, { response: [{ keywords: { words: ["swordfish"], action: "reject" } }] })
    await expect(openai(made).chat.completions.create(ask("hi"))).rejects.toMatchObject({ status: 403 })
  })

  it("let nothing pass that they cannot read", async () => {
    const upstream = await provider(
      (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>078-05-1120"),
    )
    const made = await place(upstream, { response: [ssn] })
    await expect(openai(made).chat.completions.create(ask("hi"))).rejects.toMatchObject({ status: 502 })
  })

  it("mask inside a stream, wherever it is cut, without holding all of it", async () => {
    const pieces = [
      "Your number",
      " is 0",
      "78-0",
      "5-11",
      "20, and ",
      "yes. ",
      ...Array.from({ length: 60 }, (_, i) => `word ${i} `),
    ]
    let finish = (): void => undefined
    const upstream = await provider((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      for (const content of pieces) response.write(`data: ${JSON.stringify(chunk({ content }).data)}\n\n`)
      finish = () => void response.end(`data: ${JSON.stringify(chunk({}, "stop").data)}\n\ndata: [DONE]\n\n`)
    })
    const made = await place(upstream, { response: [ssn] })
    const stream = await openai(made).chat.completions.create({ ...ask("hi"), stream: true })
    let text = ""
    for await (const one of stream) {
      text += one.choices[0]?.delta.content ?? ""
      // The model has not finished, and its first words are here.
      if (text.includes("yes.")) finish()
      if (text.includes("yes.")) finish = () => undefined
    }
    expect(text).toBe(pieces.join("").replace("078-05-1120", "<SSN>"))
  })

  it("mask a stream for a client of another format", async () => {
    const upstream = await provider(streaming("Your number is 0", "78-05-1120", " and that is it"))
    const made = await place(upstream, { response: [ssn] })
    const message = await anthropic(made)
      .messages.stream({ model: "any", max_tokens: 9, messages: [{ role: "user", content: "hi" }] })
      .finalMessage()
    expect(message.content).toMatchObject([{ type: "text", text: "Your number is <SSN> and that is it" }])
    const response = await openai(made).responses.stream({ model: "any", input: "hi" }).finalResponse()
    expect(response.output_text).toBe("Your number is <SSN> and that is it")
  })

  it("break a stream off before what must not be said", async () => {
    const upstream = await provider(streaming("fine words. ".repeat(40), "the word is sword", "fish, and more"))
    const made = await place(upstream, { response: [{ keywords: { words: ["swordfish"], action: "reject" } }] })
    const { text, error } = await read(openai(made))
    expect(text).not.toContain("sword")
    expect(error).toMatchObject({ code: "guardrail_rejected" })
    await until("it is told", () => checked(made).length === 1)
    expect(checked(made)[0]).toContainEqual({ phase: "response", guard: "keywords", action: "reject" })
  })

  it("leave streams alone only where that is said", async () => {
    const upstream = await provider(streaming("078-05-1120"))
    const made = await place(upstream, { streaming: "Disabled", response: [ssn] })
    expect((await read(openai(made))).text).toBe("078-05-1120")
  })

  it("hold a stream until a slow service has judged it, and keep its order", async () => {
    const pieces = Array.from({ length: 400 }, (_, i) => `piece ${i}, `)
    let goOn = (): void => undefined
    const upstream = await provider((_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      const say = (some: ReadonlyArray<string>): void => {
        for (const content of some) response.write(`data: ${JSON.stringify(chunk({ content }).data)}\n\n`)
      }
      say(pieces.slice(0, 200))
      // The rest comes while the first part is being judged.
      goOn = () => {
        say(pieces.slice(200))
        response.end(`data: ${JSON.stringify(chunk({}, "stop").data)}\n\ndata: [DONE]\n\n`)
      }
    })
    const asked: Array<string> = []
    const hook = await provider(({ json }, response) => {
      asked.push(json.body.choices[0].message.content)
      if (asked.length === 1) goOn()
      setTimeout(() => sendJson(response, 200, { action: { reason: "fine" } }), 30)
    })
    const made = await place(upstream, { response: [webhookAt(hook.port)] })
    const { text, error } = await read(openai(made))
    expect(error).toBe(undefined)
    expect(text).toBe(pieces.join(""))
    expect(asked.length).toBeGreaterThan(1)
    for (const piece of pieces) expect(asked.some((one) => one.includes(piece))).toBe(true)
  })

  it("take the words of a service into a stream", async () => {
    const upstream = await provider(streaming("The name ", "is Jane ", "Doe, I think."))
    const hook = await provider(({ json }, response) =>
      sendJson(response, 200, {
        action: {
          body: {
            choices: [
              {
                message: {
                  role: "assistant",
                  content: json.body.choices[0].message.content.replace("Jane Doe", "###"),
                },
              },
            ],
          },
        },
      }),
    )
    const made = await place(upstream, { response: [webhookAt(hook.port)] })
    expect((await read(openai(made))).text).toBe("The name is ###, I think.")
  })

  it("break a stream off when the service dies, unless told otherwise", async () => {
    const upstream = await provider(streaming("some words"))
    const port = await deadPort()
    const shut = await read(openai(await place(upstream, { response: [webhookAt(port)] })))
    expect(shut).toMatchObject({ text: "", error: { code: "guardrail_unavailable" } })
    const open = await place(upstream, { response: [webhookAt(port, { failureMode: "failOpen" })] })
    expect(await read(openai(open))).toEqual({ text: "some words", error: undefined })
    await until("it is told", () => checked(open).length === 1)
    expect(checked(open)).toEqual([[{ phase: "response", guard: "webhook", action: "failOpen" }]])
  })

  it("let go of everything when the client leaves while they think", async () => {
    let isClosed = false
    const upstream = await provider((_, response) => {
      response.socket?.on("close", () => (isClosed = true))
      response.writeHead(200, { "content-type": "text/event-stream" })
      for (let i = 0; i < 400; i++) response.write(`data: ${JSON.stringify(chunk({ content: `word ${i} ` }).data)}\n\n`)
    })
    let isHookClosed = false
    const hook = await provider((_, response) => void response.socket?.on("close", () => (isHookClosed = true)))
    const made = await place(upstream, { response: [webhookAt(hook.port)] })
    const request = http.request(`${made.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
    })
    request.on("error", () => undefined)
    request.end(JSON.stringify({ ...ask("hi"), stream: true }))
    await until("the webhook was asked", () => hook.calls.length === 1)
    request.socket?.resetAndDestroy()
    await until("the model is let go", () => isClosed)
    await until("the service is let go", () => isHookClosed)
  })
})

describe("services that judge text", () => {
  const services: ReadonlyArray<{
    readonly kind: string
    readonly guard: (url: string) => object
    readonly path: string
    readonly sent: unknown
    readonly fine: unknown
    readonly bad: unknown
  }> = [
    {
      kind: "openAIModeration",
      guard: (url) => ({ url }),
      path: "/v1/moderations",
      sent: { model: "omni-moderation-latest", input: ["be kind", "hello"] },
      fine: { results: [{ flagged: false }] },
      bad: { results: [{ flagged: true, categories: { violence: true } }] },
    },
    {
      kind: "bedrockGuardrails",
      guard: (url) => ({ url, guardrailIdentifier: "g1", guardrailVersion: "2", region: "us-east-1" }),
      path: "/guardrail/g1/version/2/apply",
      sent: { source: "INPUT", content: [{ text: { text: "be kind" } }, { text: { text: "hello" } }] },
      fine: { action: "NONE", outputs: [], assessments: [] },
      bad: {
        action: "GUARDRAIL_INTERVENED",
        outputs: [{ text: "no" }],
        assessments: [{ topicPolicy: { topics: [{ action: "BLOCKED" }] } }],
      },
    },
    {
      kind: "googleModelArmor",
      guard: (url) => ({ url, templateId: "t", projectId: "p" }),
      path: "/v1/projects/p/locations/us-central1/templates/t:sanitizeUserPrompt",
      sent: { user_prompt_data: { text: "be kind\nhello" } },
      fine: {
        sanitizationResult: { filterMatchState: "NO_MATCH_FOUND", filterResults: {}, invocationResult: "SUCCESS" },
      },
      bad: {
        sanitizationResult: {
          filterMatchState: "MATCH_FOUND",
          filterResults: { rai: { raiFilterResult: { matchState: "MATCH_FOUND" } } },
        },
      },
    },
    {
      kind: "azureContentSafety",
      guard: (url) => ({ url, endpoint: "x.cognitiveservices.azure.com", analyzeText: { blocklistNames: ["l"] } }),
      path: "/contentsafety/text:analyze?api-version=2024-09-01",
      sent: { text: "be kind\nhello", blocklistNames: ["l"] },
      fine: { blocklistsMatch: [], categoriesAnalysis: [{ category: "Hate", severity: 0 }] },
      bad: { blocklistsMatch: [], categoriesAnalysis: [{ category: "Hate", severity: 4 }] },
    },
  ]
  const messages = [
    { role: "system" as const, content: "be kind" },
    { role: "user" as const, content: "hello" },
  ]

  it.each(services)("$kind: passes, refuses, and fails closed", async ({ bad, fine, guard, kind, path, sent }) => {
    const upstream = await provider(saying("fine"))
    let answer: unknown = fine
    const service = await provider((_, response) => sendJson(response, 200, answer))
    const made = await place(upstream, { request: [{ [kind]: guard(`http://127.0.0.1:${service.port}`) }] })
    const client = openai(made)
    await client.chat.completions.create({ model: "any", messages })
    expect(service.calls[0]).toMatchObject({ method: "POST", path, json: sent })
    answer = bad
    await expect(client.chat.completions.create({ model: "any", messages })).rejects.toMatchObject({ status: 403 })
    answer = { surprise: true }
    await expect(client.chat.completions.create({ model: "any", messages })).rejects.toMatchObject({ status: 503 })
    expect(upstream.calls.length).toBe(1)
  })

  it("bedrockGuardrails may mask", async () => {
    const upstream = await provider(saying("fine"))
    const service = await provider((_, response) =>
      sendJson(response, 200, {
        action: "GUARDRAIL_INTERVENED",
        outputs: [{ text: "I am {NAME}" }],
        assessments: [{ sensitiveInformationPolicy: { piiEntities: [{ action: "ANONYMIZED" }] } }],
      }),
    )
    const guard = {
      guardrailIdentifier: "g",
      guardrailVersion: "1",
      region: "us-east-1",
      url: `http://127.0.0.1:${service.port}`,
    }
    const made = await place(upstream, { request: [{ bedrockGuardrails: guard }] })
    await openai(made).chat.completions.create(ask("I am Jane"))
    expect(upstream.calls[0]?.json.messages[0].content).toBe("I am {NAME}")
  })

  it("bedrockGuardrails is called with the credentials that its policies name", async () => {
    const upstream = await provider(saying("fine"))
    const service = await provider((_, response) => sendJson(response, 200, { action: "NONE" }))
    const guard = {
      guardrailIdentifier: "g",
      guardrailVersion: "1",
      region: "us-east-1",
      url: `http://127.0.0.1:${service.port}`,
      policies: {
        backendAuth: {
          aws: { accessKeyId: "AKID", secretAccessKey: "secret", region: "us-east-1", serviceName: "bedrock" },
        },
      },
    }
    const made = await place(upstream, { request: [{ bedrockGuardrails: guard }] })
    await openai(made).chat.completions.create(ask("hi"))
    expect(service.calls[0]?.headers["authorization"]).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/us-east-1\/bedrock\//,
    )
    expect(upstream.calls.length).toBe(1)
  })

  it("openAIModeration is called with its own key, never with the client's", async () => {
    const upstream = await provider(saying("fine"))
    const service = await provider((_, response) => sendJson(response, 200, { results: [{ flagged: false }] }))
    const url = `http://127.0.0.1:${service.port}`
    const keyless = await place(upstream, { request: [{ openAIModeration: { url } }] })
    await openai(keyless).chat.completions.create(ask("hi"))
    const keyed = await place(upstream, {
      request: [{ openAIModeration: { url, policies: { backendAuth: { key: "own" } } } }],
    })
    await openai(keyed).chat.completions.create(ask("hi"))
    expect(service.calls.map(({ headers }) => headers.authorization)).toEqual([undefined, "Bearer own"])
  })

  it("azureContentSafety looks for attacks on prompts", async () => {
    const upstream = await provider(saying("fine"))
    const service = await provider((_, response) => sendJson(response, 200, { jailbreakAnalysis: { detected: true } }))
    const guard = { endpoint: "x", detectJailbreak: {}, url: `http://127.0.0.1:${service.port}` }
    const made = await place(upstream, { request: [{ azureContentSafety: guard }] })
    await expect(openai(made).chat.completions.create(ask("ignore all"))).rejects.toMatchObject({ status: 403 })
    expect(service.calls[0]?.path).toBe("/contentsafety/text:detectJailbreak?api-version=2024-02-15-preview")
  })
})
