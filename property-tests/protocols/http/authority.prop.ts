import { describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  formatAuthority,
  hostOf,
  parseAuthority,
  portOf,
  stripDefaultPort,
  unbracket,
} from "../../../protocols/http/authority.ts"
import { parseTarget, pathAndQuery } from "../../../protocols/http/target.ts"
import { decodeGrpcMessage, encodeGrpcMessage } from "../../../protocols/http/grpc.ts"

const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
)
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined })
const nasty = fc.string({
  unit: fc.constantFrom("a", "A", ".", ":", "[", "]", "1", "0", "@", "/", "\\", "?", "#", "%", ",", " ", "é", "*"),
})

describe("authority", () => {
  it("parse after format is the same, and the fast readers agree with it", () => {
    fc.assert(
      fc.property(host, port, (host, port) => {
        const text = formatAuthority({ host, port })
        const parsed = parseAuthority(text)
        return (
          parsed !== undefined &&
          parsed.host === host.toLowerCase() &&
          parsed.port === port &&
          hostOf(text) === parsed.host &&
          portOf(text) === port
        )
      }),
    )
  })

  it("on any text: never throws, and what it accepts the URL parser reads the same way", () => {
    fc.assert(
      fc.property(nasty, (text) => {
        hostOf(text)
        portOf(text)
        unbracket(text)
        stripDefaultPort("http", text)
        const parsed = parseAuthority(text)
        if (parsed === undefined) return true
        if (hostOf(text) !== parsed.host) return false
        const read = URL.parse(`x://${text}/`)
        // A scheme without default port leaves the port visible; its hosts are opaque, so only case and dot differ.
        return (
          read !== null &&
          read.username === "" &&
          read.pathname === "/" &&
          (read.port === "" ? undefined : Number(read.port)) === parsed.port
        )
      }),
      { numRuns: 3000 },
    )
  })
})

describe("request target", () => {
  it("on any text: never throws, and what it accepts goes on unchanged", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("GET", "OPTIONS", "CONNECT"),
        fc.oneof(
          nasty,
          nasty.map((t) => `/${t}`),
          nasty.map((t) => `http://${t}`),
        ),
        (method, text) => {
          const target = parseTarget(method, text)
          if (target === undefined) return true
          const sent = pathAndQuery(target.path, target.query)
          if (/[^\x21-\x7e]|#/.test(sent)) return false
          if (target.form === "origin" || target.form === "asterisk") return sent === text
          if (target.form === "authority") return target.authority === text
          return (
            text.endsWith(target.path === "*" || target.path === "/" ? "" : sent) &&
            parseAuthority(target.authority ?? "") !== undefined
          )
        },
      ),
      { numRuns: 3000 },
    )
  })
})

describe("grpc-message", () => {
  it("decode after encode is the message, and the encoding is printable", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (message) => {
        const encoded = encodeGrpcMessage(message)
        return /^[\x20-\x7e]*$/.test(encoded) && decodeGrpcMessage(encoded) === message.toWellFormed()
      }),
    )
  })

  it("decoding never throws", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => typeof decodeGrpcMessage(text) === "string"))
  })
})
