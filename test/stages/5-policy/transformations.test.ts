import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Transformation } from "../../../ir/policy/Transformations.ts"
import { settle } from "../../../stages/5-policy/settle.ts"
import { routeSteps } from "../../../stages/5-policy/steps.ts"
import { compile } from "../../../stages/5-policy/transformations.ts"
import type { Reply } from "../../../stages/Exchange.ts"
import { drain, flowOf, makeExchange, makeReply, settled, type Told, verdict } from "../exchange.ts"
import { cel, computing } from "./computing.ts"

type Headers = Readonly<Record<string, string>>

const half = (told: {
  readonly metadata?: Headers
  readonly replace?: string
  readonly add?: Headers
  readonly set?: Headers
  readonly remove?: ReadonlyArray<string>
  readonly body?: string
}): Transformation => {
  const list = (fields: Headers = {}) =>
    Object.entries(fields).map(([name, source]) => ({ name: name as never, expression: cel(source) }))
  return {
    metadata: list(told.metadata),
    add: list(told.add),
    set: list(told.set),
    remove: (told.remove ?? []) as never,
    ...(told.replace === undefined ? {} : { replace: cel(told.replace) }),
    ...(told.body === undefined ? {} : { body: cel(told.body) }),
  }
}

const onRequest = (told: Parameters<typeof half>[0], asked: Told = {}) => {
  const exchange = makeExchange(asked)
  const step = compile({ _tag: "Transformations", request: half(told) }, computing(), "route")
  assert.strictEqual(verdict(step, exchange)._tag, "Pass")
  return exchange
}

const onReply = (told: Parameters<typeof half>[0], reply: Reply, asked: Told = {}) => {
  const exchange = makeExchange(asked)
  verdict(compile({ _tag: "Transformations", response: half(told) }, computing(), "route"), exchange)
  settled(exchange, reply)
  return exchange
}

describe("a transformation of a request", () => {
  it("sets, adds and removes in that order, each seeing what those before it did", () => {
    const { request } = onRequest(
      {
        set: { b: "request.headers.a", c: "string(request.headers.raw().a.size())" },
        add: { a: '"2"' },
        remove: ["d"],
      },
      { headers: [["d", "x"]] },
    )
    assert.deepStrictEqual(request.headers.flat, ["a", "2", "b", "2", "c", "1"])
  })

  it("takes a header away that cannot be computed, so that the client's own value does not stand in for it", () => {
    const { request } = onRequest(
      { set: { "x-user": "jwt.sub", "x-n": "1 == 1 ? request.headers.nope : ''" } },
      { headers: { "x-user": "forged", "x-n": "forged", other: "1" } },
    )
    assert.deepStrictEqual(request.headers.flat, ["other", "1"])
  })

  it("does not let a value end the field it is in", () => {
    const { request } = onRequest({ set: { a: '"x\\r\\nb: y"' } }, { headers: { a: "old" } })
    assert.isFalse(request.headers.has("a"))
  })

  it("replaces all headers by a map; pseudo-headers and what frames the message are left out", () => {
    const { request } = onRequest(
      { replace: '{"a": "1", "n": 2, "t": true, "l": ["x", "y"], ":path": "/evil", "content-length": "9"}' },
      { headers: { old: "1" } },
    )
    assert.deepStrictEqual(request.headers.flat, ["a", "1", "n", "2", "t", "true", "l", "x", "l", "y"])
    assert.strictEqual(request.path, "/")
  })

  it("leaves the headers as they are where the replacement fails", () => {
    for (const replace of ["request.headers.nope", '{"a": {"b": 1}}', '{"a b": "1"}']) {
      assert.deepStrictEqual(onRequest({ replace }, { headers: { old: "1" } }).request.headers.flat, ["old", "1"])
    }
  })

  it("changes the request line by pseudo-headers, and leaves it where the value cannot be put there", () => {
    const { request } = onRequest({
      set: {
        ":path": '"/new" + request.path + "?q=1"',
        ":method": '"POST"',
        ":authority": '"other:81"',
      },
    })
    assert.deepStrictEqual(
      [request.path, request.query, request.method, request.authority, request.host],
      ["/new/", "q=1", "POST", "other:81", "other"],
    )
    const kept = onRequest({ set: { ":path": '"no slash"', ":method": '"CONNECT"', ":scheme": '"ftp"' } }).request
    assert.deepStrictEqual([kept.path, kept.method, kept.scheme], ["/", "GET", "http"])
  })

  it("gives the body as text, as bytes, or as JSON, and none where it fails", () => {
    const body = (source: string) => {
      const { request } = onRequest(
        { body: source },
        { method: "POST", body: "old", headers: { "content-length": "3" } },
      )
      assert.isFalse(request.headers.has("content-length"))
      return request.body._tag === "Bytes" ? new TextDecoder().decode(request.body.bytes) : request.body._tag
    }
    assert.strictEqual(body('"new"'), "new")
    assert.strictEqual(body('b"raw"'), "raw")
    assert.strictEqual(body('{"a": [1, true]}'), '{"a":[1,true]}')
    assert.strictEqual(body("request.headers.nope"), "Empty")
  })

  it("keeps metadata for whoever comes later; what fails is left out", () => {
    const exchange = onRequest({
      metadata: { tier: '"gold"', bad: "request.headers.nope", list: "[1, 2]" },
      set: { "x-tier": "metadata.tier" },
    })
    assert.deepStrictEqual({ ...exchange.notes?.metadata }, { tier: "gold", list: [1, 2] })
    assert.strictEqual(exchange.request.headers.get("x-tier"), "gold")
  })

  it("reads the body first where an expression looks at it", () => {
    const steps = routeSteps(computing(), {
      Transformations: { _tag: "Transformations", request: half({ set: { m: "json(request.body).model" } }) },
    })
    assert.deepStrictEqual(
      steps.map(({ kind }) => kind),
      ["Body", "Transformations"],
    )
  })

  it("that cannot name a header refuses rather than doing half of it", () => {
    const step = compile(
      { _tag: "Transformations", request: half({ set: { ":status": "200" } }) },
      computing(),
      "route",
    )
    assert.strictEqual(verdict(step, makeExchange())._tag, "FilterFailed")
    const framing = compile(
      { _tag: "Transformations", request: half({ add: { "transfer-encoding": '"chunked"' } }) },
      computing(),
      "route",
    )
    assert.strictEqual(verdict(framing, makeExchange())._tag, "FilterFailed")
  })

  it("of nothing is no step", () => {
    assert.isUndefined(compile({ _tag: "Transformations", request: half({}) }, computing(), "route"))
  })
})

