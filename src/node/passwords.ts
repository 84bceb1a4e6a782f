/** Checks passwords in a thread of its own: hashes are slow on purpose, and nobody else may wait for them. */
import { Worker } from "node:worker_threads"
import type { PasswordAnswer, PasswordQuestion } from "./passwordThread.ts"

/** How many may wait to be checked; beyond, whoever asks is told so at once. */
export const passwordsWaitingMax = 256

const threadUrl = new URL(
  import.meta.url.endsWith(".ts") ? "./passwordThread.ts" : "./passwordThread.js",
  import.meta.url,
)

interface Waiting {
  readonly resolve: (isRight: boolean) => void
  readonly reject: (reason: Error) => void
}

let thread: Worker | undefined
let lastId = 0
const waiting = new Map<number, Waiting>()

const start = (): Worker => {
  const started = new Worker(threadUrl)
  const settle = ({ id, isRight }: PasswordAnswer): void => {
    waiting.get(id)?.resolve(isRight)
    waiting.delete(id)
    if (waiting.size === 0) started.unref()
  }
  const gone = (): void => {
    if (thread !== started) return
    thread = undefined
    for (const { reject } of waiting.values()) reject(new Error("the thread that checks passwords died"))
    waiting.clear()
  }
  started.on("message", settle)
  started.on("error", gone)
  started.on("exit", gone)
  return started
}

/** Rejects when there is no answer to be had. */
export const verify = (password: string, hash: string): Promise<boolean> => {
  if (waiting.size >= passwordsWaitingMax) return Promise.reject(new Error("too many passwords wait to be checked"))
  return new Promise((resolve, reject) => {
    const id = ++lastId
    waiting.set(id, { resolve, reject })
    thread ??= start()
    thread.ref()
    thread.postMessage({ id, password, hash } satisfies PasswordQuestion)
  })
}
