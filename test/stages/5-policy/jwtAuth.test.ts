import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Document } from "../../../ir/policy/Document.ts"
import type { JwtAuth, JwtProvider } from "../../../ir/policy/JwtAuth.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import { compile } from "../../../stages/5-policy/jwtAuth.ts"
import { AGAIN_MILLIS, FRESH_MILLIS_MIN, type Fetched, RETRY_MILLIS } from "../../../stages/5-policy/RemoteDocument.ts"
import { type Refusal, toReply } from "../../../stages/Refusal.ts"
import { FakeClock, makeExchange, type Told } from "../exchange.ts"
import { gateOf } from "./gate.ts"
import { ec, ed25519, hmac, jwks, rsa, signed, type Signer, unsigned } from "./tokens.ts"

const r1 = rsa("r1")
const e1 = ec("e1")
const d1 = ed25519("d1")
const stranger = rsa("r1")
const good = jwks(r1, e1, d1, ec("e3", "P-384"), ec("e5", "P-521"))

const url = "https://issuer.example/jwks"
const issuer = "https://issuer.example"
const inline = (text: string): Document => ({ _tag: "Inline", text })
const remote: Document = { _tag: "Remote", url }

const provider = (more: Partial<JwtProvider> = {}): JwtProvider => ({
  issuer,
  audiences: ["api"],
  jwks: inline(good),
  requiredClaims: ["exp"],
  ...more,
})

interface World {
  readonly policy?: Partial<JwtAuth>
  readonly providers?: ReadonlyArray<JwtProvider>
  /** What the server of the keys answers, one after the other; the last again and again. */
  readonly served?: ReadonlyArray<string | Fetched | Error>
}

const made = ({ policy, providers, served = [] }: World = {}) => {
  const clock = new FakeClock()
  const counts = { verified: 0, fetched: 0 }
  const gate = gateOf(
    {
      ...cryptography,
      verifySignature: (...args) => {
        counts.verified++
        return cryptography.verifySignature(...args)
      },
    },
    {
      clock,
      fetch: () => {
        const next = served[Math.min(counts.fetched++, served.length - 1)]
        const answer: Effect.Effect<Fetched, string> =
          next === undefined || next instanceof Error
            ? Effect.fail("it is down")
            : Effect.succeed(typeof next === "string" ? { text: next, freshMillis: undefined } : next)
        return Effect.andThen(
          Effect.promise(() => Promise.resolve()),
          answer,
        )
      },
    },
  )
  const step = compile(
    {
      _tag: "JwtAuth",
      mode: "strict",
      location: { _tag: "Header", name: "authorization", prefix: "Bearer " } as JwtAuth["location"],
      providers: providers ?? [provider()],
      ...policy,
    },
    { clock, maxBufferBytes: 0, gate },
    "route",
  )
  const nowSeconds = () => clock.wallMillis() / 1000
  const claims = (more: Record<string, unknown> = {}) => ({
    iss: issuer,
    aud: "api",
    sub: "ann",
    exp: nowSeconds() + 300,
    ...more,
  })
  const send = async (headers: NonNullable<Told["headers"]>) => {
    const exchange = makeExchange({ headers })
    const result = await Effect.runPromise(Effect.result(step.run(exchange)))
    return { exchange, said: result._tag === "Success" ? result.success : result.failure }
  }
  const ask = (token: string) => send({ authorization: `Bearer ${token}` })
  const detail = async (token: string) => {
    const { exchange, said } = await ask(token)
    assert.isUndefined(said._tag === "Pass" ? undefined : exchange.identity)
    return said._tag === "JwtAuth" ? said.detail : said._tag
  }
  return { clock, counts, claims, nowSeconds, send, ask, detail }
}

