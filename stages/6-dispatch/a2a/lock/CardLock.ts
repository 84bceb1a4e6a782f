/**
 * The card of an agent under a lock: judged before anybody sees it. A skill that was changed is left out alone; an agent
 * that claims to be another one does not exist until somebody has looked at it.
 */
import * as Effect from "effect/Effect"
import type { ToolLock } from "../../../../ir/backend/ToolLock.ts"
import { cardFrom, definitionsOf, plainCard } from "../../../../protocols/a2a/card/definitions.ts"
import type { Fields } from "../../../../protocols/a2a/Fields.ts"
import type { LocksFailure } from "../../../ports/Locks.ts"
import type { Refusal } from "../../../Refusal.ts"
import type { Ready } from "../../lock/Approvals.ts"
import type { LockParts } from "../../lock/LockParts.ts"
import { ServerLock } from "../../lock/ServerLock.ts"

/** To clients it is as if nobody was there. */
const notThere: Effect.Effect<never, Refusal> = Effect.fail({ _tag: "RouteNotFound" })

const unreadable = ({ message }: LocksFailure): Refusal => ({
  _tag: "ProcessingFailed",
  detail: `the lock of this agent cannot be relied upon: ${message}`,
})

interface Decided {
  readonly ready: Ready
  /** Undefined: nobody is to see it. */
  readonly card: Fields | undefined
}

interface Seen {
  readonly card: Fields
  readonly signatures: unknown
}

export class CardLock {
  /** The card for those the agent knows, which may say more. */
  readonly extended: CardLock | undefined
  /** No card is relied upon that was looked at longer ago. */
  readonly recheckMillis: number
  private readonly lock: ServerLock
  private readonly decided = new WeakMap<Fields, Decided>()
  private last: Seen | undefined

  constructor(server: string, lock: ToolLock, parts: LockParts, isExtended = false) {
    this.lock = new ServerLock({
      server: isExtended ? `${server} (extended)` : server,
      lock,
      parts,
      neighbours: () => ({ servers: [], tools: [] }),
      onChanged: () => {},
    })
    this.recheckMillis = lock.recheckMillis
    this.extended = isExtended ? undefined : new CardLock(server, lock, parts, true)
  }

  /** The card as clients may see it. `signatures` are those it came with. */
  judge(card: Fields, signatures: unknown): Effect.Effect<Fields, Refusal> {
    return Effect.suspend(() => {
      this.last = { card, signatures }
      return Effect.flatMap(this.decide(card, signatures), ({ card: shown }) =>
        shown === undefined ? notThere : Effect.succeed(shown),
      )
    })
  }

  /** Whoever hid behind another card is not spoken to either, until a card of his was let through. */
  readonly admits: Effect.Effect<void, Refusal> = Effect.suspend(() => {
    const { last } = this
    return last === undefined
      ? Effect.void
      : Effect.flatMap(this.decide(last.card, last.signatures), ({ card }) =>
          card === undefined ? notThere : Effect.void,
        )
  })

  private decide(card: Fields, signatures: unknown): Effect.Effect<Decided, Refusal> {
    return Effect.mapError(
      Effect.flatMap(this.lock.current, (ready) => {
        const before = this.decided.get(card)
        if (before !== undefined && before.ready === ready) return Effect.succeed(before)
        const plain = plainCard(card)
        const said = definitionsOf(plain, signatures)
        return Effect.map(
          Effect.flatMap(this.lock.met(ready, "card", [said.card]), (met) => this.lock.met(met, "skill", said.skills)),
          (known): Decided => {
            const made = { ready: known, card: this.shown(known, plain, said) }
            this.decided.set(card, made)
            return made
          },
        )
      }),
      unreadable,
    )
  }

  private shown(ready: Ready, plain: Fields, said: ReturnType<typeof definitionsOf>): Fields | undefined {
    const card = this.lock.judge(ready, "card", [said.card], true)
    const skills = this.lock.judge(ready, "skill", said.skills, true)
    const [whole] = card.shown
    if (whole === undefined) return undefined
    return card.isWhole && skills.isWhole
      ? plain
      : cardFrom({ card: whole.text, skills: skills.shown.map(({ text }) => text) })
  }
}
