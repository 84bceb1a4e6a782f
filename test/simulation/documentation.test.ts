import { readFile } from "node:fs/promises"
import { assert, test } from "vitest"
import * as laws from "../../src/sim/check.ts"

const read = (path: string) => readFile(new URL(path, import.meta.url), "utf8")

test("the page shows the example that is tested", async () => {
  const example = (await read("./example.test.ts")).replace('"../../src/testing.ts"', '"sluice/testing"')
  assert.include(await read("../../docs/simulation.md"), `\`\`\`ts\n${example}\`\`\``)
})

test("the page lists the laws that are checked", async () => {
  const page = await read("../../docs/simulation.md")
  for (const { law } of laws.all) assert.include(page, `\n- ${law}\n`)
})
