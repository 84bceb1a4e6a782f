/** Decisions that hold for a while, for whoever is the same to the service; the one used least recently goes first. */
import type { Decision } from "./Decision.ts"

/** How long before its end a decision is asked for again, by one request on behalf of all. */
const AHEAD_MILLIS_MAX = 5_000

interface Entry {
  readonly decision: Decision
  readonly untilMillis: number
  readonly refreshMillis: number
  isAsking: boolean
}

export class Kept {
  private readonly entriesMax: number
  private readonly entries = new Map<string, Entry>()

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax
  }

  /** Undefined: ask. Near its end one who asks is told to, so that others need not wait for it. */
  get(key: string, nowMillis: number): Decision | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    this.entries.delete(key)
    if (nowMillis >= entry.untilMillis) return undefined
    this.entries.set(key, entry)
    if (nowMillis < entry.refreshMillis || entry.isAsking) return entry.decision
    entry.isAsking = true
    return undefined
  }

  /** Whoever was told to ask has got no answer: the next one may try. */
  unanswered(key: string): void {
    const entry = this.entries.get(key)
    if (entry !== undefined) entry.isAsking = false
  }

  put(key: string, decision: Decision, nowMillis: number, untilMillis: number): void {
    this.entries.delete(key)
    const lifeMillis = untilMillis - nowMillis
    if (this.entriesMax === 0 || !(lifeMillis > 0)) return
    const refreshMillis = untilMillis - Math.min(lifeMillis / 10, AHEAD_MILLIS_MAX)
    this.entries.set(key, { decision, untilMillis, refreshMillis, isAsking: false })
    if (this.entries.size <= this.entriesMax) return
    for (const oldest of this.entries.keys()) {
      this.entries.delete(oldest)
      return
    }
  }

  get size(): number {
    return this.entries.size
  }
}
