import { assert, test } from "vitest"
import { answer, client, explore, failing, get, refused, server, simulate, world } from "../../src/testing.ts"

const config = `
binds:
- port: 3000
  listeners:
  - routes:
    - policies:
        retry: { attempts: 2, codes: [503] }
        timeout: { requestTimeout: 2s }
      backends:
      - host: cart.internal:8080
`

test("a server that refuses a connection is tried again", async () => {
  const { calls, requests, violations } = await simulate({
    config,
    world: world({
      servers: [server("cart.internal:8080", [failing(refused), answer(503), answer(200)])],
      clients: [client(3000, [get("http://shop.example/cart")])],
    }),
  })
  assert.deepEqual(violations, [])
  assert.strictEqual(calls.length, 3)
  assert.strictEqual(requests[0]?.status, 200)
})

test("whatever happens, no law is broken and nobody waits for longer than two seconds", () =>
  explore({
    config,
    runs: 200,
    expect: ({ requests }) => {
      for (const { arrived, responded } of requests) {
        const [reply] = responded
        if (arrived !== undefined && reply !== undefined) assert.isAtMost(reply.atMillis - arrived.atMillis, 2_001)
      }
    },
  }))
