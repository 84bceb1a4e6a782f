import * as Redacted from "effect/Redacted"
import type { TLSSocket } from "node:tls"
import { afterEach, describe, expect, it } from "vitest"
import type { ServerTls } from "../../ir/Tls.ts"
import type { FrontendPolicy } from "../../ir/Policy.ts"
import {
  changing,
  connect,
  connectTls,
  httpUpstream,
  type ListenerWords,
  pem,
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

const start = async (
  listeners: ReadonlyArray<ListenerWords>,
  frontend: ReadonlyArray<FrontendPolicy> = [],
  protocol: "tls" | "auto" = "tls",
) => ends(await startGateway(snapshotOf({ binds: [{ protocol, listeners }], frontend })))

const https = (to: number, tls: Partial<ServerTls> = {}): ListenerWords => ({
  protocol: "HTTPS",
  tls: serverTls("server", tls),
  routes: [{ to }],
})

const get = (host: string, path = "/"): string => `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`

const failure = (attempt: Promise<unknown>): Promise<NodeJS.ErrnoException> =>
  attempt.then(
    () => {
      throw new Error("it succeeded")
    },
    (error: NodeJS.ErrnoException) => error,
  )

describe("termination", () => {
  it("serves HTTP/1 over TLS and knows how the client came", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([https(upstream.port)])
    const client = await connectTls(gateway.port, { ALPNProtocols: ["http/1.1"] })
    client.write(get("a.test", "/x"))
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ url: "/x", headers: { host: "a.test" } })
    expect(gateway.told.handshakes[0]).toEqual({
      serverName: "a.test",
      alpn: "http/1.1",
      version: "TLSv1.3",
      client: undefined,
    })
    expect(gateway.told.exchanges[0]?.exchange.request.scheme).toBe("https")
    client.close()
  })

  it("serves a client that negotiates nothing", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([https(upstream.port)])
    const client = await connectTls(gateway.port)
    client.write(get("a.test"))
    expect((await client.answer()).status).toBe(200)
    client.close()
  })

  it("reads a ClientHello that comes byte by byte", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([https(upstream.port)])
    const dripping = ends(
      await rawUpstream(async (connection) => {
        const through = await connect(gateway.port)
        through.stream.on("data", (chunk: Buffer) => connection.write(chunk))
        const drip = (chunk: Buffer): void => {
          for (const byte of chunk) through.write(Uint8Array.of(byte))
        }
        drip(connection.bytes)
        connection.stream.on("data", drip)
        connection.stream.on("close", () => through.close())
      }),
    )
    const client = await connectTls(dripping.port)
    client.write(get("a.test"))
    expect((await client.answer()).status).toBe(200)
    client.close()
  })

  it("chooses the certificate by the server name", async () => {
    const [a, b] = [ends(await httpUpstream()), ends(await httpUpstream())]
    const gateway = await start([
      { ...https(a.port), hostname: "a.test" },
      { protocol: "HTTPS", hostname: "*.b.test", tls: serverTls("wildcard"), routes: [{ to: b.port }] },
    ])
    for (const [name, upstream] of [
      ["a.test", a],
      ["x.y.b.test", b],
    ] as const) {
      // A wildcard in a certificate stands for one label only, one in a listener for any number.
      const client = await connectTls(gateway.port, { servername: name, checkServerIdentity: () => undefined })
      client.write(get(name))
      expect((await client.answer()).status).toBe(200)
      expect(upstream.requests).toHaveLength(1)
      client.close()
    }
    await failure(connectTls(gateway.port, { servername: "c.test" }))
    expect(gateway.told.rejected.at(-1)).toMatchObject({ stage: "tls", reason: "no TLS listener match" })
  })

  it("sends a request for another listener's host away with 421, for nobody's with 404", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([
      { ...https(upstream.port), hostname: "a.test" },
      { protocol: "HTTPS", hostname: "*.b.test", tls: serverTls("wildcard"), routes: [{ to: upstream.port }] },
    ])
    const client = await connectTls(gateway.port)
    for (const [host, status] of [
      ["a.test", 200],
      ["x.b.test", 421],
      ["c.test", 404],
      ["a.test:443", 200],
    ] as const) {
      client.write(get(host))
      expect((await client.answer()).status).toBe(status)
    }
    client.close()
  })

  it("resumes sessions, also after a reload that leaves the certificate alone", async () => {
    const upstream = ends(await httpUpstream())
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const before = snapshotOf({ binds: [{ protocol: "tls", listeners: [https(upstream.port)] }] })
      const { change, source } = changing(before)
      const gateway = ends(await startGateway(source))
      const first = await connectTls(gateway.port, { maxVersion })
      const session = new Promise<Buffer>((resolve) => first.tls.once("session", resolve))
      first.write(get("a.test"))
      await first.answer()
      const ticket = maxVersion === "TLSv1.2" ? first.tls.getSession() : await session
      first.close()
      const { version } = gateway.gateway.live.current
      change(
        snapshotOf({
          binds: [{ protocol: "tls", listeners: [https(upstream.port), { ...https(1), hostname: "b.test" }] }],
        }),
      )
      await until("the change", () => gateway.gateway.live.current.version > version)
      const second = await connectTls(gateway.port, { maxVersion, ...(ticket ? { session: ticket } : {}) })
      expect(second.tls.isSessionReused()).toBe(true)
      second.close()
    }
  })

  it("resumes sessions of another process that shares the secret, and of no other", async () => {
    const upstream = ends(await httpUpstream())
    const secret = Buffer.alloc(32, 7)
    const one = (ticketSecret: Uint8Array | undefined) =>
      startGateway(snapshotOf({ binds: [{ protocol: "tls", listeners: [https(upstream.port)] }] }), {
        network: ticketSecret === undefined ? {} : { ticketSecret },
      })
    const [first, sharing, alone] = [ends(await one(secret)), ends(await one(secret)), ends(await one(undefined))]
    const client = await connectTls(first.port)
    const session = new Promise<Buffer>((resolve) => client.tls.once("session", resolve))
    client.write(get("a.test"))
    await client.answer()
    const ticket = await session
    client.close()
    const again = await connectTls(sharing.port, { session: ticket })
    expect(again.tls.isSessionReused()).toBe(true)
    again.close()
    const stranger = await connectTls(alone.port, { session: ticket })
    expect(stranger.tls.isSessionReused()).toBe(false)
    stranger.close()
  })
})

