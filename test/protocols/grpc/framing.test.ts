import { assert, describe, it } from "@effect/vitest"
import { Deframer, describe as describeMisframed, frame } from "../../../protocols/grpc/framing.ts"

const bytes = (...all: ReadonlyArray<number>) => Uint8Array.from(all)

const read = (deframer: Deframer, chunk: Uint8Array) => {
  const messages: Array<ReadonlyArray<number>> = []
  const misframed = deframer.push(chunk, (message) => messages.push([...message]))
  return { messages, misframed }
}

describe("frames of gRPC", () => {
  it("have a flag, a length in four bytes, and the message", () => {
    assert.deepStrictEqual(frame(bytes(7, 8)), bytes(0, 0, 0, 0, 2, 7, 8))
    assert.deepStrictEqual(frame(new Uint8Array(0x010203)).subarray(0, 5), bytes(0, 0, 1, 2, 3))
  })

  it("come back as messages, empty ones too", () => {
    const deframer = new Deframer()
    assert.deepStrictEqual(read(deframer, bytes(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 0)).messages, [[], [9]])
    assert.isFalse(deframer.isBetween)
    assert.deepStrictEqual(read(deframer, bytes(0, 0, 0)).messages, [[]])
    assert.isTrue(deframer.isBetween)
  })

  it("are refused when they are too large, before a byte of them is kept", () => {
    const { messages, misframed } = read(new Deframer(2), bytes(0, 0, 0, 0, 2, 1, 2, 0, 255, 255, 255, 255))
    assert.deepStrictEqual(messages, [[1, 2]])
    assert.deepStrictEqual(misframed, { _tag: "TooLarge", bytes: 0xffffffff })
  })

  it("are refused when they are compressed or have flags that nobody knows", () => {
    for (const [flags, said] of [
      [1, "a message is compressed, which was not agreed upon"],
      [128, "a message has the unknown flags 128"],
    ] as const) {
      const { messages, misframed } = read(new Deframer(), bytes(flags, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0))
      assert.deepStrictEqual(messages, [])
      assert.strictEqual(misframed && describeMisframed(misframed), said)
    }
  })
})
