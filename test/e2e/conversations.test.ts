/**
 * Conversations of every kind on connections that are kept: bodies of any size and frame, cut anywhere, sent ahead or not,
 * to servers that answer early, slowly or in pieces. Chance decides, by a seed; every request gets its own answer.
 */
import { afterAll, beforeAll, expect, it } from "vitest"
import type { Match } from "../../ir/Match.ts"
import type { TrafficPolicy } from "../../ir/Policy.ts"
import {
  type Answer,
  connect,
  httpUpstream,
  type HttpUpstream,
  type RawClient,
  snapshotOf,
  startGateway,
  type Started,
} from "./harness.ts"
import { speakingHttp1 } from "./hostile/front.ts"

const chance = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const SIZES = [0, 1, 100, 5_000, 16_384, 40_000, 65_000, 65_536, 66_000, 70_000, 100_000, 131_072, 200_000, 300_000]
const WAYS = ["plain", "pieces", "slow", "early", "early pieces"]
const SESSIONS = 12
const BATCHES = 12

let upstream: HttpUpstream
let gateway: Started

beforeAll(async () => {
  upstream = await httpUpstream((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://x")
    const [id, size, way] = ["id", "size", "way"].map((name) => searchParams.get(name) ?? "") as [
      string,
      string,
      string,
    ]
    const answer = (received: number): void => {
      const body = `${id}:${received}:${"z".repeat(Number(size))}`
      if (!way.includes("pieces")) return void response.setHeader("content-length", body.length).end(body)
      response.write(body.slice(0, 7))
      response.end(body.slice(7))
    }
    // It says nothing of what it received, since it did not wait for it.
    if (way.includes("early")) return answer(-1)
    if (way === "slow") {
      request.pause()
      setTimeout(() => request.resume(), 20)
    }
    let received = 0
    request.on("data", (chunk: Buffer) => (received += chunk.byteLength))
    request.on("end", () => answer(received))
  })
  const later: Match = { path: { _tag: "Prefix", path: "/later" }, headers: [], query: [] }
  const delay: TrafficPolicy = { _tag: "Delay", duration: { _tag: "Fixed", millis: 20 } }
  const routes = [{ to: upstream.port }, { to: upstream.port, matches: [later], policies: [delay] }]
  gateway = await startGateway(speakingHttp1(snapshotOf({ binds: [{ listeners: [{ routes }] }] })))
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

/** A server may answer early and have its client go before all was sent, which says so by closing; silence is a failure. */
const finalOf = async (client: RawClient): Promise<Answer | "closed"> => {
  for (;;) {
    const reply = await client.answer("POST", 20_000).catch((error: Error) => {
      if (error.message.startsWith("closed")) return "closed" as const
      throw error
    })
    if (reply === "closed" || reply.status >= 200) return reply
  }
}

const converse = async (seed: number): Promise<number> => {
  const next = chance(seed)
  const pick = <A>(from: ReadonlyArray<A>): A => from[Math.floor(next() * from.length)] as A
  const make = (id: string) => {
    const [sent, size, way] = [pick(SIZES), pick(SIZES), pick(WAYS)]
    const path = `${pick(["/", "/later"])}?id=${id}&size=${size}&way=${encodeURIComponent(way)}`
    const head = `POST ${path} HTTP/1.1\r\nhost: x.test\r\n${next() < 0.1 && sent > 0 ? "expect: 100-continue\r\n" : ""}`
    const body = "y".repeat(sent)
    const chunks = sent === 0 ? "0\r\n\r\n" : `${sent.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    const text =
      next() < 0.5
        ? `${head}transfer-encoding: chunked\r\n\r\n${chunks}`
        : `${head}content-length: ${sent}\r\n\r\n${body}`
    return {
      text,
      answer: `${id}:${way.includes("early") ? -1 : sent}:${"z".repeat(size)}`,
      what: `${seed}: ${way}, ${sent}`,
    }
  }
  let client = await connect(gateway.port)
  let answered = 0
  for (let i = 0; i < BATCHES; i++) {
    const batch = Array.from({ length: next() < 0.3 ? 3 : 1 }, (_, j) => make(`${seed}-${i}-${j}`))
    const text = batch.map((one) => one.text).join("")
    const cuts: Array<number> = []
    for (let at = 0; at < text.length; at = cuts.at(-1) as number) {
      cuts.push(next() < 0.4 ? text.length : at + 1 + Math.floor(next() * 70_000))
    }
    if (client.closed || client.ended) client = await connect(gateway.port)
    const writing = (async () => {
      let from = 0
      for (const to of cuts) {
        if (client.closed) return
        client.write(text.slice(from, to))
        from = to
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    let isOver = false
    for (const { answer, what } of batch) {
      const reply = await finalOf(client)
      if (reply === "closed") {
        isOver = true
        break
      }
      expect([what, reply.status, reply.body === answer]).toEqual([what, 200, true])
      answered++
      // It answered without having read everything: what follows is asked anew.
      isOver = reply.headers["connection"] === "close"
      if (isOver) break
    }
    await writing
    if (isOver) {
      client.close()
      client = await connect(gateway.port)
    }
  }
  client.close()
  return answered
}

it("every request is answered, by its own answer, and the next one too", { timeout: 120_000 }, async () => {
  const answered = await Promise.all(Array.from({ length: SESSIONS }, (_, i) => converse(i + 1)))
  expect(answered.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(SESSIONS * BATCHES)
})
