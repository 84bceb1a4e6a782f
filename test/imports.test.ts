import { describe, expect, it } from "vitest"
import { readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "..")

/** What a file loads as soon as it is loaded itself; types and what is asked for later are left out. */
const loadedBy = (file: string): ReadonlyArray<string> =>
  Array.from(
    readFileSync(file, "utf8").matchAll(/^(?:import|export) (?!type )(?:[^"';]*? from )?"([^"]+)"/gm),
    ([, name = ""]) => (name.startsWith(".") ? join(dirname(file), name) : name),
  )

/** By whom each is loaded first, packages by their names. */
const closure = (entries: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  const waiting = entries.map((entry) => join(root, entry))
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    for (const name of loadedBy(file)) {
      if (found.has(name)) continue
      found.set(name, relative(root, file))
      if (name.startsWith("/")) waiting.push(name)
    }
  }
  return found
}

const serving = closure(["src/main.ts", "src/cli/begin.ts", "src/cli/run.ts"])
const reading = closure(["src/config/loadProcess.ts"])

describe("what is loaded at the start", () => {
  it("is found at all", () => {
    expect([...serving.keys()]).toEqual(expect.arrayContaining([join(root, "src/Gateway.ts"), "effect/Effect"]))
    expect([...reading.keys()]).toEqual(expect.arrayContaining(["effect/Schema", "yaml"]))
  })

  it("has neither the schemas nor the parser of the configuration, which are in the process that reads it, nor any streams", () => {
    const carried = ["effect/Schema", "yaml", "effect/Arbitrary", "effect/JsonSchema", "effect/Stream", "effect/Logger"]
    expect(carried.flatMap((name) => (serving.has(name) ? [`${name} by ${serving.get(name)}`] : []))).toEqual([])
  })

  it("has none of what only some configurations use", () => {
    const seldom =
      /^(?:@aws-sdk|@azure|@smithy|google-auth-library|@cedar-policy|gpt-tokenizer|pg|redis|bcryptjs)(?:\/|$)/
    expect([...serving].filter(([name]) => seldom.test(name))).toEqual([])
    expect([...reading].filter(([name]) => seldom.test(name))).toEqual([])
  })

  it("has none of what only speaks to models, tools or agents", () => {
    const spoken =
      /\/stages\/6-dispatch\/(?:llm|mcp|a2a)\/(?:protocol|target|reach|speak)\.ts$|\/protocols\/llm\/format\//
    expect([...serving].filter(([name]) => spoken.test(name))).toEqual([])
  })

  it("takes no package whole of which a part is meant, and Node's HTTP by its properties", () => {
    const whole = ["effect", "@effect/platform-node", "undici", "node:http", "node:https"]
    for (const loaded of [serving, reading]) {
      expect(whole.flatMap((name) => (loaded.has(name) ? [`${name} by ${loaded.get(name)}`] : []))).toEqual([])
    }
  })
})
