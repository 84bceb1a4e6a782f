/** A task that somebody works on here: what is known of it, who listens, and what is written down of it. */
import { isInterrupted, isTerminal } from "../../../../protocols/a2a/dialect/words.ts"
import { type Fields, fieldsOf, listOf, present } from "../../../../protocols/a2a/Fields.ts"
import type { KeptTask } from "../../../ports/Tasks.ts"

/** How much one task may make. */
const MADE_CHARS_MAX = 10 * 1024 * 1024
const ARTIFACTS_MAX = 1_024
/** Messages of one task that are kept; of more, the first are forgotten. */
const HISTORY_MAX = 100

export interface Identity {
  readonly id: string
  readonly agent: string
  readonly owner: string
  readonly contextId: string
}

/** What of a task nobody but whoever goes on with it has to know. */
export interface More {
  /** Where notifications go, by the names under which the gateway keeps that. */
  readonly push: ReadonlyArray<string>
  /** Of the work itself. */
  readonly work: unknown
}

export const isSettled = (state: string): boolean => isTerminal(state) || isInterrupted(state)

export class Job {
  readonly identity: Identity
  state: string
  more: More
  movedMillis: number
  /** Something is not written down yet. */
  isDirty = false
  private status: Fields
  private readonly history: Array<Fields>
  private readonly artifacts = new Map<string, Fields>()
  private readonly listeners = new Set<(event: Fields) => void>()
  private chars = 0
  stop: () => void = () => {}
  /** Nobody works on it any more, and that is written down. */
  isDone = false

  constructor(identity: Identity, nowMillis: number, task: Fields, more: More) {
    this.identity = identity
    this.more = more
    this.movedMillis = nowMillis
    this.status = fieldsOf(task["status"])
    this.state = String(this.status["state"] ?? "TASK_STATE_SUBMITTED")
    this.history = listOf(task["history"]).map(fieldsOf)
    for (const artifact of listOf(task["artifacts"]).map(fieldsOf)) {
      this.artifacts.set(String(artifact["artifactId"]), artifact)
    }
  }

  get isTooLarge(): boolean {
    return this.chars > MADE_CHARS_MAX
  }

  get task(): Fields {
    const { contextId, id } = this.identity
    const artifacts = [...this.artifacts.values()]
    return present({
      id,
      contextId,
      status: this.status,
      artifacts: artifacts.length === 0 ? undefined : artifacts,
      history: this.history.length === 0 ? undefined : [...this.history],
    })
  }

  get kept(): KeptTask {
    return {
      ...this.identity,
      state: this.state,
      movedMillis: this.movedMillis,
      task: JSON.stringify(this.task),
      more: JSON.stringify(this.more),
    }
  }

  /** Until it is no longer wanted. */
  listen(listener: (event: Fields) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  hear(message: Fields): void {
    const { contextId, id } = this.identity
    this.history.push({ ...message, taskId: id, contextId })
    if (this.history.length > HISTORY_MAX) this.history.shift()
    this.isDirty = true
  }

  /** Nobody is told before it is written down where that matters. */
  prepare(state: string, said: Fields | undefined, nowMillis: number, timestamp: string): Fields {
    const { contextId, id } = this.identity
    this.state = state
    this.movedMillis = nowMillis
    this.status = present({ state, message: said, timestamp })
    this.isDirty = true
    return { statusUpdate: { taskId: id, contextId, status: this.status } }
  }

  tell(event: Fields): void {
    for (const listener of Array.from(this.listeners)) listener(event)
  }

  make(artifact: Fields, append: boolean, lastChunk: boolean): void {
    const { contextId, id } = this.identity
    const artifactId = String(artifact["artifactId"])
    const before = append ? this.artifacts.get(artifactId) : undefined
    if (before === undefined && this.artifacts.size >= ARTIFACTS_MAX) return
    this.chars += JSON.stringify(artifact["parts"] ?? []).length
    if (this.isTooLarge) return
    this.artifacts.set(artifactId, before === undefined ? artifact : joined(before, artifact))
    this.isDirty = true
    this.tell({ artifactUpdate: { taskId: id, contextId, artifact, append, lastChunk } })
  }
}

/** Pieces of a text are one text. */
const joined = (before: Fields, more: Fields): Fields => {
  const parts = [...listOf(before["parts"])]
  const last = fieldsOf(parts.at(-1))
  const [next, ...rest] = listOf(more["parts"]).map(fieldsOf)
  if (typeof last["text"] === "string" && typeof next?.["text"] === "string") {
    parts[parts.length - 1] = { ...last, text: `${last["text"]}${next["text"]}` }
    return { ...before, parts: [...parts, ...rest] }
  }
  return { ...before, parts: [...parts, ...listOf(more["parts"])] }
}
