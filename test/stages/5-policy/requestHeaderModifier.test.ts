import { assert, describe, it } from "@effect/vitest"
import { compile } from "../../../stages/5-policy/requestHeaderModifier.ts"
import { makeAttempt, makeExchange, verdict } from "../exchange.ts"
import { type Edits, edits } from "./headerEdits.ts"

const edited = (told: Edits, exchange = makeExchange()) => {
  assert.strictEqual(verdict(compile(edits(told)), exchange)._tag, "Pass")
  return exchange.request
}

const refused = (told: Edits) => {
  const said = verdict(compile(edits(told)), makeExchange())
  assert.strictEqual(said._tag, "FilterFailed")
}

describe("request headers", () => {
  it("are added, then set, then removed", () => {
    const request = edited(
      { add: { a: "2", b: "2", c: "2" }, set: { b: "3" }, remove: ["c"] },
      makeExchange({ headers: { a: "1", b: "1", c: "1" } }),
    )
    assert.deepStrictEqual(
      [...request.headers],
      [
        ["a", "1"],
        ["b", "3"],
        ["a", "2"],
      ],
    )
  })

  it("include the parts of the request line", () => {
    const request = edited(
      { set: { ":method": "PUT", ":scheme": "https", ":authority": "Other.Example:8443", ":path": "/x?y=1" } },
      makeExchange({ url: "http://example.com/a?b" }),
    )
    assert.deepStrictEqual(
      [request.method, request.scheme, request.authority, request.host, request.path, request.query],
      ["PUT", "https", "other.example:8443", "other.example", "/x", "y=1"],
    )
    assert.deepStrictEqual([...request.headers], [])
  })

  it("mean the authority by host, whether it is added or set", () => {
    for (const how of ["add", "set"] as const) {
      const request = edited({ [how]: { host: "a.b" } })
      assert.deepStrictEqual([request.authority, request.host, request.headers.has("host")], ["a.b", "a.b", false])
    }
  })

  it("lose a query that a new path does not have, and keep the parts of the line that are to be removed", () => {
    const request = edited(
      { set: { ":path": "/x" }, remove: ["host", ":method"] },
      makeExchange({ url: "http://a/?q" }),
    )
    assert.deepStrictEqual([request.target, request.authority, request.method], ["/x", "a", "GET"])
  })

  it("cannot make a tunnel, or give one a path", () => {
    refused({ set: { ":method": "CONNECT" } })
    const request = edited({ set: { ":path": "/x", ":method": "GET" } }, makeExchange({ method: "CONNECT" }))
    assert.deepStrictEqual([request.method, request.path], ["CONNECT", "/"])
  })

  it("refuse what no header can be", () => {
    refused({ set: { a: "1\r\nb: 2" } })
    refused({ add: { a: "\u0000" } })
    refused({ add: { a: "日本" } })
    refused({ set: { ":path": "no slash" } })
    refused({ set: { ":path": "/a b" } })
    refused({ set: { host: "a b" } })
    refused({ set: { ":scheme": "ftp" } })
    refused({ set: { ":status": "200" } })
    refused({ set: { "": "1" } })
  })

  it("leave the frame of the message to its writer", () => {
    for (const name of ["content-length", "transfer-encoding", "connection", "upgrade"]) {
      refused({ set: { [name]: "1" } })
      refused({ add: { [name]: "1" } })
    }
  })

  it("that ask for nothing cost nothing", () => {
    assert.isUndefined(compile(edits({})))
  })

  it("of an attempt change that attempt alone", () => {
    const exchange = makeExchange({ headers: { a: "1" } })
    const attempt = makeAttempt(exchange)
    assert.strictEqual(verdict(compile(edits({ set: { a: "2" } })), attempt)._tag, "Pass")
    assert.deepStrictEqual([attempt.request.headers.get("a"), exchange.request.headers.get("a")], ["2", "1"])
  })
})
