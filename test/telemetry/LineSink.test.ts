import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, describe, it } from "vitest"
import { LineSink, reservedLines } from "../../src/telemetry/LineSink.ts"
import { FakeClock } from "../stages/exchange.ts"

const failure = (code: string): Error => Object.assign(new Error(code), { code })

/** A reader that takes as much as the test allows. */
const reader = () => {
  const state = { text: "", room: Infinity, writes: 0, error: undefined as string | undefined }
  const out = (bytes: Uint8Array): number => {
    if (state.error !== undefined) throw failure(state.error)
    if (state.room === 0) throw failure("EAGAIN")
    const taken = bytes.subarray(0, Math.min(bytes.byteLength, state.room))
    state.room -= taken.byteLength
    state.text += Buffer.from(taken).toString("latin1")
    state.writes++
    return taken.byteLength
  }
  return { state, out }
}

describe("lines", () => {
  it("are written together after a moment", () => {
    const clock = new FakeClock()
    const { out, state } = reader()
    const sink = new LineSink({ out, clock })
    for (let i = 0; i < 20; i++) sink.write(`line ${i}\n`)
    assert.equal(state.text, "")
    clock.advance(20)
    assert.equal(state.writes, 1)
    assert.lengthOf(state.text.split("\n"), 21)
    assert.equal(clock.waiting, 0)
  })

  it("are written at once when there are many", () => {
    const { out, state } = reader()
    const sink = new LineSink({ out, clock: new FakeClock() })
    for (let i = 0; i < 1000; i++) sink.write(`${"x".repeat(99)}\n`)
    assert.isAbove(state.text.length, 80_000)
    assert.isBelow(state.writes, 10)
  })

  it("wait for a slow reader without holding up anybody, and arrive whole and in order", () => {
    const clock = new FakeClock()
    const { out, state } = reader()
    const sink = new LineSink({ out, clock })
    state.room = 10
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i}\n`)
    for (const line of lines) sink.write(line)
    for (let i = 0; i < 200; i++) {
      clock.advance(10)
      state.room = 37
    }
    assert.equal(state.text, lines.join(""))
    assert.equal(sink.waiting, 0)
  })

  it("are dropped and counted rather than hold up anybody, once too many wait; what the gateway says itself has more room", () => {
    const clock = new FakeClock()
    const { out, state } = reader()
    let dropped = 0
    const sink = new LineSink({ out, clock, linesMax: 10, onDropped: (lines) => (dropped += lines) })
    state.room = 0
    for (let i = 0; i < 15; i++) sink.offer(`${i}\n`)
    assert.deepEqual([sink.waiting, dropped], [10, 5])
    sink.write("own\n")
    sink.write("two\nmore\n")
    assert.deepEqual([sink.waiting, dropped], [13, 5])
    for (let i = 0; i < 2_000; i++) sink.write("own\n")
    assert.deepEqual([sink.waiting, dropped], [10 + reservedLines, 5 + 2_000 + 3 - reservedLines])
    state.room = Infinity
    sink.flush()
    assert.isTrue(state.text.startsWith(`${Array.from({ length: 10 }, (_, i) => `${i}\n`).join("")}own\ntwo\nmore\n`))
    sink.offer("again\n")
    assert.equal(sink.waiting, 1)
  })

  it("are bounded by their length as well", () => {
    const { out, state } = reader()
    let dropped = 0
    const sink = new LineSink({ out, clock: new FakeClock(), onDropped: (lines) => (dropped += lines) })
    state.room = 0
    const long = `${"x".repeat(1024 * 1024 - 1)}\n`
    for (let i = 0; i < 30; i++) sink.offer(long)
    assert.isAtMost(sink.waiting, 18)
    assert.equal(sink.waiting + dropped, 30)
  })

  it("end quietly when the reader is gone, and are counted", () => {
    const clock = new FakeClock()
    const { out, state } = reader()
    let dropped = 0
    const sink = new LineSink({ out, clock, onDropped: (lines) => (dropped += lines) })
    state.error = "EPIPE"
    sink.write("a\n")
    sink.write("b\n")
    clock.advance(20)
    assert.equal(dropped, 2)
    sink.write("c\n")
    assert.equal(dropped, 3)
    assert.equal(clock.waiting, 0)
  })

  it("go on when a full disk has room again", () => {
    const clock = new FakeClock()
    const { out, state } = reader()
    let dropped = 0
    const sink = new LineSink({ out, clock, onDropped: (lines) => (dropped += lines) })
    state.error = "ENOSPC"
    sink.write("a\n")
    clock.advance(20)
    state.error = undefined
    sink.write("b\n")
    clock.advance(20)
    assert.equal(dropped, 1)
    assert.equal(state.text, "b\n")
  })

  it("keep characters whole that are written in parts", () => {
    const clock = new FakeClock()
    const { out, state } = reader()
    const sink = new LineSink({ out, clock })
    state.room = 1
    sink.write("żółw 🐢\n")
    for (let i = 0; i < 30; i++) {
      clock.advance(10)
      state.room = 1
    }
    assert.equal(Buffer.from(state.text, "latin1").toString("utf8"), "żółw 🐢\n")
  })
})

const program = (body: string): string => `
  import * as Effect from "effect/Effect"
  import * as Layer from "effect/Layer"
  import { Telemetry, layer } from ${JSON.stringify(new URL("../../src/telemetry/Telemetry.ts", import.meta.url).href)}
  import * as timer from ${JSON.stringify(new URL("../../src/node/timer.ts", import.meta.url).href)}
  const logging = { level: "info", targets: [], format: "text" }
  const telemetry = layer({ version: "test", logging }).pipe(Layer.provide(timer.layer))
  const program = Effect.gen(function* () {
    const { sink } = yield* Telemetry
    ${body}
  })
  await Effect.runPromise(Effect.provide(program, telemetry))
`

const run = (body: string) =>
  spawn(process.execPath, ["--input-type=module-typescript", "--eval", program(body)], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: new URL("../..", import.meta.url).pathname,
  })

describe("lines on a real pipe", () => {
  it("are all there after process.exit, however slowly they are read", async () => {
    const child = run('for (let i = 0; i < 9000; i++) sink.write(`line ${i} ${"x".repeat(60)}\\n`); process.exit(0)')
    await new Promise((resolve) => setTimeout(resolve, 300))
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
    const [code] = (await once(child, "close")) as [number]
    assert.equal(code, 0)
    assert.deepEqual(
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => line.split(" ")[1]),
      Array.from({ length: 9000 }, (_, i) => String(i)),
    )
  }, 20_000)

  it("do not hold up the loop while the reader sleeps", async () => {
    const child = run(`
      for (let i = 0; i < 9000; i++) sink.write(\`\${"x".repeat(60)}\\n\`)
      const before = performance.now()
      yield* Effect.sleep(50)
      process.stderr.write(String(performance.now() - before))
      process.stderr.end()
      yield* Effect.sleep(600_000)
    `)
    let waited = ""
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (waited += chunk))
    await once(child.stderr, "end")
    child.kill("SIGKILL")
    assert.isBelow(Number(waited), 2_000)
  }, 20_000)

  it("end with their reader, not with the process", async () => {
    const child = run(`
      for (let i = 0; i < 50; i++) {
        sink.write("line\\n")
        yield* Effect.sleep(20)
      }
      process.stderr.write("alive")
    `)
    child.stdout.destroy()
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (said += chunk))
    const [code] = (await once(child, "close")) as [number]
    assert.equal(said, "alive")
    assert.equal(code, 0)
  }, 20_000)
})
