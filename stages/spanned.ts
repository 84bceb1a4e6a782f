/** A part of what happens in an exchange, as a span of its trace. Where there is no trace, nothing is made of it. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Exchange } from "./Exchange.ts"
import type { Clock } from "./ports/Timer.ts"
import type { Attribute, Span, SpanKind, Trace } from "./Trace.ts"

/** The same exchange for whoever works inside a span: its calls are parts of that. */
const seenFrom = <X extends Exchange>(exchange: X, trace: Trace): X =>
  // Everything else stays that of the original, so that what becomes known of one is known of both.
  Object.create(exchange, { trace: { value: trace, writable: true, enumerable: true } }) as X

export interface Part<A, E, X> {
  readonly name: string
  readonly kind: SpanKind
  readonly attributes: Array<Attribute>
  readonly run: (exchange: X, span: Span | undefined) => Effect.Effect<A, E>
  /** What the span says of the outcome; a text says that it was a failure. */
  readonly ended?: (span: Span, exit: Exit.Exit<A, E>) => string | undefined
}

export const spanned = <A, E, X extends Exchange>(
  exchange: X,
  clock: Pick<Clock, "nowMillis">,
  part: Part<A, E, X>,
): Effect.Effect<A, E> => {
  const { trace } = exchange
  if (trace === undefined) return part.run(exchange, undefined)
  return Effect.suspend(() => {
    const span = trace.span(part.name, part.kind, clock.nowMillis(), part.attributes)
    return Effect.onExit(part.run(seenFrom(exchange, trace.under(span)), span), (exit) => {
      const told = part.ended?.(span, exit)
      const failed = told ?? (Exit.isSuccess(exit) ? undefined : Exit.hasInterrupts(exit) ? "cancelled" : "failed")
      if (failed === "cancelled") span.set("error.type", "Cancelled")
      span.end(clock.nowMillis(), failed)
      return Effect.void
    })
  })
}
