/**
 * Looks at the card of a relayed agent without being asked, for as long as the agent is used: clients that have a card do
 * not ask for it again, and an agent may become another one meanwhile.
 */
import * as Effect from "effect/Effect"
import { definitionsOf, plainCard } from "../../../../protocols/a2a/card/definitions.ts"
import type { Fields } from "../../../../protocols/a2a/Fields.ts"
import type { Fetched } from "../../../5-policy/RemoteDocument.ts"
import type { Clock } from "../../../ports/Timer.ts"
import type { Refusal } from "../../../Refusal.ts"
import { decodeCard } from "../Agents.ts"
import type { Run } from "../stream.ts"
import type { CardLock } from "./CardLock.ts"

/** An agent that nobody asked for so long is looked at again when somebody does. */
const idleMillis = 5 * 60_000

export interface WatchParts {
  readonly lock: CardLock
  readonly clock: Clock
  readonly run: Run
  readonly fetch: (path: string) => Effect.Effect<Fetched, string>
  /** The card as far as its signatures let it be believed. */
  readonly believe: (card: Fields) => Effect.Effect<Fields, Refusal>
}

const saidBy = (card: Fields, signatures: unknown): string => {
  const { card: rest, skills } = definitionsOf(plainCard(card), signatures)
  return [rest, ...skills].join("\n")
}

/** Where a client found the card, and what it said then. */
interface Sight {
  readonly path: string
  readonly said: string
  /** Whether a look of our own finds the same there: hosts may show their cards by whatever name they are called. */
  isFound: boolean
}

export class CardWatch {
  private readonly parts: WatchParts
  private readonly everyMillis: number
  private sight: Sight | undefined
  private usedMillis = -Infinity
  private lookedMillis = -Infinity
  private isLooking = false
  private isArmed = false

  constructor(parts: WatchParts) {
    this.parts = parts
    this.everyMillis = parts.lock.recheckMillis
  }

  /** A client was shown a card from there. */
  sighted(path: string, card: Fields, signatures: unknown): void {
    const said = saidBy(card, signatures)
    this.usedMillis = this.lookedMillis = this.parts.clock.nowMillis()
    if (this.sight?.path === path && (this.sight.isFound || this.sight.said === said)) return this.arm()
    this.sight = { path, said, isFound: false }
    this.lookSoon()
  }

  /** The agent is about to be asked something: never by what was seen too long ago. */
  readonly used: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.parts.clock.nowMillis()
    this.usedMillis = now
    this.arm()
    return this.sight?.isFound === true && now - this.lookedMillis >= 2 * this.everyMillis ? this.look : Effect.void
  })

  private arm(): void {
    const { clock } = this.parts
    if (this.isArmed || this.sight === undefined) return
    this.isArmed = true
    clock.after(this.everyMillis, () => {
      this.isArmed = false
      if (clock.nowMillis() - this.usedMillis <= idleMillis) this.lookSoon()
    })
  }

  private lookSoon(): void {
    if (this.isLooking) return
    this.isLooking = true
    this.parts.run(
      Effect.ensuring(
        this.look,
        Effect.sync(() => {
          this.isLooking = false
          this.arm()
        }),
      ),
    )
  }

  /** A card that cannot be had, or not believed, says nothing: clients will hear of that themselves. */
  private readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const { believe, clock, fetch, lock } = this.parts
    const { sight } = this
    if (sight === undefined) return Effect.void
    this.lookedMillis = clock.nowMillis()
    return Effect.ignore(
      Effect.flatMap(fetch(sight.path), ({ text }) => {
        const card = decodeCard(text)
        if (typeof card === "string") return Effect.void
        return Effect.flatMap(believe(card), (believed) => {
          const { signatures } = card
          if (!sight.isFound && saidBy(believed, signatures) !== sight.said) return Effect.void
          sight.isFound = true
          return Effect.asVoid(lock.judge(believed, signatures))
        })
      }),
    )
  })
}
