/** Agents in the file: what they become, and what is refused. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { load } from "../../src/config/local/load.ts"
import { nodeIo } from "../../src/config/local/nodeIo.ts"

const loaded = (text: string) =>
  Effect.runPromise(Effect.result(load(text, { file: "test.yaml", env: {}, io: nodeIo, cpus: 1 })))

const on = (a2a: string): string =>
  `gateways: {default: {port: 1}}\nroutes: [{policies: {a2a: ${a2a}}, backends: [{host: 'a:1'}]}]`

const policyOf = async (a2a: string): Promise<unknown> => {
  const result = await loaded(on(a2a))
  if (Result.isFailure(result)) return result.failure.map(({ message }) => message)
  return [...result.success.snapshot.routes.values()][0]?.backends[0]?.policies[0]
}

const problemsOf = async (text: string): Promise<ReadonlyArray<string>> => {
  const result = await loaded(text)
  return Result.isFailure(result) ? result.failure.map(({ message, path }) => `${path}: ${message}`) : []
}

describe("the policy", () => {
  it("relays unless it is told to bridge", async () => {
    expect(await policyOf("{}")).toEqual({ _tag: "A2a" })
    expect(await policyOf("{bridge: {}}")).toEqual({ _tag: "A2a", bridge: { interfaces: [] } })
  })
  it("takes interfaces in any letter case, 1.0 unless it is said", async () => {
    const interfaces =
      "[{binding: jsonrpc, path: /rpc}, {binding: rest, version: '0.3', tenant: t}, {binding: grpc, target: 'b:2'}]"
    expect(await policyOf(`{bridge: {card: /card.json, interfaces: ${interfaces}, offers: [GRPC]}}`)).toEqual({
      _tag: "A2a",
      bridge: {
        cardPath: "/card.json",
        interfaces: [
          { binding: "JSONRPC", version: "1.0", path: "/rpc" },
          { binding: "HTTP+JSON", version: "0.3", tenant: "t" },
          { binding: "GRPC", version: "1.0", target: { host: "b", port: 2 } },
        ],
        offers: ["GRPC"],
      },
    })
  })
  it.each([
    ["{bridge: {interfaces: [{binding: JSONRPC, path: rpc}]}}", "a path begins with `/`"],
    ["{bridge: {interfaces: [{binding: GRPC, path: /x}]}}", "gRPC interfaces have no path"],
    ["{bridge: {interfaces: [{binding: GRPC, target: 'unix:/x'}]}}", "expected `host:port`"],
    ["{bridge: {interfaces: [{binding: SOAP}]}}", "SOAP"],
    ["{bridge: {offers: []}}", "offers[0] is required"],
    ["{card: {sign: {key: hello}}}", "expected a private key, in PEM or as a JWK"],
    ["{card: {verify: {jwks: '{}'}}}", "jwks"],
    ["{cards: {}}", "cards"],
    ["{guardrails: {request: []}}", "messages that are only passed on are not looked into"],
    [
      "{bridge: {}, guardrails: {request: [{webhook: {target: {host: 'g:1'}, messageFormat: raw}}]}}",
      "agents have no messages of models",
    ],
    [
      "{bridge: {}, guardrails: {request: [{keywords: {words: [x]}, scope: [systemPrompt]}]}}",
      "what is said to an agent is messages",
    ],
    ["{rateLimits: [{limit: 1, unit: days, type: tokens}]}", "agents are sent messages, not tokens"],
    ["{rateLimits: [{limit: 1, unit: days, shared: true}]}", "no Redis is configured"],
    ["{budgets: [{name: a, messages: 1, window: 1h}, {name: a, messages: 2, window: 1h}]}", "two budgets are called"],
    ["{budgets: [{name: a, messages: 1, window: 1h, store: redis}]}", "no Redis is configured"],
    ["{budgets: [{name: a, messages: 1, window: 1h, key: 'nobody.sub'}]}", "nobody"],
  ])("%s is refused", async (a2a, words) => {
    expect((await problemsOf(on(a2a))).join("\n")).toContain(words)
  })
})

describe("a catalogue", () => {
  const file = (agents: string): string =>
    `gateways: {default: {port: 1}}\nbackends: [{name: all, a2a: {agents: ${agents}}}]\nroutes: [{backends: [{backend: /all}]}]`

  it("bridges to every agent, by its name and its own policies", async () => {
    const result = await loaded(
      file("[{name: one, host: 'a:1'}, {name: two, host: 'b:2', policies: {a2a: {bridge: {card: /c}}}}]"),
    )
    if (Result.isFailure(result)) throw new Error(JSON.stringify(result.failure))
    const backend = [...result.success.snapshot.backends.values()].find(({ _tag }) => _tag === "A2a")
    expect(backend).toMatchObject({
      agents: [
        { name: "one", policies: [{ _tag: "A2a", agent: "one", bridge: { interfaces: [] } }] },
        { name: "two", policies: [{ _tag: "A2a", agent: "two", bridge: { interfaces: [], cardPath: "/c" } }] },
      ],
    })
  })
  it.each([
    ["[]", "agents[0] is required"],
    ["[{name: One, host: 'a:1'}]", "expected lower-case letters, digits and hyphens"],
    ["[{name: one}]", "exactly one of `host`, `backend`, `service` must be set"],
    ["[{name: one, host: 'a:1'}, {name: one, host: 'b:1'}]", "another agent is called one"],
    ["[{name: one, backend: /nowhere}]", "/nowhere"],
    ["[{name: one, backend: /all}]", "an agent must be at a host or a service"],
    [
      "[{name: one, host: 'a:1', policies: {authorization: {rules: [{allow: 'a2a.operatoin == \"GetTask\"'}]}}}]",
      "operatoin",
    ],
  ])("%s is refused", async (agents, words) => {
    expect((await problemsOf(file(agents))).join("\n")).toContain(words)
  })
})

describe("an agent as a target of MCP", () => {
  const target = (one: string): string =>
    `gateways: {default: {port: 1}}\nroutes: [{backends: [{mcp: {targets: [{name: one, ${one}}]}}]}]`

  it("is found below its root, wherever that is", async () => {
    const result = await loaded(target('a2a: {host: "https://agents.example.com/travel/"}'))
    if (Result.isFailure(result)) throw new Error("it does not load")
    const [backend] = [...result.success.snapshot.backends.values()].filter(({ _tag }) => _tag === "Mcp")
    expect(backend).toMatchObject({
      targets: [
        {
          _tag: "A2a",
          path: "",
          callee: {
            policies: [
              { _tag: "BackendTls" },
              { _tag: "A2a", bridge: { interfaces: [], cardPath: "/travel/.well-known/agent-card.json" } },
            ],
          },
        },
      ],
    })
  })

  it("is refused where something is said that has no effect on it", async () => {
    for (const one of [
      'a2a: {host: "http://a:1"}, protocol: modern',
      'a2a: {host: "http://a:1"}, passVersion: true',
      'a2a: {host: "http://a:1"}, oauth: {}',
      'a2a: {host: "http://a:1/x?y=z"}',
      'a2a: {host: "http://a:1"}, mcp: {host: "http://a:1"}',
    ]) {
      expect((await problemsOf(target(one))).length, one).toBeGreaterThan(0)
    }
  })
})

describe("what is published as an agent", () => {
  it("is a backend with models or MCP servers, and nothing else", async () => {
    const at = (backend: string, a2a = "{publish: {name: X}}"): string =>
      `gateways: {default: {port: 1}}\nroutes: [{backends: [{${backend}, policies: {a2a: ${a2a}}}]}]`
    expect(await problemsOf(at("ai: {name: m, provider: {echo: {model: m}}}"))).toEqual([])
    expect(await problemsOf(at('mcp: {targets: [{name: one, mcp: {host: "http://a:1"}}]}'))).toEqual([])
    expect((await problemsOf(at("host: 'a:1'")))[0]).toMatch(/makes an agent of models or MCP servers/)
    expect((await problemsOf(at("ai: {name: m, provider: {echo: {model: m}}}", "{bridge: {}}"))).length).toBe(1)
    expect(
      (
        await problemsOf(at("ai: {name: m, provider: {echo: {model: m}}}", "{bridge: {card: /x}, publish: {name: X}}"))
      )[0],
    ).toMatch(/no card or interfaces/)
  })
})
