/**
 * Questions that are being asked: whoever asks the same meanwhile waits for the answer instead of asking too. Whoever
 * asks and leaves hands the question on to one that waits; an answer that is not for others sets them free to ask.
 */
import * as Effect from "effect/Effect"
import type { Clock } from "../../../ports/Timer.ts"
import type { Refusal } from "../../../Refusal.ts"

export type Boarding<A> =
  /** Asks for all. */
  | { readonly _tag: "Lead" }
  /** Asks for itself. */
  | { readonly _tag: "Alone" }
  /** Is given what another asked for. */
  | { readonly _tag: "Given"; readonly answer: A }

interface Flight<A> {
  leader: object
  readonly waiting: Map<object, (boarding: Boarding<A>) => void>
  answer: A | undefined
}

const lead = { _tag: "Lead" } as const
const alone = { _tag: "Alone" } as const
const tooLate: Refusal = { _tag: "RequestTimeout" }

export class Flights<A> {
  private readonly clock: Clock
  private readonly flights = new Map<string, Flight<A>>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  get size(): number {
    return this.flights.size
  }

  /** `who` is known by identity, and must say `left` however it ends. */
  enter(key: string, who: object, deadlineMillis: number): Effect.Effect<Boarding<A>, Refusal> {
    return Effect.suspend(() => {
      const flight = this.flights.get(key)
      if (flight === undefined) {
        this.flights.set(key, { leader: who, waiting: new Map(), answer: undefined })
        return Effect.succeed(lead)
      }
      return flight.answer === undefined
        ? this.waited(flight, who, deadlineMillis)
        : Effect.succeed<Boarding<A>>({ _tag: "Given", answer: flight.answer })
    })
  }

  private waited(flight: Flight<A>, who: object, deadlineMillis: number): Effect.Effect<Boarding<A>, Refusal> {
    return Effect.callback((resume) => {
      const leftMillis = deadlineMillis - this.clock.nowMillis()
      const cancelTimer =
        leftMillis === Infinity
          ? undefined
          : this.clock.after(Math.max(0, leftMillis), () => {
              flight.waiting.delete(who)
              resume(Effect.fail(tooLate))
            })
      flight.waiting.set(who, (boarding) => {
        cancelTimer?.()
        resume(Effect.succeed(boarding))
      })
      return Effect.sync(() => {
        cancelTimer?.()
        flight.waiting.delete(who)
      })
    })
  }

  /** There is an answer for everybody; whoever still comes is given it until it has landed. */
  answered(key: string, who: object, answer: A): boolean {
    const flight = this.flights.get(key)
    if (flight?.leader !== who) return false
    flight.answer = answer
    this.free(flight, { _tag: "Given", answer })
    return true
  }

  /** Nobody can be given it on the way any more. */
  landed(key: string, who: object): void {
    const flight = this.flights.get(key)
    if (flight?.leader !== who) return
    this.flights.delete(key)
    this.free(flight, alone)
  }

  /** Whoever asked has gone. `mayBeAsked`: another may do better. */
  left(key: string, who: object, mayBeAsked: boolean): void {
    const flight = this.flights.get(key)
    if (flight === undefined || flight.leader !== who || flight.answer !== undefined) return
    const [next] = mayBeAsked ? flight.waiting : []
    if (next === undefined) return this.landed(key, who)
    const [heir, tell] = next
    flight.waiting.delete(heir)
    flight.leader = heir
    tell(lead)
  }

  private free(flight: Flight<A>, boarding: Boarding<A>): void {
    const all = [...flight.waiting.values()]
    flight.waiting.clear()
    for (const tell of all) tell(boarding)
  }
}
