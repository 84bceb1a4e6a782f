/** Code that only some configurations need: loaded when it is first used, and at hand from then on. */
import * as Effect from "effect/Effect"

export const lazily = <M>(load: () => Promise<M>): Effect.Effect<M> => {
  let loaded: Effect.Effect<M> | undefined
  return Effect.suspend(
    () =>
      loaded ??
      Effect.map(Effect.promise(load), (module) => {
        loaded = Effect.succeed(module)
        return module
      }),
  )
}
