/** Lets in as many at once as there is room for; others may wait for their turn, in the order in which they came. */
import * as Effect from "effect/Effect"
import type { Clock } from "../ports/Timer.ts"
import { full, type Inside, type Occupancy, type Room } from "./Occupancy.ts"

/** Those of so many keys are remembered that nobody uses. */
export const TURNSTILES_MAX = 4_096

/** How many are looked at for one that nobody uses. */
const LOOKS_MAX = 8

/** How often a thread with somebody waiting looks whether others have made room. */
export const LOOK_MILLIS = 5

interface Waiter {
  readonly max: number
  readonly admit: (inside: Inside) => void
}

export class Turnstile {
  private readonly room: Room
  /** Those who wait, counted by all threads together. */
  private readonly lobby: Room
  private readonly clock: Clock
  /** Others may make room without this thread being told. */
  private readonly hasOthers: boolean
  private readonly queue: Array<Waiter> = []
  private inside = 0
  private cancelLook: (() => void) | undefined

  constructor(room: Room, lobby: Room, clock: Clock, hasOthers: boolean) {
    this.room = room
    this.lobby = lobby
    this.clock = clock
    this.hasOthers = hasOthers
  }

  /** Nobody is inside by it, or waits at it. */
  get isIdle(): boolean {
    return this.inside === 0 && this.queue.length === 0
  }

  /** At once, or `full`: whoever waits comes first. */
  enter(max: number): Inside {
    const inside = this.queue.length > 0 ? full : this.room.enter(max)
    if (inside !== full) this.inside++
    return inside
  }

  leave(inside: Inside): void {
    this.inside--
    this.room.leave(inside)
    this.serve()
  }

  /** False where too many wait already, or the time is up; `admitted` is told before anybody else can have the place. */
  wait(
    max: number,
    waitingMax: number,
    timeoutMillis: number,
    admitted: (inside: Inside) => void,
  ): Effect.Effect<boolean> {
    return Effect.callback((resume) => {
      const seat = this.lobby.enter(waitingMax)
      if (seat === full) return resume(Effect.succeed(false))
      const settle = (): void => {
        cancelTimer()
        this.lobby.leave(seat)
      }
      const waiter: Waiter = {
        max,
        admit: (inside) => {
          settle()
          admitted(inside)
          resume(Effect.succeed(true))
        },
      }
      const cancelTimer = this.clock.after(timeoutMillis, () => {
        if (this.remove(waiter)) settle()
        resume(Effect.succeed(false))
      })
      this.queue.push(waiter)
      this.serve()
      return Effect.sync(() => {
        if (this.remove(waiter)) settle()
      })
    })
  }

  private remove(waiter: Waiter): boolean {
    const at = this.queue.indexOf(waiter)
    if (at < 0) return false
    this.queue.splice(at, 1)
    // Behind somebody whose limit is lower there may be one for whom there is room.
    if (at === 0) this.serve()
    return true
  }

  private serve(): void {
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      const inside = this.room.enter(next.max)
      if (inside === full) break
      this.inside++
      this.queue.shift()
      next.admit(inside)
    }
    if (this.queue.length === 0) {
      this.cancelLook?.()
      this.cancelLook = undefined
    } else if (this.hasOthers && this.cancelLook === undefined) {
      this.cancelLook = this.clock.after(LOOK_MILLIS, () => {
        this.cancelLook = undefined
        this.serve()
      })
    }
  }
}

/** One for each identity, whatever configuration asks for it. */
export class Turnstiles {
  private readonly occupancy: Occupancy
  private readonly clock: Clock
  private readonly known = new Map<bigint, Turnstile>()

  constructor(occupancy: Occupancy, clock: Clock) {
    this.occupancy = occupancy
    this.clock = clock
  }

  get size(): number {
    return this.known.size
  }

  at(identity: bigint): Turnstile {
    let turnstile = this.known.get(identity)
    if (turnstile === undefined) {
      if (this.known.size >= TURNSTILES_MAX) this.forget()
      const { occupancy } = this
      const [room, lobby] = [occupancy.room(identity), occupancy.room(identity ^ inTheLobby)]
      turnstile = new Turnstile(room, lobby, this.clock, occupancy.threads > 1)
      this.known.set(identity, turnstile)
    }
    return turnstile
  }

  /** One that is in use must stay, since somebody may wait at it; there are no more of these than exchanges. */
  private forget(): void {
    let looks = 0
    for (const [identity, turnstile] of this.known) {
      if (turnstile.isIdle) {
        this.known.delete(identity)
        return
      }
      // The next look begins with others.
      this.known.delete(identity)
      this.known.set(identity, turnstile)
      if (++looks >= LOOKS_MAX) return
    }
  }
}

const inTheLobby = 0x5bd1_e995_9e37_79b9n
