/** Somebody wants the stories of exchanges to come: of the next few, or of the next few for which an expression holds. */
import type { Expressions, Expression } from "../../stages/5-policy/expression/Expressions.ts"
import { Facts } from "../../stages/5-policy/expression/Facts.ts"
import { type Inquiry, Story } from "../../stages/Inquiry.ts"
import type { Clock } from "../../stages/ports/Timer.ts"
import type { Told } from "./Told.ts"

export interface Wish {
  /** How many stories. */
  readonly count: number
  readonly expression?: string | undefined
  /** How long at most: whoever asked may have forgotten. */
  readonly millis: number
}

export const wishCountMax = 100
export const wishMillisMax = 600_000

interface Pending {
  left: number
  readonly expression: Expression | undefined
  readonly untilMillis: number
}

export class Curiosity {
  private readonly clock: Clock
  private pending: Array<Pending> = []
  expressions: Expressions | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** What is wrong with the wish, if anything. */
  want({ count, expression, millis }: Wish): ReadonlyArray<string> {
    const { expressions } = this
    if (expression !== undefined && expressions !== undefined) {
      const issues = expressions.issues(expression, "log", "logFilter")
      if (issues.length > 0) return issues.map(({ message }) => message)
    }
    this.pending.push({
      left: Math.min(count, wishCountMax),
      expression: expression === undefined ? undefined : expressions?.compile(expression, "log", "logFilter"),
      untilMillis: this.clock.nowMillis() + Math.min(millis, wishMillisMax),
    })
    return []
  }

  /** Asked for every exchange: nearly always there is nobody. */
  inquire(): Inquiry | undefined {
    if (this.pending.length === 0) return undefined
    const now = this.clock.nowMillis()
    this.pending = this.pending.filter(({ left, untilMillis }) => left > 0 && untilMillis > now)
    return this.pending.length === 0 ? undefined : new Story(this.clock)
  }

  /** Whether somebody waited for this one. */
  takes({ ending, exchange }: Told): boolean {
    let taken = false
    for (const one of this.pending) {
      if (one.left <= 0) continue
      if (one.expression !== undefined && this.expressions !== undefined) {
        // Whoever asks means what the client asked for, not what became of it on its way.
        const facts = Facts.of(this.expressions.around, exchange, ending.reply)
        facts.endedMillis = ending.endedMillis
        if (one.expression.holds(facts) !== true) continue
      }
      one.left--
      taken = true
    }
    return taken
  }
}
