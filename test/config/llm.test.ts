/** What the section of models becomes, where it shares something between them. */
import { describe, expect, it } from "vitest"
import type { BackendKey } from "../../ir/Key.ts"
import { mapped } from "./mapped.ts"

const models = (guardrails: string) => `
llm:
  guardrails:
    private: { request: [{ regex: { action: reject, rules: [{ builtin: email }] } }] }
  policies:
    guardrails: { response: [{ keywords: { words: [falcon] } }] }
    timeout: { requestTimeout: 30s }
    concurrencyLimit: [{ maxConcurrent: 4 }]
  models:
    - { name: a, provider: openAI, guardrails: ${guardrails} }
    - { name: b, provider: openAI }
`

const guardsOf = (text: string) => {
  const { complaints, snapshot } = mapped(text)
  expect(complaints).toEqual([])
  const backend = snapshot.backends.get("llm:models" as BackendKey)
  if (backend?._tag !== "Models") throw new Error("there are no models")
  return backend.models.map(({ provider }) => {
    const ai = provider.policies.find((policy) => policy._tag === "Ai")
    return { request: ai?.promptGuard?.request.length ?? 0, response: ai?.promptGuard?.response.length ?? 0 }
  })
}

describe("guardrails that models share", () => {
  it("stand before and behind those that name them, beside those of all models", () => {
    expect(guardsOf(models("private"))).toEqual([
      { request: 1, response: 1 },
      { request: 0, response: 1 },
    ])
  })

  it("must exist", () => {
    expect(mapped(models("privat")).complaints).toEqual(["llm.models.0.guardrails: no guardrails are called `privat`"])
  })
})

describe("policies of all models", () => {
  it("bound the time and the number of calls", () => {
    const [route] = [...mapped(models("private")).snapshot.routes.values()]
    const kinds = route?.policies.map(({ _tag }) => _tag)
    expect(kinds).toEqual(expect.arrayContaining(["Timeout", "ConcurrencyLimit"]))
  })
})

describe("a cache of replies", () => {
  const text = (policy: string): string => `
llm:
  port: 4000
  policies: { responseCache: ${policy} }
  models: [{ name: "*", provider: echo }]
`
  it("needs a Redis to be kept in one", () => {
    expect(mapped(text("{ store: redis }")).complaints).toEqual([
      "llm.policies.ai.responseCache.store: no Redis is configured",
    ])
    expect(mapped(`config: { redis: { url: "redis://h" } }${text("{ store: redis }")}`).complaints).toEqual([])
  })

  it("keeps something for some time", () => {
    expect(mapped(text("{ ttl: 0s, maxEntryBytes: 0 }")).complaints).toEqual([
      "llm.policies.ai.responseCache.ttl: nothing is kept for no time",
      "llm.policies.ai.responseCache.maxEntryBytes: no answer is that small",
    ])
    expect(mapped(text('{ semantic: { host: "a:1", model: m, maxEntries: 0, path: x } }')).complaints).toEqual([
      "llm.policies.ai.responseCache.semantic.maxEntries: nothing is found among nothing",
      "llm.policies.ai.responseCache.semantic.path: a path begins with `/`",
    ])
  })
})
