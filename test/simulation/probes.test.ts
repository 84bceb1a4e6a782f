import { assert, test } from "vitest"
import { answer, server, simulate, world } from "../../src/testing.ts"

const probed = `
llm:
  port: 3000
  models:
  - name: m
    provider: {custom: {formats: [{type: completions}]}}
    params: {baseUrl: "http://m.internal:8000/v1"}
    health: {active: {interval: 1s}}
`

test("the gateway may ask servers how they are without anybody's request", async () => {
  const { calls, violations } = await simulate({
    config: probed,
    world: world({ servers: [server("m.internal:8000", [answer(200)])], clients: [], drainAtMillis: 10_000 }),
  })
  assert.isAbove(calls.length, 0)
  assert.deepEqual(violations, [])
})
