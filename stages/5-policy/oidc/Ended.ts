/**
 * Sessions that their provider has ended: by whose they are, when. In memory that threads share, since a session is
 * known to every thread and the provider tells only one. Where there are more than there is room for, the oldest are
 * forgotten first; by then most of their sessions are over.
 */

/** How many are remembered. */
const ENDED_MAX = 65_536

/** How far from its own place one may be found. */
const PROBES_MAX = 64

const wordsPerEntry = 2
const nobody = 0n

/** One word more says whether there are any. */
export const memory = (entries = ENDED_MAX): SharedArrayBuffer =>
  new SharedArrayBuffer((1 + entries * wordsPerEntry) * 8)

export class Ended {
  private readonly words: BigInt64Array
  private readonly size: number

  constructor(shared: SharedArrayBuffer) {
    this.words = new BigInt64Array(shared)
    this.size = Math.floor((this.words.length - 1) / wordsPerEntry)
  }

  /** As long as nothing was ended nobody needs to look whose a session is. */
  get isEmpty(): boolean {
    return Atomics.load(this.words, 0) === 0n
  }

  put(identity: bigint, atSeconds: number): void {
    const id = known(identity)
    const at = BigInt(Math.floor(atSeconds))
    let oldest = -1
    let oldestAt = at
    for (const place of this.places(id)) {
      const owner = Atomics.compareExchange(this.words, place, nobody, id)
      if (owner === nobody || owner === id) return this.note(place, at)
      const since = Atomics.load(this.words, place + 1)
      if (oldest >= 0 && since >= oldestAt) continue
      oldest = place
      oldestAt = since
    }
    if (oldest < 0) return
    Atomics.store(this.words, oldest, id)
    Atomics.store(this.words, oldest + 1, 0n)
    this.note(oldest, at)
  }

  /** Undefined: nothing of that identity was ended. */
  at(identity: bigint): number | undefined {
    const id = known(identity)
    for (const place of this.places(id)) {
      const owner = Atomics.load(this.words, place)
      if (owner === id) return Number(Atomics.load(this.words, place + 1))
      if (owner === nobody) return undefined
    }
    return undefined
  }

  /** The latest counts, in whatever order they are told. */
  private note(place: number, at: bigint): void {
    if (Atomics.load(this.words, place + 1) < at) Atomics.store(this.words, place + 1, at)
    Atomics.store(this.words, 0, 1n)
  }

  private *places(id: bigint): Iterable<number> {
    const home = Number(BigInt.asUintN(32, id)) % Math.max(this.size, 1)
    for (let probe = 0; probe < Math.min(PROBES_MAX, this.size); probe++) {
      yield 1 + wordsPerEntry * ((home + probe) % this.size)
    }
  }
}

const known = (identity: bigint): bigint => {
  const short = BigInt.asIntN(64, identity)
  return short === nobody ? 1n : short
}
