/** What is known of the names of fields, by how they are spelled. */

/** How many spellings are remembered, and how long each may be. */
export const SPELLINGS_MAX = 2048
const SPELLING_CHARS_MAX = 64

/**
 * Peers write their fields in the same order again and again, and to compare two names is cheaper than to look one up.
 * Places after these are looked up.
 */
const PLACES_MAX = 32

/** Fields of one kind of head, by where they stood last. */
export type Places<F> = Array<F | undefined>

export const places = <F>(): Places<F> => Array.from({ length: PLACES_MAX })

export class KnownFields<F extends { readonly spelling: string }> {
  private readonly known = new Map<string, F>()
  private readonly classify: (spelling: string) => F

  constructor(classify: (spelling: string) => F) {
    this.classify = classify
  }

  of(spelling: string): F {
    return this.known.get(spelling) ?? this.learn(spelling)
  }

  /** Without remembering it. */
  glance(spelling: string): F {
    return this.known.get(spelling) ?? this.classify(spelling)
  }

  at(places: Places<F>, place: number, spelling: string): F {
    const before = place < PLACES_MAX ? places[place] : undefined
    if (before !== undefined && before.spelling === spelling) return before
    const field = this.of(spelling)
    if (place < PLACES_MAX && spelling.length <= SPELLING_CHARS_MAX) places[place] = field
    return field
  }

  private learn(spelling: string): F {
    const field = this.classify(spelling)
    if (spelling.length <= SPELLING_CHARS_MAX) {
      // Starting again is cheaper than an eviction order, and a client that makes names up gains nothing by it.
      if (this.known.size >= SPELLINGS_MAX) this.known.clear()
      this.known.set(spelling, field)
    }
    return field
  }
}
