/**
 * Which worker has taken up what another one has left, because that one is gone or belongs to a process that is: the
 * first that is asked for it, and everybody else hands it what belongs to it.
 */
import * as Effect from "effect/Effect"
import type { Reply } from "../../Exchange.ts"
import type { McpState } from "./McpState.ts"
import type { KeepsakeKind } from "../../ports/Keepsakes.ts"

interface Home {
  readonly worker: string
}

/** How long it is remembered; whoever comes later settles it anew. */
const homeMillis = 30 * 24 * 3_600_000
/** Whoever takes something up may not have got that far. */
const againMillis = 50
const roundsMax = 4

/** The answer of the worker that has taken it up; undefined: it is ours now. */
export const fromHome = (
  { isShared, kept, runtime: { clock, siblings } }: McpState,
  kind: KeepsakeKind,
  owner: string,
  pass: (worker: string) => Effect.Effect<Reply | undefined>,
): Effect.Effect<Reply | undefined> => {
  if (siblings === undefined || !isShared) return Effect.succeed(undefined)
  const place = { kind, owner, name: `home ${siblings.gateway}` }
  const settle = (rounds: number): Effect.Effect<Reply | undefined> =>
    Effect.flatMap(kept.find<Home>(place), (found) => {
      const claim = Effect.flatMap(
        kept.claim(place, { worker: siblings.self }, clock.wallMillis() + homeMillis, found?.version),
        (isOurs) => (isOurs || rounds >= roundsMax ? Effect.succeed(undefined) : settle(rounds + 1)),
      )
      if (found === undefined) return claim
      const { worker } = found.value
      if (worker === siblings.self) return Effect.succeed(undefined)
      if (!siblings.isOther(worker)) return claim
      return Effect.flatMap(pass(worker), (reply) =>
        reply !== undefined
          ? Effect.succeed(reply)
          : Effect.flatMap(Effect.delay(pass(worker), againMillis), (second) =>
              second === undefined ? claim : Effect.succeed(second),
            ),
      )
    })
  return settle(0)
}
