/** What a new connection speaks, told from its first bytes. */

export type Preface = "tls" | "http1" | "http2" | "needMore"

const http2 = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

/**
 * A TLS handshake record, the HTTP/2 connection preface (RFC 9113 §3.4), or else HTTP/1, whose parser then says what
 * is wrong with it. Asks for more only while the bytes could still become HTTP/2.
 */
export const detectPreface = (bytes: Uint8Array): Preface => {
  if (bytes.length === 0) return "needMore"
  if (bytes[0] === 0x16) return "tls"
  const length = Math.min(bytes.length, http2.length)
  for (let i = 0; i < length; i++) if (bytes[i] !== http2[i]) return "http1"
  return bytes.length < http2.length ? "needMore" : "http2"
}
