import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { LineReader } from "../../../protocols/mcp/lines.ts"

const limit = 24

const read = (chunks: ReadonlyArray<Uint8Array>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  const reader = new LineReader(limit, { line: (text) => lines.push(text), tooLong: () => lines.push("\0long") })
  for (const chunk of chunks) reader.push(chunk)
  reader.end()
  return lines
}

const cut = (bytes: Uint8Array, at: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const points = [0, ...at.map((n) => n % (bytes.byteLength + 1)).toSorted((a, b) => a - b), bytes.byteLength]
  return points.slice(1).map((end, i) => bytes.subarray(points[i], end))
}

describe("lines", () => {
  it("are the same wherever the bytes are cut", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(), { maxLength: 12 }), (bytes, at) => {
        const some = bytes.map((byte) => (byte % 7 === 0 ? 0x0a : byte))
        expect(read(cut(some, at))).toEqual(read([some]))
      }),
    )
  })
  it("that were written one by one are read one by one", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }).filter((one) => {
      const bytes = new TextEncoder().encode(one)
      return one.trim() !== "" && !/[\r\n\uFEFF]/.test(one) && bytes.byteLength <= limit && one.isWellFormed()
    })
    fc.assert(
      fc.property(fc.array(text), (lines) => {
        expect(read([new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""))])).toEqual(lines)
      }),
    )
  })
})
