/** Writing to a socket in as few system calls and copies as the pieces allow. */
import type { Writable } from "node:stream"

/** Up to this size a copy is cheaper than a second buffer in the system call. */
export const SMALL_BYTES_MAX = 4_096

export const textOf = (bytes: Uint8Array): string =>
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
