import { assert, describe, it } from "@effect/vitest"
import { setLine } from "../../../stages/5-policy/requestLine.ts"
import { makeRequest } from "../exchange.ts"

const line = (name: string, value: string, told: Parameters<typeof makeRequest>[0] = {}) => {
  const request = makeRequest({ url: "http://a.test/p?q", ...told })
  setLine(request, name, value)
  return `${request.method} ${request.scheme} ${request.authority} ${request.host} ${request.target}`
}

describe("the request line", () => {
  it("is set part by part", () => {
    assert.strictEqual(line(":method", "PATCH"), "PATCH http a.test a.test /p?q")
    assert.strictEqual(line(":scheme", "https"), "GET https a.test a.test /p?q")
    assert.strictEqual(line(":path", "/x?y=z"), "GET http a.test a.test /x?y=z")
    for (const name of [":authority", "host"]) {
      assert.strictEqual(line(name, "B.test:8080"), "GET http b.test:8080 b.test /p?q")
    }
  })

  it("stays as it was where a part cannot be that", () => {
    for (const [name, value] of [
      [":method", "GET POST"],
      [":method", "CONNECT"],
      [":scheme", "ftp"],
      [":path", "no slash"],
      [":path", "http://other.test/"],
      [":authority", "a b"],
      [":authority", "user@host"],
    ] as const) {
      assert.strictEqual(line(name, value), "GET http a.test a.test /p?q", `${name} ${value}`)
    }
  })

  it("of a tunnel has no path to set, and its method stays", () => {
    const connect = { method: "CONNECT", url: "http://a.test:443" }
    assert.strictEqual(line(":method", "GET", connect), line("x", "", connect))
    assert.strictEqual(line(":path", "/x", connect), line("x", "", connect))
  })
})
