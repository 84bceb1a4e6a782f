/** Taking leave: what has begun is finished, what is idle goes at once, what hangs is cut off at the second deadline. */
import * as Effect from "effect/Effect"
import * as http from "node:http"
import * as net from "node:net"
import { describe, expect, it } from "vitest"
import {
  changing,
  connect,
  httpUpstream,
  plain,
  rawUpstream,
  type RawClient,
  snapshotOf,
  type Started,
  startGateway,
  until,
} from "../harness.ts"
import { FrameClient, getting, headers } from "../hostile/frames.ts"
import { speakingHttp1 } from "../hostile/front.ts"
import { Standalone } from "../standalone.ts"
import { outcomes } from "./freed.ts"
import { stage } from "./stage.ts"
import { freePort } from "../../freePort.ts"

const ends = stage()

const get = (path = "/"): string => `GET ${path} HTTP/1.1\r\nhost: x.test\r\n\r\n`

/** An upstream that answers when it is told to. */
const held = async () => {
  const responses: Array<http.ServerResponse> = []
  const upstream = ends(
    await httpUpstream((request, response) => {
      request.resume()
      if (request.url === "/now") response.end("now")
      else responses.push(response)
    }),
  )
  return { ...upstream, responses }
}

const front = async (to: number, minMillis: number, maxMillis: number): Promise<Started> =>
  ends(await startGateway(speakingHttp1(plain(to)), { drain: { minMillis, maxMillis } }))

const client = async (gateway: Started): Promise<RawClient> => ends(await connect(gateway.port))

const drained = (gateway: Started): { done: boolean; readonly promise: Promise<void> } => {
  const state = {
    done: false,
    promise: Effect.runPromise(gateway.gateway.drain).then(() => void (state.done = true)),
  }
  return state
}

const refuses = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port })
    socket.once("error", () => resolve(true))
    socket.once("connect", () => {
      socket.destroy()
      resolve(false)
    })
  })

