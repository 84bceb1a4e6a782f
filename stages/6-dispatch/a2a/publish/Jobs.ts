/**
 * The tasks of all agents that the gateway plays: those that are worked on here, and by way of the store all others.
 * A task is worked on by one at a time, goes on when its client has left, and ends one way or another: one whose worker
 * is gone has failed.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { isTerminal } from "../../../../protocols/a2a/dialect/words.ts"
import { type Fields, fieldsOf, parse } from "../../../../protocols/a2a/Fields.ts"
import {
  BEAT_MILLIS,
  type KeptTask,
  LOST_MILLIS,
  type TaskQuery,
  type Tasks,
  type TasksFailure,
} from "../../../ports/Tasks.ts"
import type { Clock } from "../../../ports/Timer.ts"
import type { Run } from "../stream.ts"
import { Job, type More, type Identity, isSettled } from "./Job.ts"
import type { Doing, Done } from "./Work.ts"

/** How many tasks of one caller are worked on at a time. */
const RUNNING_PER_OWNER_MAX = 64
/** How long one stretch of work may take. */
const WORK_MILLIS_MAX = 30 * 60_000
const SWEEP_MILLIS = 600_000
/** How often it is looked whether a task has lost its worker: nobody may be asking, and somebody may be waiting. */
const SEARCH_MILLIS = 5_000
/** In which somebody works on a task. */
const workedOn = ["TASK_STATE_SUBMITTED", "TASK_STATE_WORKING"]

export interface Found {
  readonly kept: KeptTask
  /** Present: it is worked on here. */
  readonly job: Job | undefined
}

export interface JobsParts {
  readonly clock: Clock
  readonly run: Run
  readonly store: Tasks
  /** Hands an event to the receivers of notifications. */
  readonly notify: (registration: string, event: Fields) => Effect.Effect<void>
}

/** Texts that the gateway says as an agent. */
const saying = (parts: ReadonlyArray<Fields>, messageId: string, { contextId, id }: Identity): Fields => ({
  messageId,
  role: "ROLE_AGENT",
  taskId: id,
  contextId,
  parts,
})

const moreIn = ({ more }: KeptTask): More => {
  const { push, work } = fieldsOf(parse(more)?.value)
  return { push: Array.isArray(push) ? push.filter((one) => typeof one === "string") : [], work }
}

export class Jobs {
  private readonly parts: JobsParts
  private readonly running = new Map<string, Job>()
  private readonly byOwner = new Map<string, number>()
  private sweptMillis = -Infinity

  constructor(parts: JobsParts) {
    this.parts = parts
  }

  get clock(): Clock {
    return this.parts.clock
  }

  get size(): number {
    return this.running.size
  }

  private get timestamp(): string {
    return new Date(this.parts.clock.wallMillis()).toISOString()
  }

  mayBegin(owner: string): boolean {
    return (this.byOwner.get(owner) ?? 0) < RUNNING_PER_OWNER_MAX
  }

  /** A task that nobody knows of yet. */
  begin(identity: Identity, message: Fields, push: ReadonlyArray<string>): Job {
    const job = new Job(
      identity,
      this.parts.clock.wallMillis(),
      { status: { state: "TASK_STATE_SUBMITTED", timestamp: this.timestamp } },
      { push, work: undefined },
    )
    job.hear(message)
    return job
  }

  /** Goes on with a task that waits for somebody; undefined: somebody else does already. */
  resume({ kept }: Found, message: Fields): Effect.Effect<Job | undefined, TasksFailure> {
    const { clock, store } = this.parts
    return Effect.map(store.claim(kept.id, kept.state, "TASK_STATE_WORKING", clock.wallMillis()), (isOurs) => {
      if (!isOurs) return undefined
      const { agent, contextId, id, owner } = kept
      const task = fieldsOf(parse(kept.task)?.value)
      const job = new Job({ agent, contextId, id, owner }, clock.wallMillis(), task, moreIn(kept))
      job.hear(message)
      job.prepare("TASK_STATE_WORKING", undefined, clock.wallMillis(), this.timestamp)
      return job
    })
  }

  /** Works on it from now on, whoever listens. */
  start(job: Job, work: (doing: Doing) => Effect.Effect<Done>, messageId: () => string): Effect.Effect<void> {
    return Effect.map(this.put(job), () => {
      const { id, owner } = job.identity
      const { clock, run } = this.parts
      this.running.set(id, job)
      this.byOwner.set(owner, (this.byOwner.get(owner) ?? 0) + 1)
      if (job.state === "TASK_STATE_SUBMITTED") this.tell(job, "TASK_STATE_WORKING", [], "")
      const doing: Doing = {
        says: (text) => this.tell(job, "TASK_STATE_WORKING", [{ text }], messageId()),
        makes: (artifact, append, lastChunk) => {
          job.make(artifact, append, lastChunk)
          if (job.isTooLarge) job.stop()
        },
      }
      let disarm = clock.after(BEAT_MILLIS, () => beat())
      const beat = (): void => {
        run(
          Effect.catch(
            Effect.map(this.beat(job), (isUnwanted) => {
              if (isUnwanted) job.stop()
            }),
            () => Effect.void,
          ),
        )
        disarm = clock.after(BEAT_MILLIS, beat)
      }
      const worked = work(doing).pipe(
        Effect.timeoutOrElse({
          duration: WORK_MILLIS_MAX,
          orElse: () => Effect.succeed<Done>({ state: "TASK_STATE_FAILED", parts: [{ text: "It took too long." }] }),
        }),
      )
      const fiber = run(
        Effect.flatMap(Effect.exit(Effect.interruptible(worked)), (exit) => {
          disarm()
          const done = this.doneBy(job, exit)
          return this.end(job, done, messageId())
        }).pipe(Effect.uninterruptible),
      )
      job.stop = () => fiber.interruptUnsafe()
    })
  }

