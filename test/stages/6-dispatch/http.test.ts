import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { parse } from "../../../protocols/trace/context.ts"
import type { Endpoint } from "../../../stages/ports/Upstream.ts"
import { Try } from "../../../stages/6-dispatch/Target.ts"
import { send } from "../../../stages/6-dispatch/http.ts"
import { Trace } from "../../../stages/Trace.ts"
import { FakeClock, makeExchange, makeReply } from "../exchange.ts"

const noLimit = { headMillis: undefined, idleMillis: undefined }

describe("a request that is signed and traced", () => {
  const made = () => {
    const clock = new FakeClock()
    const exchange = makeExchange()
    exchange.trace = Trace.begin(clock.random, "4bf92f3577b34da6a3ce929d0e0e4736", undefined)
    const sent: Array<string | undefined> = []
    const endpoint = {
      label: "a",
      spec: { target: { _tag: "Host", host: "a", port: 80 } },
      send: (request: { headers: { get: (name: string) => string | undefined } }) => {
        sent.push(request.headers.get("signature"))
        return Effect.succeed(makeReply())
      },
    } as unknown as Endpoint
    const attempt = new Try(exchange, exchange.request.copy())
    return { attempt, clock, endpoint, exchange, sent }
  }

  it("is told its span before it is signed, so the signature covers that", () => {
    const { attempt, clock, endpoint, sent } = made()
    attempt.seal = (request) => {
      const sealed = request.copy()
      sealed.headers.set("signature", `of ${request.headers.get("traceparent")}`)
      return Effect.succeed(sealed)
    }
    Effect.runSync(send(attempt, attempt.request, endpoint, "1.1", noLimit, clock))
    assert.strictEqual(parse(sent[0]?.slice("of ".length) ?? "")?.traceId, "4bf92f3577b34da6a3ce929d0e0e4736")
  })

  it("ends its span when it cannot be signed, or comes too late", () => {
    const unsigned = made()
    unsigned.attempt.seal = () => Effect.fail({ _tag: "BackendAuthFailed", detail: "no keys" })
    const late = made()
    late.exchange.deadlineMillis = late.clock.nowMillis()
    for (const { attempt, clock, endpoint, exchange, sent } of [unsigned, late]) {
      const result = Effect.runSync(Effect.result(send(attempt, attempt.request, endpoint, "1.1", noLimit, clock)))
      assert.strictEqual(result._tag, "Failure")
      assert.deepStrictEqual(sent, [])
      const spans = exchange.trace?.spans ?? []
      assert.isNotEmpty(spans)
      assert.isTrue(spans.every((span) => span.endedMillis > 0 && span.error !== undefined))
    }
  })
})
