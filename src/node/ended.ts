/** How a stream ended, told apart where Node lets both look alike. */
import type { Http2Stream } from "node:http2"
import type { Readable } from "node:stream"

export const isHttp2Stream = (stream: object): stream is Http2Stream => "rstCode" in stream

/** A message that was cut off, or an HTTP/2 stream that was reset. */
export const isAborted = (stream: object): boolean => (stream as { readonly aborted?: boolean }).aborted === true

/** Calls back when a stream has come to its proper end; any other end is told by its closing. */
export const onceEnded = (stream: Readable, callback: () => void): void => {
  const look = (): void => {
    if (!isAborted(stream)) callback()
  }
  // An HTTP/2 stream that is reset ends first, and says only then that it was.
  const ended = isHttp2Stream(stream) ? () => setImmediate(look) : look
  // One that carried nothing ends although nobody reads it, maybe before anybody asks.
  if (stream.readableEnded) ended()
  else stream.once("end", ended)
}
