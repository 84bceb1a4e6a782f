/**
 * SQL storage as a component sees it. The component says what it is called and how its tables came to be, and gets a
 * store whose tables are up to date:
 *
 * ```ts
 * const component: Component = {
 *   name: "budgets",
 *   migrations: ["CREATE TABLE budgets (id TEXT PRIMARY KEY, spent DOUBLE PRECISION NOT NULL)"],
 * }
 *
 * const make = Effect.fnUntraced(function* () {
 *   const store = yield* (yield* Storage).of(component)
 *   return {
 *     spend: (id: string, cost: number) =>
 *       store.first(
 *         sql`INSERT INTO budgets (id, spent) VALUES (${id}, ${cost})
 *             ON CONFLICT (id) DO UPDATE SET spent = budgets.spent + ${cost} RETURNING spent`,
 *         (row) => number(row, "spent"),
 *       ),
 *   }
 * })
 * ```
 *
 * Statements run outside the event loop. Each is atomic, and so are all of one `batch`; when a call has succeeded, what
 * it wrote survives the sudden end of the process. Stages know nothing of this: they have a port of their own, and what
 * implements it in `src/` uses a store. Write for both dialects where one text does (TEXT, BIGINT, DOUBLE PRECISION,
 * `ON CONFLICT`, `RETURNING`), else give a migration per dialect and ask `store.dialect`.
 */
import * as Effect from "effect/Effect"
import type { Dialect, Rendered, Statement, Value } from "./Statement.ts"
import { render } from "./Statement.ts"

export type Migration = string | { readonly [D in Dialect]: string }

/** Owner of some tables; names of tables begin with the component's own. */
export interface Component {
  readonly name: string
  /** In the order in which they were added; one that was released is never changed. */
  readonly migrations: ReadonlyArray<Migration>
}

export interface StoreFailure {
  readonly _tag: "StoreFailure"
  /**
   * `unavailable`: cannot be reached or written now, may be later. `constraint`: refused by a rule of the table.
   * `statement`: the statement or what it brought back is not as expected.
   */
  readonly reason: "unavailable" | "constraint" | "statement"
  readonly message: string
}

export const failure = (reason: StoreFailure["reason"], message: string): StoreFailure => ({
  _tag: "StoreFailure",
  reason,
  message,
})

export const isFailure = (value: unknown): value is StoreFailure =>
  typeof value === "object" && value !== null && Reflect.get(value, "_tag") === "StoreFailure"

export type Row = Readonly<Record<string, Value>>

export interface Outcome {
  readonly rows: ReadonlyArray<Row>
  /** Rows that were written. */
  readonly changes: number
}

/** What speaks with one kind of database; rejects with a `StoreFailure`. */
export interface Driver {
  readonly dialect: Dialect
  /** All or nothing. */
  readonly batch: (statements: ReadonlyArray<Rendered>) => Promise<ReadonlyArray<Outcome>>
  /** Runs what has not run yet of these, each alone among all who use the database. */
  readonly migrate: (component: string, migrations: ReadonlyArray<string>) => Promise<void>
  readonly close: () => Promise<void>
}

export interface Store {
  readonly dialect: Dialect
  readonly all: <A>(statement: Statement, read: (row: Row) => A) => Effect.Effect<ReadonlyArray<A>, StoreFailure>
  /** The first row, where there is one. */
  readonly first: <A>(statement: Statement, read: (row: Row) => A) => Effect.Effect<A | undefined, StoreFailure>
  /** How many rows were written. */
  readonly run: (statement: Statement) => Effect.Effect<number, StoreFailure>
  /** All statements or none. */
  readonly batch: (statements: ReadonlyArray<Statement>) => Effect.Effect<ReadonlyArray<Outcome>, StoreFailure>
}

const asFailure = (cause: unknown): StoreFailure =>
  isFailure(cause) ? cause : failure("statement", cause instanceof Error ? cause.message : String(cause))

export const make = (driver: Driver): Store => {
  const batch: Store["batch"] = (statements) =>
    Effect.tryPromise({
      try: () => driver.batch(statements.map((one) => render(one, driver.dialect))),
      catch: asFailure,
    })
  const one = (statement: Statement) =>
    Effect.map(batch([statement]), ([outcome]): Outcome => outcome ?? { rows: [], changes: 0 })
  const all: Store["all"] = (statement, read) =>
    Effect.flatMap(one(statement), ({ rows }) =>
      Effect.try({ try: () => rows.map((row) => read(row)), catch: asFailure }),
    )
  return {
    dialect: driver.dialect,
    all,
    first: (statement, read) => Effect.map(all(statement, read), ([row]) => row),
    run: (statement) => Effect.map(one(statement), ({ changes }) => changes),
    batch,
  }
}

const unexpected = (row: Row, column: string, wanted: string): never => {
  const value = row[column]
  throw failure("statement", `column ${column} holds ${value === null ? "null" : typeof value}, not ${wanted}`)
}

export const text = (row: Row, column: string): string => {
  const value = row[column]
  return typeof value === "string" ? value : unexpected(row, column, "text")
}

export const number = (row: Row, column: string): number => {
  const value = row[column]
  return typeof value === "number" ? value : unexpected(row, column, "a number")
}

export const bytes = (row: Row, column: string): Uint8Array => {
  const value = row[column]
  return value instanceof Uint8Array ? value : unexpected(row, column, "bytes")
}

/** Undefined where the column is null. */
export const optional = <A>(read: (row: Row, column: string) => A, row: Row, column: string): A | undefined =>
  row[column] === null || row[column] === undefined ? undefined : read(row, column)
