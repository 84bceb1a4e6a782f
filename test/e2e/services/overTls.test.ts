/** External services over TLS: a private authority, a certificate of the gateway's own, and what is wrong with either. */
import * as https from "node:https"
import type { TLSSocket } from "node:tls"
import { afterEach, describe, expect, it } from "vitest"
import { grpc, grpcServer, serviceOf } from "../../peers/grpc.ts"
import { httpUpstream } from "../harness.ts"
import { caPem, client, expired, server, strangerPem } from "../upstream/certificates.ts"
import { type Closing, start } from "./place.ts"
import { listening } from "./stuckPeers.ts"

const closing: Closing = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

type Identity = typeof server

interface Serving {
  readonly identity: Identity
  readonly asksForCertificate: boolean
}

interface Service {
  readonly port: number
  /** Who asked, by the name in their certificate, one for each question. */
  readonly asked: Array<string | undefined>
}

const nameOf = (certificate: { readonly subject?: { readonly CN?: string | ReadonlyArray<string> } } | undefined) =>
  certificate?.subject?.CN?.toString()

const overGrpc = async (
  { asksForCertificate, identity }: Serving,
  definition: grpc.ServiceDefinition,
  implementation: (asked: Service["asked"]) => grpc.UntypedServiceImplementation,
): Promise<Service> => {
  const asked: Service["asked"] = []
  const pair = { private_key: Buffer.from(identity.keyPem), cert_chain: Buffer.from(identity.certificatePem) }
  const credentials = grpc.ServerCredentials.createSsl(Buffer.from(caPem), [pair], asksForCertificate)
  const started = await grpcServer([[definition, implementation(asked)]], credentials)
  closing.push(started.close)
  return { port: started.port, asked }
}

const whoCalls = (call: { readonly getAuthContext: () => { readonly sslPeerCertificate?: object } }) =>
  nameOf(call.getAuthContext().sslPeerCertificate)

interface Kind {
  readonly serve: (serving: Serving) => Promise<Service>
  /** The policy in one line, as the file says it. */
  readonly over: (port: number, policies: string, mode: "closed" | "open") => string
  readonly refuses: { readonly status: number; readonly body: RegExp }
}

const Authorization = serviceOf("envoy_auth.proto", "envoy.service.auth.v3.Authorization")
const ExternalProcessor = serviceOf("envoy_ext_proc.proto", "envoy.service.ext_proc.v3.ExternalProcessor")
const RateLimitService = serviceOf("envoy_rate_limit.proto", "envoy.service.ratelimit.v3.RateLimitService")

const denies = { closed: "deny", open: "allow" }
const fails = { closed: "failClosed", open: "failOpen" }

const kinds: Readonly<Record<string, Kind>> = {
  "external authorization over gRPC": {
    serve: (serving) =>
      overGrpc(serving, Authorization, (asked) => ({
        Check: (call: grpc.ServerUnaryCall<object, object>, done: grpc.sendUnaryData<object>) => {
          asked.push(whoCalls(call))
          done(null, { status: { code: 0 } })
        },
      })),
    over: (port, policies, mode) =>
      `extAuthz: {host: "127.0.0.1:${port}", policies: ${policies}, failureMode: ${denies[mode]}}`,
    refuses: { status: 403, body: /^external authorization failed$/ },
  },
  "external authorization over HTTP": {
    serve: async ({ asksForCertificate, identity }) => {
      const asked: Service["asked"] = []
      const listens = https.createServer(
        {
          key: identity.keyPem,
          cert: identity.certificatePem,
          ca: caPem,
          requestCert: asksForCertificate,
          rejectUnauthorized: asksForCertificate,
        },
        (request, response) => {
          asked.push(nameOf((request.socket as TLSSocket).getPeerCertificate()))
          request.resume()
          response.end()
        },
      )
      return { port: await listening(closing, listens), asked }
    },
    over: (port, policies, mode) =>
      `extAuthz: {host: "127.0.0.1:${port}", policies: ${policies}, failureMode: ${denies[mode]}, protocol: {http: {}}}`,
    refuses: { status: 403, body: /^external authorization failed$/ },
  },
  "external processing": {
    serve: (serving) =>
      overGrpc(serving, ExternalProcessor, (asked) => ({
        Process: (call: grpc.ServerDuplexStream<Record<string, unknown>, object>) => {
          asked.push(whoCalls(call))
          call.on("error", () => {})
          call.on("data", (message: Record<string, unknown>) => call.write({ [String(message["request"])]: {} }))
          call.on("end", () => call.end())
        },
      })),
    over: (port, policies, mode) =>
      `extProc: {host: "127.0.0.1:${port}", policies: ${policies}, failureMode: ${fails[mode]}, processingOptions: {requestBodyMode: none, responseBodyMode: none}}`,
    refuses: { status: 500, body: /^ext_proc failed: / },
  },
  "a limit that a service keeps": {
    serve: (serving) =>
      overGrpc(serving, RateLimitService, (asked) => ({
        ShouldRateLimit: (call: grpc.ServerUnaryCall<object, object>, done: grpc.sendUnaryData<object>) => {
          asked.push(whoCalls(call))
          done(null, { overallCode: "OK" })
        },
      })),
    over: (port, policies, mode) =>
      `remoteRateLimit: {host: "127.0.0.1:${port}", policies: ${policies}, failureMode: ${fails[mode]}, domain: d, descriptors: [{entries: [{key: k, value: '"v"'}]}]}`,
    refuses: { status: 500, body: /^rate limit failed$/ },
  },
}

