/** The copies that are under way. They live no longer than the scope they were made in. */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"
import type { Room } from "./Tee.ts"

/** How many copies may be under way at once. */
export const MIRRORS_IN_FLIGHT_MAX = 256

/** How many bytes all of them together may keep. */
export const MIRROR_BYTES_MAX = 16_777_216

/** How long one may take. */
export const MIRROR_MILLIS_MAX = 30_000

/** How much of a reply is read before its connection is given up. */
export const MIRROR_REPLY_BYTES_MAX = 65_536

export class Mirrors {
  private readonly run: (effect: Effect.Effect<void>) => unknown
  private bytes = 0
  inFlight = 0
  /** Since the beginning. */
  sent = 0
  /** For want of room. */
  dropped = 0
  failed = 0

  constructor(run: (effect: Effect.Effect<void>) => unknown) {
    this.run = run
  }

  /** Whether another copy may begin; one that may not counts as dropped. */
  admit(bytes: number): boolean {
    if (this.inFlight < MIRRORS_IN_FLIGHT_MAX && this.room.take(bytes)) {
      this.inFlight++
      return true
    }
    this.dropped++
    return false
  }

  /** Runs an admitted copy; says at its end whether it was answered. */
  begin(bytes: number, copy: Effect.Effect<boolean>): void {
    this.run(
      Effect.onExit(copy, (exit) => {
        this.inFlight--
        this.room.give(bytes)
        if (exit._tag === "Success" && exit.value) this.sent++
        else this.failed++
        return Effect.void
      }).pipe(Effect.asVoid, Effect.ignoreCause),
    )
  }

  readonly room: Room = {
    take: (bytes) => {
      if (this.bytes + bytes > MIRROR_BYTES_MAX) return false
      this.bytes += bytes
      return true
    },
    give: (bytes) => {
      this.bytes -= bytes
    },
  }

  /** How many bytes are kept at the moment. */
  get keptBytes(): number {
    return this.bytes
  }
}

export const make: Effect.Effect<Mirrors, never, Scope.Scope> = Effect.map(
  FiberSet.makeRuntime<never, void>(),
  (run) => new Mirrors(run),
)
