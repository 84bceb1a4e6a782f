import { describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { relayReply, relayRequest, relayTrailers, type HttpVersion } from "../../../protocols/http/hopByHop.ts"

const hop = [
  "connection",
  "proxy-connection",
  "keep-alive",
  "proxy-authenticate",
  "transfer-encoding",
  "trailer",
  "upgrade",
  "te",
  "http2-settings",
]
const known = [
  ...hop,
  "host",
  "content-length",
  "expect",
  "cookie",
  "authorization",
  "x-forwarded-for",
  "accept",
  "x-a",
  "x-b",
  "x-c",
]
const anyCase = (text: string) =>
  fc
    .array(fc.boolean(), { minLength: text.length, maxLength: text.length })
    .map((upper) => [...text].map((char, i) => (upper[i] ? char.toUpperCase() : char)).join(""))
const name = fc.oneof(fc.constantFrom(...known).chain(anyCase), fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,12}$/))
const value = fc.oneof(
  fc.constantFrom(
    "chunked",
    "5",
    "005",
    "upgrade",
    "x-a, x-b",
    "authorization, X-C, x-forwarded-for",
    "trailers",
    "websocket",
    "close",
  ),
  fc.stringMatching(/^[\x21-\x7e]{0,20}$/),
)
const fields = fc.array(fc.tuple(name, value), { maxLength: 20 })
const version = fc.constantFrom<HttpVersion>("1.0", "1.1", "2.0")
const anything = fc.array(fc.string({ unit: "binary" }), { maxLength: 12 })

describe("hop by hop", () => {
  it("never throws and never lets a field-breaking character through unnoticed", () => {
    fc.assert(
      fc.property(anything, version, (flat, version) => {
        for (const relayed of [relayRequest(flat, version), relayReply(flat, version)]) {
          if (relayed.malformed === undefined && relayed.headers.flat.some((text) => /[\0\r\n]/.test(text)))
            return false
        }
        return !relayTrailers(flat).flat.some((text) => /[\0\r\n]/.test(text))
      }),
    )
  })

  it("keeps exactly the end-to-end fields, in order, as a naive reading does", () => {
    fc.assert(
      fc.property(fields, (fields) => {
        const relayed = relayRequest(fields.flat())
        if (relayed.malformed !== undefined) return true
        const named = new Set(
          fields
            .filter(([n]) => n.toLowerCase() === "connection")
            .flatMap(([, v]) => v.split(",").map((o) => o.trim().toLowerCase())),
        )
        const removable = (n: string) =>
          named.has(n) && /^x-[abc]$|^(?!accept|x-f|auth|cookie|host|content)[a-z0-9-]+$/.test(n)
        const expected: Array<string> = []
        for (const [raw, v] of fields) {
          const n = raw.toLowerCase()
          if (hop.includes(n) || n === "host" || n === "expect" || n === "cookie" || removable(n)) continue
          // A length is told in its plainest form.
          expected.push(n, n === "content-length" ? String(Number(v)) : v)
        }
        const kept: Array<string> = []
        for (const [n, v] of relayed.headers) if (n !== "te" && n !== "cookie") kept.push(n, v)
        return JSON.stringify(kept) === JSON.stringify(expected)
      }),
      { numRuns: 2000 },
    )
  })

  it("is idempotent: relaying what was relayed changes nothing", () => {
    fc.assert(
      fc.property(fields, (fields) => {
        const once = relayRequest(fields.flat())
        if (once.malformed !== undefined) return true
        const twice = relayRequest(once.headers.flat)
        return twice.malformed === undefined && JSON.stringify(twice.headers.flat) === JSON.stringify(once.headers.flat)
      }),
    )
  })

  it("accepts at most one way of telling where a message ends", () => {
    fc.assert(
      fc.property(fields, (fields) => {
        const flat = fields.flat()
        for (const relayed of [relayRequest(flat), relayReply(flat)]) {
          if (relayed.malformed !== undefined) continue
          if (relayed.chunked && relayed.contentLength !== undefined) return false
          if (relayed.headers.all("content-length").length > 1) return false
        }
        return true
      }),
    )
  })
})
