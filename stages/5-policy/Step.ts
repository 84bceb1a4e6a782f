/**
 * A policy, compiled: one step of a layer. A step may pass, answer, refuse, or promise an edit of the reply; it never
 * calls the next step itself.
 */
import * as Effect from "effect/Effect"
import type { Edit, Exchange, Promised, Reply } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"

export type Verdict = { readonly _tag: "Pass" } | { readonly _tag: "Answer"; readonly reply: Reply }

export interface Step<in X> {
  /** The kind of the policy, for messages, notes and measurements. */
  readonly kind: string
  readonly run: (x: X) => Effect.Effect<Verdict, Refusal>
  /** Whether an expression looks at the body of the request, so that it has to be read first. */
  readonly readsBody?: boolean
}

/** The verdict of a step that decided at once; a layer recognises it and does not suspend. */
export const pass: Effect.Effect<Verdict> = Effect.succeed({ _tag: "Pass" })

/** A policy that should never have come this far: no request may pass as if it had been applied. */
export const broken = (kind: string, why: string): Step<unknown> => {
  const defect = Effect.die(new Error(`the policy ${kind} cannot be applied: ${why}`))
  return { kind, run: () => defect }
}

/** A policy with a value that cannot be used: every request it would act on is refused. */
export const unusable = (kind: string, detail: string): Step<unknown> => {
  const failed: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "FilterFailed", detail })
  return { kind, run: () => failed }
}

export const answer = (reply: Reply): Effect.Effect<Verdict> => Effect.succeed({ _tag: "Answer", reply })

/** Promises an edit of the reply in one slot of the reply order; a later attempt overwrites its own slot. */
export const promise = (exchange: Exchange, slot: number, edit: Edit): void => {
  const { edits } = exchange
  if (edits === undefined) {
    exchange.edits = [{ slot, edit }]
    return
  }
  let at = edits.length
  while (at > 0 && (edits[at - 1] as Promised).slot > slot) at--
  if (edits[at - 1]?.slot === slot) edits[at - 1] = { slot, edit }
  else edits.splice(at, 0, { slot, edit })
}
