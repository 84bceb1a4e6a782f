import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Ring } from "../../src/telemetry/Ring.ts"

const BYTES_MAX = 100_000
const RECORDS_MAX = 12

/** The oracle: a list of whole records, from which the oldest is taken. */
const lengths = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 8_000, max: 30_000 }), fc.constant(BYTES_MAX + 1)),
  { maxLength: 60 },
)

describe("a ring", () => {
  it("holds the newest records, byte for byte and in their order, and counts every one it let go of", () => {
    fc.assert(
      fc.property(lengths, (all) => {
        let forgotten = 0
        const ring = new Ring({ bytesMax: BYTES_MAX, recordsMax: RECORDS_MAX, onForgotten: (n) => (forgotten += n) })
        const added: Array<Uint8Array> = []
        all.forEach((length, i) => {
          const record = new Uint8Array(length).fill((i % 255) + 1)
          expect(ring.add(record)).toBe(length <= BYTES_MAX)
          if (length <= BYTES_MAX) added.push(record)
          expect(ring.newest(0)?.byteLength).toBe(added.at(-1)?.byteLength)
        })
        expect(ring.size + forgotten).toBe(added.length)
        expect(ring.size).toBeLessThanOrEqual(RECORDS_MAX)
        let total = 0
        for (let before = 0; before < ring.size; before++) {
          const found = ring.newest(before)
          total += found?.byteLength ?? 0
          expect(Buffer.compare(found ?? Buffer.alloc(0), added[added.length - 1 - before] ?? Buffer.alloc(1))).toBe(0)
        }
        expect(total).toBeLessThanOrEqual(BYTES_MAX)
        expect(ring.newest(ring.size)).toBeUndefined()
      }),
      { numRuns: 300 },
    )
  })

  it("lets go of no more than it has to, where records are small", () => {
    const ring = new Ring({ bytesMax: BYTES_MAX, recordsMax: RECORDS_MAX, onForgotten: () => {} })
    for (let i = 0; i < 100; i++) ring.add(new Uint8Array(100))
    expect(ring.size).toBe(RECORDS_MAX)
  })
})
