/**
 * How many are inside at once, in memory that threads share, so that a limit is one limit however many threads serve.
 *
 * A table of places: whose each is, and for every thread how many it has let in there. A thread lets somebody in by
 * counting them first and looking at the sum afterwards, so all together never let in more than there is room for. What
 * a thread had counted is forgotten when it dies. A place where nobody is inside is given to whoever needs one; giving a
 * place away is done by one thread at a time, entering and leaving by any number, and nobody waits for that.
 */

/** Identities that may have somebody inside at once; beyond that each thread counts for itself. */
export const PLACES_MAX = 16_384

/** How far from its own place an identity may be found. */
const PROBES_MAX = 64

/** How often it is looked again when others were about to enter at the same moment. */
const RIVALS_MAX = 16

/** A thread that holds the table longer than this has died over it. */
const LOCK_MILLIS_MAX = 50

/** No identity is one of these. */
const nobody = 0n
const changing = -1n

const headerBytes = 16

export interface Shared {
  readonly memory: SharedArrayBuffer
  readonly threads: number
  /** The number of this thread, from 0. */
  readonly thread: number
}

/** Memory for so many threads; what nobody uses is never touched. */
export const memory = (threads = 1, places = PLACES_MAX): SharedArrayBuffer =>
  new SharedArrayBuffer(headerBytes + places * 8 + places * threads * 4)

interface Views {
  /** Who is giving places away: 0 for nobody, else the number of a thread and one. */
  readonly lock: Int32Array
  readonly owners: BigInt64Array
  readonly counts: Int32Array
  readonly size: number
}

const viewsOf = ({ memory, threads }: Pick<Shared, "memory" | "threads">): Views => {
  const size = Math.floor((memory.byteLength - headerBytes) / (8 + 4 * threads))
  return {
    lock: new Int32Array(memory, 0, 1),
    owners: new BigInt64Array(memory, headerBytes, size),
    counts: new Int32Array(memory, headerBytes + size * 8, size * threads),
    size,
  }
}

/** Forgets whom a thread had let in that is gone; another may take its number afterwards. */
export const bury = (shared: Pick<Shared, "memory" | "threads">, thread: number): void => {
  const { counts, lock, size } = viewsOf(shared)
  for (let at = 0; at < size; at++) {
    const own = at * shared.threads + thread
    if (Atomics.load(counts, own) !== 0) Atomics.store(counts, own, 0)
  }
  Atomics.compareExchange(lock, 0, thread + 1, 0)
  Atomics.notify(lock, 0)
}

/** Where somebody went in. */
export type Inside = number

/** There was no room. */
export const full: Inside = -1

/** Counted by this thread alone. */
const apart: Inside = -2

export class Occupancy {
  readonly threads: number
  private readonly thread: number
  private readonly views: Views

  constructor({ memory, thread, threads }: Shared) {
    this.thread = thread
    this.threads = threads
    this.views = viewsOf({ memory, threads })
  }

  room(identity: bigint): Room {
    const short = BigInt.asIntN(64, identity)
    return new Room(this, short === nobody || short === changing ? 1n : short)
  }

  /** Counts one more where that does not make it too many; the place, `full`, or undefined where there is no place. */
  enter(id: bigint, near: number, max: number): Inside | undefined {
    const { counts, owners } = this.views
    for (let rivals = 0; ; rivals++) {
      const at = near >= 0 && Atomics.load(owners, near) === id ? near : this.find(id)
      if (at === undefined) return undefined
      near = at
      const own = at * this.threads + this.thread
      Atomics.add(counts, own, 1)
      if (Atomics.load(owners, at) !== id) {
        // It was given away in between.
        Atomics.sub(counts, own, 1)
        continue
      }
      if (this.sum(at) <= max) return at
      Atomics.sub(counts, own, 1)
      // Two that come for the last place at once see each other: whoever looks again finds it free, or taken.
      if (this.threads === 1 || rivals >= RIVALS_MAX || this.sum(at) >= max) return full
    }
  }

  leave(at: Inside): void {
    Atomics.sub(this.views.counts, at * this.threads + this.thread, 1)
  }

  /** How many are inside where that identity is counted. */
  count(id: bigint): number {
    const at = this.known(id)
    return at === undefined ? 0 : this.sum(at)
  }

  private sum(at: number): number {
    const { counts } = this.views
    let sum = 0
    for (let thread = 0, i = at * this.threads; thread < this.threads; thread++, i++) sum += Atomics.load(counts, i)
    return sum
  }

  private home(id: bigint): number {
    return Number(BigInt.asUintN(32, id)) % Math.max(this.views.size, 1)
  }

  private known(id: bigint): number | undefined {
    const { owners, size } = this.views
    const home = this.home(id)
    for (let probe = 0; probe < Math.min(PROBES_MAX, size); probe++) {
      const at = (home + probe) % size
      if (Atomics.load(owners, at) === id) return at
    }
    return undefined
  }

  private find(id: bigint): number | undefined {
    return this.known(id) ?? this.locked(() => this.known(id) ?? this.claim(id))
  }

  /** Takes a place where nobody is inside. Only one thread does this at a time, so an identity never has two places. */
  private claim(id: bigint): number | undefined {
    const { owners, size } = this.views
    const home = this.home(id)
    for (let probe = 0; probe < Math.min(PROBES_MAX, size); probe++) {
      const at = (home + probe) % size
      const owner = Atomics.load(owners, at)
      if (this.sum(at) > 0) continue
      // Whoever counts itself in from here on sees that the place is nobody's, and looks again …
      Atomics.store(owners, at, changing)
      if (this.sum(at) === 0) {
        Atomics.store(owners, at, id)
        return at
      }
      // … and whoever did so before keeps it.
      Atomics.store(owners, at, owner)
    }
    return undefined
  }

  private locked<A>(inner: () => A): A {
    const { lock } = this.views
    if (this.threads === 1) return inner()
    const own = this.thread + 1
    for (;;) {
      const holder = Atomics.compareExchange(lock, 0, 0, own)
      if (holder === 0) break
      const isOver = Atomics.wait(lock, 0, holder, LOCK_MILLIS_MAX) === "timed-out"
      if (isOver && Atomics.compareExchange(lock, 0, holder, own) === holder) break
    }
    try {
      return inner()
    } finally {
      Atomics.compareExchange(lock, 0, own, 0)
      Atomics.notify(lock, 0, 1)
    }
  }
}

/** What one identity is counted by. */
export class Room {
  private readonly occupancy: Occupancy
  private readonly id: bigint
  private near = -1
  /** Inside by the count of this thread alone, where the table has no place left. */
  private apart = 0

  constructor(occupancy: Occupancy, id: bigint) {
    this.occupancy = occupancy
    this.id = id
  }

  /** Where there is room: what `leave` is to be told. Else `full`. */
  enter(max: number): Inside {
    const at = this.occupancy.enter(this.id, this.near, max)
    if (at === undefined) {
      if (this.apart >= max) return full
      this.apart++
      return apart
    }
    if (at !== full) this.near = at
    return at
  }

  leave(inside: Inside): void {
    if (inside === apart) this.apart--
    else this.occupancy.leave(inside)
  }

  /** How many are inside. */
  get count(): number {
    return this.occupancy.count(this.id) + this.apart
  }
}
