import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { definitions, prefix } from "../../src/telemetry/metrics.ts"
import { reference } from "../../src/telemetry/reference.ts"

describe("the reference of the metrics", () => {
  it("is current: otherwise run `node src/telemetry/reference.ts > docs/reference/metrics.md`", () => {
    const page = readFileSync(new URL("../../docs/reference/metrics.md", import.meta.url), "utf8")
    assert.equal(page, reference())
  })

  it("names metrics as Prometheus wants them named", () => {
    for (const { kind, labels, name } of Object.values(definitions)) {
      assert.isTrue(name.startsWith(prefix))
      assert.match(name, /^[a-z_]+$/)
      assert.equal(name.endsWith("_total"), kind === "counter", name)
      // Those of models are called as OpenTelemetry calls them, without a unit.
      if (kind === "histogram" && !name.includes("gen_ai")) assert.match(name, /_seconds$/)
      for (const label of labels) assert.match(label, /^[a-z_]+$/)
      assert.lengthOf(labels, new Set(labels).size)
    }
  })
})