describe("a token", () => {
  it("makes its claims known, and is gone from the request", async () => {
    const { ask, claims } = made()
    const token = signed(r1, "RS256", claims({ groups: ["a"] }))
    const { exchange, said } = await ask(token)
    assert.strictEqual(said._tag, "Pass")
    assert.deepStrictEqual(exchange.identity?.jwt?.["groups"], ["a"])
    const kept = exchange.identity?.token
    assert.strictEqual(kept === undefined ? "" : Redacted.value(kept), token)
    assert.notInclude(JSON.stringify(exchange.identity), token)
    assert.isFalse(exchange.request.headers.has("authorization"))
  })

  it("may be signed by any algorithm that its key allows", async () => {
    const { ask, claims } = made()
    const e3 = ec("x", "P-384")
    const world = made({ providers: [provider({ jwks: inline(jwks(e3)) })] })
    for (const alg of ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]) {
      assert.strictEqual((await ask(signed(r1, alg, claims()))).said._tag, "Pass", alg)
    }
    assert.strictEqual((await ask(signed(e1, "ES256", claims()))).said._tag, "Pass")
    for (const alg of ["EdDSA", "Ed25519"]) {
      assert.strictEqual((await ask(signed(d1, alg, claims()))).said._tag, "Pass", alg)
    }
    assert.strictEqual((await world.ask(signed(e3, "ES384", world.claims()))).said._tag, "Pass")
  })

  it("is verified once, however often and however many at once bring it", async () => {
    const { ask, claims, clock, counts } = made()
    const token = signed(e1, "ES256", claims())
    await Promise.all(Array.from({ length: 20 }, () => ask(token)))
    for (let i = 0; i < 5; i++) assert.strictEqual((await ask(token)).said._tag, "Pass")
    assert.strictEqual(counts.verified, 1)
    clock.advance(300_000 + 60_000 - 1)
    assert.strictEqual((await ask(token)).said._tag, "Pass")
    clock.advance(1)
    assert.strictEqual((await ask(token)).said._tag, "JwtAuth")
  })

  it("needs no kid where one key fits", async () => {
    const { ask, claims, detail } = made()
    assert.strictEqual((await ask(signed({ ...r1, kid: undefined }, "RS256", claims()))).said._tag, "Pass")
    const two = made({ providers: [provider({ jwks: inline(jwks(r1, rsa("r2"))) })] })
    const nameless = signed({ ...r1, kid: undefined }, "RS256", two.claims())
    assert.strictEqual(await two.detail(nameless), "the token header does not specify a `kid`")
    assert.strictEqual(
      await detail(signed({ ...stranger, kid: undefined }, "RS256", claims())),
      bad("InvalidSignature"),
    )
  })

  it("may name a key that is alone in its set and has no name", async () => {
    const bare = rsa()
    const { ask, claims } = made({ providers: [provider({ jwks: inline(jwks(bare)) })] })
    assert.strictEqual((await ask(signed({ ...bare, kid: "x" }, "RS256", claims()))).said._tag, "Pass")
  })

  it("belongs to the issuer it names, whatever others call their keys", async () => {
    const other = "https://other.example"
    const { ask, claims, detail } = made({
      providers: [provider(), provider({ issuer: other, jwks: inline(jwks(stranger)) })],
    })
    assert.strictEqual((await ask(signed(r1, "RS256", claims()))).said._tag, "Pass")
    assert.strictEqual((await ask(signed(stranger, "RS256", claims({ iss: other })))).said._tag, "Pass")
    assert.strictEqual(await detail(signed(stranger, "RS256", claims())), bad("InvalidSignature"))
    assert.strictEqual(await detail(signed(r1, "RS256", claims({ iss: other }))), bad("InvalidSignature"))
  })
})

const bad = (why: string) => `the token is invalid or malformed: ${why}`
const malformed = "the token header is malformed"

type Forge = (claims: Record<string, unknown>, nowSeconds: number) => string

const pem = (one: Signer) => one.publicKey.export({ format: "pem", type: "spki" })

const without = (claims: Record<string, unknown>, name: string) =>
  Object.fromEntries(Object.entries(claims).filter(([one]) => one !== name))

