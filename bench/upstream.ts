/**
 * What sending through an endpoint costs over bare undici: CPU µs of this process per request, the server being
 * another process. Rounds are interleaved, so that a busy machine slows all alike; the best round of each counts.
 *
 *   node bench/upstream.ts [requests per round] [rounds] [kinds, comma-separated]
 */
import { fork } from "node:child_process"
import * as http from "node:http"
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as undici from "undici"
import { Headers } from "../protocols/http/headers.ts"
import { bytes, empty, type Sink, type Source } from "../stages/Body.ts"
import { type Reply, Request } from "../stages/Exchange.ts"
import { type SendOptions, Upstream } from "../stages/ports/Upstream.ts"
import { layer } from "../src/node/upstream.ts"

const CONNECTIONS = 32

const fields = [
  "accept",
  "*/*",
  "user-agent",
  "bench/1.0",
  "x-request-id",
  "0123456789abcdef",
  "accept-encoding",
  "gzip",
]

const small = Buffer.alloc(64, "x")
const large = Buffer.alloc(1_000_000, "x")

const serve = (): void => {
  const answer = (incoming: http.IncomingMessage | http2.Http2ServerRequest, response: http.ServerResponse): void => {
    const body = incoming.url === "/large" ? large : small
    incoming.resume()
    incoming.once("end", () => {
      response.writeHead(200, {
        "content-type": "text/plain",
        "content-length": body.byteLength,
        "x-served-by": "bench",
      })
      response.end(body)
    })
  }
  const one = http.createServer(answer).listen(0, "127.0.0.1", () => {
    const two = http2.createServer((incoming, response) => answer(incoming, response as unknown as http.ServerResponse))
    two.listen(0, "127.0.0.1", () => {
      process.send?.([(one.address() as AddressInfo).port, (two.address() as AddressInfo).port])
    })
  })
  process.once("disconnect", () => process.exit())
}

type Once = () => Promise<void>

const bare = (pool: undici.Dispatcher, path: string, body: Buffer | null): Once => {
  return () =>
    new Promise((resolve, reject) => {
      pool.dispatch(
        { path, method: body === null ? "GET" : "POST", headers: [...fields, "host", "bench.example"], body },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData() {},
          onResponseEnd: () => resolve(),
          onResponseError: (_, error) => reject(error),
        },
      )
    })
}

/** The same in the fiber that every exchange of the gateway has anyway. */
const inFiber = (pool: undici.Dispatcher, path: string, body: Buffer | null): Once => {
  const once = (): Effect.Effect<void, Error> =>
    Effect.callback((resume) => {
      let controller: undici.Dispatcher.DispatchController | undefined
      pool.dispatch(
        { path, method: body === null ? "GET" : "POST", headers: [...fields, "host", "bench.example"], body },
        {
          onRequestStart(started) {
            controller = started
          },
          onResponseStart() {},
          onResponseData() {},
          onResponseEnd: () => resume(Effect.void),
          onResponseError: (_, error) => resume(Effect.fail(error)),
        },
      )
      return Effect.sync(() => controller?.abort(new Error("interrupted")))
    })
  return () =>
    new Promise((resolve, reject) => {
      Effect.runFork(once()).addObserver((exit) => (Exit.isSuccess(exit) ? resolve() : reject(new Error("failed"))))
    })
}

class Drain implements Sink {
  private readonly done: () => void

  constructor(done: () => void) {
    this.done = done
  }

  write(): boolean {
    return true
  }

  end(): void {
    this.done()
  }

  fail(): void {
    throw new Error("failed")
  }
}

const read = (reply: Reply): Effect.Effect<void> => {
  const { body } = reply
  if (body._tag !== "Flow") return Effect.void
  return Effect.callback<void>((resume) => {
    let source: Source | undefined
    source = body.open(new Drain(() => resume(Effect.void)))
    return Effect.sync(() => source?.cancel())
  })
}

const sending = (
  send: (request: Request, options: SendOptions) => Effect.Effect<Reply, unknown>,
  path: string,
  body: Buffer | null,
  version: SendOptions["version"],
  replyTimeoutMillis: number | undefined,
): Once => {
  const options: SendOptions = { version, replyTimeoutMillis, inform: undefined }
  return () =>
    new Promise((resolve, reject) => {
      const request = new Request(
        body === null ? "GET" : "POST",
        "http",
        "bench.example",
        "bench.example",
        path,
        undefined,
        "1.1",
        new Headers(fields.slice()),
        body === null ? empty : bytes(body),
        undefined,
      )
      Effect.runFork(Effect.flatMap(send(request, options), read)).addObserver((exit) =>
        Exit.isSuccess(exit) ? resolve() : reject(new Error("failed")),
      )
    })
}

const round = async (once: Once, requests: number): Promise<number> => {
  let left = requests
  const worker = async (): Promise<void> => {
    while (left-- > 0) await once()
  }
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / requests
}

const main = async (): Promise<void> => {
  const requests = Number(process.argv[2] ?? 20_000)
  const rounds = Number(process.argv[3] ?? 5)
  const only = process.argv[4]?.split(",")
  const child = fork(import.meta.filename, ["--serve"])
  const [port1, port2] = await new Promise<[number, number]>((resolve) =>
    child.once("message", (ports) => resolve(ports as [number, number])),
  )
  const pool = new undici.Pool(`http://127.0.0.1:${port1}`, { pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const scope = Effect.runSync(Scope.make())
  const { open } = Context.get(Effect.runSync(Layer.buildWithScope(layer, scope)), Upstream)
  const endpointOf = (port: number): ReturnType<typeof open> =>
    open({
      target: { _tag: "Host", host: "127.0.0.1", port },
      tls: undefined,
      connectTimeoutMillis: 5_000,
      poolIdleMillis: 90_000,
      poolSizeMax: undefined,
      keepAlive: { enabled: true, timeMillis: 180_000 },
      tunnel: undefined,
    })
  const one = endpointOf(port1)
  const two = endpointOf(port2)
  const body = Buffer.alloc(1_000, "y")
  const all: Record<string, Once> = {
    "GET bare": bare(pool, "/", null),
    "GET bare in a fiber": inFiber(pool, "/", null),
    "GET send": sending(one.send, "/", null, "1.1", undefined),
    "GET send with deadline": sending(one.send, "/", null, "1.1", 30_000),
    "POST bare in a fiber": inFiber(pool, "/", body),
    "POST send": sending(one.send, "/", body, "1.1", undefined),
    "GET 1 MB bare in a fiber": inFiber(pool, "/large", null),
    "GET 1 MB send": sending(one.send, "/large", null, "1.1", undefined),
    "GET send over HTTP/2": sending(two.send, "/", null, "2", undefined),
  }
  const kinds = Object.entries(all).filter(([name]) => only === undefined || only.some((part) => name.includes(part)))
  const best = new Map<string, number>()
  for (const [, once] of kinds) await round(once, 500)
  for (let i = 0; i < rounds; i++) {
    for (const [name, once] of kinds) {
      const micros = await round(once, name.includes("MB") ? requests / 20 : requests)
      best.set(name, Math.min(best.get(name) ?? Infinity, micros))
    }
  }
  for (const [name, micros] of best) console.log(`${name.padEnd(28)} ${micros.toFixed(1)} µs`)
  one.close()
  two.close()
  await pool.destroy()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  child.disconnect()
}

if (process.argv[2] === "--serve") serve()
else await main()
