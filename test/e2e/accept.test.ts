import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { encodeProxyV1, encodeProxyV2, type ProxyHeader } from "../../protocols/net/proxyProtocol.ts"
import type { ProxyProtocol } from "../../ir/policy/ProxyProtocol.ts"
import {
  connect,
  connectTls,
  httpUpstream,
  plain,
  rawUpstream,
  serverTls,
  sleep,
  snapshotOf,
  startGateway,
  until,
} from "./harness.ts"
import { freePort } from "../freePort.ts"

const closers: Array<() => unknown> = []
const ends = <A extends { close: () => unknown }>(what: A): A => {
  closers.push(() => what.close())
  return what
}
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const get = "GET / HTTP/1.1\r\nhost: a.test\r\n\r\n"

describe("PROXY protocol", () => {
  const header = (version: 1 | 2, more: Partial<ProxyHeader> = {}): Uint8Array => {
    const made: ProxyHeader = {
      version,
      addresses: {
        source: { address: "203.0.113.7", port: 4321 },
        destination: { address: "198.51.100.1", port: 443 },
      },
      tlvs: [],
      ...more,
    }
    return (version === 1 ? encodeProxyV1(made) : encodeProxyV2(made)) ?? new Uint8Array(0)
  }

  const start = async (policy: Partial<ProxyProtocol> = {}) => {
    const upstream = ends(await httpUpstream())
    const whole: ProxyProtocol = { _tag: "ProxyProtocol", version: "all", mode: "strict", ...policy }
    return ends(await startGateway(plain(upstream.port, [whole])))
  }

  const between = (gateway: Awaited<ReturnType<typeof start>>) => {
    const { local, peer, rawPeer } = gateway.told.exchanges.at(-1)?.exchange.bound.secured.accepted ?? {}
    return { peer, local, raw: rawPeer?.host }
  }

  it.each([1, 2] as const)("version %i names the real ends", async (version) => {
    const gateway = await start()
    const client = await connect(gateway.port)
    client.write(header(version)).write(get)
    expect((await client.answer()).status).toBe(200)
    expect(between(gateway)).toEqual({
      peer: { host: "203.0.113.7", port: 4321 },
      local: { host: "198.51.100.1", port: 443 },
      raw: "127.0.0.1",
    })
    client.close()
  })

  it("may come byte by byte, and with the request in one piece", async () => {
    const gateway = await start()
    const client = await connect(gateway.port)
    for (const byte of header(2)) {
      client.write(Uint8Array.of(byte))
      await sleep(1)
    }
    client.write(get)
    expect((await client.answer()).status).toBe(200)
    client.close()
    const together = await connect(gateway.port)
    together.write(Buffer.concat([header(1), Buffer.from(get)]))
    expect((await together.answer()).status).toBe(200)
    together.close()
  })

  it.each([
    ["UNKNOWN", 1],
    ["LOCAL", 2],
  ] as const)("%s leaves the addresses as they are", async (_name, version) => {
    const gateway = await start()
    const client = await connect(gateway.port)
    client.write(header(version, { addresses: undefined })).write(get)
    expect((await client.answer()).status).toBe(200)
    expect(between(gateway).peer?.host).toBe("127.0.0.1")
    client.close()
  })

  it.each([
    ["no header", "strict", "all", Buffer.from(get), /no PROXY header/],
    ["a version that is not allowed", "strict", "v2", header(1), /version 1, expected v2/],
    ["a malformed header", "strict", "all", Buffer.from("PROXY TCP4 nonsense\r\n"), /malformed/],
    ["a malformed header where none is needed", "optional", "all", Buffer.from("PROXY TCP4 nonsense\r\n"), /malformed/],
    ["a line without end", "strict", "all", Buffer.from(`PROXY TCP4 ${"1".repeat(200)}`), /too long/],
  ] as const)("%s closes without a word", async (_what, mode, version, bytes, reason) => {
    const gateway = await start({ mode, version })
    const client = await connect(gateway.port)
    client.write(bytes)
    await client.gone()
    expect(client.text).toBe("")
    expect(gateway.told.rejected[0]).toMatchObject({ stage: "accept", reason: expect.stringMatching(reason) })
  })

  it("optional serves those who come without", async () => {
    const gateway = await start({ mode: "optional" })
    const client = await connect(gateway.port)
    client.write(get)
    expect((await client.answer()).status).toBe(200)
    expect(between(gateway).peer?.host).toBe("127.0.0.1")
    client.close()
  })

  it("comes before TLS", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(
      await startGateway(
        snapshotOf({
          binds: [
            {
              protocol: "tls",
              tunnel: "proxy",
              listeners: [{ protocol: "HTTPS", tls: serverTls("server"), routes: [{ to: upstream.port }] }],
            },
          ],
        }),
      ),
    )
    const balancer = ends(
      await rawUpstream(async (connection) => {
        const through = await connect(gateway.port)
        through.write(header(2))
        through.stream.on("data", (chunk: Buffer) => connection.write(chunk))
        through.write(connection.bytes)
        connection.stream.on("data", (chunk: Buffer) => through.write(chunk))
        connection.stream.on("close", () => through.close())
      }),
    )
    const client = await connectTls(balancer.port)
    client.write(get)
    expect((await client.answer()).status).toBe(200)
    expect(gateway.told.exchanges[0]?.exchange.bound.secured.accepted.peer.host).toBe("203.0.113.7")
    client.close()
  })

  it("must come in time, however it trickles", async () => {
    const gateway = await start()
    const client = await connect(gateway.port)
    const started = performance.now()
    const bytes = [...header(2, { tlvs: [{ type: 4, value: new Uint8Array(200) }] })]
    const timer = setInterval(() => client.stream.writable && client.write(Uint8Array.of(bytes.shift() ?? 0)), 200)
    await client.gone()
    clearInterval(timer)
    expect(performance.now() - started).toBeGreaterThan(4_500)
    expect(gateway.told.rejected).toHaveLength(1)
  })
})

