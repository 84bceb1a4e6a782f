/**
 * Loads configuration text in a thread of its own. The schemas, the YAML parser and what they leave behind go when the
 * thread does, so a gateway that serves does not carry them. Nothing of Effect is needed to start it, so that it can be
 * started before the rest of the program is there.
 */
import { Worker } from "node:worker_threads"
import type { ConfigIssue } from "./ConfigIssue.ts"
import type { Loaded } from "./local/load.ts"

export interface Job {
  /** Name of the file, read by the thread unless the text is given. */
  readonly file: string
  readonly text?: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What was read, whether or not it could be used: the stamp that each file had just before. */
interface Seen {
  readonly seen: ReadonlyMap<string, string>
}

/** Secrets are still sealed. */
export type Outcome =
  | ({ readonly _tag: "Loaded"; readonly loaded: Loaded } & Seen)
  | ({ readonly _tag: "Refused"; readonly issues: ReadonlyArray<ConfigIssue> } & Seen)

export interface Loading {
  /** Asked once; the thread ends with its answer. */
  readonly load: (job: Job) => void
  /** Never fails. */
  readonly outcome: Promise<Outcome>
  readonly cancel: () => Promise<unknown>
}

const broken = (message: string): Outcome => ({
  _tag: "Refused",
  issues: [
    {
      severity: "error",
      line: 1,
      column: 1,
      path: "",
      message: `the configuration could not be read: ${message}`,
      remedy: "",
    },
  ],
  seen: new Map(),
})

const threadUrl = new URL(import.meta.url.endsWith(".ts") ? "./loadThread.ts" : "./loadThread.js", import.meta.url)

/** Starts the thread, which makes itself ready while it waits for its job. */
export const begin = (): Loading => {
  const compileCache = process.env["NODE_COMPILE_CACHE"]
  const worker = new Worker(threadUrl, { env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache } })
  return {
    load: (job) => worker.postMessage(job),
    outcome: new Promise((resolve) => {
      worker.once("message", resolve)
      worker.once("error", (error: unknown) => resolve(broken(error instanceof Error ? error.message : String(error))))
      worker.once("exit", () => resolve(broken("its reader ended early")))
    }),
    cancel: () => worker.terminate(),
  }
}
