/** Whatever refuses a call of a model, before or after a model was chosen, every SDK hears it as an error of its own. */
import Anthropic, { APIError as AnthropicError } from "@anthropic-ai/sdk"
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime"
import { ApiError, GoogleGenAI } from "@google/genai"
import OpenAI, { APIError as OpenAiError } from "openai"
import { afterEach, describe, expect, it } from "vitest"
import { type Place, startPlace } from "./place.ts"

const closing: Array<() => unknown> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})
const place = async (text: string): Promise<Place> => {
  const made = await startPlace(text)
  closing.push(made.close)
  return made
}

interface Heard {
  readonly status: number | undefined
  /** What the SDK, or the body that it gives, calls it. */
  readonly name: unknown
  readonly message: string
}

type Ask = (url: string, key: string, model: string, text?: string) => Promise<Heard>

const failed = async (asking: Promise<unknown>, hear: (error: unknown) => Heard): Promise<Heard> =>
  asking.then(() => ({ status: 200, name: undefined, message: "" }), hear)

const ofOpenAi = (error: unknown): Heard => {
  if (!(error instanceof OpenAiError)) throw error
  return { status: error.status as number, name: error.constructor.name, message: error.message }
}

const clients: Readonly<Record<string, Ask>> = {
  "openai chat": (url, apiKey, model, content = "hi") => {
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
    return failed(openai.chat.completions.create({ model, messages: [{ role: "user", content }] }), ofOpenAi)
  },
  "openai responses": (url, apiKey, model, input = "hi") => {
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
    return failed(openai.responses.create({ model, input }), ofOpenAi)
  },
  "openai embeddings": (url, apiKey, model, input = "hi") => {
    const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
    return failed(openai.embeddings.create({ model, input }), ofOpenAi)
  },
  anthropic: (url, apiKey, model, content = "hi") => {
    const anthropic = new Anthropic({ baseURL: url, authToken: apiKey, apiKey: null, maxRetries: 0 })
    return failed(
      anthropic.messages.create({ model, max_tokens: 9, messages: [{ role: "user", content }] }),
      (error) => {
        if (!(error instanceof AnthropicError)) throw error
        const body = error.error as {
          readonly type: string
          readonly error: { readonly type: string; readonly message: string }
        }
        expect(body.type).toBe("error")
        return { status: error.status as number, name: body.error.type, message: body.error.message }
      },
    )
  },
  google: (url, apiKey, model, contents = "hi") => {
    const google = new GoogleGenAI({
      apiKey: "unused",
      httpOptions: { baseUrl: url, headers: { authorization: `Bearer ${apiKey}` } },
    })
    return failed(google.models.generateContent({ model, contents }), (error) => {
      if (!(error instanceof ApiError)) throw error
      const said = (
        JSON.parse(error.message) as {
          readonly error: { readonly status: string; readonly message: string; readonly code: number }
        }
      ).error
      expect(said.code).toBe(error.status)
      return { status: error.status, name: said.status, message: said.message }
    })
  },
  aws: (url, token, modelId, text = "hi") => {
    const client = new BedrockRuntimeClient({
      region: "x",
      endpoint: url,
      token: { token },
      authSchemePreference: ["httpBearerAuth"],
      maxAttempts: 1,
    })
    closing.push(() => client.destroy())
    const asking = client.send(new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text }] }] }))
    return failed(asking, (error) => {
      const said = error as {
        readonly name: string
        readonly message: string
        readonly $metadata: { readonly httpStatusCode: number }
      }
      return { status: said.$metadata.httpStatusCode, name: said.name, message: said.message }
    })
  },
}

const cases = Object.entries(clients)
const names = (openAi: string, anthropic: string, google: string, aws: string): Readonly<Record<string, string>> => ({
  "openai chat": openAi,
  "openai responses": openAi,
  "openai embeddings": openAi,
  anthropic,
  google,
  aws,
})

