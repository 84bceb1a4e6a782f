/** Where configuration comes from: everything the gateway is told, one whole snapshot at a time. */
import type * as Effect from "effect/Effect"
import type { Snapshot } from "../../ir/Snapshot.ts"

/** Something was told that cannot be used; what served before goes on serving. */
export interface Unusable {
  readonly _tag: "Unusable"
  /** One line each: where, why, and what to do. */
  readonly problems: ReadonlyArray<string>
}

export interface Told {
  readonly _tag: "Told"
  readonly snapshot: Snapshot
}

export interface Source {
  /** For messages: a file, a control plane, code. */
  readonly name: string
  /**
   * Gives over one update after the other, the first at once, each when the one before was taken. A program that only
   * serves has no other use for streams, so this is not one; `Source.fromStream` makes it of one.
   */
  readonly follow: (take: (update: Told | Unusable) => Effect.Effect<void>) => Effect.Effect<void>
}

/** A configuration that never changes. */
export const fixed = (snapshot: Snapshot): Source => ({
  name: "code",
  follow: (take) => take({ _tag: "Told", snapshot }),
})
