import { assert, describe, it } from "@effect/vitest"
import type { LocalRateLimit, TokenBucket } from "../../../ir/policy/LocalRateLimit.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { type Bucket, Buckets, BUCKETS_MAX, memory, takeFromAll } from "../../../stages/5-policy/Buckets.ts"
import { over } from "../../../stages/5-policy/Gate.ts"
import { compile } from "../../../stages/5-policy/localRateLimit.ts"
import { toReply } from "../../../stages/Refusal.ts"
import { FakeClock, makeExchange, makeReply, settled, verdict } from "../exchange.ts"
import { gateOf } from "./gate.ts"

const limit = (more: Partial<TokenBucket> = {}): TokenBucket => ({
  maxTokens: 2,
  tokensPerFill: 1,
  fillIntervalMillis: 10_000,
  type: "requests",
  ...more,
})
const policy = (limits: ReadonlyArray<TokenBucket>, id?: string): LocalRateLimit => ({
  _tag: "LocalRateLimit",
  limits,
  ...(id === undefined ? {} : { id }),
})

const made = (limits: ReadonlyArray<TokenBucket>, gate = gateOf(), clock = new FakeClock(0)) => {
  const step = compile(policy(limits, "a"), { clock, maxBufferBytes: 0, gate }, "route")
  const send = () => {
    const exchange = makeExchange()
    const said = verdict(step, exchange)
    const reply = settled(
      exchange,
      said._tag === "Pass"
        ? makeReply({ headers: { "x-ratelimit-limit": "upstream" } })
        : toReply({ _tag: "RateLimited" }, false),
    )
    const shown = ["limit", "remaining", "reset"].map((name) => reply.headers.get(`x-ratelimit-${name}`))
    return [said._tag, ...shown, reply.headers.get("retry-after")]
  }
  return { clock, send }
}

describe("a limit", () => {
  it("lets as many pass as there are tokens, and says what is left", () => {
    const { clock, send } = made([limit()])
    assert.deepStrictEqual(send(), ["Pass", "2", "1", "10", undefined])
    clock.advance(2_500)
    assert.deepStrictEqual(send(), ["Pass", "2", "0", "8", undefined])
    assert.deepStrictEqual(send(), ["RateLimited", "2", "0", "8", "8"])
    clock.advance(7_499)
    assert.strictEqual(send()[0], "RateLimited")
    clock.advance(1)
    assert.deepStrictEqual(send(), ["Pass", "2", "0", "10", undefined])
    clock.advance(3_600_000)
    assert.deepStrictEqual(send(), ["Pass", "2", "1", "10", undefined])
  })

  it("that is never filled again says nothing of when", () => {
    const { clock, send } = made([limit({ maxTokens: 1, tokensPerFill: 0 })])
    assert.deepStrictEqual(send(), ["Pass", "1", "0", undefined, undefined])
    clock.advance(1e9)
    assert.deepStrictEqual(send(), ["RateLimited", "1", "0", undefined, undefined])
  })

  it("of nothing lets nobody pass", () => {
    assert.strictEqual(made([limit({ maxTokens: 0, tokensPerFill: 0 })]).send()[0], "RateLimited")
  })

  it("spends nothing on what another limit refuses", () => {
    const { clock, send } = made([limit({ maxTokens: 3 }), limit({ maxTokens: 1, fillIntervalMillis: 1000 })])
    assert.deepStrictEqual(send(), ["Pass", "1", "0", "1", undefined])
    for (let i = 0; i < 5; i++) assert.deepStrictEqual(send(), ["RateLimited", "1", "0", "1", "1"])
    clock.advance(1000)
    assert.strictEqual(send()[0], "Pass")
    clock.advance(1000)
    assert.deepStrictEqual(send(), ["Pass", "3", "0", "8", undefined])
  })

  it("goes on where it was after a change that left it alone, and begins anew after one that did not", () => {
    const gate = gateOf()
    const clock = new FakeClock(0)
    assert.strictEqual(made([limit()], gate, clock).send()[2], "1")
    assert.strictEqual(made([limit()], gate, clock).send()[2], "0")
    assert.strictEqual(made([limit()], gate, clock).send()[0], "RateLimited")
    assert.strictEqual(made([limit({ maxTokens: 3 })], gate, clock).send()[2], "2")
    assert.strictEqual(made([limit()], gate, clock).send()[0], "RateLimited")
  })

  it("of the same content at another place is another one", () => {
    const ports = { clock: new FakeClock(), maxBufferBytes: 0, gate: gateOf() }
    const one = limit({ maxTokens: 1 })
    const steps = [policy([one], "a"), policy([one], "b"), policy([one]), policy([one])].map((of) =>
      compile(of, ports, "route"),
    )
    for (const step of steps) assert.strictEqual(verdict(step, makeExchange())._tag, "Pass")
    for (const step of steps) assert.strictEqual(verdict(step, makeExchange())._tag, "RateLimited")
  })

  it("is one for all threads that share its memory", () => {
    const shared = memory()
    const ports = { clock: new FakeClock(), fetch: () => assert.fail(), run: () => {} }
    const clock = new FakeClock(0)
    const threads = [1, 2, 3].map(() => made([limit({ maxTokens: 4 })], over(cryptography, ports, shared), clock))
    const said = Array.from({ length: 9 }, (_, i) => threads[i % 3]?.send()[0])
    assert.deepStrictEqual(said, [...Array<string>(4).fill("Pass"), ...Array<string>(5).fill("RateLimited")])
  })

  it("with nothing in it is no limit", () => {
    assert.isUndefined(compile(policy([]), { clock: new FakeClock(), maxBufferBytes: 0, gate: gateOf() }, "route"))
  })
})

