import { describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Deframer, frame } from "../../../protocols/grpc/framing.ts"
import { formatTimeout, parseTimeout } from "../../../protocols/grpc/timeout.ts"

const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 })

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))

/** Cuts a stream where the numbers say. */
const cut = (stream: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const places = [...new Set(cuts.map((one) => one % (stream.length + 1)))].sort((a, b) => a - b)
  return [...places, stream.length].map((end, i) => stream.subarray(places[i - 1] ?? 0, end))
}

const readAll = (chunks: ReadonlyArray<Uint8Array>, bytesMax?: number) => {
  const deframer = new Deframer(bytesMax)
  const read: Array<string> = []
  let misframed
  for (const chunk of chunks) misframed = deframer.push(chunk, (message) => read.push(message.join(",")))
  return { read, misframed, isBetween: deframer.isBetween }
}

describe("frames of gRPC", () => {
  it("give back the messages, wherever the stream is cut", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(400)), (messages, cuts) => {
        const { isBetween, misframed, read } = readAll(cut(joined(messages.map(frame)), cuts))
        return misframed === undefined && isBetween && read.join("|") === messages.map((one) => one.join(",")).join("|")
      }),
    )
  })

  it("on any bytes: cutting changes nothing about what is read and what is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.array(fc.nat(60)), fc.nat(16), (stream, cuts, bytesMax) => {
        return JSON.stringify(readAll([stream], bytesMax)) === JSON.stringify(readAll(cut(stream, cuts), bytesMax))
      }),
    )
  })

  it("a stream that stops inside a message is never taken for a whole one", () => {
    fc.assert(
      fc.property(messages, fc.nat(400), (messages, at) => {
        const stream = joined(messages.map(frame))
        const end = at % (stream.length + 1)
        let boundary = 0
        const boundaries = new Set([0, ...messages.map((one) => (boundary += one.length + 5))])
        return readAll([stream.subarray(0, end)]).isBetween === boundaries.has(end)
      }),
    )
  })
})

describe("grpc-timeout", () => {
  it("never says less time than was given, nor more than one unit more", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 3e14, noNaN: true }), (millis) => {
        const read = parseTimeout(formatTimeout(millis))
        return read !== undefined && read >= millis && read - millis <= Math.max(1, millis * 0.01)
      }),
    )
  })
})
