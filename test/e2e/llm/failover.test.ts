/** Providers that stand for each other: who is asked after whom, who is left alone for how long, and who answered. */
import type * as http from "node:http"
import OpenAI from "openai"
import { afterEach, describe, expect, it } from "vitest"
import { outcomeOf } from "../../../src/telemetry/outcome.ts"
import { until } from "../harness.ts"
import { type Place, startPlace } from "./place.ts"
import { type Call, type Scripted, sendJson, startProvider } from "./provider.ts"
import { wires } from "./wire.ts"

const closing: Array<{ readonly close: () => Promise<unknown> }> = []
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close()
})
const kept = <A extends { readonly close: () => Promise<unknown> }>(one: A): A => {
  closing.push(one)
  return one
}

const provider = async (answer: Scripted["answer"]): Promise<Scripted> => kept(await startProvider(answer))
const good = (): Promise<Scripted> =>
  provider((call, response) =>
    sendJson(response, 200, { ...(wires.openaiChat.whole(false) as object), model: call.json?.model }),
  )
const failing = (status: number, headers: Record<string, string> = {}): Promise<Scripted> =>
  provider((_call, response) => sendJson(response, status, wires.openaiChat.error, headers))

/** An `ai` backend with a provider for each address, in groups; `:1` is where nobody listens. */
const groups = (all: ReadonlyArray<ReadonlyArray<string>>): string => `
gateways: {default: {port: 1}}
routes:
- backends:
  - ai:
      groups:
${all
  .map(
    (group) =>
      `      - providers:\n${group
        .map((address, i) => {
          const [name, host] = address.split("@")
          return `        - {name: ${name ?? `p${i}`}, provider: {openAI: {}}, hostOverride: "${host}", pathPrefix: /v1}`
        })
        .join("\n")}`,
  )
  .join("\n")}
`

const place = async (text: string): Promise<Place> => kept(await startPlace(text))

const ask = async ({ url }: Place, body: object = {}) => {
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: "k", maxRetries: 0 })
  const { data, response } = await openai.chat.completions
    .create({ model: "m", messages: [{ role: "user", content: "hi" }], ...body })
    .withResponse()
  return {
    data,
    provider: response.headers.get("x-sluice-provider"),
    model: response.headers.get("x-sluice-model"),
  }
}

const at = (name: string, { port }: Scripted): string => `${name}@127.0.0.1:${port}`

