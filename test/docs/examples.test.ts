/**
 * Every configuration a user may copy loads: each `yaml` block of the documentation that has a top-level key of the
 * configuration file, and each file in `examples/`.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { formatAll } from "../../src/config/ConfigIssue.ts"
import { load } from "../../src/config/local/load.ts"
import { LocalConfig } from "../../src/config/local/Schema.ts"
import type { Io } from "../../src/config/local/resolve.ts"
import { blocksOf, pages, root } from "./blocks.ts"

const sections = new Set(Object.keys(LocalConfig.fields))

const isComplete = (text: string): boolean =>
  text.split("\n").some((line) => sections.has(/^([A-Za-z]+):/.exec(line)?.[1] ?? ""))

const blocks = pages()
  .flatMap(blocksOf)
  .filter(({ language, text }) => language === "yaml" && isComplete(text))

const certificate = (name: string): string => fs.readFileSync(path.join(root, "test/e2e/certificates", name), "utf8")

/** Files that examples name need not exist where the tests run; what they would hold does. */
const io: Io = {
  readFile: (name) => {
    if (/ca[^/]*\.(?:pem|crt)$/.test(name)) return Effect.succeed(certificate("ca.pem"))
    if (/key[^/]*$/.test(name)) return Effect.succeed(certificate("server.key"))
    if (/\.(?:pem|crt)$/.test(name)) return Effect.succeed(certificate("server.pem"))
    return Effect.fail("no example has such a file")
  },
}

/** Whatever an example itself takes from the environment is there, and where the gateway stands; no other settings are. */
const envOf = (text: string): Readonly<Record<string, string>> => ({
  LOCALITY: "eu/a",
  ...Object.fromEntries(
    Array.from(text.matchAll(/\$(?:([A-Z_]+)|\{([A-Z_]+)\})/g), ([, bare, braced]) => [bare ?? braced, "example"]),
  ),
})

const problemsOf = async (text: string, file: string): Promise<string> => {
  const result = await Effect.runPromise(Effect.result(load(text, { file, env: envOf(text), io, cpus: 4 })))
  return Result.isSuccess(result) ? formatAll(result.success.warnings, file) : formatAll(result.failure, file)
}

describe("configurations in the documentation", () => {
  it("are found", () => expect(blocks.length).toBeGreaterThan(10))

  it.each(blocks)("$page:$line loads", async ({ line, page, text }) => {
    // Positions are those of the page.
    expect(await problemsOf("\n".repeat(line) + text, page)).toBe("")
  })
})

describe("examples/", () => {
  const files = fs.readdirSync(path.join(root, "examples")).filter((name) => name.endsWith(".yaml"))

  it("are found", () => expect(files.length).toBeGreaterThanOrEqual(5))

  it.each(files)("%s loads, and says how to try it", async (name) => {
    const text = fs.readFileSync(path.join(root, "examples", name), "utf8")
    expect(await problemsOf(text, name)).toBe("")
    expect(text).toMatch(/^# Try it: ./m)
  })
})