const guarded = `
llm:
  port: 1
  policies:
    apiKey: {mode: strict, keys: [{key: good}, {key: limited, allowedModels: [a]}]}
  models: [{name: a, provider: echo}, {name: b, provider: echo}]
`

describe.each(cases)("%s", (name, ask) => {
  it("without a key that is known", async () => {
    const { url } = await place(guarded)
    expect(await ask(url, "nobody", "a")).toMatchObject({
      status: 401,
      name: names("AuthenticationError", "authentication_error", "UNAUTHENTICATED", "AccessDeniedException")[name],
      message: expect.stringContaining("api key authentication failure"),
    })
  })

  it("with a model that the key is not good for, and one that nobody knows", async () => {
    const { url } = await place(guarded)
    expect(await ask(url, "limited", "b")).toMatchObject({
      status: 403,
      name: names("PermissionDeniedError", "permission_error", "PERMISSION_DENIED", "AccessDeniedException")[name],
      message: expect.stringContaining("not good for the model"),
    })
    expect(await ask(url, "good", "nothing")).toMatchObject({
      status: 404,
      name: names("NotFoundError", "not_found_error", "NOT_FOUND", "ResourceNotFoundException")[name],
      message: expect.stringContaining("does not exist"),
    })
  })

  it("against a rule, of the gateway or of the route", async () => {
    for (const [phase, text] of [
      [
        "gateway",
        "llm: {port: 1, policies: {authorization: {rules: [{deny: 'true'}]}}, models: [{name: '*', provider: echo}]}",
      ],
      [
        "route",
        "gateways: {default: {port: 1}}\nroutes: [{policies: {authorization: {rules: [{deny: 'true'}]}}, backends: [{ai: {name: e, provider: {echo: {}}}}]}]",
      ],
    ] as const) {
      const { url } = await place(text)
      expect([phase, await ask(url, "k", "a")]).toMatchObject([
        phase,
        {
          status: 403,
          name: names("PermissionDeniedError", "permission_error", "PERMISSION_DENIED", "AccessDeniedException")[name],
          message: expect.stringContaining("authorization failed"),
        },
      ])
    }
  })

  it("over a limit", async () => {
    const { url } = await place(
      "llm: {port: 1, policies: {localRateLimit: [{maxTokens: 1, tokensPerFill: 1, fillInterval: 24h}]}, models: [{name: '*', provider: echo}]}",
    )
    await ask(url, "k", "a")
    expect(await ask(url, "k", "a")).toMatchObject({
      status: 429,
      name: names("RateLimitError", "rate_limit_error", "RESOURCE_EXHAUSTED", "ThrottlingException")[name],
      message: expect.stringContaining("rate limit exceeded"),
    })
  })

  it("with a body that is too large", async () => {
    const { url } = await place(
      "frontendPolicies: {http: {maxBufferSize: 2000}}\nllm: {port: 1, models: [{name: '*', provider: echo}]}",
    )
    expect(await ask(url, "k", "a", "x".repeat(5000))).toMatchObject({
      status: 413,
      name: names("APIError", "request_too_large", "INVALID_ARGUMENT", "ValidationException")[name],
      message: expect.stringContaining("request body too large"),
    })
  })

  it("without money", async () => {
    const { url } = await place(
      "llm: {port: 1, policies: {budgets: [{name: all, tokens: 1, window: 24h}]}, models: [{name: '*', provider: echo}]}",
    )
    await ask(url, "k", "a")
    expect((await ask(url, "k", "a")).status).toBe(429)
  })
})

it("what is not for models is told as it always was", async () => {
  const { url } = await place(guarded)
  const reply = await fetch(`${url}/other`)
  expect([reply.status, reply.headers.get("content-type")]).toEqual([401, "text/plain"])
  const models = await fetch(`${url}/v1/models`)
  expect([models.status, await models.json()]).toMatchObject([401, { error: { type: expect.any(String) } }])
})