describe("listening", () => {
  it("serves on a unix socket, and takes over the file of a process that is gone", async () => {
    const upstream = ends(await httpUpstream())
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-"))
    const file = path.join(folder, "gateway.sock")
    const words = {
      binds: [{ address: { _tag: "Unix", path: file } as const, listeners: [{ routes: [{ to: upstream.port }] }] }],
    }
    // What a killed process leaves behind: a socket file without a listener.
    const { spawnSync } = await import("node:child_process")
    spawnSync(process.execPath, [
      "-e",
      `require("node:net").createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, "SIGKILL"))`,
    ])
    expect(fs.existsSync(file)).toBe(true)
    const gateway = ends(await startGateway(snapshotOf(words)))
    const client = await connect(0, { path: file } as never)
    client.write(get)
    expect((await client.answer()).status).toBe(200)
    expect(gateway.told.exchanges[0]?.exchange.bound.secured.accepted.local).toEqual({ host: file, port: 0 })
    client.close()
    await expect(startGateway(snapshotOf(words))).rejects.toThrow(/EADDRINUSE/)
    await gateway.close()
    fs.rmSync(folder, { recursive: true })
  })

  it("without a host takes IPv4, and IPv6 where there is any", async () => {
    const upstream = ends(await httpUpstream())
    const port = await freePort()
    const gateway = ends(
      await startGateway(
        snapshotOf({ binds: [{ address: { _tag: "Ip", port }, listeners: [{ routes: [{ to: upstream.port }] }] }] }),
      ),
    )
    const client = await connect(gateway.port)
    client.write(get)
    expect((await client.answer()).status).toBe(200)
    expect(gateway.told.exchanges[0]?.exchange.bound.secured.accepted.peer.host).toBe("127.0.0.1")
    client.close()
    const hasIpv6 = Object.values(os.networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"))
    if (!hasIpv6) return
    const six = await connect(gateway.port, { host: "::1" } as never)
    six.write(get)
    expect((await six.answer()).status).toBe(200)
    six.close()
  })

  it("turns connections beyond the limit away, and takes new ones when there is room", async () => {
    const upstream = ends(await httpUpstream())
    const gateway = ends(await startGateway(plain(upstream.port), { limits: { connectionsMax: 2 } }))
    const held = [await connect(gateway.port), await connect(gateway.port)]
    await until("both to be accepted", () => gateway.told.accepted === 2)
    const third = await connect(gateway.port)
    await third.gone()
    held[0]?.close()
    await until("the first to be gone", () => gateway.gateway.open().connections === 1)
    const fourth = await connect(gateway.port)
    fourth.write(get)
    expect((await fourth.answer()).status).toBe(200)
    for (const client of [...held, fourth]) client.close()
  })
})
