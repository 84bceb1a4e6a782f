/** Worlds in which something once went wrong. */
import { assert, test } from "vitest"
import { scenarioOf, simulate as runBroken } from "../../src/sim/explore.ts"
import { answer, client, get, leavesAfterMillis, server, simulate, world } from "../../src/testing.ts"
import { breaks } from "./sabotage.ts"
import { scenarios } from "./Setup.ts"

const config = (policies: string) => `
binds:
- port: 3000
  listeners:
  - routes:
    - policies: ${policies}
      backends:
      - host: one.internal:8080
`

test("a reply that is being buffered when its client leaves is let go of once", async () => {
  const { journal, violations } = await simulate({
    config: config("{ buffer: { response: { maxBytes: 100000 } } }"),
    world: world({
      servers: [server("one.internal:8080", [answer(200, { chunks: [10, 10, 10], gapMillis: 50 })])],
      clients: [client(3000, [get("http://a.example/", { leaves: leavesAfterMillis(40) })])],
    }),
  })
  assert.deepEqual(violations, [])
  assert.deepEqual(
    journal.map(({ ending }) => ending.outcome),
    ["interrupted"],
  )
})

test("an exchange runs in the world of its gateway, not in the host's", async () => {
  const scenario = scenarioOf(scenarios, 1)
  const { journal, log } = await runBroken({ ...scenario, wrap: breaks }, 1)
  const broken = journal.filter(({ exchange }) => exchange.trail.refusal?._tag === "Defect")
  assert.isAbove(broken.length, 0)
  assert.strictEqual(log.filter(({ level }) => level === "Error").length, broken.length)
})
