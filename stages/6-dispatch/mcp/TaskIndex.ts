/** Which tasks clients with sessions have begun: servers of newer kinds do not list them. */
import type { Fields } from "../../../protocols/mcp/json.ts"
import type { Clock } from "../../ports/Timer.ts"
import { limits } from "./limits.ts"
import type { Outcome } from "./target/McpTarget.ts"

export interface Begun {
  /** As its client knows it. */
  readonly id: string
  /** Where nobody but the gateway has it: what it came to. */
  readonly outcome: Outcome | undefined
  /** As it was when it began. */
  readonly task: Fields
}

/** Whose tasks, and of which backend. */
export interface Owner {
  readonly key: string
  readonly principal: string
}

/** Tasks without a time of their own are remembered for so long. */
const unlimitedMillis = 24 * 3_600_000

export class TaskIndex {
  private readonly clock: Clock
  private readonly byOwner = new Map<string, Map<string, { readonly begun: Begun; readonly untilMillis: number }>>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  enter(owner: Owner, begun: Begun, ttlMillis: number | undefined): void {
    const name = nameOf(owner)
    let tasks = this.byOwner.get(name)
    if (tasks === undefined) {
      if (this.byOwner.size >= limits.tasksMax) this.sweep()
      this.byOwner.set(name, (tasks = new Map()))
    }
    if (tasks.size >= limits.tasksPerPrincipalMax) {
      const [oldest] = tasks.keys()
      tasks.delete(oldest as string)
    }
    tasks.set(begun.id, { begun, untilMillis: this.clock.nowMillis() + (ttlMillis ?? unlimitedMillis) })
  }

  get(owner: Owner, id: string): Begun | undefined {
    const found = this.byOwner.get(nameOf(owner))?.get(id)
    return found === undefined || found.untilMillis < this.clock.nowMillis() ? undefined : found.begun
  }

  /** The oldest first. */
  of(owner: Owner): ReadonlyArray<Begun> {
    const now = this.clock.nowMillis()
    const tasks = this.byOwner.get(nameOf(owner))
    if (tasks === undefined) return []
    for (const [id, { untilMillis }] of tasks) if (untilMillis < now) tasks.delete(id)
    return [...tasks.values()].map(({ begun }) => begun)
  }

  /** Whoever has none left is forgotten; where everybody has some, the one who has had them for longest is. */
  private sweep(): void {
    const now = this.clock.nowMillis()
    for (const [name, tasks] of this.byOwner) {
      for (const [id, { untilMillis }] of tasks) if (untilMillis < now) tasks.delete(id)
      if (tasks.size === 0) this.byOwner.delete(name)
    }
    if (this.byOwner.size < limits.tasksMax) return
    const [oldest] = this.byOwner.keys()
    this.byOwner.delete(oldest as string)
  }
}

const nameOf = ({ key, principal }: Owner): string => `${principal} ${key}`
