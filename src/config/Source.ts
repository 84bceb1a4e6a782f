/** Where configuration comes from: a stream of everything the gateway is told, one whole snapshot at a time. */
import * as Stream from "effect/Stream"
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
  readonly updates: Stream.Stream<Told | Unusable>
}

/** A configuration that never changes. */
export const fixed = (snapshot: Snapshot): Source => ({
  name: "code",
  updates: Stream.succeed<Told | Unusable>({ _tag: "Told", snapshot }),
})
