import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Expression } from "../../../ir/Expression.ts"
import type { Concurrency, ConcurrencyLimit } from "../../../ir/policy/ConcurrencyLimit.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { compile } from "../../../stages/5-policy/concurrencyLimit.ts"
import { type Gate, over } from "../../../stages/5-policy/Gate.ts"
import { bury, memory, Occupancy, type Shared } from "../../../stages/5-policy/Occupancy.ts"
import { LOOK_MILLIS, TURNSTILES_MAX } from "../../../stages/5-policy/Turnstile.ts"
import type { Routed } from "../../../stages/Exchange.ts"
import { toReply } from "../../../stages/Refusal.ts"
import { FakeClock, makeExchange, type Told, verdict } from "../exchange.ts"

const limit = (more: Partial<Concurrency> = {}): Concurrency => ({
  maxConcurrent: 2,
  status: 503,
  retryAfterMillis: 1_000,
  ...more,
})

const policy = (limits: ReadonlyArray<Concurrency>, id = "a"): ConcurrencyLimit => ({
  _tag: "ConcurrencyLimit",
  id,
  limits,
})

const gateOf = (clock: FakeClock, occupied?: Shared): Gate =>
  over(cryptography, { clock, fetch: () => Effect.fail("there is no network"), run: () => {} }, undefined, { occupied })

const end = (exchange: Routed): void => {
  for (const letGo of exchange.atEnd ?? []) letGo()
}

const made = (policies: ReadonlyArray<ConcurrencyLimit>, clock = new FakeClock(), gate = gateOf(clock)) => {
  const step = compile(policies, { clock, maxBufferBytes: 0, gate }, "route")
  return {
    clock,
    gate,
    /** Decides at once. */
    send: (told: Told = {}) => {
      const exchange = makeExchange(told)
      return { exchange, said: verdict(step, exchange)._tag }
    },
    /** May have to wait. */
    fork: (exchange = makeExchange()) => {
      if (step === undefined) throw new Error("there is no step")
      const fiber = Effect.runFork(Effect.result(step.run(exchange)))
      return {
        exchange,
        leave: () => fiber.interruptUnsafe(),
        said: () => {
          const exit = fiber.pollUnsafe()
          if (exit === undefined) return "waits"
          if (exit._tag === "Failure") return "gone"
          return exit.value._tag === "Success" ? exit.value.success._tag : exit.value.failure._tag
        },
        over: Fiber.await(fiber),
      }
    },
  }
}

const soon = () => new Promise<void>((resolve) => setImmediate(resolve))

describe("a limit of those under way at once", () => {
  it("lets in as many as there is room for, and more as those leave", () => {
    const { send } = made([policy([limit()])])
    const [one, two] = [send(), send()]
    assert.deepStrictEqual([one.said, two.said, send().said], ["Pass", "Pass", "TooManyAtOnce"])
    end(one.exchange)
    assert.strictEqual(send().said, "Pass")
    assert.strictEqual(send().said, "TooManyAtOnce")
  })

  it("says when to come back, with the status it was told", () => {
    const clock = new FakeClock()
    const step = compile(
      [policy([limit({ maxConcurrent: 0, status: 429, retryAfterMillis: 1_500 })])],
      { clock, maxBufferBytes: 0, gate: gateOf(clock) },
      "route",
    )
    const refusal = verdict(step, makeExchange())
    if (refusal._tag !== "TooManyAtOnce") return assert.fail(refusal._tag)
    const reply = toReply(refusal, false)
    assert.deepStrictEqual([reply.status, reply.headers.get("retry-after")], [429, "2"])
  })

  it("counts each value of a key for itself, and those without one together", () => {
    const { send } = made([policy([limit({ maxConcurrent: 1, key: 'request.headers["x-user"]' as Expression })])])
    const by = (user: string) => send({ headers: { "x-user": user } }).said
    assert.deepStrictEqual([by("ann"), by("ben"), by("ann")], ["Pass", "Pass", "TooManyAtOnce"])
    assert.deepStrictEqual([send().said, send().said], ["Pass", "TooManyAtOnce"])
  })

  it("of every level holds, and whoever is refused by one keeps no room of another", () => {
    const { send } = made([
      policy([limit({ maxConcurrent: 3 })], "gateway"),
      policy([limit({ maxConcurrent: 1, key: "request.path" as Expression })], "route"),
    ])
    const to = (path: string) => send({ url: `http://a.test${path}` }).said
    assert.strictEqual(to("/a"), "Pass")
    for (let i = 0; i < 5; i++) assert.strictEqual(to("/a"), "TooManyAtOnce")
    assert.deepStrictEqual([to("/b"), to("/c"), to("/d")], ["Pass", "Pass", "TooManyAtOnce"])
  })

  it("goes on counting those inside when the limit is changed", () => {
    const clock = new FakeClock()
    const gate = gateOf(clock)
    const before = made([policy([limit({ maxConcurrent: 2 })])], clock, gate)
    const [one, two] = [before.send(), before.send()]
    const after = made([policy([limit({ maxConcurrent: 1 })])], clock, gate)
    end(one.exchange)
    assert.strictEqual(after.send().said, "TooManyAtOnce")
    end(two.exchange)
    assert.strictEqual(after.send().said, "Pass")
  })
})

