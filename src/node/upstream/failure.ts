/** From what Node reports to what a failed call means. Messages may reach clients: no addresses, no secrets. */
import type { UpstreamFailure } from "../../../stages/ports/Upstream.ts"

/** Sockets and parsers pass only errors on; this one carries the outcome through them. */
export class Failed extends Error {
  readonly failure: UpstreamFailure

  constructor(failure: UpstreamFailure) {
    super(failure.message)
    this.failure = failure
  }
}

/** The peer speaks the other version of HTTP, or broke off before it said which; nothing was sent. */
export class OtherVersion extends Error {
  /** What that means to a call that needs this version. */
  readonly failure: UpstreamFailure

  constructor(isKnown: boolean) {
    super()
    const message = isKnown ? "the upstream does not speak HTTP/2" : "the connection ended before it was one of HTTP/2"
    this.failure = { _tag: "ConnectFailed", message }
  }
}

const phrases: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOENT: "socket file not found",
  ENOTSOCK: "not a socket",
  ETIMEDOUT: "connection timed out",
  EMFILE: "too many open files",
  EADDRNOTAVAIL: "no local address or port available",
  ERR_TLS_CERT_ALTNAME_INVALID: "certificate is for another name",
  CERT_HAS_EXPIRED: "certificate has expired",
  CERT_NOT_YET_VALID: "certificate is not yet valid",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate chain ends in an unknown self-signed certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate is not signed by a known authority",
  UNABLE_TO_GET_ISSUER_CERT: "certificate is not signed by a known authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate is not signed by a known authority",
}

const code = /^[A-Z][A-Z0-9_]{1,63}$/

/** A phrase and the error code; never the original message, which may hold addresses. */
export const describe = (error: Error, otherwise: string): string => {
  const name = (error as NodeJS.ErrnoException).code
  if (name === undefined || !code.test(name)) return otherwise
  return `${phrases[name] ?? otherwise} (${name})`
}

export const connectFailed = (error: Error): Failed =>
  new Failed({ _tag: "ConnectFailed", message: describe(error, "connection failed") })

export const tlsFailed = (error: Error): Failed =>
  new Failed({ _tag: "TlsFailed", message: describe(error, "TLS handshake failed") })

/** Why a call over HTTP/1.1 failed; `sent` says whether any of the request may have left. */
export const failureOf = (error: Error, sent: boolean): UpstreamFailure => {
  if (error instanceof Failed) return error.failure
  const name = (error as NodeJS.ErrnoException).code ?? ""
  // The alert about a refused client certificate arrives after the handshake of TLS 1.3.
  if (name.startsWith("ERR_SSL_")) return { _tag: "TlsFailed", message: describe(error, "TLS failed") }
  return { _tag: "Reset", message: describe(error, "connection broke"), sent }
}
