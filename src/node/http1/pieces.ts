/** Writing to a socket in as few system calls and copies as the pieces allow. */
import type { Writable } from "node:stream"

/** Up to this size a copy is cheaper than a second buffer in the system call. */
const SMALL_BYTES_MAX = 4_096

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")

/** Bytes between two texts; false asks to hold back. */
export const writeBetween = (socket: Writable, before: string, bytes: Uint8Array, after: string): boolean => {
  if (bytes.byteLength <= SMALL_BYTES_MAX) return socket.write(before + textOf(bytes) + after, "latin1")
  if (before === "" && after === "") return socket.write(bytes)
  socket.cork()
  if (before !== "") socket.write(before, "latin1")
  let more = socket.write(bytes)
  if (after !== "") more = socket.write(after, "latin1")
  socket.uncork()
  return more
}

/** So much small text is gathered at most. */
const GATHERED_CHARS_MAX = 65_536

const flush = (gathered: Gathered): void => gathered.flush()

/**
 * Text on its way to a socket that leaves with what comes next, or at the end of the turn: what arrives in many small
 * pieces goes on in one.
 */
export class Gathered {
  private readonly socket: Writable
  private text = ""
  private isLeaving = false

  constructor(socket: Writable) {
    this.socket = socket
  }

  add(text: string): void {
    this.text += text
    if (this.isLeaving) return
    this.isLeaving = true
    process.nextTick(flush, this)
  }

  /** Bytes between two texts, behind all that was gathered; false asks to hold back. */
  write(before: string, bytes: Uint8Array, after: string): boolean {
    const { socket } = this
    if (bytes.byteLength > SMALL_BYTES_MAX || this.text.length > GATHERED_CHARS_MAX) {
      return writeBetween(socket, this.taken() + before, bytes, after)
    }
    this.add(before + textOf(bytes) + after)
    return !socket.writableNeedDrain
  }

  /** All of it, with this behind it. */
  end(last: string): void {
    const text = this.taken() + last
    if (text !== "" && this.socket.writable) this.socket.write(text, "latin1")
  }

  /** Nothing of it leaves any more. */
  drop(): void {
    this.text = ""
  }

  flush(): void {
    this.isLeaving = false
    this.end("")
  }

  private taken(): string {
    const { text } = this
    this.text = ""
    return text
  }
}
