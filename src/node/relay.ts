/** Copies bytes both ways between two sockets: half-closes are passed on as such, and resets as resets. */
import * as Effect from "effect/Effect"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import { isAborted, onceEnded } from "./ended.ts"
import { hearOut } from "./lastWords.ts"
import type { Overhearing, Relayed } from "../../stages/ports/Network.ts"

/** One end of a relay. */
export interface End {
  readonly stream: Duplex
  /** Breaks the connection off so that the other side cannot take it for a proper end. */
  readonly reset: () => void
}

const forget = (): void => {}

/** How long a client may take to see that everything is over. */
const FAREWELL_MILLIS = 2_000

/** `overhearing` is shown what comes from the other side before the client gets it. */
export const relay = (client: End, other: End, overhearing?: Overhearing): Effect.Effect<Relayed> =>
  Effect.callback<Relayed>((resume) => {
    let sentBytes = 0
    let receivedBytes = 0
    let error: string | undefined
    let open = 2
    let isFinished = false

    const closed = (): void => {
      open--
      if (open === 0) resume(Effect.succeed({ sentBytes, receivedBytes, error }))
    }

    const connect = (from: End, to: End, passing: (chunk: Uint8Array) => Uint8Array): void => {
      const source = from.stream
      const sink = to.stream
      const pass = (chunk: Uint8Array): void => {
        if (isFinished) return
        const passed = passing(chunk)
        if (passed.byteLength > 0 && !sink.writableEnded && !sink.write(passed)) source.pause()
      }
      source.on("data", pass)
      if (source instanceof net.Socket) hearOut(source, pass)
      sink.on("drain", () => source.resume())
      onceEnded(source, () => sink.end())
      source.once("error", (cause: Error) => {
        if (isFinished) return
        error ??= cause.message
        to.reset()
      })
      source.once("close", () => {
        if (!isFinished && (!source.readableEnded || !source.writableFinished || isAborted(source))) {
          error ??= "the connection was reset"
          to.reset()
        }
        closed()
      })
      source.on("error", forget)
    }

    const finish = (last: Uint8Array): void => {
      const { stream } = client
      if (isFinished || stream.destroyed) return
      isFinished = true
      sentBytes += last.byteLength
      // A client that does not end its side is not waited for.
      const farewell = setTimeout(() => stream.destroy(), FAREWELL_MILLIS).unref()
      stream.once("close", () => clearTimeout(farewell))
      if (!stream.writableEnded) stream.end(last)
      // What it still says must be read, or its end is never seen.
      stream.resume()
      other.reset()
    }
    overhearing?.begun(finish)

    connect(client, other, (chunk) => {
      receivedBytes += chunk.byteLength
      return chunk
    })
    connect(other, client, (chunk) => {
      const passed = overhearing === undefined ? chunk : overhearing.heard(chunk)
      sentBytes += passed.byteLength
      return passed
    })
    // What happened before anybody listened must count as well.
    for (const [one, another] of [
      [client, other],
      [other, client],
    ] as const) {
      if (!one.stream.destroyed) {
        one.stream.resume()
        continue
      }
      error ??= one.stream.errored?.message ?? "the connection was closed"
      another.reset()
      if (one.stream.closed) closed()
    }
    return Effect.sync(() => {
      client.reset()
      other.reset()
    })
  })
