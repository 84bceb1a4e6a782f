import type { Http2Stream } from "node:http2"

/**
 * Breaks a stream off with INTERNAL_ERROR. `close` with a code would first end it properly, and a client could take
 * what it has for the whole. Not at once, because a stream that still owes trailers may not be torn down from within what
 * its session reads: Node would ask the remains of it for them, and abort the process.
 */
export const breakOff = (stream: Http2Stream): void => void setImmediate(destroyBroken, stream)

const broken = new Error("broken off")
const destroyBroken = (stream: Http2Stream): void => void stream.destroy(broken)
broken.stack = "broken off"

/** Whether it was we who did. */
export const isBrokenOff = (stream: Http2Stream): boolean => stream.errored === broken