const attacks: ReadonlyArray<readonly [what: string, forge: Forge, detail: string]> = [
  ["alg none", (claims) => unsigned({ alg: "none", kid: "r1" }, claims, "AA"), bad("InvalidAlgorithm")],
  ["alg none without a signature", (claims) => unsigned({ alg: "none", kid: "r1" }, claims), malformed],
  ["alg None", (claims) => unsigned({ alg: "None", kid: "r1" }, claims, "AA"), bad("InvalidAlgorithm")],
  ["no alg", (claims) => unsigned({ kid: "r1" }, claims, "AA"), malformed],
  ["alg in a list", (claims) => unsigned({ alg: ["RS256"], kid: "r1" }, claims, "AA"), malformed],
  [
    "a public key taken for a secret",
    (claims) => hmac(pem(r1), { alg: "HS256", kid: "r1" }, claims),
    bad("InvalidAlgorithm"),
  ],
  [
    "a modulus taken for a secret",
    (claims) => hmac(String(r1.jwk["n"]), { alg: "HS256", kid: "r1" }, claims),
    bad("InvalidAlgorithm"),
  ],
  [
    "an algorithm of another type of key",
    (claims) => signed({ ...e1, kid: "r1" }, "ES256", claims),
    bad("InvalidAlgorithm"),
  ],
  ["a name of another algorithm", (claims) => signed(r1, "RS256", claims, { alg: "PS256" }), bad("InvalidSignature")],
  ["a curve too large", (claims) => signed(e1, "ES256", claims, { alg: "ES384" }), bad("InvalidAlgorithm")],
  ["a stranger's key of the same name", (claims) => signed(stranger, "RS256", claims), bad("InvalidSignature")],
  [
    "a key it brings along",
    (claims) => signed(stranger, "RS256", claims, { jwk: stranger.jwk }),
    bad("InvalidSignature"),
  ],
  [
    "a place where keys are",
    (claims) => signed(stranger, "RS256", claims, { jku: "https://evil.example/", x5u: "https://evil.example/" }),
    bad("InvalidSignature"),
  ],
  [
    "a kid nobody has",
    (claims) => signed({ ...r1, kid: "../../dev/null" }, "RS256", claims),
    'the token uses the unknown key "../../dev/null"',
  ],
  [
    "a kid that is a member of every object",
    (claims) => signed({ ...r1, kid: "__proto__" }, "RS256", claims),
    'the token uses the unknown key "__proto__"',
  ],
  [
    "a kid with quotes and line breaks",
    (claims) => signed({ ...r1, kid: 'a"\r\nb' }, "RS256", claims),
    'the token uses the unknown key "a\\"\\r\\nb"',
  ],
  [
    "a kid that is endless",
    (claims) => signed({ ...r1, kid: "k".repeat(9000) }, "RS256", claims),
    `the token uses the unknown key "${"k".repeat(64)}"`,
  ],
  ["a kid that is no text", (claims) => signed(r1, "RS256", claims, { kid: ["r1"] }), malformed],
  ["a kid that is null", (claims) => signed(r1, "RS256", claims, { kid: null }), malformed],
  [
    "an extension that must be understood",
    (claims) => signed(r1, "RS256", claims, { crit: ["b64"], b64: false }),
    malformed,
  ],
  ["expired", (claims, now) => signed(r1, "RS256", { ...claims, exp: now - 60 }), bad("ExpiredSignature")],
  ["an expiry in words", (claims) => signed(r1, "RS256", { ...claims, exp: "9999999999" }), bad("InvalidClaim(exp)")],
  ["no expiry", (claims) => signed(r1, "RS256", without(claims, "exp")), bad("MissingRequiredClaim(exp)")],
  ["an expiry of null", (claims) => signed(r1, "RS256", { ...claims, exp: null }), bad("InvalidClaim(exp)")],
  ["not yet valid", (claims, now) => signed(r1, "RS256", { ...claims, nbf: now + 61 }), bad("ImmatureSignature")],
  ["another audience", (claims) => signed(r1, "RS256", { ...claims, aud: "web" }), bad("InvalidAudience")],
  [
    "other audiences",
    (claims) => signed(r1, "RS256", { ...claims, aud: ["web", { api: 1 }, ["api"]] }),
    bad("InvalidAudience"),
  ],
  ["no audience", (claims) => signed(r1, "RS256", without(claims, "aud")), bad("InvalidAudience")],
  [
    "an audience that begins alike",
    (claims) => signed(r1, "RS256", { ...claims, aud: "api2" }),
    bad("InvalidAudience"),
  ],
  ["another issuer", (claims) => signed(r1, "RS256", { ...claims, iss: `${issuer}/` }), bad("InvalidIssuer")],
  ["several issuers", (claims) => signed(r1, "RS256", { ...claims, iss: [issuer] }), bad("InvalidIssuer")],
  ["no issuer", (claims) => signed(r1, "RS256", without(claims, "iss")), bad("MissingRequiredClaim(iss)")],
  ["claims in a list", () => signed(r1, "RS256", [{ iss: issuer }]), malformed],
  ["claims that are a text", () => signed(r1, "RS256", '"x"'), malformed],
  ["claims that are no JSON", () => signed(r1, "RS256", "{iss"), malformed],
  ["truncated", (claims) => signed(r1, "RS256", claims).slice(0, -1), bad("InvalidSignature")],
  ["truncated before its signature", (claims) => signed(r1, "RS256", claims).replace(/[^.]*$/, ""), malformed],
  ["two parts", (claims) => signed(r1, "RS256", claims).replace(/\.[^.]*$/, ""), malformed],
  ["four parts", (claims) => `${signed(r1, "RS256", claims)}.AA`, malformed],
  ["five parts", (claims) => `${signed(r1, "RS256", claims)}.AA.AA`, malformed],
  ["padding", (claims) => signed(r1, "RS256", claims).replace(".", "=."), malformed],
  ["letters of ordinary base64", (claims) => `${signed(r1, "RS256", claims)}+/`, malformed],
  ["white space inside", (claims) => signed(r1, "RS256", claims).replace(".", " ."), malformed],
  ["letters beyond ASCII", (claims) => signed(r1, "RS256", claims).replace(".", "\u00e9."), malformed],
  ["claims that are no UTF-8", () => `${unsigned({ alg: "RS256", kid: "r1" }, "").slice(0, -1)}_w.AA`, malformed],
  ["a mebibyte", (claims) => signed(r1, "RS256", { ...claims, x: "x".repeat(1 << 20) }), malformed],
  ["a mebibyte of dots", () => ".".repeat(1 << 20), malformed],
  [
    "claims changed after signing",
    (claims) => {
      const [head, , signature] = signed(r1, "RS256", claims).split(".")
      return `${head}.${Buffer.from(JSON.stringify({ ...claims, sub: "eve" })).toString("base64url")}.${signature}`
    },
    bad("InvalidSignature"),
  ],
  [
    "an ECDSA signature of zeros",
    (claims) => unsigned({ alg: "ES256", kid: "e1" }, claims, "A".repeat(86)),
    bad("InvalidSignature"),
  ],
  ["nothing", () => ".", malformed],
]

