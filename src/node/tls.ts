/** TLS termination on an accepted connection, and the contexts it needs. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as crypto from "node:crypto"
import type { Duplex } from "node:stream"
import type * as tls from "node:tls"
import type {
  ClientIdentity,
  HandshakeFailed,
  TlsContext,
  TlsContextInvalid,
  TlsFacts,
} from "../../stages/ports/Network.ts"
import type { ServerTls } from "../../ir/Tls.ts"
import * as onDemand from "./onDemand.ts"
import { timerMillis } from "./timerMillis.ts"

export interface Secured {
  readonly stream: Duplex
  readonly tls: TlsFacts
}

class NodeTlsContext implements TlsContext {
  readonly _tag = "TlsContext"
  readonly source: ServerTls
  readonly native: tls.SecureContext

  constructor(source: ServerTls, native: tls.SecureContext) {
    this.source = source
    this.native = native
  }
}

/** Beyond that the oldest contexts are forgotten, and with them their session tickets. */
export const CONTEXTS_MAX = 1024

const invalid = (message: string): TlsContextInvalid => ({ _tag: "TlsContextInvalid", message })

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The first certificate of a chain: the one whose key we must hold. */
const leafOf = (chain: string): crypto.X509Certificate | TlsContextInvalid => {
  try {
    return new crypto.X509Certificate(chain)
  } catch (error) {
    return invalid(`the certificate cannot be read: ${textOf(error)}`)
  }
}

const keyOf = (pem: string): crypto.KeyObject | TlsContextInvalid => {
  try {
    return crypto.createPrivateKey(pem)
  } catch (error) {
    return invalid(`the private key cannot be read: ${textOf(error)}`)
  }
}

const certificates = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

const rootsOf = (pem: string): ReadonlyArray<string> | TlsContextInvalid => {
  const roots = pem.match(certificates) ?? []
  if (roots.length === 0) return invalid("there is no certificate among the client authorities")
  for (const root of roots) {
    const read = leafOf(root)
    if ("_tag" in read) return invalid(`a client authority cannot be read: ${read.message}`)
  }
  return roots
}

const build = (source: ServerTls, digest: string, ticketSecret: Uint8Array | undefined): NodeTlsContext => {
  if (source.mintsLeaves) throw invalid("signing a certificate for every server name is not built")
  const { certificatePem, keyPem } = source.identity
  const leaf = leafOf(certificatePem)
  if ("_tag" in leaf) throw leaf
  const key = keyOf(Redacted.value(keyPem))
  if ("_tag" in key) throw key
  if (!leaf.checkPrivateKey(key)) throw invalid("the private key does not belong to the certificate")
  const roots = source.clientCertificates === undefined ? undefined : rootsOf(source.clientCertificates.rootsPem)
  if (roots !== undefined && "_tag" in roots) throw roots
  const native = onDemand.tls().createSecureContext({
    cert: certificatePem,
    key: Redacted.value(keyPem),
    minVersion: source.minVersion,
    maxVersion: source.maxVersion,
    // A session of one listener must not open another that asks for more.
    sessionIdContext: digest.slice(0, 32),
    ...(roots === undefined ? {} : { ca: [...roots] }),
    ...(source.cipherSuites.length === 0 ? {} : { ciphers: source.cipherSuites.join(":") }),
    ...(source.keyExchangeGroups.length === 0 ? {} : { ecdhCurve: source.keyExchangeGroups.join(":") }),
    ...(ticketSecret === undefined
      ? {}
      : { ticketKeys: Buffer.from(crypto.hkdfSync("sha256", ticketSecret, digest, "session tickets", 48)) }),
  })
  return new NodeTlsContext(source, native)
}

/** Everything that makes one context different from another, and nothing that can be read back. */
const digestOf = (source: ServerTls): string =>
  crypto
    .createHash("sha256")
    .update(
      JSON.stringify({ ...source, identity: { ...source.identity, keyPem: Redacted.value(source.identity.keyPem) } }),
    )
    .digest("hex")

/**
 * Makes contexts; equal settings give the same context, so a reload that does not touch a certificate keeps its session
 * tickets. Processes that share `ticketSecret` resume each other's sessions.
 */
export const makeContexts = (ticketSecret?: Uint8Array) => {
  const known = new WeakMap<ServerTls, NodeTlsContext>()
  const byDigest = new Map<string, NodeTlsContext>()
  return (source: ServerTls): Effect.Effect<TlsContext, TlsContextInvalid> =>
    Effect.suspend(() => {
      const same = known.get(source)
      if (same !== undefined) return Effect.succeed(same)
      const digest = digestOf(source)
      let context = byDigest.get(digest)
      try {
        context ??= build(source, digest, ticketSecret)
      } catch (error) {
        return Effect.fail(isInvalid(error) ? error : invalid(`unusable TLS settings: ${textOf(error)}`))
      }
      known.set(source, context)
      byDigest.delete(digest)
      byDigest.set(digest, context)
      if (byDigest.size > CONTEXTS_MAX) byDigest.delete(byDigest.keys().next().value as string)
      return Effect.succeed<TlsContext>(context)
    })
}

const isInvalid = (error: unknown): error is TlsContextInvalid =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "TlsContextInvalid"

