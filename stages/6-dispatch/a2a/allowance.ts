/** How often an agent may be sent a message, and how many messages in all: counted once for a question, however often it is tried. */
import * as Effect from "effect/Effect"
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { toText } from "../../../ir/cel/toJson.ts"
import type { A2a, MessageBudget } from "../../../ir/policy/A2a.ts"
import { expressionsOf } from "../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../5-policy/expression/Facts.ts"
import * as localRateLimit from "../../5-policy/localRateLimit.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Reply } from "../../Exchange.ts"
import type { Account, Spendings } from "../../ports/Spending.ts"
import type { Refusal } from "../../Refusal.ts"
import type { DispatchPorts } from "../ports.ts"
import type { Attempting, Try } from "../Target.ts"

/** What is booked for a question that vanished with its gateway counts from then on as never asked. */
const BOOKING_MILLIS = 60 * 60_000
/** Longer values are no names of anybody. */
const SUBJECT_CHARS_MAX = 512

const subjectText = (value: CelValue): string | undefined => toText(value)?.slice(0, SUBJECT_CHARS_MAX)

interface Share {
  readonly budget: MessageBudget
  readonly subjectOf: (attempt: Try) => string
}

interface Booked {
  readonly share: Share
  readonly account: Account
  readonly id: string
}

const usedUp = ({ name, messages }: MessageBudget): Refusal => ({
  _tag: "OverLimit",
  text: `the budget ${JSON.stringify(name)} of ${messages} messages is used up`,
})

const unknown = ({ name }: MessageBudget): Refusal => ({
  _tag: "Overloaded",
  detail: `the budget ${JSON.stringify(name)} cannot be looked up`,
})

/** Whether nothing of it can have reached the agent. */
const isUnsent = (refusal: Refusal): boolean => refusal._tag === "UpstreamFailed" && refusal.unsent === true

const within = (
  shares: ReadonlyArray<Share>,
  spendings: Spendings,
  clock: DispatchPorts["clock"],
  agent: string,
  inner: Attempting,
): Attempting => {
  for (const { budget } of shares) spendings[budget.store ?? "own"]?.ready?.()
  const settle = (booked: ReadonlyArray<Booked>, amount: number): void => {
    for (const { account, id, share } of booked) spendings[share.budget.store ?? "own"]?.settle(account, id, amount)
  }
  const book = (attempt: Try, at: number, booked: Array<Booked>): Effect.Effect<void, Refusal> => {
    const share = shares[at]
    if (share === undefined) return Effect.void
    const { budget, subjectOf } = share
    const now = clock.wallMillis()
    const windowMillis = Math.floor(now / budget.windowMillis) * budget.windowMillis
    const account: Account = {
      budget: `a2a/${agent}/${budget.name}`,
      subject: subjectOf(attempt),
      windowMillis,
      endMillis: windowMillis + budget.windowMillis,
    }
    const asked = spendings[budget.store ?? "own"]?.book({
      account,
      amount: 1,
      limit: budget.messages,
      expiresMillis: now + BOOKING_MILLIS,
    })
    if (asked === undefined) return Effect.fail(unknown(budget))
    return Effect.flatMap(
      Effect.mapError(asked, () => unknown(budget)),
      ({ id }) => {
        if (id === undefined) return Effect.fail(usedUp(budget))
        booked.push({ share, account, id })
        return book(attempt, at + 1, booked)
      },
    )
  }
  return (attempt) => {
    const booked: Array<Booked> = []
    return Effect.onExit(
      Effect.flatMap(book(attempt, 0, booked), () =>
        Effect.tapError(inner(attempt), (refusal) =>
          // The next try is counted anew.
          Effect.sync(() => {
            const conversation = attempt.exchange.notes?.a2a
            if (isUnsent(refusal) && conversation !== undefined) conversation.isCounted = false
          }),
        ),
      ),
      () =>
        Effect.sync(() => {
          const isTaken = attempt.exchange.notes?.a2a?.isCounted === true && booked.length === shares.length
          settle(booked, isTaken ? 1 : 0)
        }),
    )
  }
}

/** In front of an agent; `agent` tells what it is sent from what others are. */
export const allowed = (
  { agents, clock }: DispatchPorts,
  policyPorts: PolicyPorts,
  { budgets, limit }: A2a,
  agent: string,
  inner: Attempting,
): Attempting => {
  if (limit === undefined && budgets === undefined) return inner
  const expressions = expressionsOf(policyPorts)
  const shares = (budgets ?? []).map((budget): Share => {
    const key = budget.key === undefined ? undefined : expressions.compile(budget.key, "backend", "key")
    return {
      budget,
      // Whoever cannot be told apart shares one budget, rather than having none.
      subjectOf: (attempt) =>
        key === undefined ? "*" : (key.as(Facts.of(expressions.around, attempt), subjectText) ?? ""),
    }
  })
  const spending = shares.length === 0 ? inner : within(shares, agents?.spendings ?? {}, clock, agent, inner)
  const step = limit === undefined ? undefined : localRateLimit.compile(limit, policyPorts, "backend")
  const limited: Attempting =
    step === undefined
      ? spending
      : (attempt) =>
          Effect.flatMap(
            Effect.tapError(step.run(attempt), () =>
              Effect.sync(() => void (attempt.exchange.trail.refusedBy ??= step.kind)),
            ),
            (verdict): Effect.Effect<Reply, Refusal> =>
              verdict._tag === "Answer" ? Effect.succeed(verdict.reply) : spending(attempt),
          )
  return (attempt) => {
    const conversation = attempt.exchange.notes?.a2a
    if (conversation === undefined || conversation.isCounted || !conversation.isMessage) return inner(attempt)
    conversation.isCounted = true
    return limited(attempt)
  }
}
