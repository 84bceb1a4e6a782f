import { assert, describe, it } from "@effect/vitest"
import { compile } from "../../../stages/5-policy/responseHeaderModifier.ts"
import { toReply } from "../../../stages/Refusal.ts"
import { aSocket, FakeClock, makeExchange, makeReply, settled, verdict } from "../exchange.ts"
import { type Edits, edits } from "./headerEdits.ts"

const ports = { clock: new FakeClock(), maxBufferBytes: 1024 }

const replied = (told: Edits, reply = makeReply()) => {
  const exchange = makeExchange()
  assert.strictEqual(verdict(compile(edits(told), ports, "route"), exchange)._tag, "Pass")
  return settled(exchange, reply)
}

describe("reply headers", () => {
  it("are added, then set, then removed, on refusals too", () => {
    const told = { add: { "set-cookie": "b" }, set: { "content-type": "text/x" }, remove: ["server"] }
    const upstream = replied(told, makeReply({ headers: { "set-cookie": "a", server: "x" } }))
    assert.deepStrictEqual(
      [...upstream.headers],
      [
        ["set-cookie", "a"],
        ["set-cookie", "b"],
        ["content-type", "text/x"],
      ],
    )
    assert.strictEqual(replied(told, toReply({ _tag: "RouteNotFound" }, false)).headers.get("content-type"), "text/x")
  })

  it("of the backend have the last word over those of the route", () => {
    const exchange = makeExchange()
    for (const layer of ["backend", "route"] as const) {
      verdict(compile(edits({ set: { from: layer } }), ports, layer), exchange)
    }
    assert.deepStrictEqual(settled(exchange, makeReply()).headers.all("from"), ["backend"])
  })

  it("include the status, but not that of a tunnel", () => {
    assert.strictEqual(replied({ set: { ":status": "418" } }).status, 418)
    const tunnel = makeReply({ status: 101, tunnel: aSocket() })
    assert.strictEqual(replied({ set: { ":status": "418" } }, tunnel).status, 101)
  })

  it("know a host header as any other", () => {
    assert.strictEqual(replied({ set: { host: "a b" } }).headers.get("host"), "a b")
  })

  it("refuse what no header can be before the request goes on", () => {
    for (const set of [{ ":status": "99" }, { ":status": "100" }, { ":path": "/" }, { a: "\n" }, { connection: "x" }]) {
      const exchange = makeExchange()
      assert.strictEqual(verdict(compile(edits({ set }), ports, "route"), exchange)._tag, "FilterFailed")
      assert.isUndefined(exchange.edits)
    }
  })

  it("that ask for nothing cost nothing", () => {
    assert.isUndefined(compile(edits({}), ports, "route"))
  })
})
