import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Expression } from "../../../ir/Expression.ts"
import type { LocalRateLimit, TokenBucket } from "../../../ir/policy/LocalRateLimit.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { type Bucket, Buckets, BUCKETS_MAX, memory, takeFromAll } from "../../../stages/5-policy/Buckets.ts"
import { over } from "../../../stages/5-policy/Gate.ts"
import { compile } from "../../../stages/5-policy/localRateLimit.ts"
import { admitTokens, chargeTokens, isMetered } from "../../../stages/5-policy/TokenMeter.ts"
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

const portsOf = (clock: FakeClock, gate = gateOf()) => ({ clock, maxBufferBytes: 0, gate })

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

  describe("with a key", () => {
    const keyed = (key: string, more: Partial<TokenBucket> = {}) => {
      const clock = new FakeClock(0)
      const step = compile(policy([limit({ key: key as Expression, ...more })], "a"), portsOf(clock), "route")
      const send = (headers: Readonly<Record<string, string>>) => {
        const exchange = makeExchange({ headers })
        const said = verdict(step, exchange)
        return [said._tag, settled(exchange, makeReply()).headers.get("x-ratelimit-remaining")]
      }
      return { clock, send }
    }

    it("counts for each of its values", () => {
      const { clock, send } = keyed('request.headers["x-user"]')
      assert.deepStrictEqual(send({ "x-user": "a" }), ["Pass", "1"])
      assert.deepStrictEqual(send({ "x-user": "b" }), ["Pass", "1"])
      assert.deepStrictEqual(send({ "x-user": "a" }), ["Pass", "0"])
      assert.deepStrictEqual(send({ "x-user": "a" }), ["RateLimited", "0"])
      assert.deepStrictEqual(send({ "x-user": "b" }), ["Pass", "0"])
      clock.advance(10_000)
      assert.deepStrictEqual(send({ "x-user": "a" }), ["Pass", "0"])
    })

    it("takes everybody without one for one and the same", () => {
      const { send } = keyed('request.headers["x-user"]')
      assert.strictEqual(send({})[0], "Pass")
      assert.strictEqual(send({ other: "1" })[0], "Pass")
      assert.strictEqual(send({ other: "2" })[0], "RateLimited")
      assert.strictEqual(send({ "x-user": "without a key" })[0], "Pass")
    })

    it("tells apart values of different types, and long ones", () => {
      const { send } = keyed('request.headers["x-user"] == "one" ? dyn(1) : dyn(request.headers["x-user"])')
      const long = "u".repeat(100_000)
      for (const user of ["one", "1", long, `${long}.`]) {
        assert.strictEqual(send({ "x-user": user })[0], "Pass")
        assert.strictEqual(send({ "x-user": user })[0], "Pass")
        assert.strictEqual(send({ "x-user": user })[0], "RateLimited")
      }
    })

    it("keeps no more keys than there is room for, and forgets those that lose least", () => {
      const { send } = keyed('request.headers["x-user"]', { maxTokens: 10, tokensPerFill: 1 })
      for (let i = 0; i < 10; i++) assert.strictEqual(send({ "x-user": "greedy" })[0], "Pass")
      for (let i = 0; i < 20_000; i++) send({ "x-user": `passer-by ${i}` })
      assert.strictEqual(send({ "x-user": "greedy" })[0], "RateLimited")
    })
  })

  describe("on the tokens of models", () => {
    const onTokens = (more: Partial<TokenBucket> = {}) => {
      const clock = new FakeClock(0)
      const step = compile(policy([limit({ maxTokens: 100, type: "tokens", ...more })], "a"), portsOf(clock), "route")
      const ask = (counted: number | undefined, consumed: number) => {
        const exchange = makeExchange()
        assert.strictEqual(verdict(step, exchange)._tag, "Pass")
        assert.isTrue(isMetered(exchange))
        const said = Effect.runSync(Effect.result(admitTokens(exchange, counted)))
        const isAdmitted = said._tag === "Success"
        if (isAdmitted) chargeTokens(exchange, consumed)
        const { headers } = settled(exchange, makeReply())
        return [isAdmitted, headers.get("x-ratelimit-remaining"), headers.get("retry-after")]
      }
      return { clock, ask }
    }

    it("is charged what was consumed, and refuses when nothing is left", () => {
      const { clock, ask } = onTokens()
      assert.deepStrictEqual(ask(undefined, 99), [true, "100", undefined])
      assert.deepStrictEqual(ask(undefined, 50), [true, "1", undefined])
      assert.deepStrictEqual(ask(undefined, 0), [false, "0", "10"])
      clock.advance(10_000)
      assert.deepStrictEqual(ask(undefined, 0), [true, "1", undefined])
    })

    it("is charged the prompt first where somebody counted it, and then the rest or less", () => {
      const { ask } = onTokens()
      assert.deepStrictEqual(ask(60, 80), [true, "40", undefined])
      assert.deepStrictEqual(ask(21, 0), [false, "20", "10"])
      assert.deepStrictEqual(ask(20, 5), [true, "0", undefined])
      assert.deepStrictEqual(ask(15, 15), [true, "0", undefined])
      assert.deepStrictEqual(ask(1, 1), [false, "0", "10"])
    })

    it("takes once for all attempts, and the last word counts", () => {
      const clock = new FakeClock(0)
      const step = compile(policy([limit({ maxTokens: 100, type: "tokens" })], "a"), portsOf(clock), "route")
      const exchange = makeExchange()
      verdict(step, exchange)
      for (let i = 0; i < 3; i++) Effect.runSync(admitTokens(exchange, 40))
      chargeTokens(exchange, 10)
      chargeTokens(exchange, 30)
      const next = makeExchange()
      verdict(step, next)
      Effect.runSync(admitTokens(next, undefined))
      assert.strictEqual(settled(next, makeReply()).headers.get("x-ratelimit-remaining"), "70")
    })

    it("asks nothing of an exchange without such a limit", () => {
      const exchange = makeExchange()
      assert.isFalse(isMetered(exchange))
      Effect.runSync(admitTokens(exchange, 1e9))
      chargeTokens(exchange, 1e9)
    })
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
    const bucket = new Buckets(memory(8)).open(1n, shape, 0)
    assert.strictEqual(all(bucket, 1_000_000), 5)
    assert.strictEqual(all(bucket, 999_999), 0)
    assert.strictEqual(all(bucket, 1_000_000), 0)
    assert.strictEqual(all(bucket, 500_000), 0)
    assert.strictEqual(all(bucket, 501_000), 5)
  })

  it("gives back no more than was taken", () => {
    const bucket = new Buckets(memory(8)).open(1n, shape, 0)
    bucket.take(2, 0)
    bucket.give(9, 0)
    assert.strictEqual(bucket.level(0).remaining, 5)
  })

  it("is another one for every identity, and one of its own when the table is full", () => {
    const buckets = new Buckets(memory(16))
    const opened = Array.from({ length: 40 }, (_, i) => buckets.open(BigInt(i * 16), shape, 0))
    for (const bucket of opened) assert.strictEqual(all(bucket, 0), 5)
    assert.strictEqual(all(buckets.open(16n, shape, 0), 0), 0)
  })

  it("counts as far as it promises", () => {
    const bucket = new Buckets(memory(1)).open(-1n, { ...shape, maxTokens: 4_294_967_295 }, 0)
    assert.isTrue(bucket.take(4_294_967_295, 0))
    assert.isFalse(bucket.take(1, 0))
    assert.strictEqual(bucket.level(0).remaining, 0)
  })

  it("gives its place away when it is full again, and finds another when it needs one", () => {
    const buckets = new Buckets(memory(1))
    const first = buckets.open(1n, shape, 0)
    assert.isTrue(first.take(3, 0))
    const kept = buckets.open(2n, shape, 0)
    assert.strictEqual(all(kept, 0), 5)
    assert.strictEqual(first.level(0).remaining, 2)
    const second = buckets.open(2n, shape, 1000)
    assert.strictEqual(all(second, 1000), 5)
    assert.strictEqual(all(first, 1000), 5)
    assert.strictEqual(second.level(1000).remaining, 0)
  })

  it("of a key is forgotten before it is full only where there is no other place", () => {
    const buckets = new Buckets(memory(2))
    const slow = { ...shape, tokensPerFill: 1 }
    const [a, b] = [1n, 2n].map((id) => buckets.open(id, slow, 0, false))
    a?.take(5, 0)
    b?.take(1, 0)
    const c = buckets.open(3n, slow, 0, false)
    assert.isTrue(c.take(1, 0))
    assert.strictEqual(a?.level(0).remaining, 0)
    assert.strictEqual(c.level(0).remaining, 4)
  })

  it("takes from none where one has too little", () => {
    const buckets = new Buckets(memory(BUCKETS_MAX))
    const wide = buckets.open(1n, shape, 0)
    const narrow = buckets.open(2n, { ...shape, maxTokens: 1 }, 0)
    assert.isUndefined(takeFromAll([wide, narrow], 1, 0))
    assert.strictEqual(takeFromAll([wide, narrow], 1, 0), narrow)
    assert.strictEqual(wide.level(0).remaining, 4)
  })
})
