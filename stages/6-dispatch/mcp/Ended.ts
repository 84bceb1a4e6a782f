/**
 * Names of what has ended, so that nobody brings it back: the last forty thousand at least, and twice as many at most, in
 * memory of one size, however many there were.
 */

/** A power of two. */
const slots = 65_536
/** More would make looking slow. */
const namesMax = 40_000

const prime = 16_777_619

/** 53 bits that are never 0; two names are taken for one less often than once in 10^10 questions. */
const numberOf = (name: string): number => {
  let [low, high] = [2_166_136_261, 3_339_675_911]
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    low = Math.imul(low ^ code, prime)
    high = Math.imul(high ^ (code + i), prime)
  }
  return Math.max(1, (high >>> 11) * 2 ** 32 + (low >>> 0))
}

export class Ended {
  private current: Float64Array | undefined = undefined
  private before: Float64Array | undefined = undefined
  private count = 0

  add(name: string): void {
    const table = this.room()
    const number = numberOf(name)
    let at = number % slots
    while (table[at] !== 0 && table[at] !== number) at = (at + 1) % slots
    if (table[at] === number) return
    table[at] = number
    this.count++
  }

  has(name: string): boolean {
    const number = numberOf(name)
    return isIn(this.current, number) || isIn(this.before, number)
  }

  private room(): Float64Array {
    if (this.current !== undefined && this.count < namesMax) return this.current
    const emptied = this.before?.fill(0) ?? new Float64Array(slots)
    this.before = this.current
    this.current = emptied
    this.count = 0
    return emptied
  }
}

const isIn = (table: Float64Array | undefined, number: number): boolean => {
  if (table === undefined) return false
  let at = number % slots
  while (table[at] !== 0) {
    if (table[at] === number) return true
    at = (at + 1) % slots
  }
  return false
}
