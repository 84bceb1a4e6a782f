import * as fc from "fast-check"
import { expect, it } from "vitest"
import { WebSocketReader } from "../../../protocols/llm/framing/webSocket.ts"

interface Frame {
  readonly opcode: number
  readonly isFinal: boolean
  readonly payload: Buffer
  readonly mask: Buffer | undefined
}

const written = ({ isFinal, mask, opcode, payload }: Frame): Buffer => {
  const { byteLength } = payload
  const second = mask === undefined ? 0 : 0x80
  const length =
    byteLength < 126
      ? Buffer.from([second | byteLength])
      : byteLength < 65_536
        ? Buffer.from([second | 126, byteLength >> 8, byteLength & 255])
        : Buffer.from([
            second | 127,
            0,
            0,
            0,
            0,
            byteLength >>> 24,
            (byteLength >> 16) & 255,
            (byteLength >> 8) & 255,
            byteLength & 255,
          ])
  const body = mask === undefined ? payload : Buffer.from(payload.map((byte, i) => byte ^ (mask[i & 3] as number)))
  return Buffer.concat([Buffer.from([(isFinal ? 0x80 : 0) | opcode]), length, mask ?? Buffer.alloc(0), body])
}

const mask = fc.option(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  { nil: undefined },
)
const control = fc.record({ opcode: fc.constantFrom(8, 9, 10), payload: fc.uint8Array({ maxLength: 125 }), mask })

/** A message in frames, with control frames between them wherever they like. */
const message = fc
  .record({
    text: fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 80 }),
      fc.integer({ min: 100, max: 70_000 }).map((n) => "é".repeat(n)),
    ),
    isText: fc.boolean(),
    cuts: fc.array(fc.nat(), { maxLength: 4 }),
    between: fc.array(control, { maxLength: 3 }),
    mask,
  })
  .map(({ between, cuts, isText, mask, text }) => {
    const bytes = Buffer.from(text)
    const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.byteLength + 1)), bytes.byteLength])].sort(
      (a, b) => a - b,
    )
    const parts = at.length === 1 ? [bytes] : at.slice(1).map((end, i) => bytes.subarray(at[i], end))
    const frames: Array<Frame> = []
    for (const [i, payload] of parts.entries()) {
      const opcode = i > 0 ? 0 : isText ? 1 : 2
      frames.push({ opcode, isFinal: i === parts.length - 1, payload, mask })
      const one = between[i]
      if (one !== undefined) frames.push({ ...one, isFinal: true, payload: Buffer.from(one.payload) })
    }
    return { text, isText, frames, bytes: bytes.byteLength }
  })

const heard = (chunks: ReadonlyArray<Uint8Array>, bytesMax: number): ReadonlyArray<string> => {
  const texts: Array<string> = []
  const reader = new WebSocketReader((text) => texts.push(text), bytesMax)
  for (const chunk of chunks) reader.feed(chunk)
  expect(reader.isBlind).toBe(false)
  return texts
}

it("every text of a WebSocket is read, and nothing else, however frames and bytes are cut; what is too long is left out", () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 5 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.constantFrom(100, 1_000_000),
      (messages, cuts, bytesMax) => {
        const bytes = Buffer.concat(messages.flatMap(({ frames }) => frames.map(written)))
        const expected = messages.filter((one) => one.isText && one.bytes <= bytesMax).map(({ text }) => text)
        const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.byteLength + 1)), bytes.byteLength])].sort(
          (a, b) => a - b,
        )
        expect(
          heard(
            at.slice(1).map((end, i) => bytes.subarray(at[i], end)),
            bytesMax,
          ),
        ).toEqual(expected)
        if (bytes.byteLength < 2_000) {
          expect(
            heard(
              [...bytes].map((byte) => Uint8Array.of(byte)),
              bytesMax,
            ),
          ).toEqual(expected)
        }
      },
    ),
    { numRuns: 200 },
  )
})

it("what breaks the framing is given up, without an end of memory", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
      const reader = new WebSocketReader(() => {}, 1_000)
      for (const chunk of chunks) reader.feed(chunk)
    }),
  )
})
