/** Clients that send more than anybody can want: it stays bounded what they cost, and how long. */
import type { Duplex } from "node:stream"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { connect, until } from "../harness.ts"
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Field,
  frame,
  FrameClient,
  HEADERS,
  headers,
  literal,
  number,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  setting,
  WINDOW_UPDATE,
} from "./frames.ts"
import { type Front, isItselfAgain, start } from "./front.ts"
import { BIG_BYTES } from "./Recorder.ts"

let patient: Front
let impatient: Front

beforeEach(async () => {
  patient = await start("patient")
  impatient = await start("impatient")
})
afterEach(async () => {
  for (const front of [patient, impatient]) {
    await front.close()
    expect(front.recorder.open).toBe(0)
  }
})

const good = (path: string): ReadonlyArray<Field> => [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", path],
  [":authority", "x.test"],
]

const times = (count: number, what: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => what(i)))

/** As much as the other side takes, until it has had enough. */
const pour = async (client: FrameClient, rounds: number, what: (round: number) => Buffer): Promise<void> => {
  const { raw } = client
  raw.stream.setMaxListeners(0)
  const isOver = (): boolean => client.isGone || client.complaint !== undefined
  for (let round = 0; round < rounds && !isOver(); round++) {
    if (raw.stream.write(what(round))) await new Promise((resolve) => setImmediate(resolve))
    else await Promise.race([once(raw.stream, "drain"), once(raw.stream, "close")])
  }
}

const once = (stream: Duplex, event: string): Promise<unknown> => new Promise((resolve) => stream.once(event, resolve))

const open = async (front: Front, settings: ReadonlyArray<Buffer> = []): Promise<FrameClient> =>
  new FrameClient(await connect(front.gateway.port)).open(settings)

const connections = (front: Front): number => front.gateway.gateway.open().connections

describe("floods that end the connection", () => {
  it.each<[string, number, (round: number) => Buffer]>([
    [
      "streams opened and reset",
      60,
      (round) =>
        times(100, (i) => {
          const id = 2 * (round * 100 + i) + 1
          return Buffer.concat([headers(id, good("/hidden")), frame(RST_STREAM, 0, id, number(8))])
        }),
    ],
    [
      "streams that break a rule",
      60,
      (round) => times(100, (i) => headers(2 * (round * 100 + i) + 1, [...good("/hidden"), ["connection", "close"]])),
    ],
    [
      "a block that is never ended, read slowly",
      400,
      (round) =>
        round === 0
          ? headers(1, good("/hidden"), END_STREAM)
          : times(20, () => frame(CONTINUATION, 0, 1, literal([["x", "y".repeat(100)]]))),
    ],
    [
      "empty pieces of a block",
      400,
      (round) => (round === 0 ? headers(1, good("/hidden"), END_STREAM) : times(100, () => frame(CONTINUATION, 0, 1))),
    ],
    [
      "bodies for streams that are closed",
      400,
      (round) => (round === 0 ? headers(1, good("/answer")) : times(100, () => frame(DATA, 0, 1, Buffer.alloc(100)))),
    ],
  ])("%s", async (_what, rounds, what) => {
    const mark = patient.recorder.mark()
    const client = await open(patient)
    await pour(client, rounds, what)
    await until("the connection is ended", () => client.complaint !== undefined || client.isGone)
    client.raw.close()
    await until("no exchange is left", () => patient.gateway.gateway.open().exchanges === 0)
    // Each was reset, so hardly any could be sent whole.
    const sent = patient.recorder.since(mark).join("").split("GET /hidden ").length - 1
    expect(sent).toBeLessThan(1_500)
    await isItselfAgain(patient)
  })
})

describe("floods from clients that do not read the answers", () => {
  it.each<[string, (round: number) => Buffer]>([
    ["pings", () => times(5_000, () => frame(PING, 0, 0, Buffer.alloc(8)))],
    ["settings", () => times(5_000, () => frame(SETTINGS, 0, 0, setting(3, 100)))],
    ["requests", (round) => times(50, (i) => headers(2 * (round * 50 + i) + 1, good("/answer")))],
  ])("%s", async (_what, what) => {
    const client = await open(impatient)
    await until("the opening", () => client.frames.length > 0)
    client.raw.pause()
    await pour(client, 1_000, what)
    await until("the connection is ended", () => connections(impatient) === 0, 15_000)
    client.raw.close()
    await isItselfAgain(impatient)
  })

  it("pipelined requests", async () => {
    const client = await connect(impatient.gateway.port)
    client.pause()
    const burst = "GET /big HTTP/1.1\r\nhost: x.test\r\n\r\n".repeat(200)
    for (let i = 0; i < 200 && !client.closed; i++) {
      client.write(burst)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until("the connection is ended", () => connections(impatient) === 0)
    client.close()
    await isItselfAgain(impatient)
  })

  it("a window that is never opened", async () => {
    const client = await open(impatient, [setting(4, 0)])
    client.raw.write(headers(1, good("/big")))
    await until("the head", () => client.statusOf(1) === 200)
    await until("the end of the stream", () => client.isReset(1))
    expect(client.bodyOf(1)).toBe("")
    expect(client.isGone).toBe(false)
    client.raw.close()
    await isItselfAgain(impatient)
  })

  it("windows that are never opened, on many streams", async () => {
    const client = await open(impatient, [setting(4, 0)])
    const ids = Array.from({ length: 50 }, (_, i) => 2 * i + 1)
    client.raw.write(Buffer.concat(ids.map((id) => headers(id, good("/big")))))
    await until("the end of every stream", () => client.isGone || ids.every((id) => client.isReset(id)), 10_000)
    client.raw.close()
    await isItselfAgain(impatient)
  })

  it("a reply that nobody reads", async () => {
    const client = await connect(impatient.gateway.port)
    client.pause()
    client.write("GET /big HTTP/1.1\r\nhost: x.test\r\n\r\n")
    await until("the connection is ended", () => connections(impatient) === 0)
    expect(client.bytes.byteLength).toBeLessThan(BIG_BYTES)
    client.close()
    await isItselfAgain(impatient)
  })
})

describe("floods that only cost the sender", () => {
  it.each<[string, Buffer]>([
    ["pings that are read", times(5_000, () => frame(PING, 0, 0, Buffer.alloc(8)))],
    ["priorities", times(5_000, (i) => frame(PRIORITY, 0, 2 * i + 1, Buffer.concat([number(0), Buffer.from([1])])))],
    ["windows opened bit by bit", times(5_000, () => frame(WINDOW_UPDATE, 0, 0, number(1)))],
    ["unknown frames", times(5_000, () => frame(0xcc, 0xff, 0, "x"))],
    [
      "empty pieces of a body",
      Buffer.concat([
        frame(HEADERS, END_HEADERS, 1, literal([[":method", "POST"], ...good("/").slice(1)])),
        times(5_000, () => frame(DATA, 0, 1)),
        frame(DATA, END_STREAM, 1, "end"),
      ]),
    ],
  ])("%s", async (_what, flood) => {
    const client = await open(patient)
    client.raw.write(flood)
    client.raw.write(headers(20_001, good("/after")))
    const outcome = await client.outcomeOf(20_001)
    // Ending the connection is as good.
    if (outcome === 200) expect(client.bodyOf(20_001)).toBe("GET /after HTTP/1.1")
    else expect(["goaway", "close"]).toContain(outcome)
    client.raw.close()
    await isItselfAgain(patient)
  })
})
