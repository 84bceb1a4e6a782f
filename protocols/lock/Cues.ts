/** What a definition has in it that may move a model or widen what a caller can do, wherever in it that stands. */
import { type CueClass, isStrong } from "./phrases.ts"

export interface Cue {
  readonly class: CueClass
  /** What of it is the cue; the same text elsewhere in the definition is the same cue. */
  readonly what: string
}

export class Cues {
  private readonly found = new Map<string, Cue>()

  add(cueClass: CueClass, what: string): void {
    this.found.set(`${cueClass} ${what}`, { class: cueClass, what })
  }

  get all(): ReadonlyArray<Cue> {
    return [...this.found.values()]
  }

  /** Those that are enough by themselves. */
  get strong(): ReadonlyArray<Cue> {
    return this.all.filter((one) => isStrong(one.class))
  }

  /** What is here and was not there. */
  beyond(before: Cues): ReadonlyArray<Cue> {
    return [...this.found].flatMap(([key, cue]) => (before.found.has(key) ? [] : [cue]))
  }
}
