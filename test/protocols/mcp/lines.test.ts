import { describe, expect, it } from "vitest"
import { LineReader } from "../../../protocols/mcp/lines.ts"

const read = (bytesMax: number, ...chunks: ReadonlyArray<Uint8Array | string>) => {
  const lines: Array<string> = []
  const reader = new LineReader(bytesMax, { line: (text) => lines.push(text), tooLong: () => lines.push("(too long)") })
  for (const chunk of chunks) reader.push(typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk)
  reader.end()
  return lines
}

describe("lines", () => {
  it("end with a line break of either kind, and the last one needs none", () => {
    expect(read(100, "one\r\ntwo\nthree")).toEqual(["one", "two", "three"])
  })
  it("without anything in them do not count", () => {
    expect(read(100, "\n\r\n  \none\n\n")).toEqual(["one"])
  })
  it("may begin with a byte order mark, once", () => {
    expect(read(100, "\uFEFFone\n\uFEFFtwo\n")).toEqual(["one", "\uFEFFtwo"])
  })
  it("that are no UTF-8 are read as far as they are", () => {
    expect(read(100, Uint8Array.of(0x61, 0xff, 0x62, 0x0a))).toEqual(["a\uFFFDb"])
  })
  it("that are too long are left out, and the next ones are read", () => {
    expect(read(4, "12345\n", "1234\n", "123", "456", "\n12\n")).toEqual(["(too long)", "1234", "(too long)", "12"])
    expect(read(4, "12345")).toEqual(["(too long)"])
  })
})
