import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fromBase64, textToBase64, toBase64 } from "../../protocols/base64.ts"
import { bytesOfBase64Url, fromBase64Url, toBase64Url } from "../../protocols/base64url.ts"

/** Longer than what is handed over in one call, too. */
const someBytes = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc
    .tuple(fc.integer({ min: 8_190, max: 16_390 }), fc.integer({ min: 0, max: 255 }))
    .map(([length, seed]) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255)),
)

describe("bytes in Base64", () => {
  it("are written as Node writes them, and come back", () => {
    fc.assert(
      fc.property(someBytes, (bytes) => {
        const text = toBase64(bytes)
        expect(text).toBe(Buffer.from(bytes).toString("base64"))
        expect(fromBase64(text)).toEqual(bytes)
      }),
    )
  })

  it("may be written with either alphabet, with padding or without", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const node = Buffer.from(bytes)
        for (const text of [node.toString("base64"), node.toString("base64url")]) {
          expect(bytesOfBase64Url(text)).toEqual(bytes)
          expect(bytesOfBase64Url(text.replace(/=+$/, ""))).toEqual(bytes)
        }
      }),
    )
  })
})

describe("texts in Base64", () => {
  it("are those of their bytes in UTF-8, and come back", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const bytes = Buffer.from(text)
        expect(textToBase64(text)).toBe(bytes.toString("base64"))
        expect(toBase64Url(text)).toBe(bytes.toString("base64url"))
        expect(fromBase64Url(toBase64Url(text))).toBe(text)
      }),
    )
  })
})
