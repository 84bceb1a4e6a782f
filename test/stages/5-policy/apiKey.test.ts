import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import { createHash } from "node:crypto"
import { inspect } from "node:util"
import type { ApiKey, IssuedKey } from "../../../ir/policy/ApiKey.ts"
import { compile } from "../../../stages/5-policy/apiKey.ts"
import { type Refusal, toReply } from "../../../stages/Refusal.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { FakeClock, makeExchange, type Told, verdict } from "../exchange.ts"
import { gateOf } from "./gate.ts"

const clock = new FakeClock(0)
const ports = { clock, maxBufferBytes: 1024, gate: gateOf() }

const plain = (key: string, more: Partial<IssuedKey> = {}): IssuedKey => ({
  value: { _tag: "Plain", key: Redacted.make(key) },
  ...more,
})
const hashed = (key: string, more: Partial<IssuedKey> = {}): IssuedKey => ({
  value: { _tag: "Hashed", sha256: createHash("sha256").update(key).digest("hex") },
  ...more,
})

const policy = (more: Partial<ApiKey> = {}): ApiKey => ({
  _tag: "ApiKey",
  keys: [plain("alpha", { metadata: { user: "ann" }, allowedModels: ["gpt-*"] }), hashed("beta")],
  mode: "strict",
  location: { _tag: "Header", name: "authorization", prefix: "Bearer " } as ApiKey["location"],
  ...more,
})

const ask = (more: Partial<ApiKey>, headers: NonNullable<Told["headers"]>, url = "http://a/") => {
  const exchange = makeExchange({ headers, url })
  return { exchange, said: verdict(compile(policy(more), ports, "route"), exchange) }
}
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

describe("a key", () => {
  it("names its holder, and is gone from the request", () => {
    const { exchange, said } = ask({}, bearer("alpha"))
    assert.strictEqual(said._tag, "Pass")
    const { apiKey } = exchange.identity ?? {}
    assert.deepStrictEqual(apiKey?.metadata, { user: "ann" })
    assert.deepStrictEqual(apiKey?.allowedModels, ["gpt-*"])
    assert.strictEqual(apiKey === undefined ? "" : Redacted.value(apiKey.key), "alpha")
    assert.notInclude(inspect(exchange.identity, { depth: 9 }) + JSON.stringify(exchange.identity), "alpha")
    assert.isFalse(exchange.request.headers.has("authorization"))
  })

  it("may be configured by its hash", () => {
    const { exchange, said } = ask({}, bearer("beta"))
    assert.strictEqual(said._tag, "Pass")
    assert.isUndefined(exchange.identity?.apiKey?.metadata)
    assert.isUndefined(exchange.identity?.apiKey?.allowedModels)
  })

  it("adds to what is known already", () => {
    const exchange = makeExchange({ headers: bearer("alpha") })
    exchange.identity = { jwt: { sub: "x" } }
    verdict(compile(policy(), ports, "route"), exchange)
    assert.deepStrictEqual(Object.keys(exchange.identity).sort(), ["apiKey", "jwt"])
    assert.deepStrictEqual(exchange.identity.jwt, { sub: "x" })
  })

  it("is found in a query or a cookie as well", () => {
    const query = ask({ location: { _tag: "Query", name: "key" } }, {}, "http://a/p?key=alpha&b=1&key=other")
    assert.strictEqual(query.said._tag, "Pass")
    assert.strictEqual(query.exchange.request.query, "b=1")
    const cookie = ask({ location: { _tag: "Cookie", name: "key" } }, { cookie: "a=1; key=beta" })
    assert.strictEqual(cookie.said._tag, "Pass")
    assert.strictEqual(cookie.exchange.request.headers.get("cookie"), "a=1")
  })

  it("is no longer good once it has expired", () => {
    const keys = [plain("alpha", { expiresMillis: clock.wallMillis() + 1000 })]
    const step = compile(policy({ keys }), ports, "route")
    const say = () => verdict(step, makeExchange({ headers: bearer("alpha") }))._tag
    assert.strictEqual(say(), "Pass")
    clock.advance(999)
    assert.strictEqual(say(), "Pass")
    clock.advance(1)
    assert.strictEqual(say(), "ApiKeyAuth")
  })
})

const wrong: ReadonlyArray<readonly [what: string, headers: NonNullable<Told["headers"]>]> = [
  ["another key", bearer("gamma")],
  ["the beginning of a key", bearer("alph")],
  ["a key and more", bearer("alphaa")],
  ["another case", bearer("ALPHA")],
  ["a hash instead of its key", bearer(createHash("sha256").update("beta").digest("hex"))],
  ["a mebibyte", bearer("a".repeat(1 << 20))],
  ["other letters that look alike", bearer("\u00e1lpha")],
  ["the name of a member of every object", bearer("__proto__")],
  [
    "a good key after a bad one",
    [
      ["authorization", "Bearer bad"],
      ["authorization", "Bearer alpha"],
    ],
  ],
]

describe("what is not a key", () => {
  for (const [what, headers] of wrong) {
    it(`is refused: ${what}`, () => {
      for (const mode of ["strict", "optional"] as const) {
        const { exchange, said } = ask({ mode }, headers)
        assert.strictEqual(said._tag, "ApiKeyAuth", mode)
        assert.isUndefined(exchange.identity)
      }
      const { exchange, said } = ask({ mode: "permissive" }, headers)
      assert.strictEqual(said._tag, "Pass")
      assert.isUndefined(exchange.identity)
      assert.isTrue(exchange.request.headers.has("authorization"))
    })
  }

  it("costs the same whether it is nearly good or not at all: only digests are ever compared", () => {
    const work: Array<string> = []
    const watched = {
      ...cryptography,
      sha256: (data: string | Uint8Array) => {
        work.push(typeof data === "string" ? data : "bytes")
        return cryptography.sha256(data)
      },
    }
    const step = compile(policy(), { clock, maxBufferBytes: 0, gate: gateOf(watched) }, "route")
    for (const key of ["alpha", "alphA", "zzzzz"]) {
      work.length = 0
      verdict(step, makeExchange({ headers: bearer(key) }))
      assert.deepStrictEqual(work, [key])
    }
  })

  it("is told apart from no key at all, with a challenge", () => {
    const reply = (headers: Record<string, string>) => {
      const { said } = ask({}, headers)
      const { body, headers: fields, status } = toReply(said as Refusal, false)
      return [status, body._tag === "Bytes" ? new TextDecoder().decode(body.bytes) : "", fields.get("www-authenticate")]
    }
    assert.deepStrictEqual(reply({}), [401, "api key authentication failure: no API Key found", "Bearer"])
    assert.deepStrictEqual(
      reply({ authorization: "Basic alpha" })[1],
      "api key authentication failure: no API Key found",
    )
    assert.deepStrictEqual(reply(bearer("x")), [
      401,
      "api key authentication failure: invalid credentials",
      'Bearer error="invalid_token"',
    ])
  })

  it("may be missing where keys are optional", () => {
    for (const mode of ["optional", "permissive"] as const) assert.strictEqual(ask({ mode }, {}).said._tag, "Pass")
  })
})

it("one policy has one step, whatever routes it holds for", () => {
  const one = policy()
  assert.strictEqual(compile(one, ports, "route"), compile(one, ports, "route"))
  assert.notStrictEqual(compile(one, ports, "route"), compile(policy(), ports, "route"))
})
