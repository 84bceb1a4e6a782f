/**
 * Every official SDK through the gateway to providers of every kind: plain, streamed, with tools, in a shape, with a
 * picture, refused, failing and breaking in the middle, and left in the middle.
 */
import OpenAI from "openai"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { until } from "../harness.ts"
import { anthropic } from "./clients/anthropic.ts"
import { aws } from "./clients/aws.ts"
import { type Client, png } from "./clients/Client.ts"
import { google } from "./clients/google.ts"
import { chat, responses } from "./clients/openAi.ts"
import { vercelAnthropic, vercelGoogle, vercelOpenAi, vercelResponses } from "./clients/vercel.ts"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, startProvider } from "./provider.ts"
import { configOf, providers, wireTowards } from "./providers.ts"
import { answering, failure, refusal, type Scenario, text, tool, used, wireOf, words } from "./wire.ts"

let upstream: Scripted
let place: Place
let scenario: Scenario = "words"
let closed = 0
let bedrock: ReturnType<typeof aws> | undefined

beforeAll(async () => {
  const answer = answering(() => scenario)
  upstream = await startProvider((call, response) => {
    response.on("close", () => closed++)
    answer(call, response)
  })
  place = await startPlace(configOf(upstream.port))
})

afterAll(async () => {
  bedrock?.close()
  await place.close()
  await upstream.close()
})

const clients: ReadonlyArray<readonly [string, () => Client]> = [
  ["openai chat", () => chat(place.url)],
  ["openai responses", () => responses(place.url)],
  ["anthropic", () => anthropic(place.url)],
  ["google genai", () => google(place.url)],
  ["aws bedrock", () => (bedrock ??= aws(place.url))],
  ["vercel openai", () => vercelOpenAi(place.url)],
  ["vercel openai responses", () => vercelResponses(place.url)],
  ["vercel anthropic", () => vercelAnthropic(place.url)],
  ["vercel google", () => vercelGoogle(place.url)],
]

const told = () => place.gateway.told.exchanges

/** Runs something, and waits until the exchange that it made was told. */
const accounted = async <A>(run: () => Promise<A>) => {
  const before = told().length
  const result = await run()
  await until("the exchange was told", () => told().length > before)
  return { result, account: told()[before]?.exchange.notes?.llm }
}

it("what a provider's format cannot say is left out, and told", async () => {
  scenario = "words"
  const openai = new OpenAI({ baseURL: `${place.url}/v1`, apiKey: "k", maxRetries: 0 })
  const messages = [{ role: "user" as const, content: "hi" }]
  const asking = (model: string) =>
    accounted(() => openai.chat.completions.create({ model, messages, seed: 7, presence_penalty: 0.5 }))
  expect((await asking("claude-x")).account?.leftOut).toEqual(["seed", "presence_penalty"])
  expect((await asking("chat")).account?.leftOut).toBe(undefined)
})

describe.each(clients)("%s", (_name, make) => {
  describe.each(Object.keys(providers))("to %s", (model) => {
    it("plain, with its usage", async () => {
      scenario = "words"
      const client = make()
      const { account, result } = await accounted(() => client.plain(model))
      expect(result).toEqual({ text, input: used.input, output: used.output })
      const call = upstream.calls.at(-1)
      expect(call === undefined ? undefined : wireOf(call)).toBe(wireTowards(model, client.wire))
      expect(JSON.stringify(call?.headers)).not.toContain("AWS4-")
      expect(account?.usage).toMatchObject({ inputTokens: used.input, outputTokens: used.output })
    })

    it("streamed, piece by piece", async () => {
      scenario = "words"
      const { account, result } = await accounted(() => make().stream(model))
      expect(result.text).toBe(text)
      expect(result.pieces).toBeGreaterThanOrEqual(2)
      expect(account?.usage).toMatchObject({ inputTokens: used.input, outputTokens: used.output })
      expect(account?.isEstimated).toBe(false)
      const isNamed = providers[model]?.wire !== "bedrockConverse"
      expect(account?.responseModel ?? model).toBe(isNamed ? "served-model" : model)
    })

    it("tools, whole and in pieces", async () => {
      scenario = "tools"
      expect(await make().tools(model)).toEqual({ name: tool.name, input: tool.input })
      expect(await make().streamedTools(model)).toEqual({ name: tool.name, input: tool.input })
    })

    it("in a shape", async () => {
      scenario = "shaped"
      expect(await make().shaped(model)).toEqual(tool.input)
      // However the provider wants it said, the shape that was asked for is there.
      expect(upstream.calls.at(-1)?.text.replaceAll("\\", "")).toMatch(/"city":\{[^{}]*"type":"string"/i)
    })

    it("with a picture", async () => {
      scenario = "words"
      expect(await make().picture(model)).toBe(text)
      expect(upstream.calls.at(-1)?.text).toContain(png)
    })

    it("refused, in its own words", async () => {
      scenario = "error"
      const client = make()
      const error = await client.plain(model).catch((error: unknown) => error)
      const [status, said] = client.refused(error)
      expect([status, said.includes(refusal.message)]).toEqual([refusal.status, true])
    })

    it.each(["fails", "breaks"] as const)("that %s in the middle, as an error of the SDK", async (how) => {
      scenario = how
      const { account, result } = await accounted(async () => {
        const begun = await make().begin(model)
        return { begun, error: await begun.rest().catch((error: unknown) => error) }
      })
      expect(result.begun.text).toBe(words[0])
      expect(result.error).toBeInstanceOf(Error)
      if (how === "fails") expect(JSON.stringify(result.error) + String(result.error)).toContain(failure)
      expect(account?.isEstimated).toBe(true)
      expect(account?.usage?.inputTokens).toBeGreaterThan(0)
      expect(account?.usage?.outputTokens).toBeGreaterThan(0)
    })

    it("left in the middle: the provider is left too, and what was used is counted", async () => {
      scenario = "drips"
      const { account } = await accounted(async () => {
        const begun = await make().begin(model)
        const before = closed
        const rest = begun.rest().catch(() => "")
        begun.abort()
        await rest
        await until("the provider was left", () => closed > before)
      })
      expect(account?.isEstimated).toBe(true)
      expect(account?.usage?.inputTokens).toBeGreaterThan(0)
      expect(account?.usage?.outputTokens).toBeGreaterThan(0)
    })
  })
})