  private doneBy(job: Job, exit: Exit.Exit<Done>): Done {
    if (Exit.isSuccess(exit)) return exit.value
    if (job.isTooLarge) return { state: "TASK_STATE_FAILED", parts: [{ text: "It made too much." }] }
    return Cause.hasInterrupts(exit.cause)
      ? { state: "TASK_STATE_CANCELED" }
      : { state: "TASK_STATE_FAILED", parts: [{ text: "It could not be done." }] }
  }

  private tell(job: Job, state: string, parts: ReadonlyArray<Fields>, messageId: string): void {
    const { clock } = this.parts
    const said = parts.length === 0 ? undefined : saying(parts, messageId, job.identity)
    job.tell(job.prepare(state, said, clock.wallMillis(), this.timestamp))
  }

  /** Written down before anybody hears of it, since they may ask anywhere. */
  private end(job: Job, { more, parts = [], state }: Done, messageId: string): Effect.Effect<void> {
    const { clock } = this.parts
    const said = parts.length === 0 ? undefined : saying(parts, messageId, job.identity)
    job.more = { ...job.more, work: more }
    const event = job.prepare(state, said, clock.wallMillis(), this.timestamp)
    return Effect.flatMap(this.put(job), () => {
      const { id, owner } = job.identity
      this.running.delete(id)
      const left = (this.byOwner.get(owner) ?? 1) - 1
      if (left > 0) this.byOwner.set(owner, left)
      else this.byOwner.delete(owner)
      job.isDone = true
      job.tell(event)
      return this.notified(job.more.push, event)
    })
  }

  private notified(push: ReadonlyArray<string>, event: Fields): Effect.Effect<void> {
    return push.length === 0
      ? Effect.void
      : Effect.forEach(push, (one) => this.parts.notify(one, event), { discard: true })
  }

  private put(job: Job): Effect.Effect<void> {
    const { clock, store } = this.parts
    job.isDirty = false
    return Effect.andThen(this.quietly(store.put(job.kept, clock.wallMillis())), this.sweep())
  }

  private beat(job: Job): Effect.Effect<boolean, TasksFailure> {
    const { clock, store } = this.parts
    const written = job.isDirty ? this.put(job) : Effect.void
    return Effect.andThen(written, store.beat(job.identity.id, clock.wallMillis()))
  }

  private sweep(): Effect.Effect<void> {
    const { clock, store } = this.parts
    const now = clock.nowMillis()
    if (now - this.sweptMillis < SWEEP_MILLIS) return Effect.void
    this.sweptMillis = now
    return this.quietly(store.sweep(clock.wallMillis()))
  }

  private quietly(effect: Effect.Effect<unknown, TasksFailure>): Effect.Effect<void> {
    return Effect.catch(Effect.asVoid(effect), ({ message }) =>
      Effect.logWarning(`A task of an agent cannot be written down now: ${message}`),
    )
  }

  /** From now on, tasks that have lost their worker have failed, whether or not somebody asks about them. */
  mind(): void {
    const { clock, run, store } = this.parts
    const search = Effect.suspend(() =>
      Effect.flatMap(store.silent(workedOn, clock.wallMillis() - LOST_MILLIS), (all) =>
        Effect.forEach(
          all.filter(({ id }) => !this.running.has(id)),
          (one) => this.lost(one),
          { discard: true },
        ),
      ),
    )
    run(Effect.forever(Effect.andThen(this.quietly(search), Effect.sleep(SEARCH_MILLIS))))
  }

  // Of whoever asks ----------------------------------------------------------------------------------------------------

  /** What others may not see does not exist for them. */
  find(agent: string, owner: string, id: string): Effect.Effect<Found | undefined, TasksFailure> {
    const job = this.running.get(id)
    if (job !== undefined) {
      const isTheirs = job.identity.agent === agent && job.identity.owner === owner
      return Effect.succeed(isTheirs ? { kept: job.kept, job } : undefined)
    }
    const { clock, store } = this.parts
    return Effect.flatMap(store.find(id), (found): Effect.Effect<Found | undefined, TasksFailure> => {
      if (found === undefined || found.task.agent !== agent || found.task.owner !== owner) {
        return Effect.succeed(undefined)
      }
      const isLost = !isSettled(found.task.state) && clock.wallMillis() - found.beatMillis > LOST_MILLIS
      return isLost ? this.lost(found.task) : Effect.succeed({ kept: found.task, job: undefined })
    })
  }

