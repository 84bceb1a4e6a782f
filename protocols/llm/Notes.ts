/** What comes to light while a body is read and written anew: what was left out, and why it cannot be done at all. */
import type { Untranslatable } from "./Translation.ts"

/** Beyond, a body names the same few losses over and over. */
const DROPPED_MAX = 64

export class Notes {
  private readonly left = new Set<string>()
  refusal: Untranslatable | undefined

  /** Says that something will not reach the upstream. */
  drop(what: string): void {
    if (this.left.size < DROPPED_MAX) this.left.add(what)
  }

  /** Says that the request cannot be made; the first reason is the one that is told. */
  refuse(path: string, reason: string): void {
    this.refusal ??= { path, reason }
  }

  get dropped(): ReadonlyArray<string> {
    return [...this.left]
  }
}
