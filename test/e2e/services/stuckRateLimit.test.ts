/** A rate limit service that is there and takes nothing, stops half-way, breaks off or lies: the configuration decides. */
import { afterEach, describe, expect, it } from "vitest"
import { outcomes } from "../faults/freed.ts"
import { until } from "../harness.ts"
import { startPlace } from "../llm/place.ts"
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  type Frame,
  HEADERS,
  number,
  type Peer,
  RST_STREAM,
  STATUS_200,
} from "../upstream/frames.ts"
import { type Closing, start } from "./place.ts"
import { deaf, freed, framed, long, resets, shut } from "./stuckPeers.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A field that HPACK writes out, without a table. */
const field = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)])

const head = Buffer.concat([STATUS_200, field("content-type", "application/grpc")])
const ok = field("grpc-status", "0")

/** `overall_code: OK`, which is field 1. */
const passes = Buffer.from([8, 1])
const exceeds = Buffer.from([8, 2])
const message = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0]), number(bytes.length), bytes])

type Say = (peer: Peer, stream: number) => void

/** Lets the service say something once it has been asked. */
const saying = (say: Say) => {
  const answered = new WeakMap<Peer, Set<number>>()
  return framed(closing, (peer, { flags, stream, type }: Frame) => {
    if (type !== DATA || (flags & END_STREAM) === 0) return
    const before = answered.get(peer) ?? new Set()
    answered.set(peer, before.add(stream))
    say(peer, stream)
  })
}

const whole =
  (...data: ReadonlyArray<Buffer>): Say =>
  (peer, stream) => {
    peer.write(HEADERS, END_HEADERS, stream, head)
    for (const bytes of data) peer.write(DATA, 0, stream, bytes)
    peer.write(HEADERS, END_HEADERS | END_STREAM, stream, ok)
  }

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

/** What a service leaves its caller waiting with. */
const half: Readonly<Record<string, Say>> = {
  "says nothing at all": () => {},
  "stops after the head of its answer": (peer, stream) => peer.write(HEADERS, END_HEADERS, stream, head),
  "stops in the middle of a message": (peer, stream) => {
    peer.write(HEADERS, END_HEADERS, stream, head)
    peer.write(DATA, 0, stream, message(passes).subarray(0, 6))
  },
  "gives its answer and no status": (peer, stream) => {
    peer.write(HEADERS, END_HEADERS, stream, head)
    peer.write(DATA, 0, stream, message(passes))
  },
}

/** What a service ends an answer with that is none. */
const broken: Readonly<Record<string, Say>> = {
  "resets the call": (peer, stream) => peer.write(RST_STREAM, 0, stream, number(2)),
  "resets the call in the middle of a message": (peer, stream) => {
    half["stops in the middle of a message"]?.(peer, stream)
    peer.write(RST_STREAM, 0, stream, number(8))
  },
  "loses the connection in the middle of a message": (peer, stream) => {
    half["stops in the middle of a message"]?.(peer, stream)
    peer.socket.end()
  },
  "resets the connection": (peer) => void peer.socket.resetAndDestroy(),
  "goes away": (peer, stream) => {
    peer.goaway(stream - 2 < 0 ? 0 : stream - 2, 0)
    peer.socket.end()
  },
}

/** What a service says that cannot be meant. */
const lies: Readonly<Record<string, Say>> = {
  "announces four gigabytes": (peer, stream) => {
    peer.write(HEADERS, END_HEADERS, stream, head)
    peer.write(DATA, 0, stream, Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 8, 1]))
  },
  "says that it is done and gives no message": whole(),
  "gives two messages": whole(message(passes), message(passes)),
  "ends inside a message": whole(message(passes).subarray(0, 6)),
  "gives a message that is compressed": whole(Buffer.concat([Buffer.from([1]), number(2), passes])),
  "gives a message that is none": whole(message(Buffer.from([0xff, 0xff, 0xff]))),
  "gives a message that does not say whether": whole(message(Buffer.alloc(0))),
  "ends without a status": (peer, stream) => {
    peer.write(HEADERS, END_HEADERS, stream, head)
    peer.write(DATA, END_STREAM, stream, message(passes))
  },
  "answers as a web site does": (peer, stream) => {
    peer.write(HEADERS, END_HEADERS, stream, Buffer.concat([STATUS_200, field("content-type", "text/html")]))
    peer.write(DATA, END_STREAM, stream, Buffer.from("<html>OK</html>"))
  },
  "gives its answer with a failure": (peer, stream) => {
    peer.write(HEADERS, END_HEADERS, stream, head)
    peer.write(DATA, 0, stream, message(passes))
    peer.write(HEADERS, END_HEADERS | END_STREAM, stream, field("grpc-status", "13"))
  },
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
