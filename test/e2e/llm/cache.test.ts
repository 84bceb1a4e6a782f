/** Answers that are given again: to whom, for how long, and which never. */
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import * as net from "node:net"
import * as Redacted from "effect/Redacted"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Call, type Scripted, sendEvents, sendJson, startProvider } from "./provider.ts"

let upstream: Scripted
let place: Place | undefined

const answered = (text: string) => ({
  id: "c",
  object: "chat.completion",
  model: "served",
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
})

const chunk = (text: string, finish: string | null = null) => ({
  data: { id: "c", model: "served", choices: [{ index: 0, delta: { content: text }, finish_reason: finish }] },
})

/** Says how often it was asked. */
const numbered: Scripted["answer"] = (call, response) => {
  if (call.path.endsWith("/embeddings")) return embedding(call, response)
  const text = `answer ${upstream.calls.filter(({ path }) => !path.endsWith("/embeddings")).length}`
  if (call.json.stream !== true) return sendJson(response, 200, answered(text))
  sendEvents(response, [chunk(text), chunk("", "stop"), { data: "[DONE]" }])
}

/** Two questions mean the same where they begin with the same letter; the second number tells how nearly. */
const embedding: Scripted["answer"] = (call, response) => {
  const text: string = call.json.input
  const vector = Array.from({ length: 26 }, (_, i) => (text.toLowerCase().charCodeAt(0) - 97 === i ? 1 : 0))
  sendJson(response, 200, { data: [{ embedding: [...vector, text.length / 1000] }] })
}

beforeAll(async () => {
  upstream = await startProvider(numbered)
})
afterEach(async () => {
  await place?.close()
  place = undefined
  upstream.calls.length = 0
  upstream.answer = numbered
})
afterAll(() => upstream.close())

const start = async (policy: string, more = "", options: Parameters<typeof startPlace>[1] = {}): Promise<Place> =>
  (place = await startPlace(
    `
${more}
llm:
  port: 1
  policies:
    apiKey: { keys: [{ key: ann }, { key: bob }], mode: optional }
    ${policy}
  models:
  - {name: "*", provider: {custom: {formats: [{type: completions}, {type: messages}, {type: embeddings}]}}, params: {baseUrl: "http://127.0.0.1:${upstream.port}/v1"}}
`,
    options,
  ))

interface Answer {
  readonly text: string
  readonly status: number
  readonly cache: string | null
  readonly reply: Response
}

