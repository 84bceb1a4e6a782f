/** Waits for a body to begin, so that a reply that never does can still be asked for elsewhere. */
import * as Effect from "effect/Effect"
import { type Body, type FlowFailure, HeldFlow } from "../../Body.ts"

export const begun = (body: Body): Effect.Effect<Body, FlowFailure> => {
  if (body._tag !== "Flow") return Effect.succeed(body)
  return Effect.callback<Body, FlowFailure>((resume) => {
    const held = new HeldFlow(body.length)
    let isBegun = false
    const begin = (): void => {
      if (isBegun) return
      isBegun = true
      resume(Effect.succeed(held))
    }
    const source = body.open({
      write(chunk) {
        begin()
        return held.write(chunk)
      },
      end(trailers) {
        begin()
        held.end(trailers)
      },
      fail(failure) {
        if (isBegun) return held.fail(failure)
        isBegun = true
        resume(Effect.fail(failure))
      },
    })
    held.source = source
    return Effect.sync(() => source.cancel())
  })
}
