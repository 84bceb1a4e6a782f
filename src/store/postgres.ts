/** Postgres through `pg`, which is loaded when it is the one that is configured. */
import type { ClientBase, CustomTypesConfig, Pool } from "pg"
import type { Rendered } from "./Statement.ts"
import { newer } from "./sqlite.ts"
import { type Driver, failure, isFailure, type Outcome, type Row, type StoreFailure } from "./Store.ts"

const connectMillis = 5_000
const idleMillis = 30_000
/** A statement that takes longer is given up by the server. */
const statementMillis = 30_000
/** Everybody who migrates takes the same lock; the number is arbitrary. */
const migrationLock = 0x51_1c_e0

/** 64-bit integers and counts come as numbers: nothing here counts beyond 2^53. */
const int8 = 20

const asFailure = (cause: unknown): StoreFailure => {
  if (isFailure(cause)) return cause
  const message = cause instanceof Error ? cause.message || String(Reflect.get(cause, "code")) : String(cause)
  const code: unknown = cause instanceof Error ? Reflect.get(cause, "code") : undefined
  // Errors of the server have a five-letter code; everything else happened on the way there.
  if (typeof code !== "string" || !/^[0-9A-Z]{5}$/.test(code) || code === "EPIPE")
    return failure("unavailable", message)
  if (code.startsWith("23")) return failure("constraint", message)
  return failure(/^(?:08|25|28|40|53|55|57|58)/.test(code) ? "unavailable" : "statement", message)
}

const run = async (client: ClientBase | Pool, { text, values }: Rendered): Promise<Outcome> => {
  const { rowCount, rows } = await client.query<Row>(text, [...values])
  return { rows, changes: rowCount ?? 0 }
}

export const open = async (url: string, connectionsMax: number): Promise<Driver> => {
  const { default: pg } = await import("pg")
  const types: CustomTypesConfig = {
    getTypeParser: ((oid: number, format?: "text" | "binary") =>
      oid === int8 ? Number : pg.types.getTypeParser(oid, format as "text")) as CustomTypesConfig["getTypeParser"],
  }
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: connectMillis,
    idleTimeoutMillis: idleMillis,
    statement_timeout: statementMillis,
    application_name: "sluice",
    types,
  })
  // An idle connection that breaks is simply not used again.
  pool.on("error", () => {})

  const alone = async <A>(work: (client: ClientBase) => Promise<A>): Promise<A> => {
    const client = await pool.connect()
    let isBroken = false
    try {
      await client.query("BEGIN")
      const result = await work(client)
      await client.query("COMMIT")
      return result
    } catch (cause) {
      await client.query("ROLLBACK").catch(() => (isBroken = true))
      throw cause
    } finally {
      client.release(isBroken)
    }
  }

  const failing = async <A>(work: Promise<A>): Promise<A> => {
    try {
      return await work
    } catch (cause) {
      throw asFailure(cause)
    }
  }

  const batch = async (statements: ReadonlyArray<Rendered>): Promise<ReadonlyArray<Outcome>> => {
    const [only] = statements
    if (only === undefined) return []
    if (statements.length === 1) return [await run(pool, only)]
    return alone(async (client) => {
      const outcomes: Array<Outcome> = []
      for (const one of statements) outcomes.push(await run(client, one))
      return outcomes
    })
  }

  const migrate = (component: string, migrations: ReadonlyArray<string>): Promise<void> =>
    alone(async (client) => {
      await client.query("SELECT pg_advisory_xact_lock($1)", [migrationLock])
      await client.query(
        "CREATE TABLE IF NOT EXISTS sluice_migrations (component TEXT PRIMARY KEY, version BIGINT NOT NULL)",
      )
      const found = await client.query<Row>("SELECT version FROM sluice_migrations WHERE component = $1", [component])
      const version = Number(found.rows[0]?.["version"] ?? 0)
      if (version > migrations.length) throw newer(component)
      for (const migration of migrations.slice(version)) await client.query(migration)
      await client.query(
        "INSERT INTO sluice_migrations VALUES ($1, $2) ON CONFLICT (component) DO UPDATE SET version = excluded.version",
        [component, migrations.length],
      )
    })

  const driver: Driver = {
    dialect: "postgres",
    batch: (statements) => failing(batch(statements)),
    migrate: (component, migrations) => failing(migrate(component, migrations)),
    close: () => pool.end(),
  }
  try {
    await driver.batch([{ text: "SELECT 1 AS one", values: [] }])
  } catch (cause) {
    await pool.end().catch(() => {})
    throw cause
  }
  return driver
}
