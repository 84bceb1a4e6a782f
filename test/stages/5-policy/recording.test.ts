import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { formats, LineWriter } from "../../../src/telemetry/accessLog.ts"
import type { AccessLog } from "../../../ir/policy/AccessLog.ts"
import { compile } from "../../../stages/5-policy/recording.ts"
import { settle } from "../../../stages/5-policy/settle.ts"
import type { Reply, Routed } from "../../../stages/Exchange.ts"
import type { Ending } from "../../../stages/ports/Journal.ts"
import { drain, flowOf, makeExchange, makeReply } from "../exchange.ts"
import { cel, computing } from "./computing.ts"

const log = (fields: Readonly<Record<string, string>>, filter?: string): AccessLog => ({
  _tag: "AccessLog",
  fields: { add: Object.entries(fields).map(([name, source]) => ({ name, expression: cel(source) })), remove: [] },
  ...(filter === undefined ? {} : { filter: cel(filter) }),
})

const ended = (reply: Reply | undefined): Ending => ({
  reply,
  delivered: undefined,
  outcome: "answered",
  endedMillis: 2000,
})

const written = (policy: AccessLog, exchange: Routed = makeExchange(), reply: Reply | undefined = makeReply()) =>
  compile(policy, computing())?.fields(exchange, ended(reply))

describe("what is recorded", () => {
  it("is nothing more where nothing is computed", () => {
    assert.isUndefined(compile(undefined, computing()))
    assert.isUndefined(compile(log({}), computing()))
  })

  it("is only what the filter lets through; a filter that fails lets nothing through", () => {
    assert.deepStrictEqual(written(log({}, "response.code >= 500")), undefined)
    assert.deepStrictEqual(written(log({}, "response.code == 200")), [])
    assert.deepStrictEqual(written(log({}, "request.headers.nope == 'x'")), undefined)
  })

  it("has fields in the order they were written; null and failures are left out", () => {
    assert.deepStrictEqual(
      written(
        log({
          code: "response.code",
          none: "null",
          failed: "request.headers.nope",
          list: "[1, 'a']",
          took: "string(request.endTime - request.startTime)",
        }),
      ),
      [
        ["code", 200],
        ["list", [1, "a"]],
        ["took", "1s"],
      ],
    )
  })

  it("counts what fails", () => {
    const ports = computing()
    compile(log({ failed: "request.headers.nope" }), ports)?.fields(makeExchange(), ended(makeReply()))
    assert.deepStrictEqual(ports.expressions.failures, { logField: 1 })
    compile(log({}, "request.headers.nope == 'x'"), ports)?.fields(makeExchange(), ended(makeReply()))
    assert.deepStrictEqual(ports.expressions.failures, { logField: 1, logFilter: 1 })
  })

  it("spreads what is flattened", () => {
    const exchange = makeExchange({ headers: { authorization: "secret", "x-a": "1" } })
    assert.deepStrictEqual(written(log({ h: "flatten(request.headers.redacted())" }), exchange), [
      ["h.authorization", "<redacted>"],
      ["h.x-a", "1"],
    ])
  })

  it("knows of no reply where there was none", () => {
    const policy = log({ code: "response.code", had: "response == null" })
    assert.deepStrictEqual(compile(policy, computing())?.fields(makeExchange(), ended(undefined)), [["had", true]])
  })

  it.effect("keeps bodies while they flow by, and only as far as the limit", () => {
    const policy = log({
      asked: "string(request.body)",
      said: "string(response.body)",
      part: "string(response.bodyPrefix)",
    })
    const recording = compile(policy, computing({ maxBufferBytes: 6 }))
    return Effect.gen(function* () {
      for (const [chunks, expected] of [
        [["ab", "cd"], { said: "abcd", part: "abcd" }],
        [["abcd", "efgh", "ij"], { part: "abcdef" }],
      ] as const) {
        const exchange = makeExchange({ method: "POST", body: flowOf(["x", "y"]) })
        const reply = yield* (
          recording?.around(({ request }) => Effect.as(drain(request.body), makeReply({ body: flowOf(chunks) })))(
            exchange,
          ) ?? Effect.die("nothing is recorded")
        )
        settle(exchange, reply)
        assert.strictEqual((yield* drain(reply.body)).text, chunks.join(""))
        assert.deepStrictEqual(Object.fromEntries(recording?.fields(exchange, ended(reply)) ?? []), {
          asked: "xy",
          ...expected,
        })
      }
    })
  })

  it("is written so that it can be read back, and cannot break out of its line", () => {
    const fields = [
      ["n", 1],
      ["s", 'a "b"\n'],
      ["o", { k: ["\u009b"] }],
    ] as const
    const json = new LineWriter(formats.json).computed(fields)
    assert.deepStrictEqual(JSON.parse(`{"first":0${json}}`), { first: 0, ...Object.fromEntries(fields) })
    for (const format of [formats.json, formats.text]) {
      assert.notMatch(new LineWriter(format).computed(fields), /[\n\u009b]/)
    }
  })
})
