import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Buffer } from "../../../ir/policy/Buffer.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../../stages/Body.ts"
import { compile } from "../../../stages/5-policy/buffer.ts"
import { settle } from "../../../stages/5-policy/settle.ts"
import { pass } from "../../../stages/5-policy/Step.ts"
import {
  aSocket,
  drain,
  FakeClock,
  flowOf,
  makeExchange,
  makeReply,
  ScriptedFlow,
  type Told,
  verdict,
} from "../exchange.ts"

const clock = new FakeClock()
const ports = { clock, maxBufferBytes: 8 }

const closed = { failureMode: "failClosed" } as const
const open = { failureMode: "failOpen" } as const

const step = (policy: Partial<Buffer>) => compile({ _tag: "Buffer", ...policy }, ports, "route")

const fork = <A, E>(effect: Effect.Effect<A, E>) => Effect.forkChild(effect, { startImmediately: true })

const requested = (told: Told, policy: Partial<Buffer> = { request: closed }) => {
  const exchange = makeExchange({ method: "POST", ...told })
  return { exchange, run: step(policy)?.run(exchange) ?? Effect.die("no step") }
}

describe("buffering a request", () => {
  it.effect("waits for the whole body, then passes it on in one piece", () => {
    const flow = new ScriptedFlow()
    const { exchange, run } = requested({ body: flow })
    return Effect.gen(function* () {
      const fiber = yield* fork(run)
      flow.write("abc")
      yield* Effect.yieldNow
      assert.isUndefined(fiber.pollUnsafe())
      flow.write("defgh")
      flow.end()
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Pass")
      assert.strictEqual(exchange.request.body._tag, "Bytes")
      assert.strictEqual((yield* drain(exchange.request.body)).text, "abcdefgh")
      assert.strictEqual(flow.opened, 1)
    })
  })

  it.effect("keeps the trailers", () => {
    const { exchange, run } = requested({ body: flowOf(["ab"], undefined, Headers.from({ sum: "1" })) })
    return Effect.gen(function* () {
      yield* run
      const drained = yield* drain(exchange.request.body)
      assert.strictEqual(drained.text, "ab")
      assert.deepStrictEqual([...(drained.trailers ?? [])], [["sum", "1"]])
    })
  })

  it.effect("refuses a body that outgrows the limit, and tells its sender to stop", () => {
    const flow = new ScriptedFlow()
    const { run } = requested({ body: flow })
    return Effect.gen(function* () {
      const fiber = yield* fork(run)
      flow.write("123456789")
      const refusal = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(refusal._tag, "RequestBodyTooLarge")
      assert.isTrue(flow.isCancelled)
    })
  })

  it("refuses a body that declares itself too large without reading any of it", () => {
    const flow = new ScriptedFlow(9)
    const exchange = makeExchange({ body: flow })
    assert.strictEqual(verdict(step({ request: closed }), exchange)._tag, "RequestBodyTooLarge")
    assert.strictEqual(flow.opened, 0)
  })

  it.effect("streams on what does not fit where it may, nothing lost", () => {
    const { exchange, run } = requested({ body: flowOf(["12345", "67890", "abc"]) }, { request: open })
    return Effect.gen(function* () {
      yield* run
      assert.strictEqual((yield* drain(exchange.request.body)).text, "1234567890abc")
    })
  })

  it("does not begin to hold what will not fit and may stream", () => {
    const flow = new ScriptedFlow(9)
    const exchange = makeExchange({ body: flow })
    assert.strictEqual(step({ request: open })?.run(exchange), pass)
    assert.strictEqual(exchange.request.body, flow)
  })

  it("takes its own limit before that of the listener", () => {
    const run = (maxBytes: number) => verdict(step({ request: { ...closed, maxBytes } }), makeExchange({ body: "12" }))
    assert.strictEqual(run(1)._tag, "RequestBodyTooLarge")
    assert.strictEqual(run(2)._tag, "Pass")
  })

  it("passes at once where there is nothing to wait for, and in tunnels", () => {
    const request = step({ request: closed })
    for (const told of [
      {},
      { body: "12345678" },
      { body: new ScriptedFlow(), upgrade: "websocket" },
      { body: new ScriptedFlow(), method: "CONNECT" },
    ]) {
      assert.strictEqual(request?.run(makeExchange(told)), pass)
    }
  })

  it.effect("says what broke off", () =>
    Effect.gen(function* () {
      for (const [reason, tag] of [
        ["gone", "InvalidRequest"],
        ["malformed", "InvalidRequest"],
        ["stalled", "RequestBodyTimeout"],
        ["tooLarge", "RequestBodyTooLarge"],
      ] as const) {
        const flow = new ScriptedFlow()
        const fiber = yield* fork(requested({ body: flow }).run)
        flow.fail(reason)
        assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, tag)
      }
    }),
  )

  it.effect("ends at the deadline of the request, and leaves no timer behind", () => {
    const timed = new FakeClock()
    const hold = compile({ _tag: "Buffer", request: closed }, { clock: timed, maxBufferBytes: 8 }, "route")
    return Effect.gen(function* () {
      const flow = new ScriptedFlow()
      const exchange = makeExchange({ body: flow })
      exchange.deadlineMillis = 1100
      const fiber = yield* fork(hold?.run(exchange) ?? Effect.die("no step"))
      timed.advance(100)
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "RequestTimeout")
      assert.isTrue(flow.isCancelled)
      flow.write("what still comes is dropped, not kept")
      assert.isFalse(flow.isPaused)
      const late = makeExchange({ body: new ScriptedFlow() })
      late.deadlineMillis = 1100
      assert.strictEqual(verdict(hold, late)._tag, "RequestTimeout")
    })
  })

  it.effect("does not cut short at the deadline a body that already streams on", () => {
    const timed = new FakeClock()
    const hold = compile({ _tag: "Buffer", request: open }, { clock: timed, maxBufferBytes: 2 }, "route")
    return Effect.gen(function* () {
      const flow = new ScriptedFlow()
      const exchange = makeExchange({ body: flow })
      exchange.deadlineMillis = 1100
      const fiber = yield* fork(hold?.run(exchange) ?? Effect.die("no step"))
      flow.write("abc")
      yield* Fiber.join(fiber)
      assert.strictEqual(timed.waiting, 0)
      timed.advance(1000)
      const reading = yield* fork(drain(exchange.request.body))
      flow.write("def")
      flow.end()
      const drained = yield* Fiber.join(reading)
      assert.deepStrictEqual([drained.text, drained.failure], ["abcdef", undefined])
    })
  })

  it.effect("lets go of the body when the client goes away", () => {
    const flow = new ScriptedFlow()
    return Effect.gen(function* () {
      const fiber = yield* fork(requested({ body: flow }).run)
      yield* Fiber.interrupt(fiber)
      assert.isTrue(flow.isCancelled)
    })
  })
})

