import { afterEach, describe, expect, it } from "vitest"
import {
  connect,
  connectTls,
  type RawClient,
  rawUpstream,
  serverTls,
  sleep,
  snapshotOf,
  startGateway,
  until,
} from "./harness.ts"

const closers: Array<() => unknown> = []
const ends = <A extends { close: () => unknown }>(what: A): A => {
  closers.push(() => what.close())
  return what
}
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const start = async (to: number) =>
  ends(
    await startGateway(
      snapshotOf({ binds: [{ protocol: "tcp", listeners: [{ protocol: "TCP", tcpRoutes: [{ to }] }] }] }),
    ),
  )

describe("raw connections", () => {
  it("are copied both ways and counted", async () => {
    const upstream = ends(await rawUpstream(async (connection) => connection.write(await connection.take("\n"))))
    const gateway = await start(upstream.port)
    const client = await connect(gateway.port)
    client.write("hello\n")
    expect(await client.take("\n")).toBe("hello\n")
    client.close()
    await until("the upstream to hear of it", () => upstream.connections[0]?.ended === true)
    upstream.connections[0]?.close()
    await until("the journal", () => gateway.told.relays.length === 1)
    expect(gateway.told.relays[0]?.ending).toMatchObject({
      receivedBytes: 6,
      sentBytes: 6,
      route: "bind0/0/0",
      endpoint: `127.0.0.1:${upstream.port}`,
    })
    await until("it to be gone", () => gateway.gateway.open().connections === 0)
  })

  it("let the server speak first", async () => {
    const upstream = ends(await rawUpstream((connection) => connection.write("220 ready\r\n")))
    const client = await connect((await start(upstream.port)).port)
    expect(await client.take("\n")).toBe("220 ready\r\n")
    client.close()
    upstream.connections[0]?.close()
  })

  it("pass on the end of one half, and the other half goes on", async () => {
    const upstream = ends(await rawUpstream())
    const gateway = await start(upstream.port)
    const client = await connect(gateway.port)
    client.write("question")
    client.halfClose()
    await until("the end to arrive", () => upstream.connections[0]?.ended === true)
    expect(upstream.connections[0]?.text).toBe("question")
    await sleep(50)
    upstream.connections[0]?.write("answer").halfClose()
    await client.gone()
    expect(client.text).toBe("answer")
    await until("the journal", () => gateway.told.relays.length === 1)
    expect(gateway.told.relays[0]?.ending.error).toBeUndefined()
  })

  it("pass on a reset of the server as a reset", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => {
        await connection.take("x")
        connection.reset()
      }),
    )
    const gateway = await start(upstream.port)
    const client = await connect(gateway.port)
    client.write("x")
    await until("the reset", () => client.closed)
    expect(client.error?.code).toBe("ECONNRESET")
    expect(client.ended).toBe(false)
    await until("the journal", () => gateway.told.relays.length === 1)
    expect(gateway.told.relays[0]?.ending.error).toMatch(/reset|ECONNRESET/)
  })

  it("bring what a server said before it reset, while more was on its way to it", async () => {
    for (let i = 0; i < 10; i++) {
      const clients: Array<RawClient> = []
      const upstream = ends(
        await rawUpstream(async (connection) => {
          await connection.take("x")
          // That is with the gateway before the answer, so that writing fails before anything was read.
          clients[0]?.write("y".repeat(10_000))
          connection.write("too much").reset()
        }),
      )
      const gateway = await start(upstream.port)
      const client = await connect(gateway.port)
      clients.push(client)
      client.write("x")
      await until("the reset", () => client.closed)
      expect(client.text).toBe("too much")
      expect(client.error?.code).toBe("ECONNRESET")
      await until("the journal", () => gateway.told.relays.length === 1)
      expect(gateway.told.relays[0]?.ending).toMatchObject({ sentBytes: 8, error: expect.any(String) as string })
    }
  })

  it("pass on a reset of the client as a reset", async () => {
    const upstream = ends(await rawUpstream())
    const client = await connect((await start(upstream.port)).port)
    client.write("x")
    await until("the upstream connection", () => upstream.connections[0]?.text === "x")
    client.reset()
    await until("the reset", () => upstream.connections[0]?.closed === true)
    expect(upstream.connections[0]?.error?.code).toBe("ECONNRESET")
    expect(upstream.connections[0]?.ended).toBe(false)
  })

  it("end when there is nobody to connect to", async () => {
    const gateway = await start(1)
    const client = await connect(gateway.port)
    await client.gone()
    await until("the journal", () => gateway.told.relays.length === 1)
    expect(gateway.told.relays[0]?.ending.error).toMatch(/refused/i)
  })

  it("flow at the pace of the reader", async () => {
    const upstream = ends(await rawUpstream((connection) => connection.pause()))
    const client = await connect((await start(upstream.port)).port)
    let sent = 0
    const pump = (): void => {
      while (sent < 64 * 1024 * 1024) {
        sent += 65_536
        if (!client.stream.write(Buffer.alloc(65_536))) return
      }
    }
    client.stream.on("drain", pump)
    pump()
    let last = -1
    while (last !== sent) {
      last = sent
      await sleep(100)
    }
    expect(sent).toBeLessThan(32 * 1024 * 1024)
    const upstreamSide = upstream.connections[0]
    let got = 0
    upstreamSide?.stream.on("data", (chunk: Buffer) => (got += chunk.byteLength))
    upstreamSide?.stream.resume()
    await until("everything to arrive", () => got === sent && sent === 64 * 1024 * 1024, 10_000)
    client.close()
  })

  it("are broken off when the gateway has drained long enough", async () => {
    const upstream = ends(await rawUpstream())
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [{ protocol: "tcp", listeners: [{ protocol: "TCP", tcpRoutes: [{ to: upstream.port }] }] }],
        }),
        { drain: { minMillis: 0, maxMillis: 150 } },
      ),
    )
    const client = await connect(gateway.port)
    client.write("x")
    await until("the upstream connection", () => upstream.connections.length === 1)
    await gateway.close()
    await client.gone()
    await until("the upstream side to go", () => upstream.connections[0]?.closed === true)
    expect(gateway.told.relays).toHaveLength(1)
  })
})

it("a reset behind TLS reaches the client as a break, not as an end", async () => {
  const upstream = ends(
    await rawUpstream(async (connection) => {
      await connection.take("x")
      connection.reset()
    }),
  )
  const gateway = ends(
    await startGateway(
      snapshotOf({
        binds: [
          {
            protocol: "tls",
            listeners: [{ protocol: "TLS", tls: serverTls("server"), tcpRoutes: [{ to: upstream.port }] }],
          },
        ],
      }),
    ),
  )
  const client = await connectTls(gateway.port)
  client.write("x")
  await until("the break", () => client.closed)
  expect(client.error?.code).toBe("ECONNRESET")
})
