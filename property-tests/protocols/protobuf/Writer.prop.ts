import { BinaryWriter } from "@bufbuild/protobuf/wire"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { BYTES, Writer } from "../../../protocols/protobuf/Writer.ts"

type Step =
  | { readonly do: "string"; readonly value: string }
  | { readonly do: "uint32" | "sint32" | "fixed32" | "fixed64" | "int64" | "sint64"; readonly value: number }
  | { readonly do: "wide"; readonly value: bigint }
  | { readonly do: "double"; readonly value: number }
  | { readonly do: "bool"; readonly value: boolean }
  | { readonly do: "blob"; readonly value: Uint8Array }
  | { readonly do: "message"; readonly room: number; readonly steps: ReadonlyArray<Step> }

const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary", maxLength: 300 }),
  // Around the lengths at which one more byte is needed to say them.
  fc.tuple(fc.constantFrom("a", "é", "€", "\u{1f600}", "\ud800"), fc.nat(140)).map(([piece, n]) => piece.repeat(n)),
  fc.constantFrom("x".repeat(16_383), "x".repeat(16_384), "é".repeat(8_192), "é".repeat(8_191)),
)

const { step } = fc.letrec<{ step: Step }>((tie) => ({
  step: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ do: fc.constant("string" as const), value: texts }),
    fc.record({
      do: fc.constantFrom("uint32" as const, "fixed32" as const),
      value: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    }),
    fc.record({ do: fc.constant("sint32" as const), value: fc.integer() }),
    fc.record({ do: fc.constant("fixed64" as const), value: fc.maxSafeNat() }),
    fc.record({ do: fc.constantFrom("int64" as const, "sint64" as const), value: fc.maxSafeInteger() }),
    fc.record({ do: fc.constant("wide" as const), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
    fc.record({ do: fc.constant("double" as const), value: fc.double() }),
    fc.record({ do: fc.constant("bool" as const), value: fc.boolean() }),
    fc.record({ do: fc.constant("blob" as const), value: fc.uint8Array({ maxLength: 200 }) }),
    fc.record({
      do: fc.constant("message" as const),
      room: fc.integer({ min: 1, max: 3 }),
      steps: fc.array(tie("step"), { maxLength: 8 }),
    }),
  ),
}))

const ours = (writer: Writer, steps: ReadonlyArray<Step>): void => {
  for (const one of steps) {
    switch (one.do) {
      case "message":
        writer.tag(3, BYTES).fork(one.room)
        ours(writer, one.steps)
        writer.join()
        break
      case "wide":
        writer.int64(one.value)
        break
      case "string":
        writer.string(one.value)
        break
      case "bool":
        writer.bool(one.value)
        break
      case "blob":
        writer.blob(one.value)
        break
      default:
        writer[one.do](one.value)
    }
  }
}

const theirs = (writer: BinaryWriter, steps: ReadonlyArray<Step>): void => {
  for (const one of steps) {
    switch (one.do) {
      case "message":
        writer.tag(3, 2).fork()
        theirs(writer, one.steps)
        writer.join()
        break
      case "wide":
        writer.int64(one.value)
        break
      case "string":
        writer.string(one.value)
        break
      case "bool":
        writer.bool(one.value)
        break
      case "blob":
        writer.bytes(one.value)
        break
      default:
        writer[one.do](one.value)
    }
  }
}

describe("the writer of protobuf", () => {
  it("writes byte for byte what the writer of @bufbuild/protobuf writes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const writer = new Writer(1)
        ours(writer, steps)
        const oracle = new BinaryWriter()
        theirs(oracle, steps)
        expect(writer.length).toBe(oracle.finish().byteLength)
        const again = new BinaryWriter()
        theirs(again, steps)
        expect(Buffer.from(writer.take()).equals(Buffer.from(again.finish()))).toBe(true)
      }),
    )
  })
  it("begins anew after what was taken, and forgets what was rewound", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), fc.array(step, { maxLength: 6 }), (first, second) => {
        const alone = new Writer()
        ours(alone, second)
        const writer = new Writer(1)
        ours(writer, first)
        writer.take()
        ours(writer, second)
        const { length } = writer
        writer.fork()
        ours(writer, first)
        writer.rewind(length)
        expect(Buffer.from(writer.finish()).equals(Buffer.from(alone.finish()))).toBe(true)
      }),
    )
  })
})
