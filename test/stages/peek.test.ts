import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { needMore, peek, seen } from "../../stages/peek.ts"
import { rejected } from "../../stages/Rejected.ts"
import { ScriptedSocket } from "./socket.ts"

const line = (bytes: Uint8Array) => {
  const end = bytes.indexOf(10)
  return end < 0 ? needMore(bytes.byteLength + 1) : seen(new TextDecoder().decode(bytes.subarray(0, end)))
}

const run = (socket: ScriptedSocket, timeoutMillis = 100) =>
  Effect.runSync(Effect.result(peek("stage", socket.clock, socket, timeoutMillis, line)))

describe("looking at the first bytes", () => {
  it("goes on until enough was seen, however the bytes come", () => {
    expect(run(new ScriptedSocket(["he", "ll", "o\nrest"]))).toMatchObject({ success: "hello" })
    expect(run(new ScriptedSocket([..."hello\n"]))).toMatchObject({ success: "hello" })
  })

  it("ends when the stream ends before", () => {
    expect(run(new ScriptedSocket(["hello"]))).toMatchObject({ failure: rejected("stage", "closed by the peer") })
    expect(run(new ScriptedSocket([]))).toMatchObject({ failure: rejected("stage", "closed by the peer") })
  })

  it("has one deadline for all of it", () => {
    const socket = new ScriptedSocket([..."hello\n"], 30)
    expect(run(socket)).toMatchObject({ failure: rejected("stage", "too late") })
    expect(socket.waits).toEqual([100, 70, 40, 10])
  })

  it("does not look again before there is as much as was asked for", () => {
    const looks: Array<number> = []
    const socket = new ScriptedSocket([..."0123456789"])
    const result = Effect.runSync(
      peek("stage", socket.clock, socket, 100, (bytes) => {
        looks.push(bytes.byteLength)
        return bytes.byteLength < 8 ? needMore(8) : seen(bytes.byteLength)
      }),
    )
    expect(result).toBe(8)
    expect(looks).toEqual([1, 8])
  })

  it("consumes nothing", () => {
    const socket = new ScriptedSocket(["a\n"])
    run(socket)
    expect(socket.skipped).toBe(0)
  })
})