const ask = async (
  content: string,
  {
    headers = {},
    key,
    path = "/v1/chat/completions",
    ...body
  }: Record<string, unknown> & {
    readonly headers?: Record<string, string>
    readonly key?: string
    readonly path?: string
  } = {},
): Promise<Answer> => {
  const reply = await fetch(`${place?.url}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...headers,
    },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content }], ...body }),
  })
  return { text: await reply.text(), status: reply.status, cache: reply.headers.get("x-sluice-cache"), reply }
}

/** Asks until the answer is as it must become. */
const eventually = async (asking: () => Promise<Answer>, isSo: (answer: Answer) => boolean): Promise<Answer> => {
  for (let i = 0; i < 200; i++) {
    const answer = await asking()
    if (isSo(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error("it never became so")
}

const accountOf = (i: number) => place?.gateway.told.exchanges[i]?.exchange.notes?.llm

describe("a cache of replies", () => {
  it("gives the same answer to the same question, for nothing", async () => {
    await start("responseCache: {}")
    const first = await ask("hello", { key: "ann" })
    const second = await ask("hello", { key: "ann" })
    expect(first.cache).toBe("miss")
    expect(second.cache).toBe("hit")
    expect(second.text).toBe(first.text)
    expect(second.reply.headers.get("x-sluice-provider")).toBe(first.reply.headers.get("x-sluice-provider"))
    expect(Number(second.reply.headers.get("age"))).toBeGreaterThanOrEqual(0)
    expect(upstream.calls.length).toBe(1)
    await until("both were told", () => place?.gateway.told.exchanges.length === 2)
    expect(accountOf(0)?.usage?.inputTokens).toBe(10)
    expect(accountOf(1)?.usage).toBeUndefined()
    expect(accountOf(1)?.cost?.total).toBe(0)
    expect(accountOf(1)?.cached).toBe("hit")
    // Anything else is another question.
    expect((await ask("hello", { key: "ann", temperature: 1 })).cache).toBe("miss")
    expect((await ask("hello", { key: "ann", model: "n" })).cache).toBe("miss")
  })

  it("keeps callers apart unless they are told to share", async () => {
    await start("responseCache: {}")
    await ask("hello", { key: "ann" })
    expect((await ask("hello", { key: "bob" })).cache).toBe("miss")
    expect((await ask("hello")).cache).toBe("miss")
    expect((await ask("hello", { headers: { "x-api-key": "own" } })).cache).toBe("miss")
    expect((await ask("hello", { key: "bob" })).cache).toBe("hit")
    await place?.close()
    await start(`responseCache: { key: 'request.headers["x-team"]' }`)
    await ask("hello", { key: "ann", headers: { "x-team": "red" } })
    expect((await ask("hello", { key: "bob", headers: { "x-team": "red" } })).cache).toBe("hit")
    expect((await ask("hello", { key: "bob", headers: { "x-team": "blue" } })).cache).toBe("miss")
    expect((await ask("hello", { key: "bob" })).cache).toBe("bypass")
  })

  it("gives streams again, to whoever asks for streams", async () => {
    await start("responseCache: { cadence: recorded }")
    const first = await ask("hello", { stream: true })
    const second = await ask("hello", { stream: true })
    expect(second.cache).toBe("hit")
    expect(second.text).toBe(first.text)
    expect(second.reply.headers.get("content-type")).toBe("text/event-stream")
    expect((await ask("hello")).cache).toBe("miss")
  })

  it("never keeps an error, or a stream that was not finished", async () => {
    await start("responseCache: {}")
    upstream.answer = (_call, response) => sendJson(response, 429, { error: { message: "slow down" } })
    expect((await ask("one")).status).toBe(429)
    upstream.answer = (_call, response) => sendJson(response, 200, { error: { message: "in disguise" } })
    await ask("two")
    upstream.answer = (_call, response) => sendEvents(response, [chunk("a"), { data: { error: { message: "no" } } }])
    await ask("three", { stream: true })
    upstream.answer = (_call, response) => sendEvents(response, [chunk("a")])
    await ask("four", { stream: true })
    upstream.answer = (_call, response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "content-length": "10000" })
      response.write(`data: ${JSON.stringify(chunk("a").data)}\n\n`, () => response.destroy())
    }
    await ask("five", { stream: true })
    upstream.answer = numbered
    for (const question of ["one", "two"]) expect((await ask(question)).cache).toBe("miss")
    for (const question of ["three", "four", "five"]) {
      expect((await ask(question, { stream: true })).cache).toBe("miss")
    }
  })

  it("does as the client says", async () => {
    await start("responseCache: {}")
    await ask("hello", { headers: { "cache-control": "no-store" } })
    expect((await ask("hello")).cache).toBe("miss")
    const fresh = await ask("hello", { headers: { "cache-control": "no-cache" } })
    expect(fresh.cache).toBe("miss")
    expect((await ask("hello")).text).toBe(fresh.text)
  })

  it("forgets in time, and holds nothing that is too long", async () => {
    await start("responseCache: { ttl: 300ms, maxEntryBytes: 400 }")
    await ask("hello")
    await eventually(
      () => ask("hello"),
      ({ cache }) => cache === "miss",
    )
    upstream.answer = (_call, response) => sendJson(response, 200, answered("x".repeat(1000)))
    await ask("long")
    expect((await ask("long")).cache).toBe("miss")
  })

  it("asks budgets and limits for nothing when it knows the answer", async () => {
    await start(`budgets: [{ name: small, tokens: 20, window: 24h }]
    responseCache: {}`)
    await ask("hello", { max_tokens: 1 })
    expect((await ask("other", { max_tokens: 1 })).status).toBe(429)
    const again = await ask("hello", { max_tokens: 1 })
    expect([again.status, again.cache]).toEqual([200, "hit"])
  })

  it("is found by meaning too, among questions asked in the same surroundings", async () => {
    await start(`responseCache:
      semantic: { host: "127.0.0.1:${upstream.port}", model: e, threshold: 0.99 }`)
    const first = await ask("weather in Ulm?")
    const near = await ask("what is the weather in Ulm?")
    expect(near.cache).toBe("similar")
    expect(near.text).toBe(first.text)
    expect((await ask("time in Ulm?")).cache).toBe("miss")
    expect((await ask("weather?", { temperature: 0 })).cache).toBe("miss")
    expect((await ask("weather?", { key: "ann" })).cache).toBe("miss")
    // Whoever cannot be asked what it means is asked for nothing else.
    upstream.answer = (call, response) =>
      call.path.endsWith("/embeddings") ? sendJson(response, 500, {}) : numbered(call, response)
    expect((await ask("would it rain?")).cache).toBe("miss")
    expect((await ask("weather in Ulm?")).cache).toBe("hit")
  })
})

const hasRedis = spawnSync("redis-server", ["--version"], { stdio: "ignore" }).error === undefined
if (!hasRedis) console.warn("SKIPPED: no redis-server on this machine; replies in Redis are not tested")

describe.skipIf(!hasRedis)("a cache in Redis", () => {
  it("is one for all gateways, and its loss is no harm", async () => {
    const port = await new Promise<number>((resolve) => {
      const server = net.createServer().listen(0, "127.0.0.1", () => {
        const { port } = server.address() as net.AddressInfo
        server.close(() => resolve(port))
      })
    })
    const redis = spawn(
      "redis-server",
      ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      {
        stdio: ["ignore", "pipe", "ignore"],
      },
    )
    let out = ""
    redis.stdout.on("data", (text: Buffer) => (out += text.toString()))
    try {
      await until("Redis is there", () => out.includes("Ready to accept"))
      const url = `redis://127.0.0.1:${port}`
      const config = `config: { redis: { url: "${url}" } }`
      const options = { redisUrl: Redacted.make(url) }
      await start("responseCache: { store: redis }", config, options)
      const first = await ask("hello", { stream: true })
      expect(first.cache).toBe("miss")
      // It is written behind the reply, and a Redis that is too slow to answer is not waited for.
      const isKept = ({ cache }: Answer): boolean => cache === "hit"
      const second = await eventually(() => ask("hello", { stream: true }), isKept)
      expect(second.text).toMatch(/answer \d/)
      await place?.close()
      upstream.answer = (_call, response) => sendJson(response, 500, {})
      await start("responseCache: { store: redis }", config, options)
      const elsewhere = await eventually(() => ask("hello", { stream: true }), isKept)
      expect(elsewhere.text).toBe(second.text)
      upstream.answer = numbered
      redis.kill("SIGKILL")
      await once(redis, "exit")
      expect([(await ask("hello")).status, (await ask("hello")).status]).toEqual([200, 200])
    } finally {
      redis.kill("SIGKILL")
    }
  })
})

