/** Looking at the first bytes of a connection, all of them within one deadline however slowly they come. */
import * as Effect from "effect/Effect"
import type { Socket } from "./ports/Network.ts"
import type { Clock } from "./ports/Timer.ts"
import { rejected, type Rejected } from "./Rejected.ts"

/** What was understood; or how many bytes there must be before it is worth looking again. */
export type Look<A> =
  | { readonly _tag: "Seen"; readonly value: A }
  | { readonly _tag: "NeedMore"; readonly bytes: number }

/** Shows `read` what has arrived until it has seen enough; nothing is consumed. */
export const peek = <A>(
  stage: string,
  clock: Clock,
  socket: Socket,
  timeoutMillis: number,
  read: (bytes: Uint8Array) => Look<A> | Rejected,
): Effect.Effect<A, Rejected> => {
  const deadline = clock.nowMillis() + timeoutMillis
  const look = (known: number): Effect.Effect<A, Rejected> =>
    Effect.matchEffect(socket.peek(known, Math.max(0, deadline - clock.nowMillis())), {
      onFailure: (closed) => Effect.fail(rejected(stage, closed.message)),
      onSuccess: (bytes) => {
        // Fewer than were asked for come only at the end of the stream.
        if (bytes.byteLength <= known) return Effect.fail(rejected(stage, "closed by the peer"))
        const seen = read(bytes)
        if (seen._tag === "Seen") return Effect.succeed(seen.value)
        if (seen._tag === "Rejected") return Effect.fail(seen)
        return look(Math.max(bytes.byteLength, seen.bytes - 1))
      },
    })
  return look(0)
}

export const seen = <A>(value: A): Look<A> => ({ _tag: "Seen", value })

export const needMore = (bytes: number): Look<never> => ({ _tag: "NeedMore", bytes })
