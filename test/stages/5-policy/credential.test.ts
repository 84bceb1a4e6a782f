import { assert, describe, it } from "@effect/vitest"
import type { CredentialLocation } from "../../../ir/policy/CredentialLocation.ts"
import { compile, type Credential } from "../../../stages/5-policy/credential.ts"
import { makeRequest } from "../exchange.ts"

const at = (location: CredentialLocation): Credential => {
  const credential = compile(location)
  if (typeof credential === "string") throw new Error(credential)
  return credential
}

const header = at({ _tag: "Header", name: "authorization", prefix: "Bearer " } as CredentialLocation)
const bare = at({ _tag: "Header", name: "x-api-key" } as CredentialLocation)
const query = at({ _tag: "Query", name: "api key" })
const cookie = at({ _tag: "Cookie", name: "session" })

describe("a credential in a header", () => {
  it("is found after its prefix, whatever the case of that", () => {
    for (const prefix of ["Bearer ", "bearer ", "BEARER   "]) {
      assert.strictEqual(header.extract(makeRequest({ headers: { authorization: `${prefix}abc` } })), "abc")
    }
  })

  it("is not there without the prefix", () => {
    for (const value of ["abc", "Basic abc", "Bearer", "Bearer\u00a0abc", "\u212Aearer abc"]) {
      assert.isUndefined(header.extract(makeRequest({ headers: { authorization: value } })), value)
    }
    assert.isUndefined(header.extract(makeRequest()))
  })

  it("is the first value, and all values are removed", () => {
    const request = makeRequest({
      headers: [
        ["x-api-key", "one"],
        ["accept", "*/*"],
        ["X-Api-Key", "two"],
      ],
    })
    assert.strictEqual(bare.extract(request), "one")
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
    assert.strictEqual(query.extract(makeRequest({ url: "http://a/?x=1&api%20key=a%2Bb+c" })), "a+b c")
    assert.strictEqual(query.extract(makeRequest({ url: "http://a/?api+key=1&api%20key=2" })), "1")
    assert.strictEqual(query.extract(makeRequest({ url: "http://a/?api+key" })), "")
    assert.isUndefined(query.extract(makeRequest({ url: "http://a/?apikey=1" })))
    assert.isUndefined(query.extract(makeRequest()))
  })

  it("is judged as it stands when it cannot be decoded", () => {
    assert.strictEqual(query.extract(makeRequest({ url: "http://a/?api+key=%ff%" })), "%ff%")
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
    assert.strictEqual(query.extract(request), "x&y=z")
    assert.isFalse(query.insert(request, "\ud800"))
  })
})

describe("a credential in a cookie", () => {
  it("is found, removed and set among others", () => {
    const request = makeRequest({ headers: { cookie: "a=1; session=abc; b=2" } })
    assert.strictEqual(cookie.extract(request), "abc")
    cookie.remove(request)
    assert.strictEqual(request.headers.get("cookie"), "a=1; b=2")
    assert.isTrue(cookie.insert(request, "new"))
    assert.strictEqual(cookie.extract(request), "new")
    assert.isFalse(cookie.insert(request, "a; admin=1"))
  })
})

it("an expression is no place until something evaluates it", () => {
  assert.isString(compile({ _tag: "Computed", expression: "request.headers['x']" } as CredentialLocation))
})
