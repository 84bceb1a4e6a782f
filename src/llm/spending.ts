/** The spending of budgets in the storage of the gateway: one for all its threads, and for all gateways of a Postgres. */
import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import type { Account, Booked, Spending, SpendingFailure } from "../../stages/ports/Spending.ts"
import type { Clock } from "../../stages/ports/Timer.ts"
import { type Statement, sql } from "../store/Statement.ts"
import { type Component, number, type Store, type StoreFailure, text } from "../store/Store.ts"
import type { Spent } from "./Spent.ts"
import { untilWritten } from "./untilWritten.ts"

export const component: Component = {
  name: "llm_budget",
  migrations: [
    `CREATE TABLE llm_budget_spent (
      budget TEXT NOT NULL, subject TEXT NOT NULL, window_start DOUBLE PRECISION NOT NULL,
      amount DOUBLE PRECISION NOT NULL, PRIMARY KEY (budget, subject, window_start))`,
    `CREATE TABLE llm_budget_booking (
      id TEXT PRIMARY KEY, budget TEXT NOT NULL, subject TEXT NOT NULL, window_start DOUBLE PRECISION NOT NULL,
      amount DOUBLE PRECISION NOT NULL, expires DOUBLE PRECISION NOT NULL)`,
    `CREATE INDEX llm_budget_booking_of ON llm_budget_booking (budget, subject, window_start)`,
    `CREATE TABLE llm_budget_settled (id TEXT PRIMARY KEY, attempt TEXT NOT NULL, made DOUBLE PRECISION NOT NULL)`,
    `CREATE INDEX llm_budget_settled_made ON llm_budget_settled (made)`,
  ],
}

/** For so long a settlement is known to have been made, should its answer have been lost and it be told again. */
const MADE_MILLIS = 10 * 60_000

const page = ({ budget, subject, windowMillis }: Account): Statement =>
  sql`budget = ${budget} AND subject = ${subject} AND window_start = ${windowMillis}`

const taken = (account: Account, nowMillis: number): Statement =>
  sql`(COALESCE((SELECT amount FROM llm_budget_spent WHERE ${page(account)}), 0)
    + COALESCE((SELECT SUM(amount) FROM llm_budget_booking WHERE ${page(account)} AND expires > ${nowMillis}), 0))`

/** Two who book at the same time must see each other; SQLite lets in one writer at a time anyway. */
const alone = (store: Store, { budget, subject }: Account): ReadonlyArray<Statement> =>
  store.dialect === "postgres" ? [sql`SELECT pg_advisory_xact_lock(hashtext(${`${budget}\n${subject}`}))`] : []

/** What was spent, the latest windows first. */
export const list = (store: Store, max: number) =>
  store.all(
    sql`SELECT budget, subject, window_start, amount FROM llm_budget_spent
      ORDER BY window_start DESC, budget, subject LIMIT ${max}`,
    (row): Spent => ({
      budget: text(row, "budget"),
      subject: text(row, "subject"),
      windowStart: new Date(number(row, "window_start")).toISOString(),
      amount: number(row, "amount"),
    }),
  )

const failed = ({ message }: StoreFailure): SpendingFailure => ({ _tag: "SpendingFailure", message })

export interface LedgerParts {
  readonly store: Effect.Effect<Store, StoreFailure>
  readonly clock: Pick<Clock, "wallMillis">
  readonly run: (effect: Effect.Effect<void>) => void
}

export const make = ({ clock, run, store }: LedgerParts): Spending => {
  const book: Spending["book"] = ({ account, amount, expiresMillis, limit }) =>
    Effect.mapError(
      Effect.flatMap(store, (open) => {
        const id = randomUUID()
        const now = clock.wallMillis()
        const { budget, subject, windowMillis } = account
        const sum = taken(account, now)
        // The sum is read first: afterwards it would count what has just been booked.
        const room = limit === undefined ? sql`1 = 1` : sql`${sum} < ${limit} AND ${sum} + ${amount} <= ${limit}`
        const statements = [
          ...alone(open, account),
          sql`SELECT ${sum} AS taken`,
          sql`INSERT INTO llm_budget_booking (id, budget, subject, window_start, amount, expires)
            SELECT ${id}, ${budget}, ${subject}, CAST(${windowMillis} AS DOUBLE PRECISION),
              CAST(${amount} AS DOUBLE PRECISION), CAST(${expiresMillis} AS DOUBLE PRECISION) WHERE ${room}`,
        ]
        return Effect.map(open.batch(statements), (outcomes): Booked => {
          const [row] = outcomes[outcomes.length - 2]?.rows ?? []
          const isBooked = (outcomes[outcomes.length - 1]?.changes ?? 0) > 0
          return { id: isBooked ? id : undefined, spent: row === undefined ? 0 : number(row, "taken") }
        })
      }),
      failed,
    )

  /** A storage that wrote it and could not say so is told the same again, and writes it once. */
  const settled = (
    account: Account,
    id: string | undefined,
    amount: number,
    settlement: string,
  ): Effect.Effect<void, StoreFailure> => {
    const { budget, subject, windowMillis } = account
    const now = clock.wallMillis()
    const attempt = randomUUID()
    return Effect.flatMap(store, (open) =>
      Effect.asVoid(
        open.batch([
          ...(id === undefined ? [] : [sql`DELETE FROM llm_budget_booking WHERE id = ${id}`]),
          // What nobody came to settle counts for nothing any more.
          sql`DELETE FROM llm_budget_booking WHERE ${page(account)} AND expires <= ${now}`,
          ...(amount === 0
            ? []
            : [
                sql`DELETE FROM llm_budget_settled WHERE made < ${now - MADE_MILLIS}`,
                sql`INSERT INTO llm_budget_settled (id, attempt, made) VALUES (${settlement}, ${attempt}, ${now})
                  ON CONFLICT (id) DO NOTHING`,
                sql`INSERT INTO llm_budget_spent (budget, subject, window_start, amount)
                  SELECT ${budget}, ${subject}, CAST(${windowMillis} AS DOUBLE PRECISION),
                    CAST(${amount} AS DOUBLE PRECISION)
                  WHERE EXISTS (SELECT 1 FROM llm_budget_settled WHERE id = ${settlement} AND attempt = ${attempt})
                  ON CONFLICT (budget, subject, window_start)
                  DO UPDATE SET amount = llm_budget_spent.amount + ${amount}`,
              ]),
        ]),
      ),
    )
  }

  return {
    book,
    settle: (account, id, amount) => {
      const settlement = randomUUID()
      const written = Effect.suspend(() => settled(account, id, amount, settlement))
      run(untilWritten(written, account, amount))
    },
  }
}
