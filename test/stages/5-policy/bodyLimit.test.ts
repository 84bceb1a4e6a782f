import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { BodyLimit } from "../../../ir/policy/BodyLimit.ts"
import { compile } from "../../../stages/5-policy/bodyLimit.ts"
import { aSocket, drain, flowOf, makeExchange, makeReply, ScriptedFlow, settled, verdict } from "../exchange.ts"

const step = (...limits: ReadonlyArray<Omit<BodyLimit, "_tag">>) =>
  compile(
    limits.map((one) => ({ _tag: "BodyLimit" as const, ...one })),
    "route",
  )

describe("a limit of requests", () => {
  const limit = step({ requestBytesMax: 5 })

  it("refuses what declares that it is too long, and reads nothing of it", () => {
    const flow = new ScriptedFlow(6)
    assert.strictEqual(verdict(limit, makeExchange({ method: "POST", body: flow }))._tag, "RequestBodyTooLarge")
    assert.strictEqual(flow.opened, 0)
    assert.strictEqual(verdict(limit, makeExchange({ body: "123456" }))._tag, "RequestBodyTooLarge")
  })

  it.effect("breaks off what turns out to be too long, and passes on what is not", () =>
    Effect.gen(function* () {
      for (const [chunks, length] of [[["123", "45"], undefined] as const, [["12345"], 5] as const]) {
        const exchange = makeExchange({ body: flowOf(chunks, length) })
        assert.strictEqual(verdict(limit, exchange)._tag, "Pass")
        const { failure, text } = yield* drain(exchange.request.body)
        assert.deepStrictEqual([text, failure], ["12345", undefined])
      }
      // Also where the length that was declared is a lie.
      for (const length of [undefined, 3]) {
        const exchange = makeExchange({ body: flowOf(["123", "456", "789"], length) })
        assert.strictEqual(verdict(limit, exchange)._tag, "Pass")
        const { failure, text } = yield* drain(exchange.request.body)
        assert.deepStrictEqual([text, failure?.reason], ["123", "tooLarge"])
      }
    }),
  )

  it("tells the client to stop", () => {
    const flow = new ScriptedFlow()
    const exchange = makeExchange({ body: flow })
    verdict(limit, exchange)
    void Effect.runFork(drain(exchange.request.body))
    flow.write("12345")
    assert.isFalse(flow.isCancelled)
    flow.write("6")
    assert.isTrue(flow.isCancelled)
  })

  it("leaves tunnels alone", () => {
    for (const told of [{ upgrade: "websocket" }, { method: "CONNECT" }]) {
      const body = new ScriptedFlow()
      const exchange = makeExchange({ ...told, body })
      assert.strictEqual(verdict(limit, exchange)._tag, "Pass")
      assert.strictEqual(exchange.request.body, body)
    }
  })
})

describe("a limit of replies", () => {
  const limit = step({ responseBytesMax: 5 })

  it("answers 502 in the place of what declares that it is too long", () => {
    const exchange = makeExchange()
    verdict(limit, exchange)
    const flow = new ScriptedFlow(6)
    const reply = settled(exchange, makeReply({ body: flow, headers: { secret: "of the upstream" } }))
    assert.deepStrictEqual([reply.status, reply.headers.get("secret"), flow.isCancelled], [502, undefined, true])
    assert.strictEqual(exchange.trail.refusal?._tag, "ReplyBodyTooLarge")
  })

  it.effect("breaks off what turns out to be too long, and says so in the journal", () =>
    Effect.gen(function* () {
      const exchange = makeExchange()
      verdict(limit, exchange)
      const reply = settled(exchange, makeReply({ body: flowOf(["1234", "56"]) }))
      const { failure, text } = yield* drain(reply.body)
      assert.deepStrictEqual([reply.status, text, failure?.reason], [200, "1234", "tooLarge"])
      assert.strictEqual(exchange.trail.refusal?._tag, "ReplyBodyTooLarge")
    }),
  )

  it("leaves alone what has no body of others: the gateway's words, HEAD, tunnels", () => {
    const replyTo = (exchange: ReturnType<typeof makeExchange>, told: Parameters<typeof makeReply>[0]) => {
      verdict(limit, exchange)
      return settled(exchange, makeReply(told)).status
    }
    assert.strictEqual(replyTo(makeExchange(), { body: "longer than five", origin: "gateway" }), 200)
    assert.strictEqual(replyTo(makeExchange({ method: "HEAD" }), { body: new ScriptedFlow(99) }), 200)
    assert.strictEqual(replyTo(makeExchange(), { status: 101, tunnel: aSocket() }), 101)
  })
})

it("of several levels the strictest holds, each side for itself", () => {
  const limit = step({ requestBytesMax: 9 }, { requestBytesMax: 3, responseBytesMax: 9 }, { responseBytesMax: 4 })
  assert.strictEqual(verdict(limit, makeExchange({ body: "1234" }))._tag, "RequestBodyTooLarge")
  const exchange = makeExchange({ body: "123" })
  assert.strictEqual(verdict(limit, exchange)._tag, "Pass")
  assert.strictEqual(settled(exchange, makeReply({ body: "12345" })).status, 502)
})

it("that says nothing is no step", () => {
  assert.isUndefined(step({}))
})
