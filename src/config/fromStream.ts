import * as Stream from "effect/Stream"
import type { Source, Told, Unusable } from "./Source.ts"

/** A configuration that changes as a stream says, one whole snapshot at a time. */
export const fromStream = (name: string, updates: Stream.Stream<Told | Unusable>): Source => ({
  name,
  follow: (take) => Stream.runForEach(updates, take),
})
