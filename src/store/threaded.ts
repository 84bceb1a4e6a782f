/** A SQLite file, from any event loop: its thread does the waiting. A thread that dies is replaced at the next call. */
import { Worker } from "node:worker_threads"
import type { Answer, Question } from "./sqliteThread.ts"
import { type Driver, failure, type Outcome } from "./Store.ts"

/** Calls that may wait for the thread; whoever comes later is told so at once. */
export const waitingMax = 4_096

const threadUrl = new URL(import.meta.url.endsWith(".ts") ? "./sqliteThread.ts" : "./sqliteThread.js", import.meta.url)

interface Waiting {
  readonly resolve: (outcomes: ReadonlyArray<Outcome>) => void
  readonly reject: (reason: unknown) => void
}

type Asked = Question extends infer Q ? (Q extends Question ? Omit<Q, "id"> : never) : never

interface Running {
  readonly thread: Worker
  readonly waiting: Map<number, Waiting>
  readonly opened: Promise<unknown>
  readonly isOver: () => boolean
}

const start = (path: string, gone: () => void): Running => {
  const thread = new Worker(threadUrl, { workerData: path })
  const waiting = new Map<number, Waiting>()
  const opened = new Promise<unknown>((resolve, reject) => waiting.set(0, { resolve, reject }))
  // Whoever waits for it is told; nobody has to.
  opened.catch(() => {})
  thread.on("message", (answer: Answer) => {
    const asker = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ("failure" in answer) asker?.reject(answer.failure)
    else asker?.resolve(answer.outcomes)
    if (waiting.size === 0) thread.unref()
  })
  let isOver = false
  const end = (why: string): void => {
    isOver = true
    gone()
    for (const { reject } of waiting.values()) reject(failure("unavailable", why))
    waiting.clear()
  }
  thread.on("error", (error: unknown) =>
    end(`the thread of the database died: ${error instanceof Error ? error.message : String(error)}`),
  )
  thread.on("exit", () => end("the database was closed"))
  return { thread, waiting, opened, isOver: () => isOver }
}

/** Rejects when the file cannot be opened. */
export const open = async (path: string): Promise<Driver> => {
  let running: Running | undefined
  let closed = false
  let lastId = 0

  const current = (): Running => {
    if (running === undefined) {
      const started: Running = start(path, () => {
        if (running === started) running = undefined
      })
      running = started
    }
    return running
  }

  const ask = async (question: Asked): Promise<ReadonlyArray<Outcome>> => {
    if (closed) throw failure("unavailable", "the database was closed")
    const { isOver, opened, thread, waiting } = current()
    if (waiting.size >= waitingMax) throw failure("unavailable", "too many calls wait for the database")
    thread.ref()
    try {
      await opened
    } catch (cause) {
      void thread.terminate()
      throw cause
    }
    if (isOver()) throw failure("unavailable", "the database was closed")
    return new Promise((resolve, reject) => {
      const id = ++lastId
      waiting.set(id, { resolve, reject })
      thread.ref()
      thread.postMessage({ ...question, id } as Question)
    })
  }

  const driver: Driver = {
    dialect: "sqlite",
    batch: (statements) => (statements.length === 0 ? Promise.resolve([]) : ask({ _tag: "Batch", statements })),
    migrate: async (component, migrations) => void (await ask({ _tag: "Migrate", component, migrations })),
    close: async () => {
      if (closed) return
      const asked = running === undefined ? undefined : ask({ _tag: "Close" })
      closed = true
      await asked?.catch(() => {})
      await running?.thread.terminate()
    },
  }
  await driver.batch([{ text: "SELECT 1 AS one", values: [] }])
  return driver
}
