/**
 * Tasks of agents that the gateway itself plays: one place for all workers, and all gateways that share a database. A
 * task is worked on by one of them; the others read what it wrote, and say what they want of it.
 */
import type * as Effect from "effect/Effect"

/** How long a task is kept after it last moved. */
export const TASK_MILLIS_MAX = 7 * 24 * 3_600_000
/** Whoever works on a task says so at least that often; one of which nothing is heard for longer has lost its worker. */
export const BEAT_MILLIS = 1_000
export const LOST_MILLIS = 30_000

/** How many of those are looked at in one go. */
export const SILENT_MAX = 100

export interface TasksFailure {
  readonly _tag: "TasksFailure"
  readonly message: string
}

export interface KeptTask {
  readonly id: string
  readonly agent: string
  /** Of whoever began it: nobody else sees it. */
  readonly owner: string
  readonly contextId: string
  /** As 1.0 writes it. */
  readonly state: string
  readonly movedMillis: number
  /** The task as 1.0 writes it. */
  readonly task: string
  /** What is needed to go on with it. */
  readonly more: string
}

export interface TaskQuery {
  readonly agent: string
  readonly owner: string
  readonly contextId: string | undefined
  readonly state: string | undefined
  /** Moved then or later. */
  readonly sinceMillis: number | undefined
  readonly limit: number
  readonly offset: number
}

export interface Tasks {
  readonly put: (task: KeptTask, nowMillis: number) => Effect.Effect<void, TasksFailure>
  readonly find: (
    id: string,
  ) => Effect.Effect<{ readonly task: KeptTask; readonly beatMillis: number } | undefined, TasksFailure>
  /** Those that moved last come first. */
  readonly list: (
    query: TaskQuery,
  ) => Effect.Effect<{ readonly tasks: ReadonlyArray<KeptTask>; readonly total: number }, TasksFailure>
  /** Takes a task out of a state, for one of those who try. */
  readonly claim: (id: string, from: string, to: string, nowMillis: number) => Effect.Effect<boolean, TasksFailure>
  /** Somebody wants the task to be cancelled, which whoever works on it hears at its next beat. */
  readonly wish: (id: string) => Effect.Effect<void, TasksFailure>
  /** The task is still worked on. True: somebody wants it to be cancelled. */
  readonly beat: (id: string, nowMillis: number) => Effect.Effect<boolean, TasksFailure>
  /** Those in one of the states of which nothing was heard since then; not all of them, where there are many. */
  readonly silent: (
    states: ReadonlyArray<string>,
    sinceMillis: number,
  ) => Effect.Effect<ReadonlyArray<KeptTask>, TasksFailure>
  readonly sweep: (nowMillis: number) => Effect.Effect<void, TasksFailure>
}