describe("what is no good token", () => {
  for (const [what, forge, detail] of attacks) {
    it(`is refused: ${what}`, async () => {
      for (const mode of ["strict", "optional"] as const) {
        const world = made({ policy: { mode } })
        assert.strictEqual(await world.detail(forge(world.claims(), world.nowSeconds())), detail)
      }
      const world = made({ policy: { mode: "permissive" } })
      const { exchange, said } = await world.ask(forge(world.claims(), world.nowSeconds()))
      assert.strictEqual(said._tag, "Pass")
      assert.isUndefined(exchange.identity)
      assert.isTrue(exchange.request.headers.has("authorization"))
    })
  }

  it("is refused within the leeway and no further", async () => {
    const { ask, claims, nowSeconds } = made()
    assert.strictEqual((await ask(signed(r1, "RS256", claims({ exp: nowSeconds() - 59 })))).said._tag, "Pass")
    assert.strictEqual((await ask(signed(r1, "RS256", claims({ nbf: nowSeconds() + 59 })))).said._tag, "Pass")
  })

  it("is the first of several", async () => {
    const { claims, send } = made()
    const token = signed(r1, "RS256", claims())
    const { exchange, said } = await send([
      ["authorization", "Bearer x.y.z"],
      ["authorization", `Bearer ${token}`],
    ])
    assert.strictEqual(said._tag, "JwtAuth")
    assert.isUndefined(exchange.identity)
    const turned = await send([
      ["authorization", `Bearer ${token}`],
      ["authorization", "Bearer x.y.z"],
    ])
    assert.strictEqual(turned.said._tag, "Pass")
    assert.isFalse(turned.exchange.request.headers.has("authorization"))
  })

  it("is told apart from none, with a challenge", async () => {
    const { send } = made()
    const reply = async (headers: Record<string, string>) => toReply((await send(headers)).said as Refusal, false)
    const none = await reply({})
    assert.deepStrictEqual([none.status, none.headers.get("www-authenticate")], [401, "Bearer"])
    const wrong = await reply({ authorization: "Bearer x" })
    assert.deepStrictEqual([wrong.status, wrong.headers.get("www-authenticate")], [401, 'Bearer error="invalid_token"'])
    for (const mode of ["optional", "permissive"] as const) {
      assert.strictEqual((await made({ policy: { mode } }).send({})).said._tag, "Pass")
    }
  })
})

it("claims that are asked for are needed, whichever they are", async () => {
  const { claims, detail, ask } = made({ providers: [provider({ requiredClaims: ["tenant"] })] })
  assert.strictEqual(await detail(signed(r1, "RS256", claims())), bad("MissingRequiredClaim(tenant)"))
  const forever = without(claims({ tenant: null }), "exp")
  assert.strictEqual((await ask(signed(r1, "RS256", forever))).said._tag, "Pass")
})

it("a key that cannot be used does not take the others with it", async () => {
  const odd = [
    { kty: "oct", k: "c2VjcmV0", kid: "h" },
    { kty: "EC", crv: "secp256k1", x: "AA", y: "AA", kid: "k" },
    { ...rsa("weak", 1024).jwk },
    { ...rsa("enc").jwk, use: "enc" },
    { kty: "OKP", crv: "X25519", x: "AA", kid: "x" },
    7,
  ] as ReadonlyArray<Record<string, unknown>>
  const { ask, claims } = made({ providers: [provider({ jwks: inline(jwks(...odd, r1)) })] })
  assert.strictEqual((await ask(signed(r1, "RS256", claims()))).said._tag, "Pass")
})