describe("what is negotiated", () => {
  it("keeps to the versions of the listener", async () => {
    const gateway = await start([https(1, { minVersion: "TLSv1.3" })])
    expect((await failure(connectTls(gateway.port, { maxVersion: "TLSv1.2" }))).code).toMatch(/PROTOCOL_VERSION/)
    expect(gateway.told.rejected.at(-1)?.reason).toMatch(/failed to terminate TLS/)
  })

  it("lets the frontend policy override versions, suites and protocols", async () => {
    const gateway = await start(
      [https(1, { minVersion: "TLSv1.3" })],
      [
        {
          _tag: "Tls",
          minVersion: "TLSv1.2",
          maxVersion: "TLSv1.2",
          cipherSuites: ["ECDHE-ECDSA-AES256-GCM-SHA384"],
          alpn: ["http/1.1"],
        },
      ],
    )
    const client = await connectTls(gateway.port, { ALPNProtocols: ["h2", "http/1.1"] })
    expect(client.tls.getProtocol()).toBe("TLSv1.2")
    expect(client.tls.getCipher().name).toBe("ECDHE-ECDSA-AES256-GCM-SHA384")
    expect(client.tls.alpnProtocol).toBe("http/1.1")
    client.close()
  })

  it("offers exactly the suites and groups it is told", async () => {
    const gateway = await start([https(1, { cipherSuites: ["TLS_AES_128_GCM_SHA256"], keyExchangeGroups: ["P-384"] })])
    const client = await connectTls(gateway.port)
    expect(client.tls.getCipher().name).toBe("TLS_AES_128_GCM_SHA256")
    expect(client.tls.getEphemeralKeyInfo()).toMatchObject({ name: expect.stringMatching(/384/) })
    client.close()
    await failure(connectTls(gateway.port, { ecdhCurve: "X25519" }))
  })

  it("prefers HTTP/2 and refuses a client that speaks neither", async () => {
    const gateway = await start([https(1)])
    const client = await connectTls(gateway.port, { ALPNProtocols: ["http/1.1", "h2"] })
    expect(client.tls.alpnProtocol).toBe("h2")
    client.close()
    await failure(connectTls(gateway.port, { ALPNProtocols: ["spdy/1"] }))
  })

  it("serves a client that offers HTTP/1.0 and nothing else", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([https(upstream.port)])
    const client = await connectTls(gateway.port, { ALPNProtocols: ["http/1.0"] })
    expect(client.tls.alpnProtocol).toBe("http/1.0")
    client.write("GET / HTTP/1.0\r\nhost: a.test\r\n\r\n")
    expect(await client.answer()).toMatchObject({ status: 200, headers: { connection: "close" } })
    client.close()
  })
})

