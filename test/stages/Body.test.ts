import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as Body from "../../stages/Body.ts"

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

describe("a body that is longer than whoever collects it takes", () => {
  /** The second piece is too much; it is offered while nobody else runs. */
  const cut = (takesMore: boolean) => {
    let upstream: Body.Sink | undefined
    let resumed = 0
    const flow: Body.Flow = {
      _tag: "Flow",
      length: undefined,
      open: (sink) => {
        upstream = sink
        return { resume: () => void resumed++, cancel: () => {} }
      },
    }
    const got: Array<Uint8Array> = []
    Effect.runFork(
      Effect.map(Body.collect(flow, 5), (collected) => {
        if (collected._tag === "Partial" && collected.body._tag === "Flow") {
          collected.body.open({ write: (chunk) => got.push(chunk) > 0 && takesMore, end: () => {}, fail: () => {} })
        }
      }),
    )
    expect(upstream?.write(encode("one "))).toBe(true)
    const answer = upstream?.write(encode("two "))
    expect(got).toEqual([encode("one two ")])
    return { answer, resumed }
  }

  it("goes on where the rest is read at once: nobody would ask for more a second time", () => {
    expect(cut(true)).toEqual({ answer: true, resumed: 1 })
  })

  it("is held back where the reader of the rest takes no more", () => {
    expect(cut(false)).toEqual({ answer: false, resumed: 0 })
  })
})

describe("a body in pieces", () => {
  const parts = [encode("one "), encode("two "), encode("three")]

  it("is its pieces in their order, and says how long they are together", async () => {
    const body = Body.pieces(parts)
    expect(Body.lengthOf(body)).toBe(13)
    const collected = await Effect.runPromise(Body.collect(body, 100))
    expect(collected._tag === "Whole" && new TextDecoder().decode(collected.bytes)).toBe("one two three")
  })

  it("comes whole to whoever asks it to hold back, without a copy of anything", () => {
    const body = Body.pieces(parts)
    const got: Array<Uint8Array> = []
    let ended = 0
    if (body._tag !== "Flow") throw new Error("not a flow")
    const write = (chunk: Uint8Array): boolean => {
      got.push(chunk)
      return false
    }
    body.open({ write, end: () => void ended++, fail: () => {} })
    expect(got.map((one, i) => one === parts[i])).toEqual([true, true, true])
    expect(ended).toBe(1)
  })

  it("is empty where there is nothing in them", () => {
    expect(Body.pieces([new Uint8Array(0)])).toBe(Body.empty)
  })

  it("is cut where it is longer than whoever collects it takes", async () => {
    const collected = await Effect.runPromise(Body.collect(Body.pieces(parts), 5))
    if (collected._tag !== "Partial") throw new Error("not cut")
    expect(new TextDecoder().decode(collected.prefix)).toBe("one t")
    const rest = await Effect.runPromise(Body.collect(collected.body, 100))
    expect(rest._tag === "Whole" && new TextDecoder().decode(rest.bytes)).toBe("one two three")
  })
})
