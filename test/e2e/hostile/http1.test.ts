import * as fs from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type Answer, connect, type RawClient, until } from "../harness.ts"
import { type Outcome, type Shape, shapes as own } from "./corpus.ts"
import { type Front, isItselfAgain, start } from "./front.ts"
import { known } from "./knownCorpus.ts"
import { expectReach, sentinel } from "./whatReached.ts"

const shapes = [...own, ...known]

let patient: Front
let impatient: Front
let descriptorsBefore = 0
const descriptors = (): number => fs.readdirSync("/proc/self/fd").length

beforeAll(async () => {
  descriptorsBefore = descriptors()
  patient = await start("patient")
  impatient = await start("impatient")
})
afterAll(async () => {
  for (const front of [patient, impatient]) {
    await front.close()
    expect(front.recorder.open).toBe(0)
  }
  await until("every descriptor is closed", () => descriptors() <= descriptorsBefore)
})

/** The next final reply, or the end of the connection. */
const next = async (client: RawClient, method: string): Promise<Answer | "close"> => {
  for (;;) {
    await until("a reply, or the end", () => client.text.includes("\r\n\r\n") || client.ended || client.closed)
    if (client.text === "") return "close"
    const answer = await client.answer(method)
    if (answer.status >= 200) return answer
  }
}

const outcomeOf = (answer: Answer | "close"): Outcome => (answer === "close" ? "close" : answer.status)

type Say = (client: RawClient, bytes: string) => Promise<void>

const atOnce: Say = async (client, bytes) => void client.write(bytes)

const byteByByte: Say = async (client, bytes) => {
  for (const byte of bytes) {
    if (client.ended || client.closed) return
    client.write(byte)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Says the shape and then a good request, and returns the final replies, without that to the good one. */
const converse = async (client: RawClient, shape: Shape, say: Say): Promise<ReadonlyArray<Answer>> => {
  const replies: Array<Answer> = []
  const method = /^(?:HEAD|CONNECT) /.exec(shape.bytes)?.[0].trim() ?? "GET"
  const said = say(client, shape.bytes)
  let last = await next(client, method)
  expect(shape.expect).toContain(outcomeOf(last))
  if (last !== "close") replies.push(last)
  for (const expected of shape.followed ?? []) {
    last = await next(client, method)
    expect(outcomeOf(last)).toBe(expected)
    if (last !== "close") replies.push(last)
  }
  const closes = last === "close" || last.headers["connection"] === "close"
  if (shape.closes === true) expect(closes).toBe(true)
  await said
  client.write(`${sentinel}\r\nhost: x.test\r\n\r\n`)
  if (closes) {
    await client.gone()
    expect(client.text).toBe("")
  } else {
    // Whatever was hidden would be answered before it.
    expect(await next(client, "GET")).toMatchObject({ status: 200, body: sentinel })
    expect(client.text).toBe("")
  }
  return replies
}

const isWaitedFor = ({ expect }: Shape): boolean => expect.includes(408)

const check = async (shape: Shape, say: Say): Promise<void> => {
  const front = isWaitedFor(shape) ? impatient : patient
  const { gateway, recorder } = front
  const { told } = gateway
  const mark = recorder.mark()
  const [exchanges, malformed] = [told.exchanges.length, told.malformed.length]
  const client = await connect(gateway.port)
  const replies = await converse(client, shape, say).finally(() => client.close())
  await until("the exchanges ended", () => gateway.gateway.open().exchanges === 0)

  expectReach(recorder.since(mark), shape)
  if (shape.repliesWithout !== undefined) {
    const text = replies.map(({ raw }) => raw.map((field) => field.join(": ")).join("\r\n")).join("\r\n\r\n")
    expect(`\r\n${text}`.toLowerCase()).not.toContain(shape.repliesWithout)
  }

  // Every reply was told of once, as an exchange or as something that could not become one.
  const served = told.exchanges.slice(exchanges).filter(({ exchange }) => exchange.request.path !== "/sentinel")
  const unread = told.malformed.slice(malformed)
  expect(served.length + unread.length).toBeGreaterThanOrEqual(replies.length)
  expect(served.length).toBeLessThanOrEqual(replies.length)
  await isItselfAgain(front)
}

describe("a hostile client over HTTP/1", () => {
  it("has more than eighty shapes, each with a name of its own", () => {
    expect(new Set(shapes.map(({ name }) => name)).size).toBe(shapes.length)
    expect(shapes.length).toBeGreaterThanOrEqual(80)
  })

  it.each(shapes)("$name", (shape) => check(shape, atOnce))

  const short = shapes.filter((shape) => shape.bytes.length <= 400 && !isWaitedFor(shape))
  it.each(short)("byte by byte: $name", (shape) => check(shape, byteByByte))
})
