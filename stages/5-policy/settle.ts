/** Runs the edits that were promised, in reply order, over a reply — whoever made it. */
import * as Effect from "effect/Effect"
import type { Exchange, Reply } from "../Exchange.ts"

/** Undefined when every edit was done in place and nothing has to be waited for. */
export const settle = (exchange: Exchange, reply: Reply): Effect.Effect<unknown> | undefined => {
  const edits = exchange.edits
  if (edits === undefined) return undefined
  exchange.edits = undefined
  const from = (first: number): Effect.Effect<unknown> | undefined => {
    for (let i = first; i < edits.length; i++) {
      const waiting = edits[i]?.edit(reply)
      if (waiting !== undefined) return Effect.flatMap(waiting, () => from(i + 1) ?? Effect.void)
    }
    return undefined
  }
  return from(0)
}
