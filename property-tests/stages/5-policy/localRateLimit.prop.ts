import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Buckets, type BucketShape, memory, takeFromAll } from "../../../stages/5-policy/Buckets.ts"

const shape: fc.Arbitrary<BucketShape> = fc
  .record({
    maxTokens: fc.integer({ min: 0, max: 6 }),
    tokensPerFill: fc.integer({ min: 0, max: 6 }),
    fillIntervalMillis: fc.constantFrom(0.5, 1, 7, 10, 100),
  })
  .map((one) => ({ ...one, tokensPerFill: Math.min(one.tokensPerFill, one.maxTokens) }))

const event = fc.record({
  afterMillis: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 })),
  tokens: fc.integer({ min: 1, max: 3 }),
  thread: fc.integer({ min: 0, max: 2 }),
})

/** A bucket as it is described: a turn of the interval adds tokens, one by one, as long as they fit. */
class Naive {
  private readonly shape: BucketShape
  private tokens: number
  private turn: number

  constructor(shape: BucketShape, nowMillis: number) {
    this.shape = shape
    this.tokens = shape.maxTokens
    this.turn = Math.floor(nowMillis / shape.fillIntervalMillis)
  }

  has(tokens: number, nowMillis: number): boolean {
    const { fillIntervalMillis, maxTokens, tokensPerFill } = this.shape
    for (; this.turn < Math.floor(nowMillis / fillIntervalMillis); this.turn++) {
      this.tokens = Math.min(maxTokens, this.tokens + tokensPerFill)
    }
    return this.tokens >= tokens
  }

  spend(tokens: number): void {
    this.tokens -= tokens
  }

  get left(): number {
    return this.tokens
  }
}

it("several threads together let pass what one list of naive buckets would", () => {
  fc.assert(
    fc.property(
      fc.array(shape, { minLength: 1, maxLength: 3 }),
      fc.array(event, { maxLength: 40 }),
      // Among them times at which the turns of an interval no longer fit into 32 bits.
      fc.constantFrom(0, 4_294_967_290, 1_700_000_000_000),
      (shapes, events, startMillis) => {
        const shared = memory(8)
        const threads = [0, 1, 2].map(() => {
          const buckets = new Buckets(shared)
          return shapes.map((one, i) => buckets.open(BigInt(i + 1), one, startMillis))
        })
        const naive = shapes.map((one) => new Naive(one, startMillis))
        let now = startMillis
        for (const { afterMillis, thread, tokens } of events) {
          now += afterMillis
          const isAllowed = naive.map((one) => one.has(tokens, now)).every(Boolean)
          if (isAllowed) for (const one of naive) one.spend(tokens)
          const buckets = threads[thread] ?? []
          const lacking = takeFromAll(buckets, tokens, now)
          assert.strictEqual(lacking === undefined, isAllowed)
          assert.deepStrictEqual(
            buckets.map((bucket) => bucket.level(now).remaining),
            naive.map(({ left }) => left),
          )
        }
      },
    ),
    { numRuns: 1500 },
  )
})

it("in any stretch of time no more pass than a full bucket and what is added meanwhile", () => {
  fc.assert(
    fc.property(shape, fc.array(event, { maxLength: 60 }), (shape, events) => {
      const bucket = new Buckets(memory(1)).open(1n, shape, 0)
      let now = 1_000
      let passed = 0
      for (const { afterMillis } of events) {
        now += afterMillis
        if (bucket.take(1, now)) passed++
      }
      const turns = Math.floor(now / shape.fillIntervalMillis) - Math.floor(1_000 / shape.fillIntervalMillis)
      assert.isAtMost(passed, shape.maxTokens + turns * shape.tokensPerFill)
    }),
    { numRuns: 1000 },
  )
})
