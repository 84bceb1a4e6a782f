/** Names of models: which entry a name means, names that stand for several, names that are hidden, and the list of all. */
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import { afterEach, describe, expect, it } from "vitest"
import { type Place, startPlace } from "./place.ts"
import { type Scripted, sendJson, startProvider } from "./provider.ts"
import { wires } from "./wire.ts"

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

const client = ({ url }: Place, apiKey = "k", headers: Record<string, string> = {}): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, defaultHeaders: headers })

const messages = [{ role: "user" as const, content: "hi" }]
/** Who answered for a name. */
const answered = async (openai: OpenAI, model: string, said = messages): Promise<string> => {
  const { response } = await openai.chat.completions.create({ model, messages: said }).withResponse()
  return `${response.headers.get("x-sluice-provider")} ${response.headers.get("x-sluice-model")}`
}
const refusedWith = async (openai: OpenAI, model: string): Promise<unknown> =>
  openai.chat.completions
    .create({ model, messages })
    .catch(({ status, code }: { status: number; code: string }) => [status, code])

describe("a name", () => {
  it("means the entry with the most characters written out; aliases and pins say what is asked for", async () => {
    const gateway = await place(`
llm:
  port: 1
  models:
  - {id: rest, name: "*", provider: echo}
  - {id: gpt, name: "gpt-*", provider: echo}
  - {id: mini, name: "*-mini", provider: echo}
  - {id: exact, name: gpt-5, provider: echo, params: {model: pinned}}
  - {id: beta, name: gpt-5, provider: echo, matches: [{headers: [{name: x-beta, value: {exact: "yes"}}]}]}
`)
    const openai = client(gateway)
    expect(await answered(openai, "other")).toBe("llm:model:rest other")
    expect(await answered(openai, "gpt-4")).toBe("llm:model:gpt gpt-4")
    expect(await answered(openai, "o3-mini")).toBe("llm:model:mini o3-mini")
    // Of two that are as long, the first.
    expect(await answered(openai, "gpt-5-mini")).toBe("llm:model:mini gpt-5-mini")
    expect(await answered(openai, "gpt-5")).toBe("llm:model:exact pinned")
  })

  it("may need a header too, and rules of its own", async () => {
    const gateway = await place(`
llm:
  port: 1
  models:
  - {id: beta, name: m, provider: echo, matches: [{headers: [{name: x-beta, value: {exact: "yes"}}]}]}
  - {id: plain, name: m, provider: echo, authorization: {rules: [{deny: '"x-eve" in request.headers'}]}}
`)
    expect(await answered(client(gateway, "k", { "x-beta": "yes" }), "m")).toBe("llm:model:beta m")
    expect(await answered(client(gateway), "m")).toBe("llm:model:plain m")
    expect(await refusedWith(client(gateway, "k", { "x-eve": "1" }), "m")).toEqual([403, "model_authorization_denied"])
    expect((await client(gateway, "k", { "x-eve": "1" }).models.list()).data.map(({ id }) => id)).toEqual(["m"])
  })

  it("may be another one at the provider: aliases of a route", async () => {
    const gateway = await place(`
gateways: {default: {port: 1}}
routes:
- policies: {ai: {modelAliases: {"fast-*": small, smart: large, "fast-and-good*": medium}}}
  backends: [{ai: {name: e, provider: {echo: {}}}}]
`)
    const openai = client(gateway)
    expect(await answered(openai, "smart")).toBe("e large")
    expect(await answered(openai, "fast-x")).toBe("e small")
    expect(await answered(openai, "fast-and-good-x")).toBe("e medium")
    expect(await answered(openai, "else")).toBe("e else")
  })
})

const virtual = `
llm:
  port: 1
  models:
  - {id: large, name: large, visibility: internal, provider: echo}
  - {id: small, name: small, visibility: internal, provider: echo}
  - {id: open, name: open, provider: echo}
  virtualModels:
  - name: split
    routing: {weighted: {targets: [{model: large, weight: 1}, {model: small, weight: 1}]}}
  - name: never
    routing: {weighted: {targets: [{model: large, weight: 0}, {model: small, weight: 3}]}}
  - name: by-length
    routing:
      conditional:
        targets:
        - {when: "size(llmRequest.messages) > 2", model: large}
        - {when: "int(llmRequest.messages[0].content) > 3", model: large}
        - {model: small}
  - name: picky
    routing: {conditional: {targets: [{when: "size(llmRequest.messages) > 2", model: large}]}}
`