describe("client certificates", () => {
  const required = { clientCertificates: { rootsPem: pem("ca.pem"), required: true } }
  const own = { cert: pem("client.pem"), key: pem("client.key") }
  const stranger = { cert: pem("stranger.pem"), key: pem("stranger.key") }

  /** TLS 1.3 clients learn after their own handshake that they are not welcome. */
  const served = async (attempt: Promise<{ readonly tls: TLSSocket } & Awaited<ReturnType<typeof connectTls>>>) => {
    try {
      const client = await attempt
      client.write(get("a.test"))
      const answer = await client.answer()
      client.close()
      return answer.status
    } catch {
      return "refused"
    }
  }

  it.each(["TLSv1.2", "TLSv1.3"] as const)("are required where roots are set (%s)", async (maxVersion) => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([https(upstream.port, required)])
    expect(await served(connectTls(gateway.port, { maxVersion, ...own }))).toBe(200)
    expect(gateway.told.handshakes[0]?.client).toEqual({
      subject: "O=Sluice tests, OU=agents, CN=agent-7",
      subjectCn: "agent-7",
      issuer: "O=Sluice tests, CN=Test CA",
      subjectAltNames: ["spiffe://cluster.local/ns/agents/sa/seven", "agent-7.test"],
      certificatePem: pem("client.pem"),
    })
    expect(await served(connectTls(gateway.port, { maxVersion }))).toBe("refused")
    expect(await served(connectTls(gateway.port, { maxVersion, ...stranger }))).toBe("refused")
    expect(upstream.requests).toHaveLength(1)
    expect(gateway.told.rejected).toHaveLength(2)
  })

  it("are looked at but not needed where they are optional", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([
      https(upstream.port, { clientCertificates: { rootsPem: pem("ca.pem"), required: false } }),
    ])
    for (const [options, cn] of [
      [{}, undefined],
      [own, "agent-7"],
      [stranger, undefined],
    ] as const) {
      expect(await served(connectTls(gateway.port, options))).toBe(200)
      expect(gateway.told.handshakes.at(-1)?.client?.subjectCn).toBe(cn)
    }
  })

  it("are known again in a resumed session", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([https(upstream.port, required)])
    const first = await connectTls(gateway.port, own)
    const session = new Promise<Buffer>((resolve) => first.tls.once("session", resolve))
    first.write(get("a.test"))
    await first.answer()
    const ticket = await session
    first.close()
    const second = await connectTls(gateway.port, { ...own, session: ticket })
    expect(second.tls.isSessionReused()).toBe(true)
    second.write(get("a.test"))
    expect((await second.answer()).status).toBe(200)
    expect(gateway.told.handshakes.at(-1)?.client?.subjectCn).toBe("agent-7")
    second.close()
  })

  it("a session of a listener that asks for nothing opens none that asks", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = await start([
      { ...https(upstream.port), hostname: "a.test" },
      { ...https(upstream.port, required), hostname: "localhost" },
    ])
    const open = await connectTls(gateway.port, { servername: "a.test" })
    const session = new Promise<Buffer>((resolve) => open.tls.once("session", resolve))
    open.write(get("a.test"))
    await open.answer()
    const ticket = await session
    open.close()
    expect(await served(connectTls(gateway.port, { servername: "localhost", session: ticket }))).toBe("refused")
  })
})

