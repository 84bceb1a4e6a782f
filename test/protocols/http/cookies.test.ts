import { assert, describe, it } from "@effect/vitest"
import {
  cookieIn,
  cookieOf,
  formatSetCookie,
  removeCookies,
  setCookie,
  withoutCookies,
} from "../../../protocols/http/cookies.ts"
import { Headers } from "../../../protocols/http/headers.ts"

describe("cookies", () => {
  it("are found by their exact name, the first of several", () => {
    const value = 'ab=1; a=2;a=3 ;\tB="q" ; c; d==x=; =e'
    assert.strictEqual(cookieIn(value, "a"), "2")
    assert.strictEqual(cookieIn(value, "B"), '"q"')
    assert.strictEqual(cookieIn(value, "b"), undefined)
    assert.strictEqual(cookieIn(value, "c"), undefined)
    assert.strictEqual(cookieIn(value, "d"), "=x=")
    assert.strictEqual(cookieIn("", "a"), undefined)
    assert.strictEqual(cookieIn("a", "a"), undefined)
    assert.strictEqual(cookieIn("a=", "a"), "")
    assert.strictEqual(cookieOf(new Headers(["cookie", "x=1", "cookie", "y=2"]), "y"), "2")
  })

  it("are taken away without touching the others", () => {
    const secret = (name: string) => name.startsWith("agw_")
    assert.strictEqual(withoutCookies("a=1;  b=2", secret), "a=1;  b=2")
    assert.strictEqual(withoutCookies("agw_x=1; a=1;agw_y=2 ; b=2; agw_z", secret), "a=1; b=2")
    const headers = new Headers(["cookie", "agw_x=1", "x", "y"])
    removeCookies(headers, secret)
    assert.deepStrictEqual(headers.flat, ["x", "y"])
  })

  it("are put in place of one of the same name", () => {
    const headers = new Headers(["cookie", "a=1; b=2"])
    assert.isTrue(setCookie(headers, "a", "3"))
    assert.deepStrictEqual(headers.flat, ["cookie", "b=2; a=3"])
    assert.isFalse(setCookie(headers, "a", "3; c=4"))
    assert.isFalse(setCookie(headers, "a=", "3"))
    const none = new Headers()
    assert.isTrue(setCookie(none, "a", ""))
    assert.deepStrictEqual(none.flat, ["cookie", "a="])
  })

  it("are set with their attributes, or not at all", () => {
    assert.strictEqual(
      formatSetCookie({
        name: "s",
        value: "v",
        path: "/",
        maxAgeSeconds: 60.5,
        secure: true,
        httpOnly: true,
        sameSite: "Lax",
        domain: "a.b",
      }),
      "s=v; Path=/; Domain=a.b; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
    )
    for (const bad of [
      { name: "a b" },
      { name: "" },
      { value: "a;b" },
      { value: "a\r\n" },
      { value: "a b" },
      { path: "/; Domain=evil" },
      { domain: "a\n" },
    ]) {
      assert.strictEqual(formatSetCookie({ name: "n", value: "v", ...bad }), undefined, JSON.stringify(bad))
    }
  })
})
