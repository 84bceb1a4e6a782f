/**
 * Budgets of a call. Before it is made, what it may come to is booked, so that many at once cannot spend the same
 * money; when it is over the booking gives way to what it did come to.
 */
import * as Effect from "effect/Effect"
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { toText } from "../../../ir/cel/toJson.ts"
import type { Budget } from "../../../ir/policy/Budget.ts"
import { at, countOf, type JsonObject } from "../../../protocols/llm/Json.ts"
import type { LlmError } from "../../../protocols/llm/LlmError.ts"
import { totalOf } from "../../../protocols/llm/Usage.ts"
import { expressionsOf } from "../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Account as LedgerAccount, Booked, Spending, Spendings } from "../../ports/Spending.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Try } from "../Target.ts"
import type { Account } from "./Account.ts"

/** No call lasts longer than this; what was booked for one that vanished comes back then. */
const BOOKING_MILLIS = 60 * 60_000

/** Longer values are no names of anybody. */
const SUBJECT_CHARS_MAX = 512

export interface Estimate {
  readonly tokens: number
  readonly usd: number
}

/** What a client lets the model write at most; nothing where it does not say. */
export const outputMax = (body: JsonObject | undefined): number =>
  countOf(body?.["max_completion_tokens"]) ??
  countOf(body?.["max_tokens"]) ??
  countOf(body?.["max_output_tokens"]) ??
  countOf(at(body, "generationConfig", "maxOutputTokens")) ??
  countOf(at(body, "inferenceConfig", "maxTokens")) ??
  0

interface Share {
  readonly budget: Budget
  readonly unit: "usd" | "tokens"
  readonly limit: number
  readonly id: string
  readonly subjectOf: (attempt: Try) => string | undefined
}

interface Open {
  readonly share: Share
  readonly account: LedgerAccount
  /** Of the booking, until something was charged for it. */
  id: string | undefined
  charged: number
}

export interface Admission {
  /** Absent: the call may be made. */
  readonly refusal: { readonly error: LlmError; readonly headers: ReadonlyArray<string> } | undefined
}

export interface Budgets {
  readonly admit: (attempt: Try, account: Account, estimate: () => Estimate) => Effect.Effect<Admission>
}

const admitted: Admission = { refusal: undefined }
const nothing: Estimate = { tokens: 0, usd: 0 }
/** No budget is concerned. */
export const freely: Effect.Effect<Admission> = Effect.succeed(admitted)

const subjectText = (value: CelValue): string | undefined => {
  const text = toText(value)
  return text === undefined || text === "" ? undefined : text.slice(0, SUBJECT_CHARS_MAX)
}

const shown = (amount: number, unit: Share["unit"]): string =>
  unit === "usd" ? `$${amount.toFixed(4).replace(/\.?0+$/, "")}` : `${Math.round(amount)} tokens`

const exhausted = ({ budget, limit, unit }: Share, leftMillis: number): Admission["refusal"] => ({
  error: {
    kind: "billing",
    status: 429,
    code: "budget_exceeded",
    message: `the budget ${JSON.stringify(budget.name)} of ${shown(limit, unit)} is used up`,
  },
  headers: ["retry-after", String(Math.ceil(leftMillis / 1000)), "x-sluice-budget", budget.name],
})

const unavailable = ({ budget }: Share): Admission["refusal"] => ({
  error: {
    kind: "unavailable",
    status: 503,
    code: "budget_unavailable",
    message: `the budget ${JSON.stringify(budget.name)} cannot be looked up`,
  },
  headers: [],
})

const sharesOf = (budget: Budget, owner: string, subjectOf: Share["subjectOf"]): ReadonlyArray<Share> => {
  const shares: Array<Share> = []
  for (const unit of ["usd", "tokens"] as const) {
    const limit = budget[unit]
    if (limit !== undefined) shares.push({ budget, unit, limit, id: `${owner}/${budget.name}/${unit}`, subjectOf })
  }
  return shares
}

/** Budgets that come with a key are those of its holder alone. */
const ofHolder = (attempt: Try): ReadonlyArray<Share> => {
  const holder = attempt.exchange.identity?.apiKey
  const { budgets, id } = holder ?? {}
  if (budgets === undefined || budgets.length === 0 || id === undefined) return []
  return budgets.flatMap((budget) => sharesOf(budget, "key", () => id))
}

