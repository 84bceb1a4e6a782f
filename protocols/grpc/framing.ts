/**
 * Messages of gRPC on a stream of bytes: one byte of flags, four of length, then the message. Where the stream is cut
 * into chunks says nothing.
 */

const PREFIX_BYTES = 5

/** What gRPC implementations take unless they are told otherwise. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024

const framed = (message: Uint8Array, flags: number): Uint8Array => {
  const bytes = new Uint8Array(PREFIX_BYTES + message.byteLength)
  bytes[0] = flags
  const length = message.byteLength
  bytes[1] = length >>> 24
  bytes[2] = length >>> 16
  bytes[3] = length >>> 8
  bytes[4] = length
  bytes.set(message, PREFIX_BYTES)
  return bytes
}

export const frame = (message: Uint8Array): Uint8Array => framed(message, 0)

/** Of a message that is compressed already, as the request says. */
export const frameCompressed = (message: Uint8Array): Uint8Array => framed(message, 1)

/** Why bytes are no sequence of messages. */
export type Misframed =
  | { readonly _tag: "TooLarge"; readonly bytes: number }
  /** Nobody was told that this side understands a compression. */
  | { readonly _tag: "Compressed" }
  | { readonly _tag: "UnknownFlags"; readonly flags: number }

export const describe = (misframed: Misframed): string => {
  switch (misframed._tag) {
    case "TooLarge":
      return `a message of ${misframed.bytes} bytes is larger than may be received`
    case "Compressed":
      return "a message is compressed, which was not agreed upon"
    case "UnknownFlags":
      return `a message has the unknown flags ${misframed.flags}`
  }
}

/** Takes the chunks of one direction of a call and gives back its messages, as soon as each is complete. */
export class Deframer {
  private readonly bytesMax: number
  private readonly prefix = new Uint8Array(PREFIX_BYTES)
  private prefixBytes = 0
  private message: Uint8Array | undefined
  private messageBytes = 0
  private misframed: Misframed | undefined

  constructor(bytesMax: number = MESSAGE_BYTES_MAX) {
    this.bytesMax = bytesMax
  }

  /** Whether the stream may end here: not in the middle of a message. */
  get isBetween(): boolean {
    return this.prefixBytes === 0 && this.misframed === undefined
  }

  /** Messages that were complete before it went wrong are still given to `receive`. */
  push(chunk: Uint8Array, receive: (message: Uint8Array) => void): Misframed | undefined {
    let at = 0
    while (this.misframed === undefined && at < chunk.byteLength) {
      const { message } = this
      if (message === undefined) {
        at += this.takePrefix(chunk, at)
        continue
      }
      const taken = Math.min(message.byteLength - this.messageBytes, chunk.byteLength - at)
      message.set(chunk.subarray(at, at + taken), this.messageBytes)
      this.messageBytes += taken
      at += taken
      this.giveIfWhole(receive)
    }
    // A message of no bytes is whole with its prefix.
    this.giveIfWhole(receive)
    return this.misframed
  }

  private giveIfWhole(receive: (message: Uint8Array) => void): void {
    const { message } = this
    if (message === undefined || this.messageBytes < message.byteLength) return
    this.message = undefined
    this.messageBytes = 0
    this.prefixBytes = 0
    receive(message)
  }

  private takePrefix(chunk: Uint8Array, from: number): number {
    const { prefix } = this
    const taken = Math.min(PREFIX_BYTES - this.prefixBytes, chunk.byteLength - from)
    prefix.set(chunk.subarray(from, from + taken), this.prefixBytes)
    this.prefixBytes += taken
    if (this.prefixBytes < PREFIX_BYTES) return taken
    const [flags = 0, a = 0, b = 0, c = 0, d = 0] = prefix
    const length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
    if (flags === 1) this.misframed = { _tag: "Compressed" }
    else if (flags !== 0) this.misframed = { _tag: "UnknownFlags", flags }
    else if (length > this.bytesMax) this.misframed = { _tag: "TooLarge", bytes: length }
    else this.message = new Uint8Array(length)
    return taken
  }
}