const files = {
  "/ca.pem": caPem,
  "/stranger.pem": strangerPem,
  "/own.pem": client.certificatePem,
  "/own.key": client.keyPem,
  // Good for a server only.
  "/server.pem": server.certificatePem,
  "/server.key": server.keyPem,
}

const own = "cert: /own.pem, key: /own.key"
const good: Serving = { identity: server, asksForCertificate: false }
const asking: Serving = { identity: server, asksForCertificate: true }

/** What is said of the service's TLS, and the service it is said of. */
const welcome: Readonly<Record<string, readonly [string, Serving, string | undefined]>> = {
  "by the authority it is told": ["{backendTLS: {root: /ca.pem}}", good, undefined],
  "by a name that is not its address": ["{backendTLS: {root: /ca.pem, hostname: server.test}}", good, undefined],
  "by any of several names": [
    "{backendTLS: {root: /ca.pem, subjectAltNames: [other.test, 'spiffe://test/ns/a/sa/b']}}",
    good,
    undefined,
  ],
  "with a certificate of its own": [`{backendTLS: {root: /ca.pem, ${own}}}`, asking, "client.test"],
}

const unwelcome: Readonly<Record<string, readonly [string, Serving]>> = {
  "is not of the authority it is told": ["{backendTLS: {root: /stranger.pem}}", good],
  "is of an authority nobody knows": ["{backendTLS: {}}", good],
  "has expired": ["{backendTLS: {root: /ca.pem, hostname: server.test}}", { ...good, identity: expired }],
  "is for another name": ["{backendTLS: {root: /ca.pem, hostname: other.test}}", good],
  "carries none of the names": ["{backendTLS: {root: /ca.pem, subjectAltNames: [other.test]}}", good],
  "is one for clients": ["{backendTLS: {root: /ca.pem, hostname: client.test}}", { ...good, identity: client }],
  "asks for one and gets none": ["{backendTLS: {root: /ca.pem}}", asking],
  "asks for one and gets one that is for servers": [
    "{backendTLS: {root: /ca.pem, cert: /server.pem, key: /server.key}}",
    asking,
  ],
  "expects TLS and is spoken to in plain text": ["{}", good],
}

describe.each(Object.entries(kinds))("%s", (_kind, { over, refuses, serve }) => {
  it.each(Object.entries(welcome))("reaches its service %s", async (_name, [policies, serving, who]) => {
    const service = await serve(serving)
    const place = await start(closing, over(service.port, policies, "closed"), { files })
    expect(await place.send("/")).toMatchObject({ status: 200 })
    expect(await place.send("/")).toMatchObject({ status: 200 })
    expect(service.asked).toEqual([who, who])
  })

  it.each(Object.entries(unwelcome))(
    "tells nothing to a service whose certificate %s, and the configuration decides",
    async (_name, [policies, serving]) => {
      const service = await serve(serving)
      const closed = await start(closing, over(service.port, policies, "closed"), { files })
      const open = await start(closing, over(service.port, policies, "open"), { files })
      const refused = await closed.send("/")
      expect(refused.status).toBe(refuses.status)
      expect(refused.body).toMatch(refuses.body)
      expect(closed.backend.requests).toEqual([])
      expect(await open.send("/")).toMatchObject({ status: 200 })
      expect(service.asked).toEqual([])
    },
  )

  it("tells nothing to a service that does not speak TLS, and the configuration decides", async () => {
    const plain = await httpUpstream()
    closing.push(plain.close)
    const tls = "{backendTLS: {root: /ca.pem}}"
    const closed = await start(closing, over(plain.port, tls, "closed"), { files })
    const open = await start(closing, over(plain.port, tls, "open"), { files })
    expect(await closed.send("/")).toMatchObject({ status: refuses.status })
    expect(await open.send("/")).toMatchObject({ status: 200 })
    expect(plain.requests).toEqual([])
  })
})
