/**
 * What one call of gRPC costs the caller: ours, over the gateway's own HTTP/2, beside the client of `@grpc/grpc-js`.
 * The server is another process. CPU microseconds per call, the median of several rounds. `node bench/grpc.ts`
 */
import * as grpc from "@grpc/grpc-js"
import { create } from "@bufbuild/protobuf"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as http2 from "node:http2"
import type { AddressInfo } from "node:net"
import { Authorization, CheckRequestSchema } from "../protocols/grpc/generated/envoy_auth_pb.ts"
import { methodOf } from "../protocols/grpc/method.ts"
import * as timer from "../src/node/timer.ts"
import * as upstream from "../src/node/upstream.ts"
import { Upstream } from "../stages/ports/Upstream.ts"
import { throughEndpoint } from "../stages/grpc/Transport.ts"
import { unary } from "../stages/grpc/unary.ts"

const ROUNDS = 7
const CALLS = 4_000
const AT_ONCE = 16

/** The cheapest server there can be: every call is answered with the same message. */
const serve = (): void => {
  const server = http2.createServer()
  const answer = Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x00])
  server.on("stream", (stream: http2.ServerHttp2Stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
    stream.on("error", () => {})
    stream.resume()
    stream.on("end", () => stream.end(answer))
  })
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port))
}

const median = (values: ReadonlyArray<number>): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] as number

const measure = async (name: string, call: () => Promise<unknown>): Promise<void> => {
  const round = async (): Promise<number> => {
    const before = process.cpuUsage()
    let left = CALLS
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (left-- > 0) await call()
      }),
    )
    const { system, user } = process.cpuUsage(before)
    return (user + system) / CALLS
  }
  await round()
  const rounds: Array<number> = []
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round())
  process.stdout.write(`${name.padEnd(28)} ${median(rounds).toFixed(1)} µs\n`)
}

const run = async (): Promise<void> => {
  const child = spawn(process.execPath, [import.meta.filename, "serve"], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  })
  const port = await new Promise<number>((resolve) => child.once("message", (said) => resolve(Number(said))))
  const message = create(CheckRequestSchema, {
    attributes: {
      request: {
        http: { method: "GET", path: "/api/v1/items?x=1", host: "a.test", headers: { "x-user": "u", accept: "*/*" } },
      },
    },
  })
  const method = methodOf(Authorization.method.check)

  const scope = Effect.runSync(Scope.make())
  const context = Effect.runSync(Layer.buildWithScope(upstream.layer, scope))
  const endpoint = Context.get(context, Upstream).open({
    target: { _tag: "Host", host: "127.0.0.1", port },
    tls: undefined,
    connectTimeoutMillis: 5_000,
    poolIdleMillis: 60_000,
    poolSizeMax: undefined,
    keepAlive: { enabled: true, timeMillis: 180_000 },
    tunnel: undefined,
  })
  const transport = throughEndpoint(endpoint)
  const options = { clock: timer.clock, authority: "a.test", timeoutMillis: 2_000 }
  await measure("ours", () => Effect.runPromise(unary(transport, method, message, options)))
  endpoint.close()

  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure())
  await measure(
    "@grpc/grpc-js",
    () =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          method.path,
          (value) => Buffer.from(method.encode(value)),
          (bytes) => method.decode(bytes),
          message,
          { deadline: Date.now() + 2_000 },
          (error, value) => (error === null ? resolve(value) : reject(error)),
        )
      }),
  )
  client.close()
  child.kill()
}

if (process.argv[2] === "serve") serve()
else await run()
