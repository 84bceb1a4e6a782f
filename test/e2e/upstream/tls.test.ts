import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as http2 from "node:http2"
import * as https from "node:https"
import type * as net from "node:net"
import * as tls from "node:tls"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { ClientTls } from "../../../ir/Tls.ts"
import type { NodeSocket } from "../../../src/node/socket.ts"
import { urisOf } from "../../../src/node/upstream/secure.ts"
import { caPem, client, expired, server, strangerPem } from "./certificates.ts"
import { Bench, refusal, request, send, text, until } from "./gateway.ts"

let bench: Bench
beforeEach(() => {
  bench = new Bench()
})
afterEach(() => bench.close())

const trusting = (more: Partial<ClientTls> = {}): ClientTls => ({
  rootsPem: caPem,
  verify: "full",
  subjectAltNames: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: [],
  keyExchangeGroups: [],
  ...more,
})

const secret = (pem: typeof client): NonNullable<ClientTls["identity"]> => ({
  certificatePem: pem.certificatePem,
  keyPem: Redacted.make(pem.keyPem),
})

interface Seen {
  serverName: string | false | undefined
  alpn: string | false | null
  version: string | null
  cipher: string
  group: string | undefined
  client: string | undefined
  reused: boolean
}

/** A server that tells what it saw of the handshake. */
const listen = async (options: https.ServerOptions = {}): Promise<number> => {
  const made = https.createServer(
    { cert: server.certificatePem, key: server.keyPem, ...options },
    (incoming, response) => {
      const socket = incoming.socket as tls.TLSSocket & { servername?: string | false }
      const seen: Seen = {
        serverName: socket.servername,
        alpn: socket.alpnProtocol,
        version: socket.getProtocol(),
        cipher: socket.getCipher().name,
        group: undefined,
        client: socket.getPeerCertificate().subjectaltname,
        reused: socket.isSessionReused(),
      }
      response.end(JSON.stringify(seen))
    },
  )
  return (await bench.listen(made as unknown as net.Server)).port
}

const seenBy = async (port: number, more: Partial<ClientTls> = {}): Promise<Seen> => {
  const endpoint = bench.to(port, { tls: trusting(more) })
  const seen = JSON.parse(await text(await send(endpoint, request("GET", "/")))) as Seen
  endpoint.close()
  return seen
}

const refusedBy = async (port: number, more: Partial<ClientTls> = {}): Promise<string> => {
  const failure = await refusal(bench.to(port, { tls: trusting(more) }), request("GET", "/"))
  await until("the connection is closed", () => bench.connections === 0)
  return `${failure._tag}: ${failure.message}`
}

