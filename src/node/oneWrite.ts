/** Bytes that go to a socket in one string with the head before them, byte for byte. */

/** Up to this size a copy is cheaper than a second buffer in the system call. */
export const SMALL_BYTES_MAX = 4_096

export const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1")
