/** OpenAI's own SDK through a gateway: the built-in provider, and endpoints that speak as OpenAI does. */
import OpenAI, { BadRequestError, RateLimitError } from "openai"
import { afterEach, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, sendEvents, sendJson, startProvider } from "./provider.ts"

const closing: Array<{ readonly close: () => Promise<unknown> }> = []
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close()
})

const place = async (text: string): Promise<Place> => {
  const made = await startPlace(text)
  closing.push(made)
  return made
}

const provider = async (answer: Scripted["answer"]): Promise<Scripted> => {
  const made = await startProvider(answer)
  closing.push(made)
  return made
}

const client = ({ url }: Place, headers: Record<string, string> = {}): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: "client-key", maxRetries: 0, defaultHeaders: headers })

const echoing = `llm: {port: 1, models: [{name: "*", provider: echo}]}`

const hello = { model: "any", messages: [{ role: "user" as const, content: "say hello to the world" }] }

describe("the built-in provider", () => {
  it("answers, and says what it used", async () => {
    const openai = client(await place(echoing))
    const { data, response } = await openai.chat.completions.create(hello).withResponse()
    expect(data.choices[0]?.message.content).toBe("say hello to the world")
    expect(data.model).toBe("any")
    expect(data.usage?.total_tokens).toBe((data.usage?.prompt_tokens ?? 0) + (data.usage?.completion_tokens ?? 0))
    expect(response.headers.get("x-sluice-provider")).toBe("llm:model:*:0")
    expect(response.headers.get("x-sluice-model")).toBe("any")
  })

  it("streams, with usage only for who asks", async () => {
    const made = await place(echoing)
    const openai = client(made)
    const read = async (options: object) => {
      const stream = await openai.chat.completions.create({ ...hello, stream: true, ...options })
      let text = ""
      let usage: unknown
      let empty = 0
      for await (const chunk of stream) {
        if (chunk.choices.length === 0) empty++
        text += chunk.choices[0]?.delta.content ?? ""
        usage = chunk.usage ?? usage
      }
      return { text, usage, empty }
    }
    expect(await read({})).toEqual({ text: "say hello to the world", usage: undefined, empty: 0 })
    expect(await read({ stream_options: { include_usage: true } })).toMatchObject({
      text: "say hello to the world",
      usage: { completion_tokens: 6 },
      empty: 1,
    })
    await until("both were told", () => made.gateway.told.exchanges.length === 2)
    for (const { exchange } of made.gateway.told.exchanges) {
      expect(exchange.notes?.llm).toMatchObject({
        provider: "echo",
        streaming: true,
        isEstimated: false,
        usage: { outputTokens: 6 },
      })
    }
  })

  it("calls tools by script, streamed or not, and in the demanded shape", async () => {
    const made = await place(echoing)
    const tools = [{ name: "weather", arguments: { city: "Zürich", days: 3 } }]
    const openai = client(made, {
      "x-echo": JSON.stringify({ tools: [{ name: "weather", arguments: '{"city":"Ulm"}' }] }),
    })
    const plain = await openai.chat.completions.create(hello)
    expect(plain.choices[0]?.finish_reason).toBe("tool_calls")
    const call = plain.choices[0]?.message.tool_calls?.[0]
    expect(call?.type === "function" && call.function).toEqual({ name: "weather", arguments: '{"city":"Ulm"}' })
    const streamed = await client(made, { "x-echo": JSON.stringify({ tools }).replace("ü", "\\u00fc") })
      .chat.completions.stream({ ...hello })
      .finalChatCompletion()
    const tool = streamed.choices[0]?.message.tool_calls?.[0]
    expect(JSON.parse((tool as { function: { arguments: string } }).function.arguments)).toEqual(tools[0]?.arguments)
    const shaped = await client(made).chat.completions.create({
      ...hello,
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "x",
          schema: { type: "object", properties: { a: { type: "string" }, n: { type: "integer" } } },
        },
      },
    })
    expect(JSON.parse(shaped.choices[0]?.message.content ?? "")).toEqual({ a: "echo", n: 0 })
  })

  it("fails by script", async () => {
    const made = await place(echoing)
    const failing = client(made, { "x-echo": JSON.stringify({ status: 429, message: "slow down", retryAfter: 7 }) })
    const error = await failing.chat.completions.create(hello).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(RateLimitError)
    expect((error as RateLimitError).headers?.get("retry-after")).toBe("7")
    const broken = client(made, { "x-echo": JSON.stringify({ breakAfter: 3 }) })
    const stream = await broken.chat.completions.create({ ...hello, stream: true })
    let text = ""
    const ended = await (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ""
    })().catch((error: unknown) => error)
    expect(text).toBe("say hello")
    expect(String(ended)).toContain("the provider broke off its reply")
    await until("it was told", () => made.gateway.told.exchanges.length === 2)
    expect(made.gateway.told.exchanges[1]?.exchange.notes?.llm).toMatchObject({
      isEstimated: true,
      usage: { outputTokens: 3 },
    })
  })

  it("embeds: the same words are the same vector", async () => {
    const openai = client(await place(echoing))
    const { data, usage } = await openai.embeddings.create({ model: "e", input: ["a b", "c", "a b"], dimensions: 16 })
    expect(data.map(({ embedding }) => embedding.length)).toEqual([16, 16, 16])
    expect(data[0]?.embedding).toEqual(data[2]?.embedding)
    expect(data[0]?.embedding).not.toEqual(data[1]?.embedding)
    expect(usage.prompt_tokens).toBe(3)
  })
})