describe("keys at a URL", () => {
  const from = (served: World["served"], more: Partial<JwtAuth> = {}) =>
    made({ providers: [provider({ jwks: remote })], policy: more, ...(served === undefined ? {} : { served }) })

  it("are fetched once for all who wait", async () => {
    const world = from([good])
    const token = signed(r1, "RS256", world.claims())
    const said = await Promise.all(Array.from({ length: 10 }, () => world.ask(token)))
    assert.isTrue(said.every((one) => one.said._tag === "Pass"))
    assert.strictEqual(world.counts.fetched, 1)
  })

  it("that are not to be had refuse as a fault of ours, until they are", async () => {
    const world = from([new Error(), new Error(), good])
    const token = signed(r1, "RS256", world.claims())
    const { exchange, said } = await world.ask(token)
    assert.strictEqual(said._tag, "KeysUnavailable")
    assert.isUndefined(exchange.identity)
    const reply = toReply(said as Refusal, false)
    assert.deepStrictEqual([reply.status, reply.headers.get("retry-after")], [503, "15"])
    await world.ask(token)
    assert.strictEqual(world.counts.fetched, 1)
    world.clock.advance(RETRY_MILLIS)
    assert.strictEqual((await world.ask(token)).said._tag, "KeysUnavailable")
    world.clock.advance(RETRY_MILLIS)
    assert.strictEqual((await world.ask(token)).said._tag, "Pass")
    assert.strictEqual(world.counts.fetched, 3)
  })

  it("that are not to be had let everybody pass unknown where nobody is refused", async () => {
    const world = from([new Error()], { mode: "permissive" })
    const { exchange, said } = await world.ask(signed(r1, "RS256", world.claims()))
    assert.strictEqual(said._tag, "Pass")
    assert.isUndefined(exchange.identity)
  })

  it("stay good while their server is down or talks nonsense", async () => {
    const world = from([{ text: good, freshMillis: 0 }, new Error(), "<html>", jwks(), good])
    for (let i = 0; i < 6; i++) {
      assert.strictEqual((await world.ask(signed(r1, "RS256", world.claims()))).said._tag, "Pass")
      world.clock.advance(FRESH_MILLIS_MIN)
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.isAtLeast(world.counts.fetched, 5)
  })

  it("are fetched anew when they are no longer fresh, and not before", async () => {
    const world = from([{ text: good, freshMillis: 100_000 }])
    const ask = async () => world.ask(signed(r1, "RS256", world.claims()))
    await ask()
    world.clock.advance(99_999)
    await ask()
    assert.strictEqual(world.counts.fetched, 1)
    world.clock.advance(1)
    await ask()
    assert.strictEqual(world.counts.fetched, 2)
  })

  it("that are taken back are good for nobody, remembered or not", async () => {
    const next = rsa("r2")
    const world = from([{ text: good, freshMillis: 60_000 }, jwks(next)])
    const token = signed(r1, "RS256", world.claims({ exp: world.nowSeconds() + 99_999 }))
    assert.strictEqual((await world.ask(token)).said._tag, "Pass")
    world.clock.advance(120_000)
    assert.strictEqual((await world.ask(token)).said._tag, "JwtAuth")
    assert.strictEqual((await world.ask(signed(next, "RS256", world.claims()))).said._tag, "Pass")
  })

  it("are asked for again when one is missing, but not for everybody who makes one up", async () => {
    const next = rsa("r2")
    const world = from([good, jwks(r1, next)])
    assert.strictEqual((await world.ask(signed(r1, "RS256", world.claims()))).said._tag, "Pass")
    world.clock.advance(AGAIN_MILLIS)
    assert.strictEqual((await world.ask(signed(next, "RS256", world.claims()))).said._tag, "Pass")
    assert.strictEqual(world.counts.fetched, 2)
    for (let i = 0; i < 20; i++) {
      const made = signed({ ...next, kid: `made up ${i}` }, "RS256", world.claims())
      assert.strictEqual((await world.ask(made)).said._tag, "JwtAuth")
    }
    assert.strictEqual(world.counts.fetched, 2)
  })

  it("are not asked for by tokens of nobody's", async () => {
    const world = from([new Error()])
    const before = world.counts.fetched
    assert.strictEqual(
      await world.detail(signed(r1, "RS256", world.claims({ iss: "https://evil.example" }))),
      bad("InvalidIssuer"),
    )
    assert.strictEqual(world.counts.fetched, before)
  })
})
