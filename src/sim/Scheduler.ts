/**
 * One loop that owns both what is ready and what time it is. A seed picks among the ready tasks and interrupts long
 * runs; time stands still while anything is ready and then jumps to the next timer, so an hour of waiting costs
 * nothing, and a simulation that can never go on is seen at once instead of hanging.
 */
import type { Scheduler as EffectScheduler, SchedulerDispatcher } from "effect/Scheduler"
import type * as Fiber from "effect/Fiber"
import type { Random } from "./Random.ts"

interface Timer {
  readonly atMillis: number
  /** Timers of the same moment become ready together; this only keeps the heap well ordered. */
  readonly number: number
  task: (() => void) | undefined
}

export interface Bounds {
  readonly tasksMax: number
  readonly millisMax: number
}

/** Why a run stopped. */
export type Stop =
  | "done"
  /** Nothing is ready, nothing is awaited, and it is not done. */
  | "stuck"
  | "tooManyTasks"
  | "tooLong"

/**
 * A fiber is not put off before it has run this many operations. Effect's own schedulers promise 2048 each time a fiber is
 * resumed, and whoever has just been handed something relies on having the time to take it.
 */
const operationsMin = 32
const preemption = 0.1

/** How deep a chain of promises may be that still settles before time goes on. */
const microtaskTurns = 8

/** Simulations do not begin at 0, which stands for "not yet" in many places. */
export const startMillis = 1

export class Scheduler implements EffectScheduler {
  readonly executionMode = "async" as const
  nowMillis = startMillis
  /** How many tasks have run; orders events of one moment. */
  step = 0
  private readonly random: Random
  private readonly bounds: Bounds
  private readonly ready: Array<() => void> = []
  private readonly heap: Array<Timer> = []
  private timerCount = 0
  private pending = 0
  private path = 0

  constructor(random: Random, bounds: Bounds) {
    this.random = random
    this.bounds = bounds
  }

  readonly shouldYield = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
    fiber.currentOpCount >= operationsMin && this.random.next() < preemption

  private readonly dispatcher: SchedulerDispatcher = {
    scheduleTask: (task) => this.post(task),
    // Nothing may run ahead of its turn.
    flush: () => {},
  }

  readonly makeDispatcher = (): SchedulerDispatcher => this.dispatcher

  /** Runs soon, in an order that the seed decides. */
  readonly post = (task: () => void): void => {
    this.ready.push(task)
  }

  /** Runs once when so much time has passed; the result cancels it. */
  readonly after = (millis: number, task: () => void): (() => void) => {
    const timer: Timer = { atMillis: this.nowMillis + Math.max(0, millis), number: ++this.timerCount, task }
    this.push(timer)
    this.pending++
    return () => {
      if (timer.task === undefined) return
      timer.task = undefined
      this.pending--
    }
  }

  /** Timers that still wait. */
  get timers(): number {
    return this.pending
  }

  get tasks(): number {
    return this.ready.length
  }

  /** Stands for every choice made so far: equal for equal runs. */
  get fingerprint(): string {
    return `${this.step}.${(this.path >>> 0).toString(16)}.${this.nowMillis}`
  }

  /** Microtasks run between tasks, as they do on an event loop, so that promises settle at the same point every time. */
  async run(isDone: () => boolean): Promise<Stop> {
    for (;;) {
      if (isDone()) return "done"
      await undefined
      for (let turn = 0; this.ready.length === 0 && turn < microtaskTurns; turn++) await undefined
      if (this.ready.length === 0 && !this.advance()) return "stuck"
      if (this.step >= this.bounds.tasksMax) return "tooManyTasks"
      if (this.nowMillis > this.bounds.millisMax) return "tooLong"
      this.runOne()
    }
  }

  private runOne(): void {
    const { ready } = this
    const index = ready.length === 1 ? 0 : this.random.below(ready.length)
    const task = ready[index] as () => void
    const last = ready.pop() as () => void
    if (index < ready.length) ready[index] = last
    this.step++
    this.path = Math.imul(this.path ^ (index + ready.length * 31 + this.nowMillis), 0x01000193)
    task()
  }

  /** Jumps to the next moment at which something is due. */
  private advance(): boolean {
    const { heap } = this
    while (heap[0] !== undefined && heap[0].task === undefined) this.pop()
    const first = heap[0]
    if (first === undefined) return false
    this.nowMillis = first.atMillis
    while (heap[0] !== undefined && heap[0].atMillis <= this.nowMillis) {
      const { task } = heap[0]
      const timer = this.pop()
      // It may still be cancelled by what runs before it.
      if (task !== undefined) this.ready.push(() => this.fire(timer))
    }
    return true
  }

  private fire(timer: Timer): void {
    const { task } = timer
    if (task === undefined) return
    timer.task = undefined
    this.pending--
    task()
  }

  private push(timer: Timer): void {
    const { heap } = this
    let index = heap.push(timer) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent] as Timer
      if (!isBefore(timer, above)) break
      heap[index] = above
      index = parent
    }
    heap[index] = timer
  }

  private pop(): Timer {
    const { heap } = this
    const first = heap[0] as Timer
    const last = heap.pop() as Timer
    if (heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Timer, heap[child] as Timer)) child++
      if (!isBefore(heap[child] as Timer, last)) break
      heap[index] = heap[child] as Timer
      index = child
    }
    heap[index] = last
    return first
  }
}

const isBefore = (a: Timer, b: Timer): boolean =>
  a.atMillis < b.atMillis || (a.atMillis === b.atMillis && a.number < b.number)
