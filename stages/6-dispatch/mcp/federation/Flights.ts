/** Questions that several have at once: each is asked with the first who wants to know, and given up with the last. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { McpRuntime } from "../McpRuntime.ts"

/** What came of a question, and who it was asked by. */
export interface Landed<A, E, Asker> {
  readonly exit: Exit.Exit<A, E>
  readonly asker: Asker
}

interface Flight<A, E, Asker> {
  readonly asker: Asker
  readonly waiting: Set<(landed: Effect.Effect<Landed<A, E, Asker>>) => void>
  fiber: Fiber.Fiber<A, E> | undefined
  isOver: boolean
}

export class Flights<A, E, Asker> {
  private readonly run: McpRuntime["run"]
  /** Each of them has somebody who waits for it, which is their bound. */
  private readonly flights = new Map<string, Flight<A, E, Asker>>()

  constructor({ run }: Pick<McpRuntime, "run">) {
    this.run = run
  }

  has(key: string): boolean {
    return this.flights.has(key)
  }

  /** Waits for what is under way by that name, or else begins it on behalf of `asker`. */
  join(key: string, asker: Asker, question: Effect.Effect<A, E>): Effect.Effect<Landed<A, E, Asker>> {
    return Effect.callback((resume) => {
      let flight = this.flights.get(key)
      if (flight === undefined) {
        flight = { asker, waiting: new Set([resume]), fiber: undefined, isOver: false }
        this.flights.set(key, flight)
        this.begin(key, flight, question)
      } else flight.waiting.add(resume)
      const joined = flight
      return Effect.sync(() => {
        joined.waiting.delete(resume)
        if (joined.waiting.size > 0 || joined.isOver) return
        this.end(key, joined)
        joined.fiber?.interruptUnsafe()
      })
    })
  }

  private begin(key: string, flight: Flight<A, E, Asker>, question: Effect.Effect<A, E>): void {
    flight.fiber = this.run(question)
    flight.fiber.addObserver((exit) => {
      if (flight.isOver) return
      this.end(key, flight)
      const landed = Effect.succeed({ exit, asker: flight.asker })
      for (const resume of flight.waiting) resume(landed)
      flight.waiting.clear()
    })
  }

  private end(key: string, flight: Flight<A, E, Asker>): void {
    flight.isOver = true
    if (this.flights.get(key) === flight) this.flights.delete(key)
  }

  /** Whoever waits already goes on waiting; whoever comes from now on is not served by what was asked before. */
  detach(isMeant: (key: string) => boolean): void {
    for (const key of this.flights.keys()) if (isMeant(key)) this.flights.delete(key)
  }
}
