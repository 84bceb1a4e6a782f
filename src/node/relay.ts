/** Copies bytes both ways between two sockets, half-closes included. */
import * as Effect from "effect/Effect"
import type { Duplex } from "node:stream"
import type { Relayed } from "../../stages/ports/Network.ts"

const copy = (from: Duplex, to: Duplex, count: (bytes: number) => void): void => {
  from.on("data", (chunk: Uint8Array) => {
    count(chunk.byteLength)
    if (!to.write(chunk)) from.pause()
  })
  to.on("drain", () => from.resume())
  from.once("end", () => to.end())
  from.resume()
}

export const relay = (a: Duplex, b: Duplex): Effect.Effect<Relayed> =>
  Effect.callback<Relayed>((resume) => {
    let sentBytes = 0
    let receivedBytes = 0
    let open = 2
    const closed = (other: Duplex) => () => {
      open--
      if (open === 1) other.destroy()
      if (open === 0) resume(Effect.succeed({ sentBytes, receivedBytes }))
    }
    // A close without an end is a reset: the other side must not believe it saw the whole stream.
    const failed = (other: Duplex) => () => other.destroy()
    a.on("error", failed(b))
    b.on("error", failed(a))
    a.once("close", closed(b))
    b.once("close", closed(a))
    copy(a, b, (bytes) => (receivedBytes += bytes))
    copy(b, a, (bytes) => (sentBytes += bytes))
    return Effect.sync(() => {
      a.destroy()
      b.destroy()
    })
  })
