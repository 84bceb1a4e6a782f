/**
 * Rendezvous hashing: every key has its own order of endpoints, so that an endpoint that goes takes only its own keys
 * along, and one that comes takes from each of the others its share.
 */

export interface Choice {
  readonly id: string
  readonly weight: number
}

/** Two 32-bit lanes of a text; they differ in seed and multiplier. */
interface Hash {
  readonly high: number
  readonly low: number
}

const hash = (text: string, seedHigh: number, seedLow: number): Hash => {
  let high = seedHigh | 0
  let low = seedLow | 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    high = Math.imul(high ^ code, 0x9e3779b1)
    high ^= high >>> 15
    low = Math.imul(low ^ code, 0x85ebca77)
    low ^= low >>> 13
  }
  return { high, low }
}

const mix = (value: number): number => {
  let x = value
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}

/** A number strictly between 0 and 1 that follows from both texts alone. */
const uniform = (key: Hash, id: Hash): number => {
  const low = mix(key.low ^ id.low)
  const high = mix(key.high ^ id.high ^ Math.imul(low, 0xc2b2ae3d))
  const mixed = mix(low ^ Math.imul(high, 0x27d4eb4f))
  return ((high >>> 0) * 2 ** 20 + (mixed >>> 12) + 0.5) / 2 ** 52
}

const idHashes = new WeakMap<Choice, Hash>()

const hashOf = (choice: Choice): Hash => {
  const known = idHashes.get(choice)
  if (known !== undefined) return known
  const made = hash(choice.id, 0x1656667b, 0x27d4eb4f)
  idHashes.set(choice, made)
  return made
}

/** The endpoint of a key: each has a chance in proportion to its weight, and one of weight 0 has none. */
export const rendezvous = <A extends Choice>(key: string, choices: ReadonlyArray<A>): A | undefined => {
  const hashed = hash(key, 0x9e3779b9, 0xc2b2ae35)
  let best: A | undefined
  let bestScore = 0
  for (const choice of choices) {
    if (choice.weight <= 0) continue
    const score = choice.weight / -Math.log(uniform(hashed, hashOf(choice)))
    // Equal only for equal hashes: then the name decides, so that order never shows.
    if (best === undefined || score > bestScore || (score === bestScore && choice.id < best.id)) {
      best = choice
      bestScore = score
    }
  }
  return best
}
