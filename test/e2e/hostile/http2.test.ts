import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { connect, until } from "../harness.ts"
import { FrameClient, headers } from "./frames.ts"
import { type Front, isItselfAgain, start } from "./front.ts"
import { type Http2Shape, shapes as own } from "./http2Corpus.ts"
import { known } from "./http2Known.ts"
import { expectReach, sentinel } from "./whatReached.ts"

const shapes = [...own, ...known]

let patient: Front
let impatient: Front

beforeAll(async () => {
  patient = await start("patient")
  impatient = await start("impatient")
})
afterAll(async () => {
  for (const front of [patient, impatient]) {
    await front.close()
    expect(front.recorder.open).toBe(0)
  }
})

const SENTINEL = 2 ** 20 + 1

const sentinelFields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/sentinel"],
  [":authority", "x.test"],
] as const

const check = async (front: Front, shape: Http2Shape): Promise<void> => {
  const { gateway, recorder } = front
  const mark = recorder.mark()
  const exchanges = gateway.told.exchanges.length
  const client = new FrameClient(await connect(gateway.port))
  try {
    if (shape.isAll !== true) client.open()
    client.raw.write(shape.bytes)
    const outcome = await client.outcomeOf(shape.stream ?? 1)
    expect(shape.expect).toContain(outcome)
    client.raw.write(headers(SENTINEL, sentinelFields))
    const after = await client.outcomeOf(SENTINEL)
    if (outcome === "goaway" || outcome === "close") expect(after).not.toBe(200)
    else if (after === 200) expect(client.bodyOf(SENTINEL)).toBe(sentinel)
    // What was wrong with a stream may be held against the connection, but then the connection ends.
    else expect(["goaway", "close"]).toContain(after)
    if (after !== 200) await client.raw.gone()
  } finally {
    client.raw.close()
  }
  await until("the exchanges ended", () => gateway.gateway.open().exchanges === 0)
  expectReach(recorder.since(mark), shape)
  const served = gateway.told.exchanges.slice(exchanges).filter(({ exchange }) => exchange.request.path !== "/sentinel")
  expect(served.length).toBeLessThanOrEqual(shape.reaches === "at most two" ? 2 : 1)
  await isItselfAgain(front)
}

describe("a hostile client over HTTP/2", () => {
  it("has a name for every shape", () => {
    expect(new Set(shapes.map(({ name }) => name)).size).toBe(shapes.length)
  })

  it.each(shapes)("$name", (shape) => check(patient, shape))
})