describe("a drain", () => {
  it("finishes what has begun, closes what is idle, takes nothing new, and ends when the last is done", async () => {
    const upstream = await held()
    const gateway = await front(upstream.port, 0, 20_000)
    const { port } = gateway
    const [busy, idle, fresh] = [await client(gateway), await client(gateway), await client(gateway)]
    expect((await idle.write(get("/now")).answer()).status).toBe(200)
    busy.write(get("/slow"))
    await until("the slow exchange", () => upstream.responses.length === 1)
    await until("every connection", () => gateway.gateway.open().connections === 3)
    const leave = drained(gateway)
    await idle.gone()
    expect(idle.text).toBe("")
    expect(gateway.gateway.draining()).toBe(true)
    expect(await refuses(port)).toBe(true)
    // It was opened for a request that is on its way.
    expect(await fresh.write(get("/now")).answer()).toMatchObject({ status: 200, headers: { connection: "close" } })
    await fresh.gone()
    expect(leave.done).toBe(false)
    upstream.responses[0]?.end("done")
    expect(await busy.answer()).toMatchObject({ status: 200, body: "done", headers: { connection: "close" } })
    await busy.gone()
    for (const one of [busy, idle, fresh]) one.close()
    await leave.promise
    expect(await outcomes(gateway, 3)).toEqual(["answered", "answered", "answered"])
  })

  it("goes on accepting until the first deadline has passed", async () => {
    const upstream = await held()
    const gateway = await front(upstream.port, 500, 20_000)
    const { port } = gateway
    const leave = drained(gateway)
    await until("the drain", () => gateway.gateway.draining())
    const late = await client(gateway)
    expect((await late.write(get("/now")).answer()).status).toBe(200)
    await late.gone()
    late.close()
    await leave.promise
    expect(await refuses(port)).toBe(true)
    await outcomes(gateway, 1)
  })

  it("lets a reply that has begun come to its end, and answers what was sent behind it as the last", async () => {
    const upstream = await held()
    const gateway = await front(upstream.port, 0, 20_000)
    const reader = await client(gateway)
    reader.write(get("/stream"))
    await until("the call", () => upstream.responses.length === 1)
    upstream.responses[0]?.write("begun")
    await reader.take("begun\r\n")
    const idle = await client(gateway)
    expect((await idle.write(get("/now")).answer()).status).toBe(200)
    const leave = drained(gateway)
    // By then every connection has been asked to finish.
    await idle.gone()
    idle.close()
    reader.write(get("/now"))
    upstream.responses[0]?.end("ended")
    await reader.take("5\r\nended\r\n0\r\n\r\n")
    expect(await reader.answer()).toMatchObject({ status: 200, body: "now", headers: { connection: "close" } })
    await reader.gone()
    reader.close()
    await leave.promise
    expect(await outcomes(gateway, 3)).toEqual(["answered", "answered", "answered"])
  })

  it("says GOAWAY over HTTP/2, finishes the streams that were open, and closes", async () => {
    const upstream = await held()
    const gateway = await front(upstream.port, 0, 20_000)
    const reader = new FrameClient(await client(gateway)).open()
    reader.raw.write(headers(1, getting("/slow")))
    await until("the call", () => upstream.responses.length === 1)
    const leave = drained(gateway)
    await until("GOAWAY", () => reader.frames.some(({ type }) => type === 7))
    expect(reader.complaint).toBe(undefined)
    upstream.responses[0]?.end("done")
    expect(await reader.outcomeOf(1)).toBe(200)
    expect(reader.bodyOf(1)).toBe("done")
    await reader.raw.gone()
    reader.raw.close()
    await leave.promise
    expect(await outcomes(gateway, 1)).toEqual(["answered"])
  })

  it("cuts off at the second deadline whatever still hangs, each kind of it", async () => {
    const upstream = await held()
    const silent = ends(await rawUpstream())
    const gateway = await front(upstream.port, 0, 400)
    const stuck = ends(await startGateway(plain(silent.port), { drain: { minMillis: 0, maxMillis: 400 } }))
    const inHead = await client(gateway)
    inHead.write("GET / HTTP/1.1\r\nhost: x")
    const waiting = (await client(gateway)).write(get("/never"))
    const streaming = (await client(gateway)).write(get("/stream"))
    const uploading = (await client(stuck)).write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello")
    const framed = new FrameClient(await client(gateway)).open()
    framed.raw.write(headers(1, getting("/never")))
    await until("the calls", () => upstream.responses.length === 3 && silent.connections.length === 1)
    upstream.responses.find(({ req }) => req.url === "/stream")?.write("begun")
    await streaming.take("begun")
    await Promise.all([drained(gateway).promise, drained(stuck).promise])
    for (const one of [inHead, waiting, streaming, uploading, framed.raw]) {
      await one.gone()
      expect(one.text).not.toContain("0\r\n\r\n\r\n")
      one.close()
    }
    await until("the upstream sees that it is over", () => upstream.aborted.length === 3)
    expect(await outcomes(gateway, 3)).toEqual(["drained", "drained", "drained"])
    expect(await outcomes(stuck, 1)).toEqual(["drained"])
  })

  it("does not wait for connections that have said nothing", async () => {
    const upstream = await held()
    const gateway = await front(upstream.port, 0, 60_000)
    const mute = [await client(gateway), await client(gateway)]
    await until("the connections", () => gateway.gateway.open().connections === mute.length)
    await drained(gateway).promise
    for (const one of mute) {
      await one.gone()
      one.close()
    }
    await outcomes(gateway, 0)
  })

  it("of a port that went answers what was on its way between two requests, and only then closes", async () => {
    const upstream = await held()
    const { change, source } = changing(speakingHttp1(plain(upstream.port)))
    let sendNext = (): void => {}
    const gateway = ends(await startGateway(source, { onConfig: () => sendNext() }))
    const idle = await client(gateway)
    expect((await idle.write(get("/now")).answer()).status).toBe(200)
    // By then it was just asked to go.
    sendNext = () => void idle.write(get("/now"))
    change(speakingHttp1(snapshotOf({ binds: [{ key: "other", listeners: [{ routes: [{ to: upstream.port }] }] }] })))
    expect(await idle.answer()).toMatchObject({ status: 404, headers: { connection: "close" } })
    await idle.gone()
    idle.close()
    await outcomes(gateway, 2)
  })

  it("is one drain, however often it is asked for", async () => {
    const upstream = await held()
    const gateway = await front(upstream.port, 0, 20_000)
    const busy = (await client(gateway)).write(get("/slow"))
    await until("the slow exchange", () => upstream.responses.length === 1)
    const leaves = [drained(gateway), drained(gateway), drained(gateway)]
    await until("the drain", () => gateway.gateway.draining())
    upstream.responses[0]?.end("done")
    expect((await busy.answer()).status).toBe(200)
    busy.close()
    await Promise.all(leaves.map(({ promise }) => promise))
    await outcomes(gateway, 1)
  })
})

it("a process that is told to stop: idle connections go, an exchange is finished, a hanging one is cut off, and the code is 0", async () => {
  const upstream = await held()
  const port = await freePort()
  const process = new Standalone({
    args: [
      "-c",
      JSON.stringify({
        gateways: { default: { port } },
        routes: [{ backends: [{ host: `127.0.0.1:${upstream.port}` }] }],
      }),
    ],
    env: { CONNECTION_TERMINATION_DEADLINE: "2s" },
  })
  ends({
    close: () => {
      process.kill("SIGKILL")
      return process.ended
    },
  })
  await process.serving()
  const open = async (): Promise<RawClient> => ends(await connect(port))
  const [idle, busy, hanging] = [await open(), await open(), await open()]
  expect((await idle.write(get("/now")).answer()).status).toBe(200)
  busy.write(get("/slow"))
  await until("the slow exchange", () => upstream.responses.length === 1)
  hanging.write(get("/never"))
  await until("the hanging exchange", () => upstream.responses.length === 2)
  process.kill("SIGTERM")
  await idle.gone()
  // Listeners are closed by then, and readiness fell before.
  expect((await process.readiness()).status).toBe(500)
  expect(await refuses(port)).toBe(true)
  upstream.responses[0]?.end("done")
  expect(await busy.answer()).toMatchObject({ status: 200, body: "done" })
  await hanging.gone()
  expect(await process.ended).toBe(0)
  for (const one of [idle, busy, hanging]) one.close()
  await until("the upstream sees that it is over", () => upstream.aborted.length === 1)
  expect(process.out).toMatch(/info\tsluice\tdraining deadline=2s$/m)
  expect(process.out).toMatch(/warn\tsluice\t.*cut off connections=1 exchanges=1$/m)
  expect(process.out).toMatch(/http.path=\/never .*error=".*shut down.*" reason=Drained /)
})
