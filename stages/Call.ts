/** Calls the gateway makes itself, on behalf of an exchange: to services that decide, check, price or store. */
import * as Effect from "effect/Effect"
import type { Examination } from "./6-dispatch/Examination.ts"
import type { Callee } from "../ir/policy/Callee.ts"
import type { Exchange, Reply, Request } from "./Exchange.ts"
import type { Refusal } from "./Refusal.ts"
import type { Subtype } from "./Trace.ts"

/**
 * Sends a request of the gateway's own. Policies of the callee apply; nothing of the call shows in the exchange.
 * A callee with a name is called by it; one without, by the authority of the request if it has any. It ends with the exchange's deadline or after so many
 * milliseconds without the head of a reply, whichever comes first; the body of the reply is the caller's to read.
 */
export type Call = (
  exchange: Exchange,
  request: Request,
  timeoutMillis?: number,
  pin?: Pin,
) => Effect.Effect<Reply, Refusal>

/** Keeps calls with the endpoint that took the first of them, as long as it is there. */
export interface Pin {
  endpoint: string | undefined
}

/** Where nobody is to be called. */
export const nobody: Calls = { to: () => () => Effect.fail<Refusal>({ _tag: "BackendNotFound" }) }

export interface Calls {
  /** The same function for the same callee, as long as the plan lives. Traces and metrics tell calls apart by their subtype. */
  readonly to: (callee: Callee, subtype?: Subtype) => Call
  /** Everything the plan sends to that can be asked in its own protocol how it is; absent: nothing. */
  readonly examinations?: () => Iterable<Examination>
}
