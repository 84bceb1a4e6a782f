import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as delay from "../../../stages/5-policy/delay.ts"
import { cel, computing } from "./computing.ts"
import { FakeClock, makeExchange, verdict } from "../exchange.ts"

const fixed = (millis: number, clock: FakeClock) =>
  delay.compile({ _tag: "Delay", duration: { _tag: "Fixed", millis } }, { clock, maxBufferBytes: 0 }, "route")

describe("a delay", () => {
  it.effect("lets the request go on when its time has passed, and not before", () => {
    const clock = new FakeClock()
    const exchange = makeExchange()
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(fixed(100, clock)?.run(exchange) ?? Effect.die("no step"), {
        startImmediately: true,
      })
      clock.advance(99)
      yield* Effect.yieldNow
      assert.isUndefined(fiber.pollUnsafe())
      clock.advance(1)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Pass")
    })
  })

  it.effect("ends at the deadline with a timeout", () => {
    const clock = new FakeClock()
    const exchange = makeExchange()
    exchange.deadlineMillis = 1050
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(fixed(100, clock)?.run(exchange) ?? Effect.die("no step"), {
        startImmediately: true,
      })
      clock.advance(50)
      const refusal = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(refusal._tag, "RequestTimeout")
    })
  })

  it("that ends at the very deadline is late", () => {
    assert.deepStrictEqual(delay.decide(100, 100), { millis: 100, isLate: true })
    assert.deepStrictEqual(delay.decide(100, 101), { millis: 100, isLate: false })
  })

  it("refuses at once when the deadline has passed", () => {
    const exchange = makeExchange()
    exchange.deadlineMillis = 1000
    assert.strictEqual(verdict(fixed(100, new FakeClock()), exchange)._tag, "RequestTimeout")
  })

  it.effect("leaves no timer behind when the client goes away", () => {
    const clock = new FakeClock()
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(fixed(100, clock)?.run(makeExchange()) ?? Effect.die("no step"), {
        startImmediately: true,
      })
      assert.strictEqual(clock.waiting, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(clock.waiting, 0)
    })
  })

  it("of nothing is no step", () => {
    assert.isUndefined(fixed(0, new FakeClock()))
  })

  it("by expression is a duration or a number of milliseconds; nothing, or a failure, is none", () => {
    const ports = computing()
    const waits = (expression: string) => {
      const step = delay.compile(
        { _tag: "Delay", duration: { _tag: "Computed", expression: cel(expression) } },
        ports,
        "route",
      )
      const fiber = Effect.runFork(step?.run(makeExchange()) ?? Effect.die("no step"))
      let waited = 0
      for (; waited < 5000 && fiber.pollUnsafe() === undefined; waited += 50) ports.clock.advance(50)
      return waited
    }
    assert.strictEqual(waits('duration("1s")'), 1000)
    assert.strictEqual(waits("250"), 250)
    assert.strictEqual(waits("request.method == 'GET' ? 100 : 0"), 100)
    for (const none of ["0", "-5", 'duration("-1s")', "request.headers.nope"]) assert.strictEqual(waits(none), 0)
  })
})