it("a call that knows nothing of caches says nothing of them", async () => {
  await start("cors: { allowOrigins: ['*'] }")
  expect((await ask("hello")).cache).toBeNull()
  const calls: ReadonlyArray<Call> = upstream.calls
  expect(calls.length).toBe(1)
})

describe("the same question, asked by several at once", () => {
  /** Answers of the provider that were begun and wait to go on. */
  const waiting: Array<{ readonly call: Call; readonly go: () => void; readonly isGone: () => boolean }> = []
  afterEach(() => void waiting.splice(0))
  const whenTold =
    (answer: Scripted["answer"]): Scripted["answer"] =>
    (call, response) => {
      let gone = false
      response.on("close", () => void (gone = !response.writableEnded))
      waiting.push({ call, go: () => void answer(call, response), isGone: () => gone })
    }
  /** All of them have been read by the gateway, as far as can be seen from here: they are among the open exchanges. */
  const open = (count: number): Promise<void> =>
    until("all are there", () => place?.gateway.gateway.open().exchanges === count && waiting.length > 0)

  it("is one call, whose answer everybody gets; each is told how it came by it", async () => {
    await start("responseCache: {}")
    upstream.answer = whenTold(numbered)
    const all = Array.from({ length: 5 }, () => ask("hello"))
    await open(5)
    waiting[0]?.go()
    const answers = await Promise.all(all)
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(answers.map(({ cache }) => cache).toSorted()).toEqual(["hit", "hit", "hit", "hit", "miss"])
    expect(upstream.calls.length).toBe(1)
    await until("all were told", () => place?.gateway.told.exchanges.length === 5)
    const costs = [0, 1, 2, 3, 4].map((i) => accountOf(i)?.usage?.inputTokens ?? 0)
    expect(costs.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 0, 10])
  })

  it("whoever asked first and leaves fails nobody: another asks in its place", async () => {
    await start("responseCache: {}")
    upstream.answer = whenTold(numbered)
    const leaving = new AbortController()
    const first = fetch(`${place?.url}/v1/chat/completions`, {
      method: "POST",
      signal: leaving.signal,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] }),
    }).catch(() => "left")
    await until("the first asks", () => waiting.length === 1)
    const others = Array.from({ length: 3 }, () => ask("hello"))
    await open(4)
    leaving.abort()
    expect(await first).toBe("left")
    await until("another asks", () => waiting.length === 2)
    expect(waiting[0]?.isGone()).toBe(true)
    waiting[1]?.go()
    const answers = await Promise.all(others)
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(upstream.calls.length).toBe(2)
  })

  it("a stream comes to all of them as it comes, and goes on when the first of them leaves", async () => {
    await start("responseCache: {}")
    let say: (text: string, finish?: string) => void = () => {}
    let isClosed = false
    upstream.answer = (_call, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.on("close", () => void (isClosed = true))
      say = (text, finish) => {
        response.write(`data: ${JSON.stringify(chunk(text, finish ?? null).data)}\n\n`)
        if (finish !== undefined) response.end("data: [DONE]\n\n")
      }
      say("one")
    }
    const listen = async () => {
      const leaving = new AbortController()
      const reply = await fetch(`${place?.url}/v1/chat/completions`, {
        method: "POST",
        signal: leaving.signal,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "m", stream: true, messages: [{ role: "user", content: "hello" }] }),
      })
      const reader = (reply.body as ReadableStream<Uint8Array>).getReader()
      let text = ""
      const until_ = async (words: string): Promise<string> => {
        while (!text.includes(words)) {
          const { done, value } = await reader.read()
          if (done) break
          text += Buffer.from(value).toString()
        }
        return text
      }
      return { cache: reply.headers.get("x-sluice-cache"), hears: until_, leave: () => leaving.abort() }
    }
    const first = await listen()
    await first.hears("one")
    const second = await listen()
    expect([first.cache, second.cache]).toEqual(["miss", "hit"])
    // What came before it came.
    await second.hears("one")
    say("two")
    await Promise.all([first.hears("two"), second.hears("two")])
    first.leave()
    await until("the first has left", () => place?.gateway.gateway.open().exchanges === 1)
    expect(isClosed).toBe(false)
    const third = await listen()
    say("three", "stop")
    expect(await second.hears("[DONE]")).toContain("three")
    expect(await third.hears("[DONE]")).toBe(await second.hears("[DONE]"))
    expect(upstream.calls.length).toBe(1)
    const later = await listen()
    expect([later.cache, await later.hears("[DONE]")]).toEqual(["hit", await second.hears("[DONE]")])
    expect(upstream.calls.length).toBe(1)
  })

  it("the provider is left when the last of them has left", async () => {
    await start("responseCache: {}")
    upstream.answer = whenTold(numbered)
    const leaving = new AbortController()
    const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] })
    const headers = { "content-type": "application/json" }
    const all = Array.from({ length: 3 }, () =>
      fetch(`${place?.url}/v1/chat/completions`, { method: "POST", signal: leaving.signal, headers, body }).catch(
        () => "",
      ),
    )
    await open(3)
    leaving.abort()
    await Promise.all(all)
    await until("nobody is asked any more", () => place?.gateway.gateway.open().exchanges === 0)
    await until("the provider was left", () => waiting.every(({ isGone }) => isGone()))
    upstream.answer = numbered
    expect((await ask("hello")).cache).toBe("miss")
  })

  it("an error is for whoever asked; the others ask themselves", async () => {
    await start("responseCache: {}")
    upstream.answer = whenTold((_call, response) => sendJson(response, 400, { error: { message: "no" } }))
    const all = Array.from({ length: 3 }, () => ask("hello"))
    await open(3)
    upstream.answer = numbered
    waiting[0]?.go()
    const answers = await Promise.all(all)
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 400])
  })
})
