import { describe, expect, it } from "vitest"
import * as Effect from "effect/Effect"
import { spokenIn } from "../../ir/spoken.ts"
import { load } from "../../src/config/local/load.ts"
import { nodeIo } from "../../src/config/local/nodeIo.ts"

const spoken = async (text: string): Promise<ReadonlyArray<string>> => {
  const { snapshot } = await Effect.runPromise(load(text, { file: "config.yaml", env: {}, io: nodeIo, cpus: 1 }))
  return Array.from(spokenIn(snapshot)).toSorted()
}

const routed = (route: object, listener: object = {}): string =>
  JSON.stringify({ binds: [{ port: 3000, listeners: [{ ...listener, routes: [route] }] }] })

describe("what a configuration speaks", () => {
  it.each([
    ["what is only relayed", routed({ backends: [{ host: "127.0.0.1:1" }] }), []],
    [
      "servers of MCP",
      JSON.stringify({ mcp: { targets: [{ name: "a", mcp: { host: "http://127.0.0.1:1/mcp" } }] } }),
      ["mcp"],
    ],
    [
      "models",
      JSON.stringify({ llm: { models: [{ name: "m", provider: "openAI", params: { apiKey: "k" } }] } }),
      ["llm"],
    ],
    ["a route to an agent", routed({ policies: { a2a: {} }, backends: [{ host: "127.0.0.1:1" }] }), ["a2a"]],
    ["a listener of agents", routed({ backends: [{ host: "127.0.0.1:1" }] }, { protocol: "A2A" }), ["a2a"]],
    [
      "an agent among servers of MCP",
      JSON.stringify({ mcp: { targets: [{ name: "a", a2a: { host: "http://127.0.0.1:1/" } }] } }),
      ["a2a", "mcp"],
    ],
    [
      "a policy that makes an agent of what it is attached to",
      JSON.stringify({
        binds: [{ port: 3000, listeners: [{ routes: [{ name: "r", backends: [{ backend: "/b" }] }] }] }],
        backends: [{ name: "b", host: "127.0.0.1:1", policies: { a2a: {} } }],
      }),
      ["a2a"],
    ],
  ])("%s", async (_, text, expected) => {
    expect(await spoken(text)).toEqual(expected)
  })
})
