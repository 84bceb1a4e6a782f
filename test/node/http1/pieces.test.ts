import { Writable } from "node:stream"
import { describe, expect, it } from "vitest"
import { Gathered } from "../../../src/node/http1/pieces.ts"
import { RequestBody } from "../../../src/node/upstream/RequestBody.ts"
import type { Sink } from "../../../stages/Body.ts"

class Wire extends Writable {
  readonly writes: Array<string> = []

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.toString("latin1"))
    done()
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1")
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe("gathered text", () => {
  it("leaves at the end of the turn, in one piece", async () => {
    const wire = new Wire()
    const gathered = new Gathered(wire)
    for (let i = 0; i < 1_000; i++) gathered.write("<", bytes(String(i % 10)), ">")
    expect(wire.writes).toEqual([])
    await turn()
    expect(wire.writes).toEqual([Array.from({ length: 1_000 }, (_, i) => `<${i % 10}>`).join("")])
  })

  it("goes in front of what is too large to be gathered, and of the end", async () => {
    const wire = new Wire()
    const gathered = new Gathered(wire)
    gathered.write("", bytes("a"), "")
    gathered.write("", bytes("b".repeat(5_000)), "")
    gathered.write("", bytes("c"), "")
    gathered.end("d")
    expect(wire.writes.join("")).toBe(`a${"b".repeat(5_000)}cd`)
    await turn()
    expect(wire.writes.join("")).toBe(`a${"b".repeat(5_000)}cd`)
  })

  it("does not grow beyond what is written at once", () => {
    const wire = new Wire()
    const gathered = new Gathered(wire)
    for (let i = 0; i < 100; i++) gathered.write("", bytes("x".repeat(4_000)), "")
    expect(wire.writes.length).toBeGreaterThan(3)
  })

  it("goes nowhere once it was dropped, or the other side is gone", async () => {
    const wire = new Wire()
    const [dropped, late] = [new Gathered(wire), new Gathered(wire)]
    dropped.add("dropped")
    dropped.drop()
    late.add("late")
    wire.destroy()
    await turn()
    expect(wire.writes).toEqual([])
  })
})

describe("an upload", () => {
  const upload = (length: number | undefined) => {
    const wire = new Wire()
    let sink: Sink | undefined
    const flow = {
      _tag: "Flow" as const,
      length,
      open: (to: Sink) => {
        sink = to
        return { resume: () => {}, cancel: () => {} }
      },
    }
    // Only what every stream can do is asked of the socket.
    const body = new RequestBody(flow, wire as never, "POST / HTTP/1.1\r\n", true, () => {})
    body.open()
    if (sink === undefined) throw new Error("nobody reads the body")
    return { wire, sink }
  }

  it("of many small pieces that come together is one write, head and end included", async () => {
    const { sink, wire } = upload(undefined)
    for (let i = 0; i < 1_000; i++) sink.write(bytes("x"))
    sink.end(undefined)
    await turn()
    expect(wire.writes).toEqual([
      `POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(1_000)}0\r\n\r\n`,
    ])
  })

  it("does not keep a piece waiting for the next one", async () => {
    const { sink, wire } = upload(2)
    sink.write(bytes("a"))
    await turn()
    expect(wire.writes).toEqual(["POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\na"])
    sink.write(bytes("b"))
    await turn()
    expect(wire.writes.slice(1)).toEqual(["b"])
  })
})
