/** Replies of models that are kept for whoever asks the same again. */
import * as Effect from "effect/Effect"

export interface KeptReply {
  readonly contentType: string
  /** Who answered, as the client was told. */
  readonly provider: string | undefined
  readonly model: string | undefined
  /** As the provider named the model that answered. */
  readonly responseModel: string | undefined
  /** By the wall clock. */
  readonly storedMillis: number
  readonly bytes: Uint8Array
  /** Where the pieces of a stream end, and how long after its beginning each came; empty: it came at once. */
  readonly pieces: ReadonlyArray<readonly [end: number, millis: number]>
}

export interface Replies {
  /** What is not there, or cannot be asked for, is undefined. */
  readonly get: (key: string) => Effect.Effect<KeptReply | undefined>
  /** Never waits, and never fails: what cannot be kept is asked for again. */
  readonly put: (key: string, reply: KeptReply, ttlMillis: number) => void
}

/** Of a reply beside its bytes, about. */
const OVERHEAD_BYTES = 512
const PIECE_BYTES = 64

const sizeOf = (key: string, { bytes, pieces }: KeptReply): number =>
  OVERHEAD_BYTES + key.length + bytes.byteLength + pieces.length * PIECE_BYTES

/** Of one thread, for as long as it lives; beyond the bound those go that nobody has asked for longest. */
export const inMemory = (bytesMax: number, nowMillis: () => number): Replies & { readonly bytes: number } => {
  interface Held {
    readonly reply: KeptReply
    readonly size: number
    readonly untilMillis: number
  }
  const held = new Map<string, Held>()
  let total = 0
  const drop = (key: string): void => {
    const known = held.get(key)
    if (known === undefined) return
    held.delete(key)
    total -= known.size
  }
  return {
    get bytes() {
      return total
    },
    get: (key) =>
      Effect.sync(() => {
        const known = held.get(key)
        if (known === undefined) return undefined
        held.delete(key)
        if (known.untilMillis <= nowMillis()) {
          total -= known.size
          return undefined
        }
        // Asked for last, it is the last to go.
        held.set(key, known)
        return known.reply
      }),
    put: (key, reply, ttlMillis) => {
      drop(key)
      const size = sizeOf(key, reply)
      if (size > bytesMax || ttlMillis <= 0) return
      held.set(key, { reply, size, untilMillis: nowMillis() + ttlMillis })
      total += size
      for (const oldest of held.keys()) {
        if (total <= bytesMax) break
        drop(oldest)
      }
    },
  }
}
