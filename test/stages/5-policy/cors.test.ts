import { assert, describe, it } from "@effect/vitest"
import type { Cors } from "../../../ir/policy/Cors.ts"
import { allowsOrigin, compile, compileRules } from "../../../stages/5-policy/cors.ts"
import { toReply } from "../../../stages/Refusal.ts"
import { answerOf, FakeClock, makeExchange, makeReply, settled, verdict } from "../exchange.ts"

const ports = { clock: new FakeClock(), maxBufferBytes: 1024 }

const cors = (policy: Partial<Cors> = {}): Cors => ({
  _tag: "Cors",
  allowCredentials: false,
  allowHeaders: ["x-a", "x-b"],
  allowMethods: ["GET", "PUT"],
  allowOrigins: ["https://app.example"],
  exposeHeaders: [],
  ...policy,
})

const app = "https://app.example"
const asks = { origin: app, "access-control-request-method": "PUT", "access-control-request-headers": "x-b" }

const preflight = (policy: Partial<Cors>, headers: Record<string, string> = asks) =>
  answerOf(compile(cors(policy), ports, "route"), makeExchange({ method: "OPTIONS", headers }))

/** The reply as the client gets it. */
const reply = (policy: Partial<Cors>, headers: Record<string, string>, upstream = makeReply(), method = "GET") => {
  const exchange = makeExchange({ method, headers })
  assert.strictEqual(verdict(compile(cors(policy), ports, "gateway"), exchange)._tag, "Pass")
  return settled(exchange, upstream).headers
}

const allowances = (headers: Iterable<readonly [string, string]>) =>
  [...headers].filter(([name]) => name.startsWith("access-control-"))