const replied = (
  reply: ReturnType<typeof makeReply>,
  policy: Partial<Buffer> = { response: closed },
  told: Told = {},
) =>
  Effect.gen(function* () {
    const exchange = makeExchange(told)
    assert.strictEqual(step(policy)?.run(exchange), pass)
    const waiting = settle(exchange, reply)
    if (waiting !== undefined) yield* waiting
    return { exchange, drained: yield* drain(reply.body) }
  })

describe("buffering a reply", () => {
  it.effect("holds it until it is complete, trailers included", () =>
    Effect.gen(function* () {
      const reply = makeReply({ body: flowOf(["abc", "de"]) })
      const { drained } = yield* replied(reply)
      assert.strictEqual(reply.body._tag, "Bytes")
      assert.strictEqual(drained.text, "abcde")
      const trailing = makeReply({ body: flowOf(["abc"], undefined, Headers.from({ "grpc-status": "0" })) })
      const kept = (yield* replied(trailing)).drained
      assert.strictEqual(kept.text, "abc")
      assert.strictEqual(kept.trailers?.get("grpc-status"), "0")
    }),
  )

  it.effect("turns one that is too large into 502, whether it says so or turns out so", () =>
    Effect.gen(function* () {
      for (const body of [flowOf(["123456789"]), flowOf(["123456789"], 9), Body.text("123456789")]) {
        const reply = makeReply({ body, headers: { etag: "1", "content-length": "9" } })
        const { drained, exchange } = yield* replied(reply)
        assert.strictEqual(reply.status, 502)
        assert.deepStrictEqual([...reply.headers], [["content-type", "text/plain"]])
        assert.strictEqual(drained.text, "response body too large")
        assert.strictEqual(exchange.trail.refusal?._tag, "ReplyBodyTooLarge")
      }
    }),
  )

  it.effect("tells a gRPC client in its own way", () =>
    Effect.gen(function* () {
      const reply = makeReply({ body: flowOf(["123456789"]) })
      yield* replied(reply, { response: closed }, { headers: { "content-type": "application/grpc" } })
      assert.deepStrictEqual([reply.status, reply.headers.get("grpc-status")], [200, "14"])
    }),
  )

  it.effect("streams on what does not fit where it may", () =>
    Effect.gen(function* () {
      const reply = makeReply({ body: flowOf(["12345", "67890", "x"]) })
      assert.strictEqual((yield* replied(reply, { response: open })).drained.text, "1234567890x")
      assert.strictEqual(reply.status, 200)
    }),
  )

  it.effect("refuses one that broke off, since nothing was sent yet", () =>
    Effect.gen(function* () {
      const flow = new ScriptedFlow()
      const reply = makeReply({ body: flow })
      const exchange = makeExchange()
      step({ response: closed })?.run(exchange)
      const fiber = yield* fork(settle(exchange, reply) ?? Effect.die("nothing to wait for"))
      flow.write("ab")
      flow.fail("gone", "connection reset")
      yield* Fiber.join(fiber)
      assert.strictEqual(reply.status, 503)
      assert.strictEqual((yield* drain(reply.body)).text, "upstream call failed: connection reset")
    }),
  )

  it("leaves alone what has no body to hold, and the gateway's own words", () => {
    const untouched = (reply: ReturnType<typeof makeReply>, told: Told = {}) => {
      const exchange = makeExchange(told)
      const before = reply.body
      step({ response: closed })?.run(exchange)
      assert.isUndefined(settle(exchange, reply))
      assert.strictEqual(reply.body, before)
    }
    untouched(makeReply())
    untouched(makeReply({ body: "x".repeat(100), origin: "gateway" }))
    untouched(makeReply({ status: 101, tunnel: aSocket() }))
    untouched(makeReply({ body: new ScriptedFlow(1000) }), { method: "HEAD" })
  })
})

it("buffering nothing is no step", () => {
  assert.isUndefined(step({}))
})
