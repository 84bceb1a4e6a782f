/** Worlds in which something once went wrong. */
import { assert, test } from "vitest"
import { answer, client, explore, get, leavesAfterMillis, server, simulate, world } from "../../src/testing.ts"

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

test("what an exchange forks runs in the world of its gateway, not in the host's", () =>
  explore({
    config: config("{ delay: { duration: 10s } }"),
    runs: 5,
    world: world({
      servers: [server("one.internal:8080")],
      clients: [client(3000, [get("http://a.example/")])],
    }),
    expect: ({ hostTurns, requests }) => {
      assert.strictEqual(hostTurns, 0)
      const [request] = requests
      assert.isAtLeast((request?.ended?.atMillis ?? 0) - (request?.sent?.atMillis ?? 0), 10_000)
    },
  }))
