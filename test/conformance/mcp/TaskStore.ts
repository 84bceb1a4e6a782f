/** Jobs that outlive the call that began them, and may ask for input on the way. */

type Json = Record<string, unknown>
type Status = "working" | "input_required" | "completed" | "failed" | "cancelled"

export interface Running {
  readonly signal: AbortSignal
  readonly ask: (requests: Json) => Promise<Json>
}
export type Work = (running: Running) => Promise<Json>

const ttlMs = 60_000
const pollIntervalMs = 100

class Task {
  readonly id: string
  private readonly createdAt = new Date().toISOString()
  private readonly abort = new AbortController()
  private readonly changed: (task: Task) => void
  private lastUpdatedAt = this.createdAt
  private status: Status = "working"
  private outcome: Json = {}
  private pending: Json = {}
  private answers: Json = {}
  private answered: (() => void) | undefined

  constructor(id: string, changed: (task: Task) => void) {
    this.id = id
    this.changed = changed
  }

  run(work: Work): void {
    const running: Running = { signal: this.abort.signal, ask: (requests) => this.ask(requests) }
    work(running).then(
      (result) => this.settle("completed", { result }),
      (cause: unknown) => this.settle("failed", { error: { code: -32_603, message: String(cause) } }),
    )
  }

  private ask(requests: Json): Promise<Json> {
    this.pending = { ...requests }
    this.answers = {}
    this.move("input_required")
    return new Promise((resolve) => {
      this.answered = () => resolve(this.answers)
    })
  }

  update(responses: Json): void {
    if (this.status !== "input_required") return
    for (const [key, response] of Object.entries(responses)) {
      if (!Object.hasOwn(this.pending, key)) continue
      delete this.pending[key]
      this.answers[key] = response
    }
    if (Object.keys(this.pending).length > 0) return
    this.move("working")
    this.answered?.()
  }

  cancel(): void {
    this.settle("cancelled", {})
    this.abort.abort()
  }

  private settle(status: Status, outcome: Json): void {
    if (this.status !== "working" && this.status !== "input_required") return
    this.outcome = outcome
    this.pending = {}
    this.move(status)
  }

  private move(status: Status): void {
    this.status = status
    this.lastUpdatedAt = new Date().toISOString()
    this.changed(this)
  }

  summary(): Json {
    const { createdAt, id, lastUpdatedAt, status } = this
    return { taskId: id, status, createdAt, lastUpdatedAt, ttlMs, pollIntervalMs }
  }

  detailed(): Json {
    return {
      ...this.summary(),
      ...this.outcome,
      ...(this.status === "input_required" ? { inputRequests: { ...this.pending } } : {}),
    }
  }
}

export class Tasks {
  private readonly all = new Map<string, Task>()
  private readonly observers = new Set<(task: Task) => void>()
  private readonly mint: () => string

  constructor(mint: () => string) {
    this.mint = mint
  }

  /** The task exists before anybody is told of it. */
  start(work: Work): Json {
    const task = new Task(this.mint(), (changed) => this.observers.forEach((observe) => observe(changed)))
    this.all.set(task.id, task)
    const created = { resultType: "task", ...task.summary() }
    task.run(work)
    return created
  }

  get(id: string): Task | undefined {
    return this.all.get(id)
  }

  observe(observer: (task: Task) => void): () => void {
    this.observers.add(observer)
    return () => void this.observers.delete(observer)
  }

  close(): void {
    for (const task of this.all.values()) task.cancel()
  }
}
