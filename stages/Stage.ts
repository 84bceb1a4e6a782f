/**
 * The type every step of the pipeline has. A step learns something or refuses; it never looks anything up in the
 * environment while it runs, because what it needs was captured when it was made.
 */
import * as Effect from "effect/Effect"

/** One step of the pipeline: takes what is known, answers with more known — or refuses. */
export interface Stage<in In, out Out, out E = never, out R = never> {
  readonly name: string
  readonly run: (input: In) => Effect.Effect<Out, E, R>
}

export const make = <In, Out, E = never, R = never>(
  name: string,
  run: (input: In) => Effect.Effect<Out, E, R>,
): Stage<In, Out, E, R> => ({ name, run })
