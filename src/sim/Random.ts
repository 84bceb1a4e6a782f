/** Numbers that a seed decides. Each purpose has a sequence of its own, so that one more draw here changes nothing there. */

export interface Random {
  /** In [0, 1). */
  readonly next: () => number
  /** An integer in [0, bound). */
  readonly below: (bound: number) => number
}

/** Mixes a text into a number, so that purposes can be named. */
const mix = (seed: number, purpose: string): number => {
  let hash = seed ^ 0x9e3779b9
  for (let i = 0; i < purpose.length; i++) hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193)
  return hash
}

export const make = (seed: number, purpose: string): Random => {
  let state = mix(seed, purpose)
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296
  }
  return { next, below: (bound) => Math.floor(next() * bound) }
}