const shape = { maxTokens: 5, tokensPerFill: 5, fillIntervalMillis: 1000 }
const all = (bucket: Bucket, now: number) => {
  let taken = 0
  while (bucket.take(1, now)) taken++
  return taken
}

describe("a bucket", () => {
  it("believes a clock that was set back, and not one that is read late", () => {
    const bucket = new Buckets(memory(8)).open(1n, shape)
    assert.strictEqual(all(bucket, 1_000_000), 5)
    assert.strictEqual(all(bucket, 999_999), 0)
    assert.strictEqual(all(bucket, 1_000_000), 0)
    assert.strictEqual(all(bucket, 500_000), 0)
    assert.strictEqual(all(bucket, 501_000), 5)
  })

  it("gives back no more than was taken", () => {
    const bucket = new Buckets(memory(8)).open(1n, shape)
    bucket.take(2, 0)
    bucket.give(9, 0)
    assert.strictEqual(bucket.level(0).remaining, 5)
  })

  it("is another one for every identity, and one of its own when the table is full", () => {
    const buckets = new Buckets(memory(16))
    const opened = Array.from({ length: 40 }, (_, i) => buckets.open(BigInt(i * 16), shape))
    for (const bucket of opened) assert.strictEqual(all(bucket, 0), 5)
    assert.strictEqual(all(buckets.open(16n, shape), 0), 0)
  })

  it("counts as far as it promises", () => {
    const bucket = new Buckets(memory(1)).open(-1n, { ...shape, maxTokens: 4_294_967_295 })
    assert.isTrue(bucket.take(4_294_967_295, 0))
    assert.isFalse(bucket.take(1, 0))
    assert.strictEqual(bucket.level(0).remaining, 0)
  })

  it("takes from none where one has too little", () => {
    const buckets = new Buckets(memory(BUCKETS_MAX))
    const wide = buckets.open(1n, shape)
    const narrow = buckets.open(2n, { ...shape, maxTokens: 1 })
    assert.isUndefined(takeFromAll([wide, narrow], 1, 0))
    assert.strictEqual(takeFromAll([wide, narrow], 1, 0), narrow)
    assert.strictEqual(wide.level(0).remaining, 4)
  })
})
