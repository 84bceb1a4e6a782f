/** Child processes that are spoken to over their standard input and output, and never outlive the gateway. */
import type * as Effect from "effect/Effect"
import type { StdioProcess } from "../../ir/backend/Mcp.ts"

export type ProcessSpec = Pick<StdioProcess, "command" | "args" | "env" | "inherit" | "workingDirectory">

export interface ProcessEvents {
  /** A piece of what it writes to its standard output. */
  readonly output: (chunk: Uint8Array) => void
  /** A piece of what it writes to its standard error: text for people. */
  readonly errorOutput: (chunk: Uint8Array) => void
  /** Once, when it is gone, after everything it wrote. */
  readonly exited: (how: string) => void
}

/** Why there is no process, or why it takes nothing any more. */
export interface ProcessFailure {
  readonly _tag: "ProcessFailure"
  readonly message: string
}

export interface RunningProcess {
  /** Completes when the process, or the pipe to it, has taken the text. */
  readonly write: (text: string) => Effect.Effect<void, ProcessFailure>
  /**
   * Ends it and everything it started: its input is closed, and what is still there after a while is asked and then made
   * to end. More than once without harm.
   */
  readonly stop: () => void
}

export interface Processes {
  /** Completes when it runs. No shell takes part. */
  readonly start: (spec: ProcessSpec, events: ProcessEvents) => Effect.Effect<RunningProcess, ProcessFailure>
  /** How many there are. */
  readonly count: () => number
  /** Stops all of them, and completes when they are gone. */
  readonly stopAll: Effect.Effect<void>
}
