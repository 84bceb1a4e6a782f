import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { definitions, prefix } from "../../src/telemetry/metrics.ts"
import { metricsReferencePath, reference } from "../../src/telemetry/reference.ts"

describe("the reference of the metrics", () => {
  it("is current; `npm run reference` writes it", () => {
    assert.equal(readFileSync(metricsReferencePath, "utf8"), reference())
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
