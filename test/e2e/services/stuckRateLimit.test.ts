/** A rate limit service that is there and takes nothing, stops half-way, breaks off or lies: the configuration decides. */
import { afterEach, describe, expect, it } from "vitest"
import { outcomes } from "../faults/freed.ts"
import { until } from "../harness.ts"
import { startPlace } from "../llm/place.ts"
import { type Closing, start } from "./place.ts"
import { deaf, freed, long, resets, shut } from "./stuckPeers.ts"
import { message, type Say, saying as sayingIn, whole, wordsOf } from "./lyingPeers.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** `overall_code: OK`, which is field 1. */
const passes = Buffer.from([8, 1])
const exceeds = Buffer.from([8, 2])
const { broken, half, lies } = wordsOf(passes)
const saying = (say: Say) => sayingIn(closing, say)

const over = (port: number, failureMode: string, more = ""): string =>
  `remoteRateLimit: {host: "127.0.0.1:${port}", domain: shop, failureMode: ${failureMode}, policies: {http: {requestTimeout: 300ms}}, descriptors: [{entries: [{key: k, value: '"v"'}]${more}}]}`

const post = { method: "POST", body: long } as const

/** Both configurations in front of the same service, and what is left of them. */
const decided = async (port: number): Promise<void> => {
  const closed = await start(closing, over(port, "failClosed"))
  const open = await start(closing, over(port, "failOpen"))
  const [refused, passed] = await Promise.all([closed.send("/", post), open.reached("/", post)])
  expect(refused).toMatchObject({ status: 500, body: "rate limit failed" })
  expect(passed.body.length).toBe(long.length)
  expect(closed.backend.requests).toEqual([])
  await freed(closed, 1)
  // Its connections to the upstream are kept, so it is only the exchange that must be over.
  await outcomes(open.gateway, 1)
}

describe("a rate limit service that", () => {
  it.each(["deaf", "shut"])("is %s is decided by the configuration, in time", async (which) => {
    const peer = which === "deaf" ? { port: await deaf(closing), peers: [] } : await shut(closing)
    await decided(peer.port)
    // Two, and five more.
    if (which === "shut") await until("the calls were given up", () => resets(peer.peers) === 7)
  })

  it.each(Object.entries(half))("%s is decided by the configuration, in time", async (_, say) => {
    const { peers, port } = await saying(say)
    await decided(port)
    await until("the calls were given up", () => resets(peers) === 7)
  })

  it.each(Object.entries(broken))("%s is decided by the configuration", async (_, say) => {
    const { port } = await saying(say)
    await decided(port)
  })

  it.each(Object.entries(lies))("%s is decided by the configuration", async (_, say) => {
    const { port } = await saying(say)
    await decided(port)
  })

  it("answers right after all that is believed", async () => {
    const answers = [passes, exceeds]
    const { port } = await saying((peer, stream) => whole(message(answers.shift() ?? exceeds))(peer, stream))
    const place = await start(closing, over(port, "failClosed"))
    expect(await place.send("/", post)).toMatchObject({ status: 200 })
    expect(await place.send("/", post)).toMatchObject({ status: 429, body: "rate limit exceeded" })
  })
})

describe("a rate limit service for the tokens of models that", () => {
  const model = (port: number, failureMode: string): string => `
llm:
  port: 1
  policies:
    ${over(port, failureMode, ", type: tokens")}
  models: [{name: "*", provider: echo}]
`
  const ask = async (port: number, failureMode: string) => {
    const place = await startPlace(model(port, failureMode))
    closing.push(place.close)
    const reply = await fetch(`${place.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "one two three four" }] }),
    })
    const text = await reply.text()
    await until("the exchange is over", () => place.gateway.told.exchanges.length === 1)
    await until("nothing of it is left", () => place.gateway.gateway.open().exchanges === 0)
    return { status: reply.status, text }
  }

  it("is deaf is decided by the configuration, in time", async () => {
    const port = await deaf(closing)
    const [closed, open] = await Promise.all([ask(port, "failClosed"), ask(port, "failOpen")])
    expect(closed.status).toBe(500)
    expect(closed.text).toContain("rate limit failed")
    expect(open).toMatchObject({ status: 200 })
    expect(open.text).toContain("one two three four")
  })

  it("admits, and is deaf when it is told how many there were, holds up nobody", async () => {
    let asked = 0
    const { peers, port } = await saying((peer, stream) => {
      if (asked++ === 0) whole(message(passes))(peer, stream)
    })
    const answer = await ask(port, "failClosed")
    expect(answer).toMatchObject({ status: 200 })
    await until("it was told, and given up", () => asked === 2 && resets(peers) === 1)
  })
})
