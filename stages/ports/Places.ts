/** Where tasks live that were begun, for longer than a process does: one for all workers and gateways that share a database. */
import type * as Effect from "effect/Effect"

/** How long a task is known that nobody asks about. */
export const PLACE_MILLIS_MAX = 7 * 24 * 3_600_000

export interface PlacesFailure {
  readonly _tag: "PlacesFailure"
  readonly message: string
}

export interface Places {
  /** The place of each name, where it is known. */
  readonly find: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, string>, PlacesFailure>
  readonly note: (places: ReadonlyMap<string, string>, nowMillis: number) => Effect.Effect<void, PlacesFailure>
  readonly sweep: (nowMillis: number) => Effect.Effect<void, PlacesFailure>
}
