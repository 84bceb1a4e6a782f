/** The thread that a SQLite database is used in, so that no event loop waits for a disk. */
import { parentPort, workerData } from "node:worker_threads"
import type { Rendered } from "./Statement.ts"
import { asFailure, SqliteDatabase } from "./sqlite.ts"
import type { Outcome, StoreFailure } from "./Store.ts"

export type Question =
  | { readonly _tag: "Batch"; readonly id: number; readonly statements: ReadonlyArray<Rendered> }
  | {
      readonly _tag: "Migrate"
      readonly id: number
      readonly component: string
      readonly migrations: ReadonlyArray<string>
    }
  | { readonly _tag: "Close"; readonly id: number }

/** Number 0 tells whether the database could be opened. */
export type Answer =
  | { readonly id: number; readonly outcomes: ReadonlyArray<Outcome> }
  | { readonly id: number; readonly failure: StoreFailure }

const port = parentPort
if (port === null) throw new Error("this is a thread")

const answering = (id: number, work: () => ReadonlyArray<Outcome>): void => {
  let answer: Answer
  try {
    answer = { id, outcomes: work() }
  } catch (cause) {
    answer = { id, failure: asFailure(cause) }
  }
  port.postMessage(answer)
}

let database: SqliteDatabase | undefined
answering(0, () => {
  database = new SqliteDatabase(String(workerData))
  return []
})

port.on("message", (question: Question) => {
  answering(question.id, () => {
    if (database === undefined) throw new Error("the database is not open")
    switch (question._tag) {
      case "Batch":
        return database.batch(question.statements)
      case "Migrate":
        database.migrate(question.component, question.migrations)
        return []
      case "Close":
        database.close()
        database = undefined
        return []
    }
  })
  if (question._tag === "Close") port.close()
})
