/** SQLite through `node:sqlite`, which does not return before it has written: it runs in a thread (`sqliteThread.ts`). */
import { closeSync, mkdirSync, openSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import type { Rendered, Value } from "./Statement.ts"
import { failure, isFailure, type Outcome, type Row, type StoreFailure } from "./Store.ts"

/** How long a writer waits for another one of the same file. */
const busyMillis = 5_000
const napMillis = 10
/** Prepared statements that are kept. */
const preparedMax = 256

/** Result codes of SQLite, in their low byte. */
const constraintCode = 19
const unavailableCodes = new Set([5, 6, 8, 10, 13, 14])

export const asFailure = (cause: unknown): StoreFailure => {
  if (isFailure(cause)) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error ? Number(Reflect.get(cause, "errcode") ?? 0) & 0xff : 0
  const io = cause instanceof Error && typeof Reflect.get(cause, "syscall") === "string"
  return failure(
    code === constraintCode ? "constraint" : unavailableCodes.has(code) || io ? "unavailable" : "statement",
    message,
  )
}

/** Only its owner may read it: there are prompts and tokens in it. What SQLite puts beside it has the same mode. */
const createFile = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, "a", 0o600))
}

const nap = new Int32Array(new SharedArrayBuffer(4))

/** Turning a new file to its log waits for nobody by itself, and several threads may open it at once. */
const persist = (work: () => void): void => {
  for (let waited = 0; ; waited += napMillis) {
    try {
      return work()
    } catch (cause) {
      if (asFailure(cause).reason !== "unavailable" || waited >= busyMillis) throw cause
      Atomics.wait(nap, 0, 0, napMillis)
    }
  }
}

export class SqliteDatabase {
  private readonly database: DatabaseSync
  private readonly prepared = new Map<string, StatementSync>()

  /** `:memory:` for a database of one's own that ends with it. */
  constructor(path: string) {
    if (path !== ":memory:") createFile(path)
    this.database = new DatabaseSync(path, { timeout: busyMillis })
    // A commit in the log survives the end of the process; only the loss of power can undo the last ones.
    persist(() => this.database.exec("PRAGMA journal_mode = WAL"))
    this.database.exec("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON")
    this.database.exec(
      "CREATE TABLE IF NOT EXISTS sluice_migrations (component TEXT PRIMARY KEY, version BIGINT NOT NULL)",
    )
  }

  batch(statements: ReadonlyArray<Rendered>): ReadonlyArray<Outcome> {
    return statements.length === 1
      ? [this.one(statements[0] as Rendered)]
      : this.alone(() => statements.map((one) => this.one(one)))
  }

  migrate(component: string, migrations: ReadonlyArray<string>): void {
    this.alone(() => {
      const [row] = this.one({
        text: "SELECT version FROM sluice_migrations WHERE component = ?",
        values: [component],
      }).rows
      const version = Number(row?.["version"] ?? 0)
      if (version > migrations.length) throw newer(component)
      for (const migration of migrations.slice(version)) this.database.exec(migration)
      this.one({
        text: "INSERT INTO sluice_migrations VALUES (?, ?) ON CONFLICT (component) DO UPDATE SET version = excluded.version",
        values: [component, migrations.length],
      })
    })
  }

  close(): void {
    this.prepared.clear()
    this.database.close()
  }

  /** The lock is taken at once: one that is only asked for at the first write can be refused in the middle. */
  private alone<A>(work: () => A): A {
    this.database.exec("BEGIN IMMEDIATE")
    try {
      const result = work()
      this.database.exec("COMMIT")
      return result
    } catch (cause) {
      if (this.database.isTransaction) this.database.exec("ROLLBACK")
      throw cause
    }
  }

  private one({ text, values }: Rendered): Outcome {
    const statement = this.statement(text)
    const given = values as Array<Value>
    if (statement.columns().length === 0) return { rows: [], changes: Number(statement.run(...given).changes) }
    const rows = statement.all(...given) as unknown as ReadonlyArray<Row>
    return { rows, changes: rows.length }
  }

  private statement(text: string): StatementSync {
    const known = this.prepared.get(text)
    if (known !== undefined) return known
    if (this.prepared.size >= preparedMax) this.prepared.delete(this.prepared.keys().next().value as string)
    const statement = this.database.prepare(text)
    this.prepared.set(text, statement)
    return statement
  }
}

export const newer = (component: string): StoreFailure =>
  failure("unavailable", `the tables of ${component} were made by a newer release; this one cannot use them`)
