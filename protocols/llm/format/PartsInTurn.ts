/**
 * One part of a stream after the other: a part that begins while another is open waits until that one is closed, and
 * what it says meanwhile is kept.
 */
import type { Delta } from "../Conversation.ts"

export type PartDelta = Extract<Delta, { readonly key: string }>

export class PartsInTurn {
  private readonly apply: (delta: PartDelta) => void
  private current: string | undefined
  private waiting: Array<PartDelta> = []

  constructor(apply: (delta: PartDelta) => void) {
    this.apply = apply
  }

  take(delta: PartDelta): void {
    if (delta.kind === "open" ? this.current === undefined : this.current === delta.key) {
      this.pass(delta)
      if (delta.kind === "close") this.advance()
    } else if (delta.kind === "open" || this.waiting.some((one) => one.kind === "open" && one.key === delta.key)) {
      this.waiting.push(delta)
    }
  }

  /** Nothing more comes: whatever is open is closed, and whatever waits is said. */
  finish(): void {
    for (;;) {
      if (this.current !== undefined) this.pass({ kind: "close", key: this.current })
      if (this.waiting.length === 0) return
      this.advance()
    }
  }

  private pass(delta: PartDelta): void {
    if (delta.kind === "open") this.current = delta.key
    else if (delta.kind === "close") this.current = undefined
    this.apply(delta)
  }

  /** Lets the next part begin, and everything that belongs to it, as far as it was said. */
  private advance(): void {
    while (this.current === undefined) {
      const first = this.waiting.find((one) => one.kind === "open")
      if (first === undefined) {
        this.waiting = []
        return
      }
      const mine = this.waiting.filter((one) => one.key === first.key)
      this.waiting = this.waiting.filter((one) => one.key !== first.key)
      for (const one of mine) this.pass(one)
    }
  }
}
