/**
 * A connection that carries single messages both ways, with nothing that ties one to another: the pipes of a child
 * process, or the two halves of HTTP+SSE. What is said over it is the business of whoever opened it.
 */
import type * as Effect from "effect/Effect"
import type { Json } from "../../../../protocols/mcp/json.ts"
import type { Exchange } from "../../../Exchange.ts"

export interface Broken {
  readonly _tag: "Broken"
  readonly message: string
  /** Whether what was sent may have arrived. */
  readonly sent: boolean
  /** The reply of an HTTP server that would not take it. */
  readonly status?: number | undefined
  readonly retryAfterMillis?: number | undefined
  readonly challenge?: string | undefined
  /** Of the error in which it was said. */
  readonly code?: number | undefined
}

export const broken = (message: string, sent: boolean, more: Partial<Broken> = {}): Broken => ({
  ...more,
  _tag: "Broken",
  message,
  sent,
})

export interface Receiver {
  /** One message, as it was received and not yet looked at. */
  readonly message: (text: string) => void
  /** Once, and nothing comes after it. */
  readonly closed: (why: string) => void
}

export interface Channel {
  /** Completes when the message is handed over, with back-pressure; on behalf of an exchange that may have its own credentials. */
  readonly send: (message: Json, exchange: Exchange) => Effect.Effect<void, Broken>
  /** At once, and more than once without harm. */
  readonly close: () => void
}

/** Opens one, on behalf of an exchange: completes when messages can be sent. */
export type OpenChannel = (receiver: Receiver, exchange: Exchange) => Effect.Effect<Channel, Broken>
