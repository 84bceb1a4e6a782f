import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { cryptography } from "../../../src/node/cryptography.ts"
import { memory } from "../../../stages/5-policy/Buckets.ts"
import { over } from "../../../stages/5-policy/Gate.ts"
import { compile } from "../../../stages/5-policy/localRateLimit.ts"
import type { Ledger } from "../../../stages/ports/Ledger.ts"
import { FakeClock, makeExchange } from "../../../test/stages/exchange.ts"

/** A store as it is described: takes from all or from none. */
const naiveStore = () => {
  const spent = new Map<string, number>()
  let calls = 0
  let isDown = false
  const ledger: Ledger = {
    account: (what, claims) => {
      calls++
      if (isDown) return Effect.fail("down")
      const left = ({ key, shape }: (typeof claims)[number]) => shape.maxTokens - (spent.get(key) ?? 0)
      const lacking = claims.findIndex((claim) => left(claim) < claim.tokens)
      if (lacking < 0 && what === "take") {
        for (const { key, tokens } of claims) spent.set(key, (spent.get(key) ?? 0) + tokens)
      }
      return Effect.succeed({ lacking, wallMillis: 0, remaining: claims.map(left) })
    },
  }
  return { ledger, calls: () => calls, down: (value: boolean) => (isDown = value) }
}

const limit = fc.record({ maxTokens: fc.integer({ min: 0, max: 5 }), shared: fc.boolean() })
const event = fc.record({ gateway: fc.nat(1), down: fc.boolean() })

it("limits of a gateway's own and shared ones agree, or nobody is charged; a store that is down makes each count for itself", () => {
  fc.assert(
    fc.property(
      fc.array(limit, { minLength: 1, maxLength: 3 }),
      fc.array(event, { maxLength: 25 }),
      (limits, events) => {
        const store = naiveStore()
        const clock = new FakeClock(0)
        const ports = { clock, fetch: () => Effect.fail("no"), run: () => {} }
        const policy = {
          _tag: "LocalRateLimit" as const,
          id: "p",
          limits: limits.map((one) => ({
            ...one,
            tokensPerFill: 0,
            fillIntervalMillis: 1000,
            type: "requests" as const,
          })),
        }
        const gateways = [0, 1].map(() =>
          compile(
            policy,
            { clock, maxBufferBytes: 0, gate: over(cryptography, ports, memory(64), { ledger: store.ledger }) },
            "route",
          ),
        )
        // By limit: what is left in the store, and of each gateway's own.
        const together = limits.map(({ maxTokens }) => maxTokens)
        const own = [0, 1].map(() => limits.map(({ maxTokens }) => maxTokens))
        const hasShared = limits.some(({ shared }) => shared)
        for (const { down, gateway } of events) {
          store.down(down)
          const mine = own[gateway] ?? []
          const counted = limits.map(({ shared }, i) => (shared && !down ? { of: together, i } : { of: mine, i }))
          const isAllowed = counted.every(({ i, of }) => (of[i] ?? 0) >= 1)
          const before = store.calls()
          const step = gateways[gateway]
          const said = step === undefined ? undefined : Effect.runSync(Effect.result(step.run(makeExchange())))
          assert.strictEqual(said?._tag === "Success", isAllowed)
          // One round trip at most, and none for what is refused without it.
          assert.isAtMost(store.calls() - before, hasShared ? 1 : 0)
          if (isAllowed) for (const { i, of } of counted) of[i] = (of[i] ?? 0) - 1
        }
      },
    ),
    { numRuns: 500 },
  )
})