const completion = (text: string, more: object = {}) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "gpt-x-2026",
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage: {
    prompt_tokens: 11,
    completion_tokens: 4,
    total_tokens: 15,
    prompt_tokens_details: { cached_tokens: 3 },
    completion_tokens_details: { reasoning_tokens: 1 },
  },
  ...more,
})

const custom = (port: number, more = "") => `
llm:
  port: 1
  models:
  - name: "*"
    provider: {custom: {providerOverride: mine, formats: [{type: completions}, {type: embeddings}]}}
    params: {baseUrl: "http://127.0.0.1:${port}/base/v1"${more}}
`

describe("an endpoint that speaks as OpenAI does", () => {
  it("gets the very bytes, and its own come back", async () => {
    const text =
      '{"id" : "x", "unknown": 12345678901234567890, "model":"m-1", "choices":[], "usage":{"prompt_tokens":2,"completion_tokens":1}}'
    const upstream = await provider((_call, response) => {
      response.writeHead(200, { "content-type": "application/json", "x-request-id": "r1" })
      response.end(text)
    })
    const made = await place(custom(upstream.port))
    const body = '{ "model": "m", "messages": [ ], "seed": 12345678901234567890, "é": "\\u00e9" }'
    const reply = await fetch(`${made.url}/v1/chat/completions`, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", authorization: "Bearer k" },
    })
    expect(await reply.text()).toBe(text)
    expect(reply.headers.get("x-request-id")).toBe("r1")
    const [call] = upstream.calls
    expect(call?.text).toBe(body)
    expect(call?.path).toBe("/base/v1/chat/completions")
    expect(call?.headers.authorization).toBe("Bearer k")
    expect(call?.headers.host).toBe(`127.0.0.1:${upstream.port}`)
    await until("it was told", () => made.gateway.told.exchanges.length === 1)
    expect(made.gateway.told.exchanges[0]?.exchange.notes?.llm).toMatchObject({
      requestModel: "m",
      responseModel: "m-1",
      provider: "mine",
      usage: { inputTokens: 2, outputTokens: 1 },
    })
  })

  it("is asked for another model where one is pinned; nothing else of the body changes", async () => {
    const upstream = await provider((_call, response) => sendJson(response, 200, completion("hi")))
    const openai = client(await place(custom(upstream.port, ", model: real-model")))
    expect((await openai.chat.completions.create({ ...hello, seed: 5 })).choices[0]?.message.content).toBe("hi")
    expect(upstream.calls[0]?.json).toEqual({ ...hello, model: "real-model", seed: 5 })
  })

  it("streams bytes as they are; the usage that only the gateway asked for stays inside", async () => {
    const chunk = (delta: object) => ({
      id: "c",
      object: "chat.completion.chunk",
      created: 1,
      model: "m",
      choices: [{ index: 0, delta }],
    })
    const upstream = await provider((_call, response) =>
      sendEvents(response, [
        { data: chunk({ role: "assistant" }) },
        { data: { ...chunk({ content: "hé" }), usage: null } },
        { data: chunk({ content: "llo" }) },
        { data: { ...chunk({}), choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } } },
        { data: "[DONE]" },
      ]),
    )
    const made = await place(custom(upstream.port))
    const stream = await client(made).chat.completions.create({ ...hello, stream: true })
    const seen: Array<unknown> = []
    for await (const one of stream) seen.push(one.choices[0]?.delta)
    expect(seen).toEqual([{ role: "assistant" }, { content: "hé" }, { content: "llo" }])
    expect(upstream.calls[0]?.json.stream_options).toEqual({ include_usage: true })
    await until("it was told", () => made.gateway.told.exchanges.length === 1)
    expect(made.gateway.told.exchanges[0]?.exchange.notes?.llm?.usage).toMatchObject({
      inputTokens: 5,
      outputTokens: 2,
    })
  })

  it("passes its errors on, and its refusals to embed", async () => {
    const upstream = await provider((_call, response) =>
      sendJson(response, 400, { error: { message: "no such thing", type: "invalid_request_error", code: "nope" } }),
    )
    const openai = client(await place(custom(upstream.port)))
    const error = await openai.chat.completions.create(hello).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error).toMatchObject({ code: "nope" })
    await expect(openai.embeddings.create({ model: "e", input: "x" })).rejects.toThrow(/no such thing/)
    expect(upstream.calls.map(({ path }) => path)).toEqual(["/base/v1/chat/completions", "/base/v1/embeddings"])
  })

  it("whatever is wrong with a request is said in OpenAI's words", async () => {
    const made = await place(custom(1))
    const said = async (path: string, body: string) => {
      const reply = await fetch(`${made.url}${path}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json" },
      })
      return [reply.status, (await reply.json()) as unknown]
    }
    expect(await said("/v1/chat/completions", "{oops")).toEqual([
      400,
      {
        error: {
          message: "the body of the request is not a JSON object",
          type: "invalid_request_error",
          param: null,
          code: "invalid_request_body",
        },
      },
    ])
    expect(await said("/v1/chat/completions", '{"messages":[]}')).toMatchObject([
      400,
      { error: { code: "missing_model" } },
    ])
    const [status, refused] = await said("/v1/chat/completions", '{"model":"m","messages":[]}')
    expect(status).toBe(503)
    expect(refused).toMatchObject({ error: { type: "service_unavailable_error" } })
  })
})