describe("a transformation of a reply", () => {
  it("sees the request and the reply", () => {
    const reply = makeReply({ status: 404 })
    onReply({ set: { "x-was": 'request.path + " " + string(response.code)' } }, reply, { url: "http://a/p" })
    assert.strictEqual(reply.headers.get("x-was"), "/p 404")
  })

  it("changes the status by :status, and leaves it where the value is none", () => {
    const reply = makeReply({ status: 500 })
    onReply({ set: { ":status": "response.code + 3" } }, reply)
    assert.strictEqual(reply.status, 503)
    onReply({ set: { ":status": "response.code * 3" } }, reply)
    assert.strictEqual(reply.status, 503)
  })

  it("holds for what the gateway answers itself", () => {
    const reply = makeReply({ status: 403, origin: "gateway", body: "no" })
    onReply({ body: '"sorry"' }, reply)
    return Effect.runPromise(Effect.map(drain(reply.body), ({ text }) => assert.strictEqual(text, "sorry")))
  })

  it("gives no body to a reply that has none", () => {
    for (const [reply, asked] of [
      [makeReply({ status: 204 }), {}],
      [makeReply({ status: 304 }), {}],
      [makeReply(), { method: "HEAD" }],
    ] as const) {
      onReply({ body: '"x"' }, reply, asked)
      assert.strictEqual(reply.body._tag, "Empty")
    }
  })

  it.effect("reads the reply's body where an expression looks at it", () => {
    const exchange = makeExchange()
    const policy = { _tag: "Transformations", response: half({ body: '{"was": string(response.body)}' }) } as const
    verdict(compile(policy, computing(), "route"), exchange)
    const reply = makeReply({ body: flowOf(["ab", "cd"]), headers: { "content-length": "4" } })
    return Effect.gen(function* () {
      yield* settle(exchange, reply) ?? Effect.die("nothing was waited for")
      assert.strictEqual((yield* drain(reply.body)).text, '{"was":"abcd"}')
      assert.isFalse(reply.headers.has("content-length"))
    })
  })

  it.effect("does not read it where none does", () => {
    const reply = makeReply({ body: flowOf(["ab"]) })
    onReply({ set: { a: '"1"' } }, reply)
    return Effect.map(drain(reply.body), ({ text }) => assert.strictEqual(text, "ab"))
  })

  it("adds to metadata, its own keys winning", () => {
    const exchange = makeExchange()
    const policy = {
      _tag: "Transformations",
      request: half({ metadata: { a: '"request"', b: '"request"' } }),
      response: half({ metadata: { b: '"reply"' } }),
    } as const
    verdict(compile(policy, computing(), "route"), exchange)
    settled(exchange, makeReply())
    assert.deepStrictEqual({ ...exchange.notes?.metadata }, { a: "request", b: "reply" })
  })
})