  private lost(kept: KeptTask): Effect.Effect<Found, TasksFailure> {
    const { clock, store } = this.parts
    const job = new Job(kept, clock.wallMillis(), fieldsOf(parse(kept.task)?.value), moreIn(kept))
    const text = "The gateway that worked on it is gone."
    const event = job.prepare(
      "TASK_STATE_FAILED",
      saying([{ text }], `${kept.id}-lost`, kept),
      clock.wallMillis(),
      this.timestamp,
    )
    return Effect.flatMap(store.claim(kept.id, kept.state, "TASK_STATE_FAILED", clock.wallMillis()), (isOurs) =>
      isOurs
        ? Effect.as(Effect.andThen(store.put(job.kept, clock.wallMillis()), this.notified(job.more.push, event)), {
            kept: job.kept,
            job: undefined,
          })
        : Effect.succeed({ kept: job.kept, job: undefined }),
    )
  }

  list(
    query: TaskQuery,
  ): Effect.Effect<{ readonly tasks: ReadonlyArray<KeptTask>; readonly total: number }, TasksFailure> {
    return Effect.map(this.parts.store.list(query), ({ tasks, total }) => ({
      tasks: tasks.map((one) => this.running.get(one.id)?.kept ?? one),
      total,
    }))
  }

  earlier(agent: string, owner: string, contextId: string, limit: number): Effect.Effect<ReadonlyArray<Fields>> {
    const query = { agent, owner, contextId, state: undefined, sinceMillis: undefined, limit, offset: 0 }
    return Effect.match(this.list(query), {
      onFailure: () => [],
      onSuccess: ({ tasks }) => tasks.toReversed().map(({ task }) => fieldsOf(parse(task)?.value)),
    })
  }

  /** Undefined: it was not to be cancelled any more. */
  cancel({ job, kept }: Found): Effect.Effect<KeptTask | undefined, TasksFailure> {
    const { clock, store } = this.parts
    if (isTerminal(kept.state)) return Effect.succeed(undefined)
    if (job !== undefined) {
      job.stop()
      return this.settled({ job, kept })
    }
    if (!isSettled(kept.state)) return Effect.andThen(store.wish(kept.id), this.settled({ job, kept }))
    return Effect.flatMap(store.claim(kept.id, kept.state, "TASK_STATE_CANCELED", clock.wallMillis()), (isOurs) => {
      if (!isOurs) return Effect.succeed(undefined)
      const waiting = new Job(kept, clock.wallMillis(), fieldsOf(parse(kept.task)?.value), moreIn(kept))
      const event = waiting.prepare("TASK_STATE_CANCELED", undefined, clock.wallMillis(), this.timestamp)
      return Effect.as(
        Effect.andThen(store.put(waiting.kept, clock.wallMillis()), this.notified(waiting.more.push, event)),
        waiting.kept,
      )
    })
  }

  /** Waits until nothing more happens before somebody does something. */
  settled({ job, kept }: Found): Effect.Effect<KeptTask, TasksFailure> {
    if (isSettled(kept.state)) return Effect.succeed(kept)
    if (job !== undefined) {
      return Effect.callback<KeptTask>((resume) => {
        // What takes no time is over before anybody can listen.
        if (job.isDone) return resume(Effect.succeed(job.kept))
        const unlisten = job.listen(() => {
          if (!job.isDone) return
          unlisten()
          resume(Effect.succeed(job.kept))
        })
        return Effect.sync(unlisten)
      })
    }
    return Effect.sleep(BEAT_MILLIS / 2).pipe(
      Effect.andThen(Effect.suspend(() => this.find(kept.agent, kept.owner, kept.id))),
      Effect.flatMap((found) => (found === undefined ? Effect.succeed(kept) : this.settled(found))),
    )
  }

  /** Tells where a task stands that somebody else works on, until it waits for somebody. */
  watch({ kept }: Found, moved: (kept: KeptTask) => void): { readonly interruptUnsafe: () => void } {
    const next = (before: KeptTask): Effect.Effect<void, TasksFailure> =>
      Effect.sleep(BEAT_MILLIS / 2).pipe(
        Effect.andThen(Effect.suspend(() => this.find(kept.agent, kept.owner, kept.id))),
        Effect.flatMap((found): Effect.Effect<void, TasksFailure> => {
          const now = found?.kept ?? before
          if (now.task !== before.task) moved(now)
          return isSettled(now.state) || found === undefined ? Effect.void : next(now)
        }),
      )
    return this.parts.run(this.quietly(next(kept)))
  }

  /** Adds or removes receivers of notifications. */
  receivers(
    { job, kept }: Found,
    change: (push: ReadonlyArray<string>) => ReadonlyArray<string>,
  ): Effect.Effect<void, TasksFailure> {
    const { clock, store } = this.parts
    if (job !== undefined) {
      job.more = { ...job.more, push: change(job.more.push) }
      return this.put(job)
    }
    const more = moreIn(kept)
    return store.put({ ...kept, more: JSON.stringify({ ...more, push: change(more.push) }) }, clock.wallMillis())
  }
}
