/** Raw connections to a backend. */
import type * as Effect from "effect/Effect"
import type { Bound } from "../Connection.ts"
import type { Socket } from "../ports/Network.ts"
import type { UpstreamFailure } from "../ports/Upstream.ts"

export interface TcpTarget {
  /** As the journal names it. */
  readonly name: string
  readonly dial: (
    bound: Bound,
  ) => Effect.Effect<{ readonly socket: Socket; readonly endpoint: string }, UpstreamFailure>
}