/** What `tls.Server` does for its sockets and we do for ours. */
interface ServerSide {
  secureConnecting: boolean
  readonly _releaseControl: () => boolean
  readonly _handle: {
    readonly verifyError: () => Error | null | undefined
    readonly hasPeerCertificate?: () => boolean
  } | null
}

/** Names of a certificate as `TYPE:value, TYPE:value`, where a value with special characters is a JSON string. */
const altNames = (text: string | undefined): ReadonlyArray<string> => {
  const names: Array<string> = []
  const pattern = /(?:^|, )([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)/g
  for (const [, , value = ""] of (text ?? "").matchAll(pattern)) {
    names.push(value.startsWith('"') ? (JSON.parse(value) as string) : value)
  }
  return names
}

const oneLine = (name: string): string => name.split("\n").join(", ")

const identityOf = (certificate: crypto.X509Certificate): ClientIdentity => ({
  subject: oneLine(certificate.subject),
  subjectCn: /(?:^|\n)CN=([^\n]*)/.exec(certificate.subject)?.[1],
  issuer: oneLine(certificate.issuer),
  subjectAltNames: altNames(certificate.subjectAltName),
  certificatePem: certificate.toString(),
})

const failed = (reason: HandshakeFailed["reason"], message: string): HandshakeFailed => ({
  _tag: "HandshakeFailed",
  reason,
  message,
})

const classify = (error: NodeJS.ErrnoException): HandshakeFailed => {
  if (error.code === "ECONNRESET" || error.code === "EPIPE") return failed("closed", error.message)
  if (error.code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") {
    return failed("clientCertificate", "the client sent no certificate")
  }
  return failed("protocol", error.message)
}

/** Why the certificate of the client is not good enough; undefined when it is, or when none is asked for. */
const verify = (socket: ServerSide, asks: boolean): string | undefined => {
  if (!asks) return undefined
  const { _handle: handle } = socket
  if (handle === null) return "the connection was closed"
  const error = handle.verifyError()
  if (error !== null && error !== undefined) return error.message
  return handle.hasPeerCertificate?.() === false ? "the client sent no certificate" : undefined
}

export const secure = (
  stream: Duplex,
  context: TlsContext,
  alpn: ReadonlyArray<string>,
  timeoutMillis: number,
): Effect.Effect<Secured, HandshakeFailed> =>
  Effect.callback<Secured, HandshakeFailed>((resume) => {
    if (!(context instanceof NodeTlsContext)) {
      return resume(Effect.die(new Error("the context belongs to another platform")))
    }
    const client = context.source.clientCertificates
    const { TLSSocket } = onDemand.tls()
    const socket = new TLSSocket(stream, {
      isServer: true,
      secureContext: context.native,
      requestCert: client !== undefined,
      rejectUnauthorized: client?.required === true,
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    })
    const own = socket as unknown as ServerSide
    let settled: NodeJS.Immediate | undefined
    socket.disableRenegotiation()

    /**
     * Most of these events come from inside OpenSSL, which must have returned before anybody closes the connection
     * below it: what follows a handshake may do that at once.
     */
    const finish = (result: () => Effect.Effect<Secured, HandshakeFailed>): void => {
      clearTimeout(timer)
      socket.off("secure", onSecure)
      socket.off("error", onError)
      socket.off("_tlsError", onError)
      socket.off("end", onClose)
      socket.off("close", onClose)
      settled = setImmediate(() => resume(result()))
    }
    const fail = (why: HandshakeFailed): void =>
      finish(() => {
        socket.destroy()
        stream.destroy()
        return Effect.fail(why)
      })
    const onError = (error: NodeJS.ErrnoException): void => fail(classify(error))
    const onClose = (): void => fail(failed("closed", "closed during the handshake"))
    const onSecure = (): void => {
      const problem = verify(own, client !== undefined)
      if (problem !== undefined && client?.required === true) return fail(failed("clientCertificate", problem))
      own.secureConnecting = false
      own["_releaseControl"]()
      const certificate = client === undefined || problem !== undefined ? undefined : socket.getPeerX509Certificate()
      // Both are `false` where nothing was asked for.
      const { alpnProtocol, servername } = socket as { alpnProtocol: unknown; servername?: unknown }
      finish(() =>
        Effect.succeed({
          stream: socket,
          tls: {
            serverName: typeof servername === "string" ? servername.toLowerCase() : "",
            alpn: typeof alpnProtocol === "string" ? alpnProtocol : undefined,
            version: socket.getProtocol() ?? undefined,
            client: certificate === undefined ? undefined : identityOf(certificate),
          },
        }),
      )
    }
    const timer = setTimeout(() => fail(failed("timeout", "the handshake took too long")), timerMillis(timeoutMillis))
    // Without a listener a late error would end the process.
    socket.on("error", () => {})
    socket.on("secure", onSecure)
    socket.on("error", onError)
    socket.on("_tlsError", onError)
    socket.on("end", onClose)
    socket.on("close", onClose)
    if (stream.destroyed) return onClose()
    return Effect.sync(() => {
      clearTimeout(timer)
      clearImmediate(settled)
      socket.destroy()
      stream.destroy()
    })
  })
