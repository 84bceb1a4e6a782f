import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { load } from "../../src/config/local/load.ts"
import { nodeIo } from "../../src/config/local/nodeIo.ts"

describe("the page about observability", () => {
  it("has only examples that load without a warning", async () => {
    const page = readFileSync(new URL("../../docs/observability.md", import.meta.url), "utf8")
    const examples = [...page.matchAll(/```yaml\n([^]*?)```/g)]
    assert.isAtLeast(examples.length, 3)
    for (const [, example = ""] of examples) {
      const { warnings } = await Effect.runPromise(
        load(example, { file: "observability.md", env: {}, cpus: 1, io: nodeIo }),
      )
      assert.deepEqual(warnings, [])
    }
  })
})
