/** A backend as a route uses it: its policies, its endpoints, and how one attempt at it is made. */
import type * as Effect from "effect/Effect"
import type { Fields } from "../../protocols/a2a/Fields.ts"
import type { Attempt, BackendType, Reply, Request, Routed, Seal } from "../Exchange.ts"
import type { UpstreamFailure } from "../ports/Upstream.ts"
import type { Refusal } from "../Refusal.ts"
import type { Member } from "./balance.ts"

export interface Target {
  /** As the journal names it. */
  readonly name: string
  readonly type: BackendType
  /** Leaves the request of the exchange as it is, so that the next attempt starts clean. */
  readonly attempt: (attempt: Try) => Effect.Effect<Reply, Refusal>
  /** Of what is published as an agent: its card, for whoever asks. */
  readonly card?: (attempt: Try) => Effect.Effect<Fields, Refusal>
}

/** What is done for one attempt. */
export type Attempting = (attempt: Try) => Effect.Effect<Reply, Refusal>

/** The attempts of one exchange, one after the other. */
export class Try implements Attempt {
  readonly exchange: Routed
  request: Request
  number = 0
  seal: Seal | undefined = undefined
  /** Why the upstream gave no reply to this attempt; absent where somebody else refused. */
  failure: UpstreamFailure | undefined = undefined
  /** The endpoint that was chosen, where there was a choice. */
  member: Member | undefined = undefined
  /** The endpoint that has what is asked for, where that is known. */
  preferred: string | undefined = undefined
  /** Endpoints that failed already. */
  tried: Array<Member> | undefined = undefined

  constructor(exchange: Routed, request: Request) {
    this.exchange = exchange
    this.request = request
  }
}