describe("a virtual name", () => {
  it("leads to one of several, as often as their weights say", async () => {
    const openai = client(await place(virtual))
    const seen = new Set<string>()
    for (let i = 0; i < 200 && seen.size < 2; i++) seen.add(await answered(openai, "split"))
    expect([...seen].toSorted()).toEqual(["llm:model:large large", "llm:model:small small"])
    for (let i = 0; i < 20; i++) expect(await answered(openai, "never")).toBe("llm:model:small small")
  })

  it("leads to the first whose condition holds; one that cannot be judged does not", async () => {
    const openai = client(await place(virtual))
    expect(await answered(openai, "by-length")).toBe("llm:model:small small")
    expect(await answered(openai, "by-length", [...messages, ...messages, ...messages])).toBe("llm:model:large large")
    expect(await refusedWith(openai, "picky")).toEqual([400, "virtual_model_no_matching_target"])
  })

  it("leads to the next while the first fails, and says which answered", async () => {
    const bad = await provider((_call, response) => sendJson(response, 503, wires.anthropicMessages.error))
    const gateway = await place(`
llm:
  port: 1
  models:
  - {id: bad, name: "claude-*", visibility: internal, provider: anthropic, params: {hostOverride: "127.0.0.1:${bad.port}"}}
  - {id: good, name: spare, visibility: internal, provider: echo, params: {model: stand-in}}
  virtualModels:
  - name: steady
    routing: {failover: {targets: [{model: claude-x, priority: 1}, {model: spare, priority: 2}]}}
`)
    const openai = client(gateway)
    expect(await answered(openai, "steady")).toBe("llm:model:good stand-in")
    expect(bad.calls.map(({ json, path }) => [path, json.model])).toEqual([["/v1/messages", "claude-x"]])
    const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: "k", maxRetries: 0 })
    const { content } = await anthropic.messages.create({ model: "steady", max_tokens: 9, messages })
    expect(content).toMatchObject([{ type: "text", text: "hi" }])
  })

  it("is the only way to what is hidden, and the hidden is not listed", async () => {
    const openai = client(await place(virtual))
    expect(await refusedWith(openai, "large")).toEqual([404, "model_not_found"])
    const { data } = await openai.models.list()
    expect(data.map(({ id }) => id).toSorted()).toEqual(["by-length", "never", "open", "picky", "split"])
  })
})

const keyed = `
llm:
  port: 1
  policies:
    apiKey:
      mode: strict
      keys:
      - {key: key-a}
      - {key: key-b, allowedModels: [gpt-5, "claude-*", steady]}
      - {key: key-c, allowedModels: []}
  models:
  - {name: gpt-5, provider: echo}
  - {name: gpt-6, provider: echo}
  - {name: "claude-*", provider: echo}
  - {name: gpt-5, provider: echo}
  - {name: hidden, provider: echo, visibility: internal}
  virtualModels:
  - {name: steady, routing: {weighted: {targets: [{model: hidden}]}}}
  - {name: other, routing: {weighted: {targets: [{model: hidden}]}}}
`

describe("the list", () => {
  it("holds what a key is good for, once; so does every single name", async () => {
    const gateway = await place(keyed)
    const ids = async (key: string) => (await client(gateway, key).models.list()).data.map(({ id }) => id).toSorted()
    expect(await ids("key-a")).toEqual(["claude-*", "gpt-5", "gpt-6", "other", "steady"])
    expect(await ids("key-b")).toEqual(["claude-*", "gpt-5", "steady"])
    expect(await ids("key-c")).toEqual([])
    expect((await client(gateway, "key-b").models.retrieve("claude-x")).id).toBe("claude-x")
    await expect(client(gateway, "key-b").models.retrieve("gpt-6")).rejects.toMatchObject({ status: 404 })
    await expect(client(gateway, "nobody").models.list()).rejects.toMatchObject({ status: 401 })
  })

  it("and only that can be asked for", async () => {
    const gateway = await place(keyed)
    expect(await answered(client(gateway, "key-b"), "claude-x")).toContain("claude-x")
    expect(await answered(client(gateway, "key-b"), "steady")).toContain("hidden")
    expect(await refusedWith(client(gateway, "key-b"), "gpt-6")).toEqual([403, "model_not_allowed"])
    expect(await refusedWith(client(gateway, "key-b"), "other")).toEqual([403, "model_not_allowed"])
    expect(await refusedWith(client(gateway, "key-c"), "gpt-5")).toEqual([403, "model_not_allowed"])
  })

  it("is read by the SDKs of others too", async () => {
    const gateway = await place(virtual)
    const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: "k", maxRetries: 0 })
    const ids: Array<string> = []
    for await (const { id } of anthropic.models.list()) ids.push(id)
    expect(ids).toContain("open")
    const google = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: gateway.url } })
    const names: Array<string | undefined> = []
    for await (const { name } of await google.models.list()) names.push(name)
    expect(names).toContain("models/open")
  })
})
