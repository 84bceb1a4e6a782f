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
/** Whoever takes something up may not have got that far: it is asked again, so often. */
const againMillis = 50
const timesMax = 40
const roundsMax = 4

/** The answer of the worker that has taken it up; undefined: it is ours now. */
export const fromHome = (
  { isShared, kept, runtime: { clock, siblings } }: McpState,
  kind: KeepsakeKind,
  owner: string,
  pass: (worker: string) => Effect.Effect<Reply | "Gone" | undefined>,
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
      return Effect.flatMap(patiently(pass(worker)), (reply) => (reply === undefined ? claim : Effect.succeed(reply)))
    })
  return settle(0)
}

/** Undefined: whoever it was is gone, or has forgotten it. */
const patiently = (passing: Effect.Effect<Reply | "Gone" | undefined>, times = 0): Effect.Effect<Reply | undefined> =>
  Effect.flatMap(passing, (reply) => {
    if (reply !== undefined || times >= timesMax) return Effect.succeed(reply === "Gone" ? undefined : reply)
    return Effect.delay(
      Effect.suspend(() => patiently(passing, times + 1)),
      againMillis,
    )
  })
