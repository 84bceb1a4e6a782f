/** Fifty changes under load: every request is answered, and by one configuration. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as http from "node:http"
import * as http2 from "node:http2"
import { expect, it } from "vitest"
import type { TrafficPolicy } from "../../../ir/Policy.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Source, Told } from "../../../src/config/Source.ts"
import { fromStream } from "../../../src/config/fromStream.ts"
import { connect, type HttpUpstream, httpUpstream, snapshotOf, startGateway, until } from "../harness.ts"
import { speakingHttp1 } from "../hostile/front.ts"
import { stage } from "./stage.ts"

const ends = stage()

const CHANGES = 50

const answers = (name: string, value: string): TrafficPolicy => ({
  _tag: "ResponseHeaderModifier",
  add: [],
  set: [{ name, value }],
  remove: [],
})
const asks = (value: string): TrafficPolicy => ({
  _tag: "RequestHeaderModifier",
  add: [],
  set: [{ name: "x-asked", value }],
  remove: [],
})

/** One generation in three places: on the request, on the reply of the route, and on that of the backend. */
const generation = (number: number, upstreams: ReadonlyArray<HttpUpstream>): Snapshot => {
  const value = String(number)
  const to = upstreams[number % upstreams.length]?.port ?? 0
  const made = speakingHttp1(
    snapshotOf({ binds: [{ listeners: [{ routes: [{ to, policies: [asks(value), answers("x-route", value)] }] }] }] }),
  )
  return {
    ...made,
    backends: new Map(
      [...made.backends].map(([key, backend]) => [
        key,
        { ...backend, policies: [...backend.policies, answers("x-backend", value)] } as typeof backend,
      ]),
    ),
  }
}

interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
}

/** What is wrong with it, or the generation that answered. */
const judge = ({ headers, status }: Reply): string | number => {
  const said = [headers["x-saw"], headers["x-route"], headers["x-backend"]]
  return status === 200 && typeof said[0] === "string" && said.every((one) => one === said[0])
    ? Number(said[0])
    : JSON.stringify({ status, said })
}

it("fifty changes fail no request, and no exchange is of two configurations", async () => {
  const upstream = async (): Promise<HttpUpstream> =>
    ends(
      await httpUpstream((request, response) => {
        request.resume()
        response.setHeader("x-saw", request.headers["x-asked"] ?? "nothing")
        setTimeout(() => response.end("done"), (request.url ?? "").length % 7)
      }),
    )
  const upstreams = [await upstream(), await upstream()]
  const updates = Effect.runSync(Queue.unbounded<Told>())
  const tell = (number: number): void =>
    void Queue.offerUnsafe(updates, { _tag: "Told", snapshot: generation(number, upstreams) })
  const source: Source = fromStream("test", Stream.fromQueue(updates))
  tell(0)
  const gateway = ends(await startGateway(source))
  const { port } = gateway

  const seen = new Set<number>()
  const wrong: Array<string> = []
  let asked = 0
  const load = { over: false }
  const note = (verdict: string | number): void => {
    asked++
    if (typeof verdict === "number") seen.add(verdict)
    else wrong.push(verdict)
  }
  const failed = (error: unknown): string => `failed: ${String(error)}`

  const overHttp1 = async (keepAlive: boolean): Promise<void> => {
    const agent = new http.Agent({ keepAlive, maxSockets: 1 })
    for (let i = 0; !load.over; i++) {
      const reply = new Promise<Reply>((resolve, reject) => {
        const request = http.request({
          port,
          host: "127.0.0.1",
          agent,
          path: `/${"x".repeat(i % 9)}`,
          method: i % 2 ? "POST" : "GET",
        })
        request.on("response", (response) => {
          response.resume()
          response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
          response.on("error", reject)
        })
        request.on("error", reject)
        request.end(i % 2 ? "body" : undefined)
      })
      note(await reply.then(judge, failed))
    }
    agent.destroy()
  }

  const overHttp2 = async (): Promise<void> => {
    const session = http2.connect(`http://127.0.0.1:${port}`)
    session.on("error", (error) => wrong.push(failed(error)))
    while (!load.over) {
      const reply = new Promise<Reply>((resolve, reject) => {
        const stream = session.request({ ":path": "/", ":authority": "x.test" })
        let headers: http2.IncomingHttpHeaders & { ":status"?: number | undefined } = {}
        stream.on("response", (received) => (headers = received))
        stream.on("error", reject)
        stream.on("end", () => resolve({ status: headers[":status"] ?? 0, headers }))
        stream.resume()
      })
      note(await reply.then(judge, failed))
    }
    await new Promise<void>((resolve) => session.close(resolve))
  }

  // One exchange that lasts through every change ends as it began.
  const long = ends(await connect(port))
  long.write("POST / HTTP/1.1\r\nhost: x.test\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
  await until("the long exchange", () => upstreams.some(({ requests }) => requests.length > 0))

  const clients = [overHttp1(true), overHttp1(true), overHttp1(false), overHttp2(), overHttp2()]
  for (let number = 0; number <= CHANGES; number++) {
    if (number > 0) tell(number)
    await until(`generation ${number} serves`, () => seen.has(number) || wrong.length > 0, 20_000)
    long.write("1\r\nx\r\n")
  }
  load.over = true
  await Promise.all(clients)
  expect(wrong).toEqual([])
  expect(seen.size).toBe(CHANGES + 1)
  expect(asked).toBeGreaterThan(CHANGES)

  long.write("0\r\n\r\n")
  const { headers, status } = await long.answer("POST")
  expect(judge({ status, headers })).toBe(0)
  long.close()

  await until(
    "no connection and no exchange is left",
    () => gateway.gateway.open().connections === 0 && gateway.gateway.open().exchanges === 0,
  )
  expect(gateway.told.exchanges).toHaveLength(asked + 1)
  expect(gateway.told.exchanges.every(({ ending }) => ending.outcome === "answered")).toBe(true)
  expect(gateway.gateway.config()).toMatchObject({ version: CHANGES + 1, synchronized: true })
})