describe("what goes wrong", () => {
  it("a key that is not the certificate's closes its own listener and says so", async () => {
    const upstream = ends(await httpUpstream())
    const mismatched = { certificatePem: pem("server.pem"), keyPem: Redacted.make(pem("wildcard.key")) }
    const gateway = await start([
      { ...https(upstream.port, { identity: mismatched }), hostname: "a.test" },
      { protocol: "HTTPS", hostname: "*.b.test", tls: serverTls("wildcard"), routes: [{ to: upstream.port }] },
    ])
    await failure(connectTls(gateway.port))
    expect(gateway.told.rejected.at(-1)?.reason).toBe("the private key does not belong to the certificate")
    const client = await connectTls(gateway.port, { servername: "x.b.test" })
    client.write(get("x.b.test"))
    expect((await client.answer()).status).toBe(200)
    client.close()
  })

  it.each([
    [
      "a certificate",
      { certificatePem: "none", keyPem: Redacted.make(pem("server.key")) },
      /certificate cannot be read/,
    ],
    ["a key", { certificatePem: pem("server.pem"), keyPem: Redacted.make("none") }, /private key cannot be read/],
  ])("%s that is none is named", async (_what, identity, reason) => {
    const gateway = await start([https(1, { identity })])
    await failure(connectTls(gateway.port))
    expect(gateway.told.rejected.at(-1)?.reason).toMatch(reason)
  })

  it("plain text on a TLS bind is turned away", async () => {
    const gateway = await start([https(1)])
    const client = await connect(gateway.port)
    client.write(get("a.test"))
    await client.gone()
    expect(client.text).toBe("")
    expect(gateway.told.rejected.at(-1)).toMatchObject({ stage: "tls", reason: "not TLS" })
  })

  it("a handshake that does not go on is cut at one deadline", async () => {
    const gateway = await start([https(1)], [{ _tag: "Tls", handshakeTimeoutMillis: 200 }])
    const silent = await connect(gateway.port)
    const dripping = await connect(gateway.port)
    const hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]
    const timer = setInterval(() => dripping.stream.writable && dripping.write(Uint8Array.of(hello.shift() ?? 0)), 60)
    await silent.gone()
    // It never stops, so a deadline that every byte put off would never come.
    await dripping.gone()
    clearInterval(timer)
  })

  it("a client that sends its hello and no more is cut", async () => {
    const gateway = await start([https(1)], [{ _tag: "Tls", handshakeTimeoutMillis: 200 }])
    const stuck = ends(
      await rawUpstream(async (connection) => {
        const through = await connect(gateway.port)
        await until("the hello", () => connection.bytes.byteLength > 0)
        through.write(connection.bytes)
        await through.gone()
        connection.close()
      }),
    )
    await failure(connectTls(stuck.port))
    expect(gateway.told.rejected.at(-1)?.reason).toMatch(/took too long/)
    await until("it to be gone", () => gateway.gateway.open().connections === 0)
  })

  it("a client that leaves during the handshake leaves nothing behind", async () => {
    const gateway = await start([https(1)])
    for (const bytes of [[], [0x16], [0x16, 0x03, 0x01, 0x00, 0x05, 0x01]]) {
      const client = await connect(gateway.port)
      if (bytes.length > 0) client.write(Uint8Array.from(bytes))
      await sleep(20)
      client.reset()
    }
    await until("them to be gone", () => gateway.gateway.open().connections === 0)
    expect(gateway.told.rejected).toHaveLength(3)
  })
})

describe("one bind for both", () => {
  it("serves TLS and plain text by the first byte", async () => {
    const [sealed, open] = [ends(await httpUpstream()), ends(await httpUpstream())]
    const gateway = await start([https(sealed.port), { routes: [{ to: open.port }] }], [], "auto")
    const tls = await connectTls(gateway.port)
    tls.write(get("a.test"))
    expect((await tls.answer()).status).toBe(200)
    tls.close()
    const plain = await connect(gateway.port)
    plain.write(get("a.test"))
    expect((await plain.answer()).status).toBe(200)
    plain.close()
    expect([sealed.requests.length, open.requests.length]).toEqual([1, 1])
  })
})

describe("TLS that is not ours to open, or not HTTP", () => {
  it("passes through unread to the backend of its server name", async () => {
    const behind = ends(await httpUpstream())
    const terminating = await start([https(behind.port)])
    const gateway = await start([{ protocol: "TLS", tcpRoutes: [{ to: terminating.port, hostnames: ["a.test"] }] }])
    const client = await connectTls(gateway.port)
    client.write(get("a.test", "/through"))
    expect(JSON.parse((await client.answer()).body)).toMatchObject({ url: "/through" })
    client.close()
    await until("the journal", () => gateway.told.relays.length === 1)
    expect(gateway.told.relays[0]?.ending).toMatchObject({ serverName: "a.test" })
    expect(gateway.told.relays[0]?.ending.sentBytes).toBeGreaterThan(500)
    await failure(connectTls(gateway.port, { servername: "b.test" }))
    expect(gateway.told.rejected.at(-1)).toMatchObject({ stage: "route" })
  })

  it("is opened and relayed as bytes where the listener has a certificate", async () => {
    const upstream = ends(
      await rawUpstream(async (connection) => connection.write(`got ${await connection.take("\n")}`)),
    )
    const gateway = await start([
      { protocol: "TLS", tls: serverTls("server"), tcpRoutes: [{ to: upstream.port, hostnames: ["a.test"] }] },
    ])
    const client = await connectTls(gateway.port)
    client.write("hello\n")
    expect(await client.take("\n")).toBe("got hello\n")
    client.halfClose()
    await until("the upstream to hear the end", () => upstream.connections[0]?.ended === true)
    upstream.connections[0]?.write("late\n").halfClose()
    expect(await client.take("late\n")).toBe("late\n")
    await client.gone()
    await until("the journal", () => gateway.told.relays.length === 1)
    expect(gateway.told.relays[0]?.ending).toMatchObject({ error: undefined, receivedBytes: 6, sentBytes: 15 })
  })
})
