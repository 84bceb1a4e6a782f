/**
 * Loads configuration text in a thread of its own. The schemas, the YAML parser and what they leave behind go when the
 * thread does, so a gateway that serves does not carry them.
 */
import * as Effect from "effect/Effect"
import { Worker } from "node:worker_threads"
import { unseal } from "../../ir/transfer.ts"
import type { ConfigIssue } from "./ConfigIssue.ts"
import type { Loaded } from "./local/load.ts"

export interface Job {
  readonly text: string
  /** Name of the file, for messages. */
  readonly file: string
  readonly env: Readonly<Record<string, string | undefined>>
}

export type Outcome =
  | { readonly _tag: "Loaded"; readonly loaded: Loaded }
  | { readonly _tag: "Refused"; readonly issues: ReadonlyArray<ConfigIssue> }

const unreadable = (message: string): ReadonlyArray<ConfigIssue> => [
  { severity: "error", line: 1, column: 1, path: "", message, remedy: "" },
]

const threadUrl = new URL(import.meta.url.endsWith(".ts") ? "./loadThread.ts" : "./loadThread.js", import.meta.url)

export const load = (job: Job): Effect.Effect<Loaded, ReadonlyArray<ConfigIssue>> =>
  Effect.callback((resume) => {
    const worker = new Worker(threadUrl, { workerData: job, env: {} })
    worker.once("message", (outcome: Outcome) => {
      resume(outcome._tag === "Loaded" ? Effect.succeed(unseal(outcome.loaded)) : Effect.fail(outcome.issues))
      void worker.terminate()
    })
    worker.once("error", (error: unknown) =>
      resume(
        Effect.fail(unreadable(`the configuration could not be read: ${error instanceof Error ? error.message : String(error)}`)),
      ),
    )
    worker.once("exit", () => resume(Effect.fail(unreadable("the configuration could not be read: its reader ended early"))))
    return Effect.promise(() => worker.terminate())
  })
