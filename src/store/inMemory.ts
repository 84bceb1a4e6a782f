/** A database in memory, in this very thread: nothing in it ever waits for a disk. */
import { asFailure, SqliteDatabase } from "./sqlite.ts"
import type { Driver } from "./Store.ts"

const answering = async <A>(work: () => A): Promise<A> => {
  try {
    return work()
  } catch (cause) {
    throw asFailure(cause)
  }
}

export const inMemory = (): Driver => {
  const database = new SqliteDatabase(":memory:")
  return {
    dialect: "sqlite",
    batch: (statements) => answering(() => (statements.length === 0 ? [] : database.batch(statements))),
    migrate: (component, migrations) => answering(() => database.migrate(component, migrations)),
    close: () => answering(() => database.close()),
  }
}
