/** Somebody wants to know why an exchange went as it did; every stage tells what it read, decided and took. */
import type { Clock } from "./ports/Timer.ts"

export interface Note {
  /** The name of the stage or policy kind. */
  readonly stage: string
  readonly decision: string
  readonly detail?: unknown
}

export interface Inquiry {
  readonly note: (note: Note) => void
}

/** Notes of one exchange; what comes later is counted only. */
const notesMax = 256

export interface TimedNote extends Note {
  /** By the monotonic clock. */
  readonly atMillis: number
}

/** An inquiry that remembers. */
export class Story implements Inquiry {
  readonly notes: Array<TimedNote> = []
  dropped = 0
  private readonly clock: Pick<Clock, "nowMillis">

  constructor(clock: Pick<Clock, "nowMillis">) {
    this.clock = clock
  }

  note({ decision, detail, stage }: Note): void {
    if (this.notes.length < notesMax) this.notes.push({ stage, decision, detail, atMillis: this.clock.nowMillis() })
    else this.dropped++
  }
}
