/** Every example in the documentation is a configuration that loads. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { formatAll } from "../src/config/ConfigIssue.ts"
import { load } from "../src/config/local/load.ts"
import { nodeIo } from "../src/config/local/nodeIo.ts"

const docs = new URL("../docs/", import.meta.url)

const pages = [
  ...readdirSync(new URL("policies/", docs)).map((name) => `policies/${name}`),
  "load-balancing.md",
  "delegation.md",
].filter((name) => name.endsWith(".md"))

const examplesIn = (page: string): ReadonlyArray<string> =>
  [...readFileSync(new URL(page, docs), "utf8").matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""]) => text)

describe("examples", () => {
  for (const page of pages)
    it.effect(`of ${page} load`, () =>
      Effect.gen(function* () {
        const examples = examplesIn(page)
        assert.isAbove(examples.length, 0)
        for (const text of examples) {
          const loaded = yield* Effect.result(load(text, { file: page, env: {}, io: nodeIo }))
          if (loaded._tag === "Failure") assert.fail(formatAll(loaded.failure, page))
        }
      }),
    )
})
