/**
 * The first message of a TLS client, read without answering it: enough to choose a listener and to pass the rest on
 * (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1). Whatever two readers could take differently is malformed.
 */
import { parseAuthority } from "../http/authority.ts"

/** Record headers included; what browsers send is below 2 kB, post-quantum keys and tickets included. */
export const CLIENT_HELLO_BYTES_MAX = 65_536

export interface ClientHello {
  readonly _tag: "ClientHello"
  /** Lower case, without a final dot. */
  readonly serverName: string | undefined
  /** In the client's order, one character per byte. */
  readonly alpn: ReadonlyArray<string>
  /** As on the wire: 0x0303 is TLS 1.2, 0x0304 is TLS 1.3. */
  readonly versions: ReadonlyArray<number>
}

export type ClientHelloResult =
  | ClientHello
  /** Nothing can be said before there are this many bytes in all. */
  | { readonly _tag: "NeedMore"; readonly bytes: number }
  | { readonly _tag: "NotTls" }
  | { readonly _tag: "Malformed"; readonly reason: string }

const RECORD_HEADER = 5
const RECORD_BYTES_MAX = 16_384
const HANDSHAKE = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const ALPN = 16
const SUPPORTED_VERSIONS = 43

const malformed = (reason: string): ClientHelloResult => ({ _tag: "Malformed", reason })
const notTls: ClientHelloResult = { _tag: "NotTls" }

/** Reads forward; past the end it gives zeros and remembers that it failed, so one check at the end is enough. */
class Cursor {
  failed = false
  private readonly bytes: Uint8Array
  private at: number
  private readonly end: number

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  get done(): boolean {
    return this.at >= this.end
  }

  skip(length: number): void {
    if (this.end - this.at < length) {
      this.failed = true
      this.at = this.end
    } else this.at += length
  }

  u8(): number {
    const at = this.at
    this.skip(1)
    return this.failed ? 0 : (this.bytes[at] as number)
  }

  u16(): number {
    return (this.u8() << 8) | this.u8()
  }

  /** A vector of that many bytes as a cursor of its own. */
  sub(length: number): Cursor {
    const at = this.at
    this.skip(length)
    return this.failed ? new Cursor(this.bytes, 0, 0) : new Cursor(this.bytes, at, at + length)
  }

  text(length: number): string {
    const part = this.sub(length)
    let text = ""
    while (!part.done) text += String.fromCharCode(part.u8())
    return text
  }
}

const readServerName = (extension: Cursor): string | undefined => {
  const list = extension.sub(extension.u16())
  const type = list.u8()
  const name = list.text(list.u16())
  if (extension.failed || !extension.done || list.failed || !list.done || type !== 0) return undefined
  return name.includes(":") ? undefined : parseAuthority(name)?.host
}

const readAlpn = (extension: Cursor): ReadonlyArray<string> | undefined => {
  const list = extension.sub(extension.u16())
  const protocols: Array<string> = []
  while (!list.done) {
    const protocol = list.text(list.u8())
    if (protocol === "") return undefined
    protocols.push(protocol)
  }
  return extension.failed || !extension.done || list.failed || protocols.length === 0 ? undefined : protocols
}

const readVersions = (extension: Cursor): ReadonlyArray<number> | undefined => {
  const list = extension.sub(extension.u8())
  const versions: Array<number> = []
  while (!list.done) versions.push(list.u16())
  return extension.failed || !extension.done || list.failed || versions.length === 0 ? undefined : versions
}

const readHello = (message: Uint8Array): ClientHelloResult => {
  const hello = new Cursor(message, 4, message.length)
  const version = hello.u16()
  hello.skip(32)
  hello.skip(hello.u8())
  hello.skip(hello.u16())
  hello.skip(hello.u8())
  if (hello.failed || version >> 8 !== 3) return malformed("client hello")
  let serverName: string | undefined
  let alpn: ReadonlyArray<string> = []
  let versions: ReadonlyArray<number> = [version]
  if (hello.done) return { _tag: "ClientHello", serverName, alpn, versions }

  const extensions = hello.sub(hello.u16())
  if (hello.failed || !hello.done) return malformed("extensions")
  const seen = new Set<number>()
  while (!extensions.done) {
    const type = extensions.u16()
    const extension = extensions.sub(extensions.u16())
    if (extensions.failed) return malformed("extensions")
    if (seen.has(type)) return malformed("repeated extension")
    seen.add(type)
    if (type === SERVER_NAME) {
      serverName = readServerName(extension)
      if (serverName === undefined) return malformed("server name")
    } else if (type === ALPN) {
      const protocols = readAlpn(extension)
      if (protocols === undefined) return malformed("application protocols")
      alpn = protocols
    } else if (type === SUPPORTED_VERSIONS) {
      const offered = readVersions(extension)
      if (offered === undefined) return malformed("supported versions")
      versions = offered
    }
  }
  return { _tag: "ClientHello", serverName, alpn, versions }
}

/** The handshake bytes of the records that begin at 0, in one piece. */
const gather = (bytes: Uint8Array, total: number): Uint8Array => {
  const message = new Uint8Array(total)
  for (let at = 0, gathered = 0; gathered < total;) {
    const length = lengthAt(bytes, at)
    const start = at + RECORD_HEADER
    const part = bytes.subarray(start, Math.min(start + length, start + total - gathered))
    message.set(part, gathered)
    gathered += part.length
    at = start + length
  }
  return message
}

const lengthAt = (bytes: Uint8Array, at: number): number => ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number)

/**
 * Reads the bytes received so far, however records cut the message. Call it again only once there are as many bytes as
 * `NeedMore` says, so that a client sending byte by byte costs no more than another.
 */
export const readClientHello = (bytes: Uint8Array): ClientHelloResult => {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return notTls
  if (bytes.length > 1 && bytes[1] !== 3) return notTls
  if (bytes.length < 2) return { _tag: "NeedMore", bytes: bytes.length + 1 }
  const available = Math.min(bytes.length, CLIENT_HELLO_BYTES_MAX)
  const head: Array<number> = []
  let total = -1
  let gathered = 0
  const needMore = (from: number): ClientHelloResult => {
    const atLeast = from + (total < 0 ? 4 - head.length : total - gathered)
    return atLeast > CLIENT_HELLO_BYTES_MAX ? malformed("too large") : { _tag: "NeedMore", bytes: atLeast }
  }

  for (let at = 0; total < 0 || gathered < total;) {
    const start = at + RECORD_HEADER
    if (available < start) return needMore(start)
    const length = lengthAt(bytes, at)
    if (bytes[at] !== HANDSHAKE || bytes[at + 1] !== 3) return malformed("record")
    if (length === 0 || length > RECORD_BYTES_MAX) return malformed("record length")
    const end = Math.min(start + length, available)
    for (let i = start; i < end && head.length < 4; i++) head.push(bytes[i] as number)
    gathered += end - start
    if (total < 0 && head.length === 4) {
      if (head[0] !== CLIENT_HELLO) return malformed("not a client hello")
      total = 4 + (((head[1] as number) << 16) | ((head[2] as number) << 8) | (head[3] as number))
      if (total > CLIENT_HELLO_BYTES_MAX) return malformed("too large")
    }
    if (end < start + length && (total < 0 || gathered < total)) return needMore(end)
    at = start + length
  }
  return readHello(gather(bytes, total))
}
