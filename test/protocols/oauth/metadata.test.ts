import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { discoveryUrl, parse, serverMetadataUrl } from "../../../protocols/oauth/metadata.ts"
import { TokenCheck } from "../../../stages/5-policy/TokenCheck.ts"
import { published } from "../../oidc/fixtures.ts"
import { gateOf } from "../../stages/5-policy/gate.ts"
import { signed } from "../../stages/5-policy/tokens.ts"
import { FakeClock } from "../../stages/exchange.ts"

describe("what providers publish", () => {
  for (const { algorithm, claims, header, issuer, keys, metadata, name, signer } of published()) {
    it(`${name}: endpoints and keys are found, and its tokens are good`, async () => {
      const found = parse(JSON.stringify(metadata), issuer)
      if (typeof found === "string") throw new Error(found)
      assert.strictEqual(found.authorizationEndpoint, metadata["authorization_endpoint"])
      assert.strictEqual(found.tokenEndpoint, metadata["token_endpoint"])
      assert.strictEqual(found.jwksUri, metadata["jwks_uri"])
      assert.strictEqual(found.endSessionEndpoint, metadata["end_session_endpoint"])
      assert.include(found.tokenEndpointAuthMethods, "client_secret_basic")
      const clock = new FakeClock()
      const check = new TokenCheck(
        [
          {
            issuer,
            audiences: ["gateway"],
            jwks: { _tag: "Inline", text: JSON.stringify(keys) },
            requiredClaims: ["exp"],
          },
        ],
        gateOf(),
        clock,
      )
      const now = Math.floor(clock.wallMillis() / 1000)
      const usual = { iss: issuer, aud: "gateway", sub: "ann", iat: now, exp: now + 600 }
      const judged = async (more: object) => {
        const result = check.check(signed(signer, algorithm, { ...usual, ...claims, ...more }, header), Infinity)
        return Effect.isEffect(result) ? await Effect.runPromise(Effect.result(result)) : result
      }
      assert.propertyVal(await judged({}), "_tag", "Success")
      assert.propertyVal(await judged({ iss: `${issuer}x` }), "_tag", "Failure")
      assert.propertyVal(await judged({ aud: "other" }), "_tag", "Failure")
    })

    it(`${name}: its tokens are good by keys that say neither their algorithm nor their use`, async () => {
      const bare = keys.keys.filter(({ use }) => use !== "enc").map(({ alg: _a, use: _u, ...key }) => key)
      const clock = new FakeClock()
      const document = { _tag: "Inline" as const, text: JSON.stringify({ keys: bare }) }
      const check = new TokenCheck(
        [{ issuer, audiences: [], jwks: document, requiredClaims: ["exp"] }],
        gateOf(),
        clock,
      )
      const usual = { iss: issuer, aud: "gateway", sub: "ann", exp: clock.wallMillis() / 1000 + 600 }
      const judged = async (made: string) => {
        const result = check.check(made, Infinity)
        return Effect.isEffect(result) ? (await Effect.runPromise(Effect.result(result)))._tag : "Success"
      }
      assert.strictEqual(await judged(signed(signer, algorithm, { ...usual, ...claims }, header)), "Success")
      assert.strictEqual(await judged(signed(signer, algorithm, usual, { ...header, alg: "HS256" })), "Failure")
    })
  }

  it("of Cognito leaves access tokens without an audience, which nobody who asks for one takes", async () => {
    const cognito = published()[4]
    if (cognito?.name !== "Cognito") throw new Error("there is no Cognito")
    const clock = new FakeClock()
    const exp = clock.wallMillis() / 1000 + 600
    const access = { iss: cognito.issuer, sub: "ann", client_id: "gateway", token_use: "access", scope: "a/b", exp }
    const token = signed(cognito.signer, "RS256", access)
    const jwks = { _tag: "Inline" as const, text: JSON.stringify(cognito.keys) }
    for (const [audiences, expected] of [
      [[], "Success"],
      [["gateway"], "Failure"],
    ] as const) {
      const provider = { issuer: cognito.issuer, audiences, jwks, requiredClaims: ["exp"] }
      const found = new TokenCheck([provider], gateOf(), clock).check(token, Infinity)
      const result = Effect.isEffect(found) ? await Effect.runPromise(Effect.result(found)) : undefined
      assert.strictEqual(result?._tag, expected)
    }
  })

  it("of every tenant at once is not what any tenant's tokens say", () => {
    const entra = published()[2]
    const common = { ...entra?.metadata, issuer: "https://login.microsoftonline.com/{tenantid}/v2.0" }
    assert.isString(parse(JSON.stringify(common), "https://login.microsoftonline.com/common/v2.0"))
  })
})

describe("metadata", () => {
  const issuer = "https://a.example"
  const of = (more: Record<string, unknown>) => parse(JSON.stringify({ issuer, ...more }), issuer)
  it("that leads elsewhere than a server that can be asked is refused", () => {
    for (const bad of [
      "javascript:alert(1)",
      "file:///etc/passwd",
      "http://a.example/t",
      "https://u:p@a.example",
      "/relative",
      "https://a.example/#x",
    ]) {
      assert.isString(of({ token_endpoint: bad }), bad)
    }
    assert.isObject(of({ token_endpoint: "https://b.example/t" }))
    assert.isObject(
      parse('{"issuer":"http://127.0.0.1:1","token_endpoint":"http://127.0.0.1:1/t"}', "http://127.0.0.1:1"),
    )
  })
  it("that is none is refused", () => {
    for (const bad of ["", "[]", "null", "1", '{"issuer":1}', "{}", '{"issuer":"https://b.example"}'])
      assert.isString(parse(bad, issuer))
  })
  it("is found where the standards say", () => {
    assert.strictEqual(discoveryUrl("https://a.example/x/"), "https://a.example/x/.well-known/openid-configuration")
    assert.strictEqual(
      serverMetadataUrl("https://a.example/x/"),
      "https://a.example/.well-known/oauth-authorization-server/x",
    )
    assert.strictEqual(
      serverMetadataUrl("https://a.example"),
      "https://a.example/.well-known/oauth-authorization-server",
    )
  })
})