describe("a queue", () => {
  const queued = (more: Partial<Concurrency> = {}) =>
    made([policy([limit({ maxConcurrent: 1, queue: { maxWaiting: 2, timeoutMillis: 100 }, ...more })])])

  it("lets in who came first, and nobody past those who wait", async () => {
    const { fork } = queued()
    const inside = fork()
    const [first, second, third] = [fork(), fork(), fork()]
    await soon()
    assert.deepStrictEqual(
      [inside, first, second, third].map(({ said }) => said()),
      ["Pass", "waits", "waits", "TooManyAtOnce"],
    )
    end(inside.exchange)
    const late = fork()
    await soon()
    assert.deepStrictEqual([first.said(), second.said(), late.said()], ["Pass", "waits", "waits"])
    end(first.exchange)
    await soon()
    assert.deepStrictEqual([second.said(), late.said()], ["Pass", "waits"])
  })

  it("lets nobody wait longer than it may, or than the deadline of the request", async () => {
    const { clock, fork } = queued()
    const inside = fork()
    const hurried = makeExchange()
    hurried.deadlineMillis = clock.nowMillis() + 10
    const [patient, first] = [fork(), fork(hurried)]
    await soon()
    clock.advance(10)
    await soon()
    assert.deepStrictEqual([patient.said(), first.said()], ["waits", "TooManyAtOnce"])
    clock.advance(90)
    await soon()
    assert.strictEqual(patient.said(), "TooManyAtOnce")
    assert.strictEqual(clock.waiting, 0)
    end(inside.exchange)
    assert.strictEqual(fork().said(), "Pass")
  })

  it("forgets a client that leaves", async () => {
    const { clock, fork } = queued()
    const inside = fork()
    const [gone, next] = [fork(), fork()]
    await soon()
    gone.leave()
    await Effect.runPromise(gone.over)
    end(gone.exchange)
    const another = fork()
    await soon()
    assert.deepStrictEqual([gone.said(), next.said(), another.said()], ["gone", "waits", "waits"])
    end(inside.exchange)
    await soon()
    assert.deepStrictEqual([next.said(), another.said()], ["Pass", "waits"])
    end(next.exchange)
    await soon()
    assert.strictEqual(another.said(), "Pass")
    assert.strictEqual(clock.waiting, 0)
  })

  it("keeps no room for a client that left in the moment it was let in", async () => {
    const { fork } = queued()
    const inside = fork()
    const waiting = fork()
    await soon()
    end(inside.exchange)
    waiting.leave()
    await Effect.runPromise(waiting.over)
    end(waiting.exchange)
    assert.strictEqual(fork().said(), "Pass")
  })

  it("of one thread notices room that another thread makes", async () => {
    const clock = new FakeClock()
    const shared = { memory: memory(2), threads: 2 }
    const limits = [policy([limit({ maxConcurrent: 1, queue: { maxWaiting: 1, timeoutMillis: 100 } })])]
    const [here, there] = [0, 1].map((thread) => made(limits, clock, gateOf(clock, { ...shared, thread })))
    if (here === undefined || there === undefined) return assert.fail()
    const inside = there.send()
    const waiting = here.fork()
    // Those who wait are counted together as well.
    assert.strictEqual(there.fork().said(), "TooManyAtOnce")
    end(inside.exchange)
    assert.strictEqual(waiting.said(), "waits")
    clock.advance(LOOK_MILLIS)
    await soon()
    assert.strictEqual(waiting.said(), "Pass")
  })
})

describe("threads that share their memory", () => {
  const places = (threads: number, size = 8) => {
    const shared = { memory: memory(threads, size), threads }
    return {
      shared,
      of: Array.from({ length: threads }, (_, thread) => new Occupancy({ ...shared, thread })),
    }
  }

  it("count together, and whoever dies is forgotten", () => {
    const { of, shared } = places(3)
    const rooms = of.map((one) => one.room(7n))
    const inside = rooms.map((room) => room.enter(3))
    assert.isTrue(inside.every((at) => at >= 0))
    assert.strictEqual(rooms[0]?.enter(3), -1)
    bury(shared, 2)
    assert.strictEqual(rooms[0]?.count, 2)
    assert.isAtLeast(rooms[1]?.enter(3) ?? -1, 0)
    assert.strictEqual(rooms[0]?.enter(3), -1)
  })

  it("give a place that nobody uses to whoever needs one", () => {
    const { of } = places(2, 4)
    for (let key = 1n; key < 50n; key++) {
      const room = of[Number(key % 2n)]?.room(key)
      const at = room?.enter(1) ?? -1
      assert.isAtLeast(at, 0)
      room?.leave(at)
    }
  })

  it("count each for itself when there is no place left, rather than not at all", () => {
    const { of } = places(2, 2)
    const [here] = of
    if (here === undefined) return assert.fail()
    for (const key of [1n, 2n]) here.room(key).enter(1)
    const crowded = here.room(3n)
    const at = crowded.enter(1)
    assert.deepStrictEqual([at, crowded.enter(1), crowded.count], [-2, -1, 1])
    crowded.leave(at)
    assert.strictEqual(crowded.enter(1), -2)
  })
})

it("any number of keys is remembered by a bounded number of turnstiles", () => {
  const { gate, send } = made([policy([limit({ maxConcurrent: 1, key: "request.path" as Expression })])])
  for (let i = 0; i < TURNSTILES_MAX + 50; i++) {
    const { exchange, said } = send({ url: `http://a.test/${i}` })
    assert.strictEqual(said, "Pass")
    end(exchange)
  }
  assert.strictEqual(gate.turnstiles().size, TURNSTILES_MAX)
})