/** Undefined: nobody keeps accounts here. */
export const compile = (
  budgets: ReadonlyArray<Budget>,
  ports: PolicyPorts,
  spendings: Spendings,
  clock: Clock,
): Budgets | undefined => {
  if (spendings.own === undefined && spendings.redis === undefined) return undefined
  const expressions = expressionsOf(ports)
  const configured = budgets.flatMap((budget) => {
    const key = budget.key === undefined ? undefined : expressions.compile(budget.key, "route", "key")
    return sharesOf(budget, "policy", (attempt) =>
      key === undefined ? "*" : key.as(Facts.of(expressions.around, attempt), subjectText),
    )
  })

  for (const { budget } of configured) spendings[budget.store ?? "own"]?.ready?.()

  const spendingOf = ({ budget }: Share): Spending | undefined => spendings[budget.store ?? "own"]

  /** Charges what was not charged yet. */
  const settle = (open: ReadonlyArray<Open>, account: Account | undefined): void => {
    for (const one of open) {
      const { account: page, id, share } = one
      const usage = account?.usage
      const amount = share.unit === "usd" ? (account?.cost?.total ?? 0) : usage === undefined ? 0 : totalOf(usage)
      const more = Math.max(0, amount - one.charged)
      if (id !== undefined || more > 0) spendingOf(share)?.settle(page, id, more)
      one.id = undefined
      one.charged += more
    }
  }

  const admitFrom = (
    shares: ReadonlyArray<Share>,
    at: number,
    attempt: Try,
    estimate: Estimate,
    open: Array<Open>,
  ): Effect.Effect<Admission> => {
    const share = shares[at]
    if (share === undefined) return Effect.succeed(admitted)
    const { budget, limit, unit } = share
    // Whoever cannot be told apart shares one budget, rather than having none.
    const subject = share.subjectOf(attempt) ?? ""
    const now = clock.wallMillis()
    const windowMillis = Math.floor(now / budget.windowMillis) * budget.windowMillis
    const endMillis = windowMillis + budget.windowMillis
    const account: LedgerAccount = { budget: share.id, subject, windowMillis, endMillis }
    const next = (id: string | undefined): Effect.Effect<Admission> => {
      open.push({ share, account, id, charged: 0 })
      return admitFrom(shares, at + 1, attempt, estimate, open)
    }
    const booked = ({ id, spent }: Booked): Effect.Effect<Admission> => {
      if (id === undefined && budget.hard) {
        settle(open, undefined)
        return Effect.succeed({ refusal: exhausted(share, endMillis - now) })
      }
      if (!budget.hard && spent >= limit) {
        const llm = attempt.exchange.notes?.llm
        if (llm !== undefined && llm.overspent?.includes(budget.name) !== true) {
          llm.overspent = [...(llm.overspent ?? []), budget.name]
        }
      }
      return next(id)
    }
    const asked = spendingOf(share)?.book({
      account,
      amount: estimate[unit],
      limit: budget.hard ? limit : undefined,
      expiresMillis: now + BOOKING_MILLIS,
    })
    const failed = (): Effect.Effect<Admission> => {
      if (!budget.hard) return next(undefined)
      settle(open, undefined)
      return Effect.succeed({ refusal: unavailable(share) })
    }
    return asked === undefined ? failed() : Effect.matchEffect(asked, { onFailure: failed, onSuccess: booked })
  }

  /**
   * For a call that goes on: what its answers used is charged, in the window in which they are charged, and the call goes
   * on only while there is something left. What the next answer will come to nobody knows, so nothing is booked for it.
   */
  const renewing = (shares: ReadonlyArray<Share>, opened: Array<Open>, attempt: Try, account: Account) => {
    let open = opened
    account.watch((over) => settle(open, over))
    account.renewed = Effect.suspend(() => {
      settle(open, account)
      const again: Array<Open> = []
      return Effect.map(admitFrom(shares, 0, attempt, nothing, again), (admission) => {
        if (admission.refusal !== undefined) return admission
        for (const [i, one] of again.entries()) one.charged = open[i]?.charged ?? 0
        open = again
        return admission
      })
    })
  }

  return {
    admit: (attempt, account, estimate) => {
      const own = ofHolder(attempt)
      const shares = own.length === 0 ? configured : [...configured, ...own]
      if (shares.length === 0) return freely
      const open: Array<Open> = []
      // A client that leaves between two bookings gives back the first.
      return Effect.onInterrupt(
        Effect.map(admitFrom(shares, 0, attempt, estimate(), open), (admission) => {
          if (admission.refusal === undefined) renewing(shares, open, attempt, account)
          return admission
        }),
        () => Effect.sync(() => settle(open, undefined)),
      )
    },
  }
}
