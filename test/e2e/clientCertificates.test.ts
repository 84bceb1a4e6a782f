/** Certificates of clients that are good, and those that only look so: from another time, for another use, of nobody's. */
import type { TLSSocket } from "node:tls"
import { afterEach, describe, expect, it } from "vitest"
import * as clients from "./certificates/clients.ts"
import { connectTls, httpUpstream, serverTls, snapshotOf, startGateway, until } from "./harness.ts"

const closing: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const start = async (required: boolean, rootsPem = clients.ca) => {
  const upstream = await httpUpstream()
  closing.push(upstream.close)
  const tls = serverTls("server", { clientCertificates: { rootsPem, required } })
  const listeners = [{ protocol: "HTTPS" as const, tls, routes: [{ to: upstream.port }] }]
  const gateway = await startGateway(snapshotOf({ binds: [{ protocol: "tls", listeners }] }))
  closing.push(gateway.close)
  return { gateway, upstream }
}

/** Clients learn in TLS 1.3 only after their own handshake that they are not welcome. */
const served = async (attempt: Promise<{ readonly tls: TLSSocket } & Awaited<ReturnType<typeof connectTls>>>) => {
  try {
    const client = await attempt
    client.write("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n")
    const { status } = await client.answer()
    client.close()
    return status
  } catch {
    return "refused"
  }
}

const good: Readonly<Record<string, string>> = {
  "for clients": clients.good,
  "that names no use": clients.anyUse,
  "with all that stands between it and its root": clients.below + clients.between,
  "with its root": clients.good + clients.ca,
}

const bad: Readonly<Record<string, string>> = {
  "that has expired": clients.expired,
  "that is not good yet": clients.early,
  "that is for servers": clients.forServers,
  "without what stands between it and its root": clients.below,
  "of another authority by the same name": clients.unknown,
  "with the very root that made it, which is not ours": clients.unknown + clients.ca,
  "by somebody who has a good one and is no authority": clients.byLeaf + clients.good,
}

const versions = ["TLSv1.2", "TLSv1.3"] as const

describe.each(versions)("over %s, a certificate", (maxVersion) => {
  it.each(Object.entries(good))("%s names its client", async (_name, cert) => {
    const { gateway } = await start(true)
    expect(await served(connectTls(gateway.port, { maxVersion, cert, key: clients.key }))).toBe(200)
    expect(gateway.told.handshakes[0]?.client?.subjectCn).toBe("agent")
  })

  it.each(Object.entries(bad))("%s is refused, or names nobody where none is needed", async (_name, cert) => {
    const needed = await start(true)
    expect(await served(connectTls(needed.gateway.port, { maxVersion, cert, key: clients.key }))).toBe("refused")
    await until("it is told", () => needed.gateway.told.rejected.length === 1)
    expect(needed.upstream.requests).toEqual([])
    expect(needed.gateway.told.exchanges).toEqual([])

    const optional = await start(false)
    expect(await served(connectTls(optional.gateway.port, { maxVersion, cert, key: clients.key }))).toBe(200)
    expect(optional.gateway.told.handshakes[0]?.client).toBeUndefined()
  })
})
