/**
 * Token buckets in memory that threads share, so that a limit is one limit however many threads serve.
 *
 * Each takes three words of a table: who it belongs to, its state, which is only ever replaced as a whole, and when it
 * will be full again. A bucket that is full is as good as none, so its place is given to whoever needs one; nothing is
 * ever cleaned up, and no number of keys makes the table grow. Nobody locks, so nobody is held up by a thread that ends
 * in the middle. A table of its own can serve a single thread.
 */

export interface BucketShape {
  readonly maxTokens: number
  /** Added at every turn of the interval. */
  readonly tokensPerFill: number
  readonly fillIntervalMillis: number
}

/** Tokens are counted in 32 bits. */
export const BUCKET_TOKENS_MAX = 4_294_967_295

/** Buckets in one table; memory that no bucket uses is never touched. */
export const BUCKETS_MAX = 131_072

/** How far from its own place a bucket may be found. */
const PROBES_MAX = 64

/** A clock set back by more than this is believed; by less, two threads have looked at it one after the other. */
const CLOCK_SLACK_MILLIS = 5_000

const wordsPerBucket = 3

export const memory = (buckets: number = BUCKETS_MAX): SharedArrayBuffer =>
  new SharedArrayBuffer(buckets * wordsPerBucket * 8)

// A state, taken apart: what was spent, and up to which turn of the interval it was filled up, modulo 2³².
const whole = new BigInt64Array(1)
const halves = new Int32Array(whole.buffer)

export interface Level {
  readonly remaining: number
  /** Until tokens are added; infinite where none ever are. */
  readonly untilFillMillis: number
}

export const untilFill = ({ fillIntervalMillis, tokensPerFill }: BucketShape, wallMillis: number): number =>
  tokensPerFill === 0 ? Infinity : fillIntervalMillis - (wallMillis % fillIntervalMillis)

/** The words of a table, seen as what they hold. */
class Places {
  readonly words: BigInt64Array
  /**
   * The same memory: the third word of a place is the time when its bucket will be full; negative where the bucket may
   * not be given away before.
   */
  readonly fullAt: Float64Array
  readonly size: number

  constructor(shared: SharedArrayBuffer) {
    this.words = new BigInt64Array(shared)
    this.fullAt = new Float64Array(shared)
    this.size = Math.floor(this.words.length / wordsPerBucket)
  }

  /** Where the bucket of an identity is, or is from now on. Undefined: there is no place left that may be given away. */
  find(id: bigint, wallMillis: number): number | undefined {
    const { size, words } = this
    const home = Number(BigInt.asUintN(32, id)) % Math.max(size, 1)
    const probes = Math.min(PROBES_MAX, size)
    for (;;) {
      let earliest = Infinity
      let victim = -1
      for (let probe = 0; probe < probes; probe++) {
        const at = wordsPerBucket * ((home + probe) % size)
        const owner = Atomics.compareExchange(words, at, 0n, id)
        if (owner === 0n || owner === id) return at
        const full = this.freeAt(at, wallMillis)
        if (full >= earliest) continue
        earliest = full
        victim = at
      }
      if (victim < 0) return undefined
      // One that is full already loses nothing; else the one that is next to full loses the least.
      const owner = Atomics.load(words, victim)
      if (this.freeAt(victim, wallMillis) > Math.max(earliest, wallMillis)) continue
      if (owner === id || Atomics.compareExchange(words, victim, owner, id) !== owner) continue
      Atomics.store(words, victim + 1, 0n)
      this.fullAt[victim + 2] = wallMillis
      return this.first(id, home, probes, victim)
    }
  }

  private freeAt(at: number, wallMillis: number): number {
    const full = this.fullAt[at + 2] as number
    return full >= 0 ? full : -full <= wallMillis ? -full : Infinity
  }

  /** Two threads may have found a place for the same identity at once: the one nearer to home counts. */
  private first(id: bigint, home: number, probes: number, own: number): number {
    for (let probe = 0; probe < probes; probe++) {
      const at = wordsPerBucket * ((home + probe) % this.size)
      if (at === own) return own
      if (Atomics.load(this.words, at) !== id) continue
      Atomics.compareExchange(this.words, own, id, abandoned)
      this.fullAt[own + 2] = 0
      return at
    }
    return own
  }
}

/** No identity is this one. */
const abandoned = -1n

export class Bucket {
  readonly shape: BucketShape
  private readonly id: bigint
  private readonly isKept: boolean
  private places: Places
  private at: number

  constructor(shape: BucketShape, id: bigint, isKept: boolean, places: Places, at: number) {
    this.shape = shape
    this.id = id
    this.isKept = isKept
    this.places = places
    this.at = at
  }

  /** False, and nothing is taken, where there is not that much. */
  take(tokens: number, wallMillis: number): boolean {
    return this.change(wallMillis, (spent) => (spent + tokens > this.shape.maxTokens ? undefined : spent + tokens))
  }

  /** Takes what was consumed already, at most everything there is. */
  spend(tokens: number, wallMillis: number): void {
    this.change(wallMillis, (spent) => Math.min(this.shape.maxTokens, spent + tokens))
  }