describe("cors", () => {
  it("answers the preflight of an allowed origin with everything it may do", () => {
    const answer = preflight({ allowCredentials: true, exposeHeaders: ["x-c", "x-d"], maxAgeMillis: 90_500 })
    assert.strictEqual(answer.status, 200)
    assert.strictEqual(answer.body._tag, "Empty")
    assert.deepStrictEqual(Object.fromEntries(answer.headers), {
      "access-control-allow-origin": app,
      "access-control-allow-credentials": "true",
      "access-control-allow-methods": "GET,PUT",
      "access-control-allow-headers": "x-a,x-b",
      "access-control-max-age": "90",
      "access-control-expose-headers": "x-c,x-d",
      vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    })
  })

  it("answers the preflight of another origin with 200 and no permission", () => {
    const answer = preflight({}, { ...asks, origin: "https://evil.example" })
    assert.strictEqual(answer.status, 200)
    assert.deepStrictEqual(allowances(answer.headers), [])
    assert.isTrue(answer.headers.get("vary")?.startsWith("Origin"))
  })

  it("lets OPTIONS through that is no preflight", () => {
    const headers = reply({}, { origin: app }, makeReply(), "OPTIONS")
    assert.strictEqual(headers.get("access-control-allow-origin"), app)
    assert.deepStrictEqual(allowances(reply({}, {}, makeReply(), "OPTIONS")), [])
  })

  it("takes a request method in a GET for no preflight", () => {
    assert.strictEqual(reply({}, asks).get("access-control-allow-origin"), app)
  })

  it("echoes what is asked for where anything is allowed", () => {
    const any = { allowMethods: ["*"], allowHeaders: ["*"] }
    const answer = preflight(any)
    assert.strictEqual(answer.headers.get("access-control-allow-methods"), "PUT")
    assert.strictEqual(answer.headers.get("access-control-allow-headers"), "x-b")
    const { "access-control-request-headers": _, ...none } = asks
    assert.strictEqual(preflight(any, none).headers.get("access-control-allow-headers"), "*")
    const credentials = preflight({ ...any, allowCredentials: true }, none).headers
    assert.isFalse(credentials.has("access-control-allow-headers"))
  })

  it("says nothing of methods and headers where none are allowed", () => {
    const answer = preflight({ allowMethods: [], allowHeaders: [] })
    assert.deepStrictEqual(allowances(answer.headers), [["access-control-allow-origin", app]])
  })

  it("permits the reply to an allowed origin, refusals of the gateway included", () => {
    const policy = { allowCredentials: true, exposeHeaders: ["x-c"] }
    const expected = {
      "access-control-allow-origin": app,
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "x-c",
    }
    const refused = toReply({ _tag: "RouteNotFound" }, false)
    for (const made of [makeReply(), refused]) {
      const headers = reply(policy, { origin: app }, made)
      assert.deepStrictEqual(Object.fromEntries(allowances(headers)), expected)
      assert.strictEqual(headers.get("vary"), "Origin")
    }
  })

  it("overrides what the upstream permits, and takes away what the policy does not", () => {
    const upstream = () =>
      makeReply({
        headers: {
          "access-control-allow-origin": "*",
          "access-control-allow-credentials": "true",
          "access-control-expose-headers": "x-theirs",
        },
      })
    assert.deepStrictEqual(allowances(reply({}, { origin: app }, upstream())), [
      ["access-control-allow-origin", app],
      ["access-control-expose-headers", "x-theirs"],
    ])
    assert.deepStrictEqual(allowances(reply({}, { origin: "https://evil.example" }, upstream())), [
      ["access-control-expose-headers", "x-theirs"],
    ])
  })

  it("tells caches that every reply depends on the origin, and says so once", () => {
    assert.deepStrictEqual(reply({}, {}).all("vary"), ["Origin"])
    assert.deepStrictEqual(reply({}, { origin: "https://evil.example" }).all("vary"), ["Origin"])
    const vary = (value: string) => reply({}, { origin: app }, makeReply({ headers: { vary: value } })).all("vary")
    assert.deepStrictEqual(vary("accept, origin"), ["accept, origin"])
    assert.deepStrictEqual(vary("*"), ["*"])
    assert.deepStrictEqual(vary("x-origin"), ["x-origin", "Origin"])
  })

  it("touches nothing else of a reply without origin", () => {
    const upstream = makeReply({ headers: { "access-control-allow-origin": "*", a: "1" } })
    assert.deepStrictEqual(
      [...reply({}, {}, upstream)],
      [
        ["access-control-allow-origin", "*"],
        ["a", "1"],
        ["vary", "Origin"],
      ],
    )
  })

  it("compares origins as browsers write them: lower case, no default port", () => {
    const rules = compileRules(cors({ allowOrigins: ["HTTPS://App.Example:443", "http://a:8080", "null"] }))
    assert.isTrue(allowsOrigin(rules, "https://app.example"))
    assert.isTrue(allowsOrigin(rules, "http://a:8080"))
    assert.isTrue(allowsOrigin(rules, "null"))
    for (const other of ["https://app.example:8443", "http://app.example", "http://a", "https://app.example.evil"]) {
      assert.isFalse(allowsOrigin(rules, other))
    }
  })

  it("lets a wildcard stand for one character or more of the host, never for a port or a scheme", () => {
    const one = compileRules(cors({ allowOrigins: ["https://*.example.com", "http://*:8080", "https://a*b*c.d"] }))
    for (const origin of [
      "https://a.example.com",
      "https://a.b.example.com",
      "http://x.y:8080",
      "http://[::1]:8080",
      "https://aXXbYc.d",
    ]) {
      assert.isTrue(allowsOrigin(one, origin), origin)
    }
    for (const origin of [
      "https://example.com",
      "https://.example.com",
      "https://evilexample.com",
      "https://a.example.com:8443",
      "http://a.example.com",
      "https://a.example.com.evil.net",
      "https://evil.net/.example.com",
      "https://evil.net:1/.example.com",
      "https://user@a.example.com",
      "http://x.y",
      "https://abc.d",
      "https://axbc.d",
      "null",
    ]) {
      assert.isFalse(allowsOrigin(one, origin), origin)
    }
  })

  it("allows any origin by an asterisk alone, and none by an empty list", () => {
    assert.isTrue(allowsOrigin(compileRules(cors({ allowOrigins: ["*"] })), "https://anything"))
    assert.isFalse(allowsOrigin(compileRules(cors({ allowOrigins: [] })), "https://anything"))
  })
})
