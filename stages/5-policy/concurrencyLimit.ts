/**
 * Lets only so many exchanges be under way at once, for all together or for each value of a key; whoever finds no room
 * may wait for a turn. An exchange is under way until its reply was sent to the end, however long that takes.
 */
import * as Effect from "effect/Effect"
import type { Concurrency, ConcurrencyLimit } from "../../ir/policy/ConcurrencyLimit.ts"
import { type Subject, whenOver } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { type Condition, conditionOf } from "./condition.ts"
import { readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import type { Gate } from "./Gate.ts"
import { identityOf, keyValue, ownerOf } from "./keyed.ts"
import { full, type Inside } from "./Occupancy.ts"
import type { Layer } from "./order.ts"
import { broken, pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"
import type { Turnstile } from "./Turnstile.ts"

interface Limit {
  readonly shape: Concurrency
  readonly turnstile: (subject: Subject) => Turnstile
  readonly refused: Effect.Effect<Verdict, Refusal>
  readonly readsBody: boolean
  readonly condition: Condition | undefined
}

/** Several of which only the first whose condition holds counts, or none. */
type Choice = ReadonlyArray<Limit>

/** Where one exchange has gone in. */
class Stay {
  private places: Array<readonly [Turnstile, Inside]> = []
  private isOver = false

  add(turnstile: Turnstile, inside: Inside): void {
    if (this.isOver) turnstile.leave(inside)
    else this.places.push([turnstile, inside])
  }

  readonly leave = (): void => {
    this.isOver = true
    const { places } = this
    this.places = []
    for (const [turnstile, inside] of places) turnstile.leave(inside)
  }
}

export const refusalOf = ({ retryAfterMillis, status }: Concurrency): Refusal => ({
  _tag: "TooManyAtOnce",
  status,
  headers: ["retry-after", String(Math.ceil(retryAfterMillis / 1000))],
})

const limitsOf = (
  { id, limits }: ConcurrencyLimit,
  gate: Gate,
  ports: PolicyPorts,
  layer: Layer,
): ReadonlyArray<Limit> => {
  const { cryptography } = gate
  const expressions = expressionsOf(ports)
  const owner = ownerOf(id)
  return limits.map((shape, index) => {
    const key = shape.key === undefined ? undefined : expressions.compile(shape.key, layer, "key")
    // What is counted does not depend on how much of it is allowed: those inside still count after a change of that.
    const name = ["concurrency", owner, index, shape.key ?? null]
    const refused: Effect.Effect<Verdict, Refusal> = Effect.fail(refusalOf(shape))
    const when = shape.condition === undefined ? undefined : expressions.compile(shape.condition, layer, "condition")
    const condition = when === undefined ? undefined : conditionOf(when, expressions.around)
    const readsBody = readsRequestBody(key) || readsRequestBody(when)
    if (key === undefined) {
      const identity = identityOf(cryptography, ...name)
      return { shape, refused, readsBody, condition, turnstile: () => gate.turnstiles().at(identity) }
    }
    return {
      shape,
      refused,
      readsBody,
      condition,
      turnstile: (subject) => {
        const value = keyValue(key, expressions.around, subject, cryptography)
        return gate.turnstiles().at(identityOf(cryptography, ...name, value))
      },
    }
  })
}

/** All limits of all levels, one after the other; the widest first, so that nobody waits inside for a place outside. */
export const compile = (
  policies: ReadonlyArray<ConcurrencyLimit>,
  ports: PolicyPorts,
  layer: Layer,
): Step<Subject> | undefined => {
  const { gate } = ports
  if (policies.every(({ limits }) => limits.length === 0)) return undefined
  if (gate === undefined) return broken("ConcurrencyLimit", "nothing here counts requests")
  const choices = policies.flatMap((policy): ReadonlyArray<Choice> => {
    const limits = limitsOf(policy, gate, ports, layer)
    return policy.onlyFirst === true ? [limits] : limits.map((limit) => [limit])
  })
  const chosen = (choice: Choice, subject: Subject): Limit | undefined =>
    choice.find(({ condition }) => condition === undefined || condition(subject))

  const note = (subject: Subject, decision: string, { maxConcurrent }: Concurrency): void =>
    subject.exchange.inquiry?.note({ stage: "ConcurrencyLimit", decision, detail: { of: maxConcurrent } })

  const from = (first: number, subject: Subject, stay: Stay): Effect.Effect<Verdict, Refusal> => {
    for (let i = first; i < choices.length; i++) {
      const limit = chosen(choices[i] as Choice, subject)
      if (limit === undefined) continue
      const { refused, shape, turnstile: turnstileOf } = limit
      const { maxConcurrent, queue } = shape
      const turnstile = turnstileOf(subject)
      const inside = turnstile.enter(maxConcurrent)
      if (inside !== full) {
        stay.add(turnstile, inside)
        continue
      }
      const refuse = (): Effect.Effect<Verdict, Refusal> => {
        note(subject, "no room", shape)
        // Whoever is refused leaves at once, and not only when the client has read it.
        stay.leave()
        return refused
      }
      if (queue === undefined || queue.maxWaiting === 0) return refuse()
      note(subject, "waits", shape)
      const leftMillis = subject.exchange.deadlineMillis - ports.clock.nowMillis()
      const patience = Math.max(0, Math.min(queue.timeoutMillis, leftMillis))
      const waited = turnstile.wait(maxConcurrent, queue.maxWaiting, patience, (place) => stay.add(turnstile, place))
      return Effect.flatMap(waited, (isInside) => (isInside ? from(i + 1, subject, stay) : refuse()))
    }
    return pass
  }

  return {
    kind: "ConcurrencyLimit",
    readsBody: choices.flat().some(({ readsBody }) => readsBody),
    run: (subject) => {
      const stay = new Stay()
      whenOver(subject.exchange, stay.leave)
      return from(0, subject, stay)
    },
  }
}