describe("TLS towards an upstream", () => {
  it("verifies chain and name", async () => {
    const port = await listen()
    expect(await seenBy(port)).toMatchObject({ serverName: false, alpn: "http/1.1", version: "TLSv1.3" })
    expect(await seenBy(port, { hostname: "server.test" })).toMatchObject({ serverName: "server.test" })
    expect(await seenBy(port, { hostname: "a.wild.test" })).toMatchObject({ serverName: "a.wild.test" })
    expect(await refusedBy(port, { hostname: "other.test" })).toBe(
      "TlsFailed: certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID)",
    )
    expect(await refusedBy(port, { rootsPem: strangerPem })).toBe(
      "TlsFailed: certificate is not signed by a known authority (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
    )
  })

  it("does not trust an authority that nobody named", async () => {
    const port = await listen()
    const { rootsPem: _, ...system } = trusting()
    const failure = await refusal(bench.to(port, { tls: system }), request("GET", "/"))
    expect(failure._tag).toBe("TlsFailed")
  })

  it("refuses an expired certificate", async () => {
    const port = await listen({ cert: expired.certificatePem, key: expired.keyPem })
    expect(await refusedBy(port, { hostname: "server.test" })).toBe(
      "TlsFailed: certificate has expired (CERT_HAS_EXPIRED)",
    )
    expect(await seenBy(port, { verify: "none" })).toMatchObject({ version: "TLSv1.3" })
  })

  it("checks only the chain, or nothing, when told so", async () => {
    const port = await listen()
    expect(await seenBy(port, { verify: "chainOnly", hostname: "other.test" })).toMatchObject({
      serverName: "other.test",
    })
    expect(await refusedBy(port, { verify: "chainOnly", rootsPem: strangerPem })).toMatch(/^TlsFailed/)
    expect(await seenBy(port, { verify: "none", rootsPem: strangerPem, hostname: "other.test" })).toMatchObject({
      serverName: "other.test",
    })
  })

  it("takes any of the alternative names instead of the host's", async () => {
    const port = await listen()
    const hostname = "other.test"
    expect(await seenBy(port, { hostname, subjectAltNames: ["no.test", "server.test"] })).toMatchObject({
      serverName: hostname,
    })
    await seenBy(port, { hostname, subjectAltNames: ["spiffe://test/ns/a/sa/b"] })
    expect(await refusedBy(port, { subjectAltNames: ["spiffe://test/ns/a/sa/c"] })).toMatch(/ALTNAME/)
    expect(await refusedBy(port, { subjectAltNames: ["spiffe://test/ns/a/sa"] })).toMatch(/ALTNAME/)
    expect(await refusedBy(port, { hostname: "server.test", subjectAltNames: ["no.test"] })).toMatch(/ALTNAME/)
    expect(await refusedBy(port, { rootsPem: strangerPem, subjectAltNames: ["server.test"] })).toMatch(/authority/)
  })

  it("reads URIs that hold separators as one value", () => {
    expect(urisOf('DNS:a, URI:"spiffe://x, URI:spiffe://y", IP Address:1.2.3.4, URI:spiffe://z')).toEqual([
      "spiffe://x, URI:spiffe://y",
      "spiffe://z",
    ])
    expect(urisOf(undefined)).toEqual([])
  })

  it("shows its certificate", async () => {
    const port = await listen({ requestCert: true, rejectUnauthorized: true, ca: caPem })
    expect(await seenBy(port, { identity: secret(client) })).toMatchObject({ client: "DNS:client.test" })
    expect(await refusedBy(port)).toMatch(/^TlsFailed: .*CERTIFICATE_REQUIRED/)
  })

  it("keeps to versions, ciphers and groups", async () => {
    const port = await listen()
    expect(
      await seenBy(port, { maxVersion: "TLSv1.2", cipherSuites: ["ECDHE-ECDSA-CHACHA20-POLY1305"] }),
    ).toMatchObject({ version: "TLSv1.2", cipher: "ECDHE-ECDSA-CHACHA20-POLY1305" })
    expect(await seenBy(port, { cipherSuites: ["TLS_CHACHA20_POLY1305_SHA256"] })).toMatchObject({
      cipher: "TLS_CHACHA20_POLY1305_SHA256",
    })
    const onlyP384 = await listen({ ecdhCurve: "P-384" })
    expect(await seenBy(onlyP384, { keyExchangeGroups: ["X25519", "P-384"] })).toMatchObject({ version: "TLSv1.3" })
    expect(await refusedBy(onlyP384, { keyExchangeGroups: ["X25519"] })).toMatch(/^TlsFailed/)
    const old = await listen({ maxVersion: "TLSv1.2" })
    expect(await refusedBy(old, { minVersion: "TLSv1.3" })).toMatch(/^TlsFailed/)
  })

  it("reports what the platform cannot do with the settings", async () => {
    const port = await listen()
    expect(await refusedBy(port, { cipherSuites: ["NO-SUCH-CIPHER"] })).toMatch(/^TlsFailed/)
    expect(await refusedBy(port, { rootsPem: "nonsense" })).toMatch(/^TlsFailed/)
  })

  it("resumes sessions", async () => {
    const port = await listen()
    const endpoint = bench.to(port, { tls: trusting(), poolSizeMax: 0 })
    const once = async (): Promise<Seen> => JSON.parse(await text(await send(endpoint, request("GET", "/")))) as Seen
    expect((await once()).reused).toBe(false)
    expect((await once()).reused).toBe(true)
  })

  it("says that a plaintext server is none", async () => {
    const { port } = await bench.http((_, response) => void response.end("x"))
    expect(await refusedBy(port)).toMatch(/^TlsFailed/)
  })

  it("chooses the version of HTTP by ALPN", async () => {
    const both = http2.createSecureServer(
      { cert: server.certificatePem, key: server.keyPem, allowHTTP1: true },
      (incoming, response) => void response.end(incoming.httpVersion),
    )
    const { port } = await bench.listen(both as unknown as net.Server)
    const versions = async (more: Partial<ClientTls>, version: "1.1" | "2"): Promise<string> =>
      text(await send(bench.to(port, { tls: trusting(more) }), request("GET", "/"), { version }))
    expect(await versions({}, "1.1")).toBe("1.1")
    expect(await versions({}, "2")).toBe("2.0")
    expect(await versions({ alpn: ["h2"] }, "1.1")).toBe("2.0")
    expect(await versions({ alpn: ["http/1.1"] }, "2")).toBe("1.1")
    expect(await versions({ alpn: ["h2", "http/1.1"] }, "1.1")).toBe("2.0")
    expect(await versions({ alpn: ["http/1.1", "h2"] }, "2")).toBe("2.0")

    const old = await listen()
    const endpoint = bench.to(old, { tls: trusting({ alpn: ["h2", "http/1.1"] }) })
    for (let i = 0; i < 2; i++) {
      const reply = await send(endpoint, request("GET", "/"), { version: "2" })
      expect(JSON.parse(await text(reply))).toMatchObject({ alpn: "http/1.1" })
    }
  })

  it("encrypts raw connections too", async () => {
    const echo = tls.createServer({ cert: server.certificatePem, key: server.keyPem }, (socket) => {
      socket.on("error", () => {})
      socket.pipe(socket)
    })
    const { port } = await bench.listen(echo)
    const socket = (await Effect.runPromise(bench.to(port, { tls: trusting() }).dial)) as NodeSocket
    const stream = socket.release()
    let seen = ""
    stream.on("data", (chunk: Buffer) => (seen += chunk.toString()))
    stream.end("hello")
    await until("the echo", () => seen === "hello")
    await until("the connection is closed", () => bench.connections === 0)
  })
})
