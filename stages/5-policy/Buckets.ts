/**
 * Token buckets in memory that threads share, so that a limit is one limit however many threads serve.
 *
 * Each takes two words of a table: who it belongs to, and its state, which is only ever replaced as a whole. Nobody
 * locks, so nobody is held up by a thread that ends in the middle. A table of its own can serve a single thread.
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
export const BUCKETS_MAX = 65_536

/** How far from its own place a bucket may be found. */
const PROBES_MAX = 64

/** A clock set back by more than this is believed; by less, two threads have looked at it one after the other. */
const CLOCK_SLACK_MILLIS = 5_000

const bytesPerBucket = 16

export const memory = (buckets: number = BUCKETS_MAX): SharedArrayBuffer =>
  new SharedArrayBuffer(buckets * bytesPerBucket)

// A state, taken apart: what was spent, and up to which turn of the interval it was filled up, modulo 2³².
const whole = new BigInt64Array(1)
const halves = new Int32Array(whole.buffer)

export interface Level {
  readonly remaining: number
  /** Until tokens are added; infinite where none ever are. */
  readonly untilFillMillis: number
}

export class Bucket {
  readonly shape: BucketShape
  private readonly table: BigInt64Array
  private readonly at: number

  constructor(shape: BucketShape, table: BigInt64Array, at: number) {
    this.shape = shape
    this.table = table
    this.at = at
  }

  /** False, and nothing is taken, where there is not that much. */
  take(tokens: number, wallMillis: number): boolean {
    for (;;) {
      const before = Atomics.load(this.table, this.at)
      const spent = this.filled(before, wallMillis) + tokens
      if (spent > this.shape.maxTokens) return false
      if (this.replace(before, spent)) return true
    }
  }

  /** Puts back what was taken for nothing. */
  give(tokens: number, wallMillis: number): void {
    for (;;) {
      const before = Atomics.load(this.table, this.at)
      const spent = Math.max(0, this.filled(before, wallMillis) - tokens)
      if (this.replace(before, spent)) return
    }
  }

  level(wallMillis: number): Level {
    const { fillIntervalMillis, maxTokens, tokensPerFill } = this.shape
    return {
      remaining: Math.max(0, maxTokens - this.filled(Atomics.load(this.table, this.at), wallMillis)),
      untilFillMillis: tokensPerFill === 0 ? Infinity : fillIntervalMillis - (wallMillis % fillIntervalMillis),
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
      this.replace(state, spent)
    }
    return spent
  }

  private replace(before: bigint, spent: number): boolean {
    halves[0] = spent
    return Atomics.compareExchange(this.table, this.at, before, whole[0] as bigint) === before
  }
}

export class Buckets {
  private readonly table: BigInt64Array
  private readonly size: number

  constructor(shared: SharedArrayBuffer) {
    this.table = new BigInt64Array(shared)
    this.size = Math.floor(this.table.length / 2)
  }

  /** The bucket that an identity stands for in every thread; a new one is full. */
  open(identity: bigint, shape: BucketShape): Bucket {
    const id = BigInt.asIntN(64, identity) || 1n
    const home = Number(BigInt.asUintN(32, id)) % Math.max(this.size, 1)
    for (let probe = 0; probe < Math.min(PROBES_MAX, this.size); probe++) {
      const at = 2 * ((home + probe) % this.size)
      const owner = Atomics.compareExchange(this.table, at, 0n, id)
      if (owner === 0n || owner === id) return new Bucket(shape, this.table, at + 1)
    }
    // Where no place is left, a limit holds for each thread rather than not at all.
    return new Bucket(shape, new BigInt64Array(new SharedArrayBuffer(8)), 0)
  }
}

/** Takes from all of them or from none; the one that has too little, if one has. */
export const takeFromAll = (buckets: ReadonlyArray<Bucket>, tokens: number, wallMillis: number): Bucket | undefined => {
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
