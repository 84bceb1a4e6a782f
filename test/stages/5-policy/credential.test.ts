import { assert, describe, it } from "@effect/vitest"
import type { CredentialLocation } from "../../../ir/policy/CredentialLocation.ts"
import { compile, type Credential } from "../../../stages/5-policy/credential.ts"
import { FakeClock, makeExchange, makeRequest } from "../exchange.ts"

const ports = { clock: new FakeClock(), maxBufferBytes: 0 }
const at = (location: CredentialLocation): Credential => compile(location, ports, "route")

const header = at({ _tag: "Header", name: "authorization", prefix: "Bearer " } as CredentialLocation)
const bare = at({ _tag: "Header", name: "x-api-key" } as CredentialLocation)
const query = at({ _tag: "Query", name: "api key" })
const cookie = at({ _tag: "Cookie", name: "session" })

describe("a credential in a header", () => {
  it("is found after its prefix, whatever the case of that", () => {
    for (const prefix of ["Bearer ", "bearer ", "BEARER   "]) {
      assert.strictEqual(header.extract(makeExchange({ headers: { authorization: `${prefix}abc` } })), "abc")
    }
  })

  it("is not there without the prefix", () => {
    for (const value of ["abc", "Basic abc", "Bearer", "Bearer\u00a0abc", "\u212Aearer abc"]) {
      assert.isUndefined(header.extract(makeExchange({ headers: { authorization: value } })), value)
    }
    assert.isUndefined(header.extract(makeExchange()))
  })

  it("is the first value, and all values are removed", () => {
    const request = makeRequest({
      headers: [
        ["x-api-key", "one"],
        ["accept", "*/*"],
        ["X-Api-Key", "two"],
      ],
    })
    assert.strictEqual(bare.extract({ request, exchange: makeExchange() }), "one")
    bare.remove(request)
    assert.deepStrictEqual(request.headers.flat, ["accept", "*/*"])
  })

  it("is written with its prefix in place of what was there, and never with a line break", () => {
    const request = makeRequest({ headers: { authorization: "Basic x" } })
    assert.isTrue(header.insert(request, "abc"))
    assert.deepStrictEqual(request.headers.all("authorization"), ["Bearer abc"])
    assert.isFalse(header.insert(request, "a\r\nx: y"))
    assert.deepStrictEqual(request.headers.all("authorization"), ["Bearer abc"])
  })
})

describe("a credential in the query", () => {
  it("is decoded, its name too", () => {
    assert.strictEqual(query.extract(makeExchange({ url: "http://a/?x=1&api%20key=a%2Bb+c" })), "a+b c")
    assert.strictEqual(query.extract(makeExchange({ url: "http://a/?api+key=1&api%20key=2" })), "1")
    assert.strictEqual(query.extract(makeExchange({ url: "http://a/?api+key" })), "")
    assert.isUndefined(query.extract(makeExchange({ url: "http://a/?apikey=1" })))
    assert.isUndefined(query.extract(makeExchange()))
  })

  it("is judged as it stands when it cannot be decoded", () => {
    assert.strictEqual(query.extract(makeExchange({ url: "http://a/?api+key=%ff%" })), "%ff%")
  })

  it("is removed however often and however it is spelled, and the rest stays byte for byte", () => {
    const request = makeRequest({ url: "http://a/p?a=%2f&api+key=1&&b=+&%61pi%20key=2" })
    query.remove(request)
    assert.strictEqual(request.query, "a=%2f&&b=+")
    const only = makeRequest({ url: "http://a/p?api+key=1" })
    query.remove(only)
    assert.isUndefined(only.query)
  })

  it("is set", () => {
    const request = makeRequest({ url: "http://a/?api+key=1&b" })
    assert.isTrue(query.insert(request, "x&y=z"))
    assert.strictEqual(request.query, "b&api%20key=x%26y%3Dz")
    assert.strictEqual(query.extract({ request, exchange: makeExchange() }), "x&y=z")
    assert.isFalse(query.insert(request, "\ud800"))
  })
})

describe("a credential in a cookie", () => {
  it("is found, removed and set among others", () => {
    const request = makeRequest({ headers: { cookie: "a=1; session=abc; b=2" } })
    assert.strictEqual(cookie.extract({ request, exchange: makeExchange() }), "abc")
    cookie.remove(request)
    assert.strictEqual(request.headers.get("cookie"), "a=1; b=2")
    assert.isTrue(cookie.insert(request, "new"))
    assert.strictEqual(cookie.extract({ request, exchange: makeExchange() }), "new")
    assert.isFalse(cookie.insert(request, "a; admin=1"))
  })
})

describe("a credential that is computed", () => {
  const computed = (expression: string) => at({ _tag: "Computed", expression } as CredentialLocation)

  it("is a text, or it is not there", () => {
    const extract = (expression: string, headers: Record<string, string> = {}) =>
      computed(expression).extract(makeExchange({ headers, url: "http://a/p?k=v" }))
    assert.strictEqual(extract('request.headers["x-key"].split(":")[1]', { "x-key": "a:b" }), "b")
    assert.isUndefined(extract('request.headers["x-key"]'))
    assert.isUndefined(extract("1 + 1"))
    assert.isUndefined(extract("null"))
  })

  it("stays where it is", () => {
    const credential = computed('request.headers["x-key"]')
    const request = makeRequest({ headers: { "x-key": "a" } })
    credential.remove(request)
    assert.isFalse(credential.insert(request, "b"))
    assert.deepStrictEqual(request.headers.flat, ["x-key", "a"])
  })

  it("says when it needs the body", () => {
    assert.isTrue(computed("string(request.body)").readsBody)
    assert.isFalse(computed("request.path").readsBody)
  })
})
