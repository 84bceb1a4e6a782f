import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Sink } from "../../../stages/Body.ts"
import { CHUNK_BYTES, chunked, chunkedLength } from "../../../stages/5-policy/credentials/awsChunked.ts"

/** What comes out when those pieces go in. */
const through = (pieces: ReadonlyArray<Uint8Array>, said: number) => {
  const out: Array<Uint8Array> = []
  let ending = "none"
  let number = 0
  const flow = chunked(
    {
      _tag: "Flow",
      length: said,
      open: (sink: Sink) => {
        for (const piece of pieces) sink.write(piece)
        sink.end(undefined)
        return { resume: () => {}, cancel: () => {} }
      },
    },
    said,
    () => String(number++).padStart(64, "0"),
  )
  flow.open({
    write: (chunk) => out.push(chunk) > 0,
    end: () => (ending = "end"),
    fail: ({ reason }) => (ending = reason),
  })
  return { bytes: Buffer.concat(out), ending, length: flow.length, chunks: number }
}

const pieces = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 0, max: 2 * CHUNK_BYTES + 7 }).map((n) => new Uint8Array(n).fill(n % 251)),
  ),
  { maxLength: 6 },
)
const sum = (all: ReadonlyArray<Uint8Array>): number => all.reduce((total, { byteLength }) => total + byteLength, 0)

describe("a body in signed chunks", () => {
  it("holds what went in, in chunks of one size, whatever pieces it came in, and is as long as it says", () => {
    fc.assert(
      fc.property(pieces, (all) => {
        const { bytes, chunks, ending, length } = through(all, sum(all))
        assert.strictEqual(ending, "end")
        assert.strictEqual(bytes.byteLength, length)
        assert.strictEqual(length, chunkedLength(sum(all)))
        assert.strictEqual(chunks, Math.ceil(sum(all) / CHUNK_BYTES) + 1)
        const content: Array<Uint8Array> = []
        let left = bytes
        for (let i = 0; left.byteLength > 0; i++) {
          const head = left.subarray(0, left.indexOf("\r\n")).toString()
          const [, size = "", signature] = /^([0-9a-f]+);chunk-signature=(\d{64})$/.exec(head) ?? []
          assert.strictEqual(Number(signature), i)
          const count = Number.parseInt(size, 16)
          content.push(left.subarray(head.length + 2, head.length + 2 + count))
          left = left.subarray(head.length + 4 + count)
        }
        assert.isTrue(Buffer.concat(content).equals(Buffer.concat(all)))
      }),
      { numRuns: 60 },
    )
  })

  it("that is not as long as it was said to be is never ended well", () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 1000 }), fc.boolean(), (all, by, isLonger) => {
        const said = isLonger ? sum(all) + by : Math.max(0, sum(all) - by)
        fc.pre(said !== sum(all))
        assert.strictEqual(through(all, said).ending, "malformed")
      }),
      { numRuns: 60 },
    )
  })
})
