/** Copies bytes both ways between two sockets: half-closes are passed on as such, and resets as resets. */
import * as Effect from "effect/Effect"
import type { Duplex } from "node:stream"
import { isAborted, onceEnded } from "./ended.ts"
import type { Relayed } from "../../stages/ports/Network.ts"

/** One end of a relay. */
export interface End {
  readonly stream: Duplex
  /** Breaks the connection off so that the other side cannot take it for a proper end. */
  readonly reset: () => void
}

const forget = (): void => {}

/** `heard` is shown what comes from the other side before the client gets it. */
export const relay = (client: End, other: End, heard?: (chunk: Uint8Array) => void): Effect.Effect<Relayed> =>
  Effect.callback<Relayed>((resume) => {
    let sentBytes = 0
    let receivedBytes = 0
    let error: string | undefined
    let open = 2

    const closed = (): void => {
      open--
      if (open === 0) resume(Effect.succeed({ sentBytes, receivedBytes, error }))
    }

    const connect = (from: End, to: End, passing: (chunk: Uint8Array) => void): void => {
      const source = from.stream
      const sink = to.stream
      source.on("data", (chunk: Uint8Array) => {
        passing(chunk)
        if (!sink.writableEnded && !sink.write(chunk)) source.pause()
      })
      sink.on("drain", () => source.resume())
      if (source.readableEnded) sink.end()
      else onceEnded(source, () => sink.end())
      source.once("error", (cause: Error) => {
        error ??= cause.message
        to.reset()
      })
      source.once("close", () => {
        if (!source.readableEnded || !source.writableFinished || isAborted(source)) {
          error ??= "the connection was reset"
          to.reset()
        }
        closed()
      })
      source.on("error", forget)
    }

    connect(client, other, ({ byteLength }) => (receivedBytes += byteLength))
    connect(other, client, (chunk) => {
      sentBytes += chunk.byteLength
      heard?.(chunk)
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
