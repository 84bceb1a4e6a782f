/** From what Node and undici report to what a failed call means. Messages may reach clients: no addresses, no secrets. */
import type { UpstreamFailure } from "../../../stages/ports/Upstream.ts"

/** Sockets and parsers pass only errors on; this one carries the outcome through them. */
export class Failed extends Error {
  readonly failure: UpstreamFailure

  constructor(failure: UpstreamFailure) {
    super(failure.message)
    this.failure = failure
  }
}

/** The peer chose the other HTTP version; the connection was handed to its pool, nothing was sent. */
export class OtherVersion extends Error {}

/** What aborts a call that nobody waits for any more. */
export const cancelled = new Error("cancelled")

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
  UND_ERR_SOCKET: "connection closed by the upstream",
  UND_ERR_HEADERS_OVERFLOW: "reply head too large",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "reply shorter or longer than its content-length",
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: "request shorter or longer than its content-length",
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
  switch (name) {
    case "UND_ERR_HEADERS_OVERFLOW":
    case "UND_ERR_RES_CONTENT_LENGTH_MISMATCH":
      return { _tag: "MalformedReply", message: describe(error, "malformed reply") }
    case "UND_ERR_INVALID_ARG":
    case "UND_ERR_NOT_SUPPORTED":
      return { _tag: "RequestAborted", message: `request cannot be sent: ${error.message}` }
    case "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH":
      return { _tag: "RequestAborted", message: describe(error, "request cannot be sent") }
    default:
  }
  if (error.name === "HTTPParserError") {
    // The parser's own words for what it found, without any of it.
    return { _tag: "MalformedReply", message: /\((.{1,80})\)$/.exec(error.message)?.[1] ?? "not HTTP/1.1" }
  }
  // The alert about a refused client certificate arrives after the handshake of TLS 1.3.
  if (name.startsWith("ERR_SSL_")) return { _tag: "TlsFailed", message: describe(error, "TLS failed") }
  return { _tag: "Reset", message: describe(error, "connection broke"), sent }
}
