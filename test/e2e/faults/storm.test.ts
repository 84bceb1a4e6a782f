import * as http2 from "node:http2"
import { expect, it } from "vitest"
import {
  connect,
  connectTls,
  httpUpstream,
  pem,
  type RawClient,
  serverTls,
  sleep,
  snapshotOf,
  startGateway,
  until,
} from "../harness.ts"

/** Numbers that look random and are the same every time. */
const numbers = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

const pieces = [
  "GET /quick HTTP/1.1\r\nhost: a.test\r\n\r\n",
  "GET /slow HTTP/1.1\r\nhost: a.test\r\n\r\n",
  "GET /large HTTP/1.1\r\nhost: a.test\r\n\r\n",
  "GET /broken HTTP/1.1\r\nhost: a.test\r\n\r\n",
  "GET /quick HTTP/1.0\r\nhost: a.test\r\n\r\n",
  "POST /quick HTTP/1.1\r\nhost: a.test\r\ncontent-length: 5\r\n\r\nhello",
  "POST /quick HTTP/1.1\r\nhost: a.test\r\ncontent-length: 500000\r\n\r\nhalf",
  "POST /slow HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
  "POST /quick HTTP/1.1\r\nhost: a.test\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n",
  "GET /chat HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  "CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n",
  "zz\r\n",
  "0\r\n\r\n",
  "GET /partial HTTP/1.1\r\nho",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]

it.each([1, 2, 3])("whatever clients do and however they leave, nothing stays behind (seed %i)", async (seed) => {
  const random = numbers(seed)
  const pick = <A>(from: ReadonlyArray<A>): A => from[Math.floor(random() * from.length)] as A
  const upstream = await httpUpstream((request, response) => {
    request.on("error", () => {})
    request.resume()
    if (request.url === "/slow") return void setTimeout(() => response.end("slow"), 80)
    if (request.url === "/large") return void response.end(Buffer.alloc(300_000))
    if (request.url === "/broken") {
      response.writeHead(200, { "content-length": "100" })
      return void response.write("broken", () => response.destroy())
    }
    response.end("quick")
  })
  const listener = { routes: [{ to: upstream.port }] }
  const gateway = await startGateway(
    snapshotOf({
      binds: [
        {
          protocol: "auto",
          listeners: [listener, { ...listener, protocol: "HTTPS", tls: serverTls("server") }],
        },
      ],
      frontend: [{ _tag: "Connect", mode: "route" }],
    }),
    { limits: { headTimeoutMillis: 400, bodyIdleTimeoutMillis: 400, writeStallTimeoutMillis: 400 } },
  )

  const leave = (client: RawClient): void =>
    pick([() => client.close(), () => client.reset(), () => client.halfClose(), () => client.pause()])()

  const raw = async (): Promise<void> => {
    const client = random() < 0.3 ? await connectTls(gateway.port) : await connect(gateway.port)
    for (let i = Math.floor(random() * 4); i >= 0; i--) {
      const text = pick(pieces)
      const cut = random() < 0.3 ? Math.floor(random() * text.length) : text.length
      if (client.stream.writable) client.write(text.slice(0, cut))
      await sleep(random() * 20)
      if (cut < text.length && client.stream.writable) client.write(text.slice(cut))
    }
    await sleep(random() * 60)
    leave(client)
    await sleep(600)
    client.close()
  }

  const framed = async (): Promise<void> => {
    const session =
      random() < 0.5
        ? http2.connect(`http://127.0.0.1:${gateway.port}`)
        : http2.connect(`https://localhost:${gateway.port}`, { ca: pem("ca.pem"), servername: "a.test" })
    session.on("error", () => {})
    for (let i = Math.floor(random() * 6); i >= 0; i--) {
      const stream = session.request({
        ":method": pick(["GET", "POST"]),
        ":path": pick(["/quick", "/slow", "/large", "/broken"]),
        ":authority": "a.test",
      })
      stream.on("error", () => {})
      if (random() < 0.7) stream.resume()
      pick([() => stream.end("body"), () => stream.end(), () => stream.write("half"), () => {}])()
      if (random() < 0.3) setTimeout(() => stream.close(pick([0, 2, 8])), random() * 50)
    }
    await sleep(random() * 150)
    if (random() < 0.5) session.close()
    else session.destroy()
    await sleep(600)
    session.destroy()
  }

  const clients: Array<Promise<void>> = []
  for (let i = 0; i < 120; i++) {
    clients.push((random() < 0.75 ? raw() : framed()).catch(() => {}))
    if (i % 10 === 0) await sleep(5)
  }
  await Promise.all(clients)
  await until(
    "every exchange and connection to end",
    () => {
      const { connections, exchanges } = gateway.gateway.open()
      return connections === 0 && exchanges === 0
      // A client that is silent while nothing is read from it is found out after some seconds.
    },
    20_000,
  )
  const { exchanges } = gateway.told
  expect(new Set(exchanges.map(({ exchange }) => exchange)).size).toBe(exchanges.length)
  expect(exchanges.filter(({ exchange }) => exchange.trail.refusal?._tag === "Defect")).toEqual([])
  // It still serves.
  const last = await connect(gateway.port)
  last.write(pieces[0] as string)
  expect((await last.answer()).body).toBe("quick")
  last.close()
  await gateway.close()
  await upstream.close()
})