  /** Puts back what was taken for nothing. */
  give(tokens: number, wallMillis: number): void {
    this.change(wallMillis, (spent) => Math.max(0, spent - tokens))
  }

  level(wallMillis: number): Level {
    const state = Atomics.load(this.places.words, this.located(wallMillis) + 1)
    return {
      remaining: Math.max(0, this.shape.maxTokens - this.filled(state, wallMillis)),
      untilFillMillis: untilFill(this.shape, wallMillis),
    }
  }

  /** Undefined from `next`: nothing changes. */
  private change(wallMillis: number, next: (spent: number) => number | undefined): boolean {
    for (;;) {
      const at = this.located(wallMillis)
      const { words } = this.places
      const before = Atomics.load(words, at + 1)
      const spent = this.filled(before, wallMillis)
      const after = next(spent)
      if (after === undefined) return false
      if (!this.replace(at, before, after)) continue
      if (Atomics.load(words, at) === this.id) {
        const full = this.fullAt(after, wallMillis)
        this.places.fullAt[at + 2] = this.isKept ? -full : full
        return true
      }
      // The place was given away in between: it was somebody else's tokens that were counted.
      this.undo(at, after - spent)
    }
  }

  private located(wallMillis: number): number {
    if (Atomics.load(this.places.words, this.at) === this.id) return this.at
    const found = this.places.find(this.id, wallMillis)
    if (found === undefined) {
      this.places = ofOwn(this.id)
      this.at = 0
    } else this.at = found
    return this.at
  }

  private fullAt(spent: number, wallMillis: number): number {
    const { fillIntervalMillis, tokensPerFill } = this.shape
    if (spent === 0) return wallMillis
    if (tokensPerFill === 0) return Infinity
    return (Math.floor(wallMillis / fillIntervalMillis) + Math.ceil(spent / tokensPerFill)) * fillIntervalMillis
  }

  private undo(at: number, tokens: number): void {
    const { words } = this.places
    for (;;) {
      const state = Atomics.load(words, at + 1)
      whole[0] = state
      halves[0] = Math.max(0, ((halves[0] as number) >>> 0) - tokens)
      if (Atomics.compareExchange(words, at + 1, state, whole[0] as bigint) === state) return
    }
  }

  /** What counts as spent now; leaves the turn of the interval in `halves` for whoever goes on to replace the state. */
  private filled(state: bigint, wallMillis: number): number {
    const { fillIntervalMillis, tokensPerFill } = this.shape
    whole[0] = state
    const spent = (halves[0] as number) >>> 0
    const turn = Math.floor(wallMillis / fillIntervalMillis) | 0
    const turns = (turn - (halves[1] as number)) | 0
    if (turns > 0) {
      halves[1] = turn
      return Math.max(0, spent - turns * tokensPerFill)
    }
    if (state === 0n) halves[1] = turn
    else if (turns < -1 && -turns * fillIntervalMillis > CLOCK_SLACK_MILLIS) {
      // Kept even by whoever takes nothing: turns count from here on.
      halves[1] = turn
      this.replace(this.at, state, spent)
    }
    return spent
  }

  private replace(at: number, before: bigint, spent: number): boolean {
    halves[0] = spent
    return Atomics.compareExchange(this.places.words, at + 1, before, whole[0] as bigint) === before
  }
}

/** Where no place is left, a limit holds for each thread rather than not at all. */
const ofOwn = (id: bigint): Places => {
  const places = new Places(memory(1))
  places.words[0] = id
  return places
}

export class Buckets {
  private readonly places: Places

  constructor(shared: SharedArrayBuffer) {
    this.places = new Places(shared)
  }

  /**
   * The bucket that an identity stands for in every thread; a new one is full. One that is not kept may be forgotten
   * before it is full, where so many are in use that there is no other place.
   */
  open(identity: bigint, shape: BucketShape, wallMillis: number, isKept = true): Bucket {
    const short = BigInt.asIntN(64, identity)
    const id = short === 0n || short === abandoned ? 1n : short
    const at = this.places.find(id, wallMillis)
    return at === undefined
      ? new Bucket(shape, id, isKept, ofOwn(id), 0)
      : new Bucket(shape, id, isKept, this.places, at)
  }
}

/** Takes from all of them or from none; the one that has too little, if one has. */
export const takeFromAll = (buckets: ReadonlyArray<Bucket>, tokens: number, wallMillis: number): Bucket | undefined => {
  const [only] = buckets
  if (only !== undefined && buckets.length === 1) return only.take(tokens, wallMillis) ? undefined : only
  for (const bucket of buckets) if (bucket.level(wallMillis).remaining < tokens) return bucket
  for (let i = 0; i < buckets.length; i++) {
    const bucket = buckets[i] as Bucket
    if (bucket.take(tokens, wallMillis)) continue
    // Another thread was quicker: it must not look as if we had had our turn.
    for (let k = 0; k < i; k++) (buckets[k] as Bucket).give(tokens, wallMillis)
    return bucket
  }
  return undefined
}
