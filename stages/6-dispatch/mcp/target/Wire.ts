/** How requests and answers of one session travel, whatever carries them. */
import type * as Effect from "effect/Effect"
import type { Json } from "../../../../protocols/mcp/json.ts"
import type { RpcAnswer, RpcMessage } from "../../../../protocols/mcp/jsonrpc.ts"
import type { Exchange } from "../../../Exchange.ts"
import type { Broken } from "./Channel.ts"

export interface WireRequest {
  readonly id: number
  readonly method: string
  readonly message: Json
  readonly exchange: Exchange
  /** Without a sign of life for so long, it counts as lost. */
  readonly idleMillis: number
  /** Whether the silence is ours, because somebody was asked something; absent: nobody can be. */
  readonly isHeld?: (() => boolean) | undefined
  /** What else arrives and provably belongs to this request. */
  readonly beside: (message: RpcMessage) => void
}

export interface Wire {
  /** Completes with the answer; interrupting it stops waiting, and no more. */
  readonly request: (request: WireRequest) => Effect.Effect<RpcAnswer, Broken>
  /** A notification, or an answer to the server. */
  readonly send: (message: Json, exchange: Exchange) => Effect.Effect<void, Broken>
  /** Takes what belongs to no request until the server ends that; false: the server does not offer it. */
  readonly listen: (exchange: Exchange, opened: () => void) => Effect.Effect<boolean, Broken>
  /** Tells the server that the session is over. */
  readonly close: (exchange: Exchange) => Effect.Effect<void>
  /** Enough to go on with the session from elsewhere; undefined where that cannot be. */
  readonly held: () => Json | undefined
  /** Which revision was agreed upon. */
  readonly agreed: (revision: string) => void
  /** Whether messages that belong to a request can be told by where they arrive. */
  readonly attributes: boolean
  /** Nothing can be carried any more; absent where each request is carried by itself. */
  readonly isClosed?: boolean
  /** Whether the server still works on something that nobody waits for; absent where that cannot be known. */
  readonly isBusy?: boolean
}
