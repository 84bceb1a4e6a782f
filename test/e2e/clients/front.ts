/** What clients of every kind ask: a gateway made from a file, and servers behind it that say what they understood. */
import { createHash, randomBytes } from "node:crypto"
import * as http from "node:http"
import * as net from "node:net"
import * as tls from "node:tls"
import { gzipSync } from "node:zlib"
import { loadedOf } from "../../config/memoryIo.ts"
import { Echo, type Words } from "../../peers/echo.ts"
import { grpc, grpcServer } from "../../peers/grpc.ts"
import { httpUpstream, pem, startGateway, type Started } from "../harness.ts"
import { freePort } from "../../freePort.ts"

export const sum = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex")
export const thousand = Buffer.from(Array.from({ length: 1_000 }, (_, i) => i % 256))
export const large = randomBytes(3_000_000)

/** What the server understood, as clients tell it to others. */
export interface Understood {
  readonly method: string
  readonly url: string
  readonly version: string
  readonly length: number
  readonly sum: string
  readonly headers: Readonly<Record<string, string>>
}

const serve: http.RequestListener = (request, response) => {
  const { headers, httpVersion, method = "", url = "" } = request
  const { pathname } = new URL(url, "http://x.test")
  if (pathname === "/range") {
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? []
    response.setHeader("accept-ranges", "bytes")
    if (from === undefined) return void response.end(thousand)
    const part = thousand.subarray(Number(from), Number(to) + 1)
    response.writeHead(206, { "content-range": `bytes ${from}-${to}/1000`, "content-length": part.byteLength })
    return void response.end(part)
  }
  if (pathname === "/gzip") {
    response.setHeader("content-type", "text/plain")
    if (!String(headers["accept-encoding"]).includes("gzip")) return void response.end("unpacked")
    response.setHeader("content-encoding", "gzip")
    return void response.end(gzipSync("unpacked"))
  }
  if (pathname === "/events") {
    const after = Number(headers["last-event-id"] ?? 0)
    response.setHeader("content-type", "text/event-stream")
    response.write("retry: 10\n\n")
    for (let id = after + 1; id <= after + 2; id++) response.write(`id: ${id}\ndata: event ${id}\n\n`)
    return void setTimeout(() => response.end(), 20)
  }
  if (pathname === "/mirror") return void request.pipe(response)
  if (pathname === "/large") return void response.end(large)
  if (pathname === "/trailers") {
    response.setHeader("trailer", "x-sum")
    response.write("body")
    response.addTrailers({ "x-sum": "1" })
    return void response.end()
  }
  const hash = createHash("sha256")
  let length = 0
  request.on("data", (chunk: Buffer) => {
    hash.update(chunk)
    length += chunk.byteLength
  })
  request.on("end", () => {
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ method, url, version: httpVersion, length, sum: hash.digest("hex"), headers }))
  })
}

/** A server of WebSocket without a library: it takes one masked text and says it back. */
const speakWebSocket = (server: http.Server): void => {
  server.on("upgrade", (request, socket: net.Socket) => {
    const key = String(request.headers["sec-websocket-key"])
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
    )
    socket.on("error", () => {})
    let held = Buffer.alloc(0)
    socket.on("data", (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      for (;;) {
        const short = (held[1] ?? 0) & 0x7f
        const start = short === 126 ? 8 : 6
        if (held.byteLength < start) return
        const length = short === 126 ? held.readUInt16BE(2) : short
        if (held.byteLength < start + length) return
        const mask = held.subarray(start - 4, start)
        const data = held.subarray(start, start + length).map((byte, i) => byte ^ (mask[i % 4] as number))
        const head =
          short === 126
            ? Buffer.from([held[0] as number, 126, length >> 8, length & 255])
            : Buffer.from([held[0] as number, length])
        socket.write(Buffer.concat([head, data]))
        if (((held[0] as number) & 15) === 8) return void socket.end()
        held = held.subarray(start + length)
      }
    })
  })
}
export interface Front {
  readonly gateway: Started
  /** The gateway, in plaintext and over TLS. */
  readonly url: (where: string) => string
  readonly sealedUrl: (where: string) => string
  readonly port: number
  readonly sealed: number
  /** Servers that are asked through tunnels. */
  readonly upstream: number
  readonly secure: number
  readonly close: () => Promise<void>
}

export const start = async (): Promise<Front> => {
  const upstream = await httpUpstream(serve)
  const sockets = http.createServer((_request, response) => response.writeHead(426).end())
  speakWebSocket(sockets)
  await new Promise<void>((resolve) => sockets.listen(0, "127.0.0.1", resolve))
  const secure = tls.createServer({ cert: pem("server.pem"), key: pem("server.key") }, (socket) => {
    socket.on("error", () => {})
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\ntunnels"))
  })
  await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve))
  const peer = await grpcServer([
    [
      Echo,
      {
        Once: ({ request }: grpc.ServerUnaryCall<Words, Words>, reply: grpc.sendUnaryData<Words>) =>
          reply(null, request),
        Many: (call: grpc.ServerDuplexStream<Words, Words>) => {
          call.on("data", (words: Words) => call.write(words))
          call.on("end", () => call.end())
        },
      } as grpc.UntypedServiceImplementation,
    ],
  ])
  const port = await freePort()
  const sealed = await freePort()
  const ws = (sockets.address() as net.AddressInfo).port
  const { snapshot } = await loadedOf(
    `
gateways:
  plain: {port: ${port}}
  sealed: {port: ${sealed}, tls: {cert: server.pem, key: server.key}}
frontendPolicies: {connect: {mode: route}}
routes:
  - name: tunnels
    gateways: [plain, sealed]
    matches: [{method: CONNECT}]
    backends: [{dynamic: {}}]
  - name: sockets
    gateways: [plain, sealed]
    matches: [{path: {pathPrefix: /ws}}]
    backends: [{host: "127.0.0.1:${ws}"}]
  - name: grpc
    gateways: [plain, sealed]
    matches: [{headers: [{name: content-type, value: {regex: "application/grpc.*"}}]}]
    backends: [{host: "127.0.0.1:${peer.port}", policies: {http: {version: HTTP/2}}}]
  - name: all
    gateways: [plain, sealed]
    backends: [{host: "127.0.0.1:${upstream.port}"}]
`,
    { files: { "server.pem": pem("server.pem"), "server.key": pem("server.key") } },
  )
  const gateway = await startGateway(snapshot, { drain: { minMillis: 0, maxMillis: 500 } })
  return {
    gateway,
    port,
    sealed,
    url: (where) => `http://127.0.0.1:${port}${where}`,
    sealedUrl: (where) => `https://127.0.0.1:${sealed}${where}`,
    upstream: upstream.port,
    secure: (secure.address() as net.AddressInfo).port,
    close: async () => {
      await gateway.close()
      await upstream.close()
      sockets.closeAllConnections()
      for (const server of [sockets, secure]) await new Promise((resolve) => server.close(resolve))
      peer.close()
    },
  }
}
