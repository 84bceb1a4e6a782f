import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { BasicAuth } from "../../../ir/policy/BasicAuth.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { compile, decode } from "../../../stages/5-policy/basicAuth.ts"
import type { Cryptography } from "../../../stages/ports/Cryptography.ts"
import { type Refusal, toReply } from "../../../stages/Refusal.ts"
import { FakeClock, makeExchange, type Told } from "../exchange.ts"
import { gateOf } from "./gate.ts"

/** Passwords of these hashes are their users' names; checking takes a turn of the loop, and is counted. */
const hashes = { ann: "{SHA}YTxvgOl6xN4Qfsa5lbTwPvA2HfM=", bob: "{SHA}SBgebLIg0bW9CUyvPtUK+5Yzlls=" }
const htpasswd = `ann:${hashes.ann}\nbob:${hashes.bob}`

const made = (more: Partial<BasicAuth> = {}, check?: Cryptography["verifyPassword"]) => {
  const checked: Array<readonly [string, string]> = []
  const gate = gateOf({
    ...cryptography,
    verifyPassword: async (password, hash) => {
      checked.push([password, hash])
      await Promise.resolve()
      if (check !== undefined) return check(password, hash)
      return Object.entries(hashes).some(([user, known]) => known === hash && user === password)
    },
  })
  const step = compile(
    {
      _tag: "BasicAuth",
      htpasswd: Redacted.make(htpasswd),
      realm: 'the "inner" \\ circle',
      mode: "strict",
      location: { _tag: "Header", name: "authorization", prefix: "Basic " } as BasicAuth["location"],
      ...more,
    },
    { clock: new FakeClock(), maxBufferBytes: 0, gate },
    "route",
  )
  const ask = async (headers: NonNullable<Told["headers"]>) => {
    const exchange = makeExchange({ headers })
    const result = await Effect.runPromise(Effect.result(step.run(exchange)))
    return { exchange, said: result._tag === "Success" ? result.success : result.failure }
  }
  return { checked, ask }
}

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` })

describe("a user", () => {
  it("is known by name and password, which are gone from the request", async () => {
    const { ask } = made()
    const { exchange, said } = await ask(basic("ann:ann"))
    assert.strictEqual(said._tag, "Pass")
    assert.deepStrictEqual(exchange.identity, { basicAuth: { username: "ann" } })
    assert.isFalse(exchange.request.headers.has("authorization"))
  })

  it("is checked once, however often and however many at once ask", async () => {
    const { ask, checked } = made()
    await Promise.all(Array.from({ length: 20 }, () => ask(basic("ann:ann"))))
    for (let i = 0; i < 5; i++) assert.strictEqual((await ask(basic("ann:ann"))).said._tag, "Pass")
    assert.strictEqual(checked.length, 1)
    await ask(basic("ann:wrong"))
    await ask(basic("ann:wrong"))
    assert.strictEqual(checked.length, 2)
  })

  it("who is not there costs as much as one who is", async () => {
    const { ask, checked } = made()
    assert.strictEqual((await ask(basic("eve:ann"))).said._tag, "BasicAuth")
    assert.deepStrictEqual(checked, [["ann", hashes.ann]])
  })
})

const wrong: ReadonlyArray<readonly [what: string, headers: NonNullable<Told["headers"]>]> = [
  ["another password", basic("ann:bob")],
  ["the password of another user", basic("bob:ann")],
  ["no password", basic("ann:")],
  ["no user", basic(":ann")],
  ["no colon", basic("ann")],
  ["the hash as the password", basic(`ann:${hashes.ann}`)],
  ["a NUL after the password", basic("ann:ann\0x")],
  ["a line break", basic("ann:ann\n")],
  ["a user who is a member of every object", basic("__proto__:ann")],
  ["a mebibyte", basic(`ann:${"a".repeat(1 << 20)}`)],
  ["no base64", { authorization: "Basic ann:ann" }],
  ["no UTF-8", { authorization: `Basic ${Buffer.from([0x61, 0xff, 0x3a, 0x61]).toString("base64")}` }],
  ["other letters that look alike", basic("\u0430nn:ann")],
  [
    "good credentials after bad ones",
    [
      ["authorization", basic("ann:x").authorization],
      ["authorization", basic("ann:ann").authorization],
    ],
  ],
]

describe("credentials that are wrong", () => {
  for (const [what, headers] of wrong) {
    it(`are refused: ${what}`, async () => {
      for (const mode of ["strict", "optional"] as const) {
        const { exchange, said } = await made({ mode }).ask(headers)
        assert.strictEqual(said._tag, "BasicAuth")
        assert.isUndefined(exchange.identity)
      }
    })
  }

  it("are answered with a challenge that cannot be broken out of", async () => {
    const { said } = await made().ask({})
    const reply = toReply(said as Refusal, false)
    assert.strictEqual(reply.status, 401)
    assert.strictEqual(
      reply.headers.get("www-authenticate"),
      'Basic realm="the \\"inner\\" \\\\ circle", charset="UTF-8"',
    )
    const odd = await made({ realm: 'a\r\nx: y"\u20ac' }).ask({})
    assert.strictEqual(
      toReply(odd.said as Refusal, false).headers.get("www-authenticate"),
      'Basic realm="a??x: y\\"?", charset="UTF-8"',
    )
  })

  it("are answered as a proxy does where they are those for a proxy", async () => {
    const location = { _tag: "Header", name: "proxy-authorization", prefix: "Basic " } as BasicAuth["location"]
    const { ask } = made({ location })
    const reply = toReply((await ask(basic("ann:ann"))).said as Refusal, false)
    assert.strictEqual(reply.status, 407)
    assert.isTrue(reply.headers.has("proxy-authenticate"))
    assert.isFalse(reply.headers.has("www-authenticate"))
    assert.strictEqual((await ask({ "proxy-authorization": basic("ann:ann").authorization })).said._tag, "Pass")
  })

  it("may be missing where they are optional", async () => {
    const { ask } = made({ mode: "optional" })
    assert.strictEqual((await ask({})).said._tag, "Pass")
    assert.strictEqual((await ask({ authorization: "Bearer x" })).said._tag, "Pass")
  })
})

it("a check that cannot be made refuses, and is made again the next time", async () => {
  let isDown = true
  const { ask } = made({}, () => (isDown ? Promise.reject(new Error("down")) : Promise.resolve(true)))
  assert.strictEqual((await ask(basic("ann:ann"))).said._tag, "Overloaded")
  isDown = false
  assert.strictEqual((await ask(basic("ann:ann"))).said._tag, "Pass")
})

it("the first colon ends the name", () => {
  assert.deepStrictEqual(decode(btoa("a:b:c")), { user: "a", password: "b:c" })
})