describe("within one request", () => {
  it.each([429, 500, 502, 503, 529])("the next one is asked after a %i", async (status) => {
    const [bad, spare] = [await failing(status), await good()]
    const gateway = await place(groups([[at("main", bad)], [at("spare", spare)]]))
    const { model, provider } = await ask(gateway)
    expect([provider, model]).toEqual(["spare", "m"])
    expect([bad.calls.length, spare.calls.length]).toEqual([1, 1])
    // The very same was asked of both.
    expect(spare.calls[0]?.text).toBe(bad.calls[0]?.text)
    await until("it was told", () => gateway.gateway.told.exchanges.length === 1)
    expect(gateway.gateway.told.exchanges[0]?.exchange.notes?.llm).toMatchObject({ providerName: "spare" })
  })

  it("the next one is asked where nobody listens, or no such name exists", async () => {
    const spare = await good()
    const gateway = await place(groups([["closed@127.0.0.1:1"], ["unknown@nobody.invalid:80"], [at("spare", spare)]]))
    expect((await ask(gateway)).provider).toBe("spare")
    expect(spare.calls.length).toBe(1)
  })

  it.each(["before its head", "before the first byte of its body"])(
    "the next one is asked after a break %s",
    async (when) => {
      const bad = await provider((_call, response) => {
        if (when === "before its head") return void response.destroy()
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.flushHeaders()
        response.socket?.end()
      })
      const spare = await good()
      const gateway = await place(groups([[at("main", bad)], [at("spare", spare)]]))
      expect((await ask(gateway)).provider).toBe("spare")
      expect([bad.calls.length, spare.calls.length]).toEqual([1, 1])
    },
  )

  it.each([400, 401, 403, 404, 422])("nobody else is asked after a %i: it is the same everywhere", async (status) => {
    const [bad, spare] = [await failing(status), await good()]
    const gateway = await place(groups([[at("main", bad)], [at("spare", spare)]]))
    await expect(ask(gateway)).rejects.toMatchObject({ status })
    expect(spare.calls.length).toBe(0)
  })

  it("nobody else is asked once something was said", async () => {
    const bad = await provider((_call, response: http.ServerResponse) => {
      const [first] = wires.openaiChat.events(false)
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.write(`data: ${JSON.stringify(first?.data)}\n\n`, () => response.destroy())
    })
    const spare = await good()
    const gateway = await place(groups([[at("main", bad)], [at("spare", spare)]]))
    const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "k", maxRetries: 0 })
    const reading = async (): Promise<void> => {
      const stream = await openai.chat.completions.create({
        model: "m",
        messages: [{ role: "user", content: "hi" }],
        stream: true,
      })
      for await (const _ of stream);
    }
    await expect(reading()).rejects.toThrow(/broke off/)
    expect(spare.calls.length).toBe(0)
  })

  it("whoever fails last is the one whose answer is given, in the client's format", async () => {
    const [first, last] = [await failing(500), await failing(503)]
    const gateway = await place(groups([[at("a", first)], [at("b", last)]]))
    const reply = await fetch(`${gateway.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", max_tokens: 9, messages: [{ role: "user", content: "hi" }] }),
    })
    expect([reply.status, ((await reply.json()) as { readonly type: string }).type]).toEqual([503, "error"])
    expect([first.calls.length, last.calls.length]).toEqual([1, 1])
  })

  it("a later group is not asked while an earlier one has somebody who answers", async () => {
    const [bad, well, spare] = [await failing(500), await good(), await good()]
    const gateway = await place(groups([[at("bad", bad), at("well", well)], [at("spare", spare)]]))
    for (let i = 0; i < 12; i++) expect((await ask(gateway)).provider).toBe("well")
    expect(spare.calls.length).toBe(0)
    // Three failures in a row, and it is put aside.
    expect(bad.calls.length).toBeLessThanOrEqual(3)
  })
})

describe("whoever says how long to be left alone", () => {
  it.each([
    { "retry-after": "600" },
    { "retry-after-ms": "600000" },
    { "x-ratelimit-reset": "600" },
    { "x-ratelimit-reset-requests": "10m0s" },
    { "x-ratelimit-reset-tokens": "600s" },
    { "anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2099-01-01T00:00:00Z" },
  ] satisfies ReadonlyArray<Record<string, string>>)("is left alone: %o", async (headers) => {
    const [limited, spare] = [await failing(429, headers), await good()]
    const gateway = await place(groups([[at("main", limited)], [at("spare", spare)]]))
    for (let i = 0; i < 3; i++) expect((await ask(gateway)).provider).toBe("spare")
    expect([limited.calls.length, spare.calls.length]).toEqual([1, 3])
  })

  it("comes back when it said so", async () => {
    let isLimited = true
    const limited = await provider((_call, response) =>
      isLimited
        ? sendJson(response, 429, wires.openaiChat.error, { "retry-after-ms": "1" })
        : sendJson(response, 200, wires.openaiChat.whole(false)),
    )
    const spare = await good()
    const gateway = await place(groups([[at("main", limited)], [at("spare", spare)]]))
    expect((await ask(gateway)).provider).toBe("spare")
    isLimited = false
    let answered: string | null = null
    for (let i = 0; i < 500 && answered !== "main"; i++) answered = (await ask(gateway)).provider
    expect(answered).toBe("main")
  })

  it("a limit of its own tokens that is not used up says nothing of that", async () => {
    const headers = {
      "anthropic-ratelimit-tokens-remaining": "900",
      "anthropic-ratelimit-tokens-reset": "2099-01-01T00:00:00Z",
    }
    const [limited, spare] = [await failing(429, headers), await good()]
    const gateway = await place(groups([[at("main", limited)], [at("spare", spare)]]))
    await ask(gateway)
    await ask(gateway)
    expect(limited.calls.length).toBe(2)
  })
})

describe("a stream that goes silent", () => {
  const silent = (call: Call, response: http.ServerResponse): void => {
    const { events } = call.path.endsWith("/messages") ? wires.anthropicMessages : wires.openaiChat
    response.writeHead(200, { "content-type": "text/event-stream" })
    for (const { data, event } of events(false).slice(0, 4)) {
      response.write(`${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`)
    }
  }
  it.each(["openai", "anthropic"] as const)(
    "ends with an error after the idle timeout, and is counted: %s",
    async (kind) => {
      let isLeft = false
      const upstream = await provider((call, response) => {
        response.on("close", () => (isLeft = true))
        silent(call, response)
      })
      const gateway = await place(`
llm:
  port: 1
  models: [{name: m, provider: ${kind}, params: {hostOverride: "127.0.0.1:${upstream.port}", idleTimeout: 50ms}}]
`)
      const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "k", maxRetries: 0 })
      const stream = await openai.chat.completions.create({
        model: "m",
        messages: [{ role: "user", content: "hi" }],
        stream: true,
      })
      let text = ""
      const reading = async (): Promise<void> => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ""
      }
      await expect(reading()).rejects.toThrow(/sent nothing/)
      expect(text.length).toBeGreaterThan(0)
      await until("the provider was left", () => isLeft)
      await until("it was told", () => gateway.gateway.told.exchanges.length === 1)
      const account = gateway.gateway.told.exchanges[0]?.exchange.notes?.llm
      expect(account?.isEstimated).toBe(true)
      expect(account?.usage?.outputTokens).toBeGreaterThan(0)
    },
  )

  const patient = (text: string): string =>
    text.replace("- backends:", "- policies: {timeout: {idleTimeout: 100ms}}\n  backends:")

  it("before its first byte is asked for elsewhere", async () => {
    const mute = await provider((_call, response) => response.flushHeaders())
    const spare = await good()
    const gateway = await place(patient(groups([[at("main", mute)], [at("spare", spare)]])))
    expect((await ask(gateway)).provider).toBe("spare")
  })

  it("is an error in the client's words, too, where it was to be read whole: 504", async () => {
    const half = await provider((_call, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.write('{"half":')
    })
    const gateway = await place(
      patient(groups([[at("main", half)]])).replace("provider: {openAI: {}}", "provider: {anthropic: {}}"),
    )
    const failure = await ask(gateway).then(
      () => undefined,
      (error: unknown) => error as { readonly status: number; readonly message: string },
    )
    expect(failure?.status).toBe(504)
    expect(failure?.message).toContain("the upstream sent nothing for 100 ms")
    const [told] = gateway.gateway.told.exchanges
    expect(told === undefined ? undefined : outcomeOf(told.exchange, told.ending).reason).toBe("Timeout")
  })

  it("is heard to its end where its silence has no limit", async () => {
    const slow = await provider((_call, response) => {
      const { events } = wires.openaiChat
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.flushHeaders()
      const text = events(false)
        .map(({ data }) => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`)
        .join("")
      setTimeout(() => response.end(text), 300)
    })
    const gateway = await place(`
llm:
  port: 1
  models: [{name: m, provider: openai, params: {hostOverride: "127.0.0.1:${slow.port}", idleTimeout: 0s}}]
`)
    const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: "k", maxRetries: 0 })
    const stream = await openai.chat.completions.create({
      model: "m",
      messages: [{ role: "user", content: "hi" }],
      stream: true,
    })
    let text = ""
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ""
    expect(text.length).toBeGreaterThan(0)
  })
})
