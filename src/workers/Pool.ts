/**
 * The other cores: threads that listen on the same ports and serve the same plan. They change together or not at all,
 * one that dies is replaced, and none outlives the scope.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Worker } from "node:worker_threads"
import type { BindKey } from "../../ir/Key.ts"
import { type Changes, editsOf } from "../../ir/diff.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { seal } from "../../ir/transfer.ts"
import { bury } from "../../stages/5-policy/Occupancy.ts"
import type { Address } from "../../stages/Connection.ts"
import type { Prepared } from "../config/publish.ts"
import type { Unusable } from "../config/Source.ts"
import type { Setting } from "../telemetry/Levels.ts"
import { type Exported, merge } from "../telemetry/Registry.ts"
import type { Asking } from "./questions.ts"
import type { Answer, FromWorker, ThreadStart, Told, ToWorker, WorkerStart } from "./messages.ts"
import { timerMillis } from "../node/timerMillis.ts"

/** A worker that dies is replaced after this long, and after twice as long each time it cannot serve … */
export const restartMillis = 1_000
/** … up to this long, so that one that cannot live does not spin. */
export const restartMillisMax = 30_000
/** A worker that takes this long to take part in a change hangs, and is replaced. */
const changeMillisMax = 10_000
/** Metrics are shown without a worker that is too busy to tell. */
const metricsMillisMax = 1_000
/** Beyond the deadlines of the drain, for the threads to come to their end. */
const farewellMillis = 500

interface Current {
  readonly snapshot: Snapshot
  readonly ports: ReadonlyArray<readonly [BindKey, number]>
}

interface Member {
  readonly thread: Worker
  readonly number: number
  /** Who waits for an answer, by the number of the question; nobody answers once the worker is gone. */
  readonly waiting: Map<number, (answer: Answer | undefined) => void>
  readonly exited: Promise<void>
  /** What it had counted when it was asked last. */
  counted: Exported
}

export interface PoolOptions {
  readonly count: number
  readonly start: WorkerStart
  readonly drainMillis: number
  /** Lines of access and application log that a worker wrote. */
  readonly onLines: (text: string) => void
  readonly onProblem: (message: string) => void
}

export interface Pool {
  /** The first change that is committed starts the workers. */
  readonly prepare: (
    snapshot: Snapshot,
    changes: Changes,
    addresses: ReadonlyMap<BindKey, Address>,
  ) => Effect.Effect<Prepared, Unusable>
  readonly ask: (what: "metrics") => Promise<ReadonlyArray<Exported>>
  /** What each worker says, without those that say nothing in time. */
  readonly put: (asking: Asking, millis?: number) => Promise<ReadonlyArray<unknown>>
  readonly tellLevels: (setting: Setting) => void
  readonly drain: () => void
  /** How many serve the current plan. */
  readonly size: () => number
}

const threadUrl = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)

const portsOf = (addresses: ReadonlyMap<BindKey, Address>): Current["ports"] =>
  [...addresses].filter(([, { port }]) => port > 0).map(([key, { port }]) => [key, port])

type Next = Extract<ToWorker, { _tag: "Prepare" }>["next"]

type Question<M> = M extends { readonly id: number } ? Omit<M, "id"> : never

export const make = (options: PoolOptions): Effect.Effect<Pool, never, Scope> =>
  Effect.gen(function* () {
    /** Workers that serve the current plan. */
    const members = new Set<Member>()
    const all = new Set<Member>()
    /** How often in a row the worker of a number could not serve. */
    const failures = new Map<number, number>()
    const changing = Semaphore.makeUnsafe(1)
    let current: Current | undefined
    let levels: Setting | undefined
    /** Counters of workers that are gone: what was counted stays counted. */
    let departed: Exported = []
    let lastId = 0
    let ending = false

    const tell = (member: Member, message: Told): void => member.thread.postMessage(message)

    /** Nothing comes back from a worker that is gone, or that does not answer in time. */
    const question = <A extends Answer>(
      member: Member,
      message: Question<ToWorker>,
      millis: number,
      late: () => void,
    ): Promise<A | undefined> =>
      new Promise((resolve) => {
        if (!all.has(member)) return resolve(undefined)
        const id = ++lastId
        const settle = (answer: Answer | undefined): void => {
          clearTimeout(timer)
          member.waiting.delete(id)
          resolve(answer as A | undefined)
        }
        const timer = setTimeout(() => {
          late()
          settle(undefined)
        }, millis)
        member.waiting.set(id, settle)
        member.thread.postMessage({ ...message, id } as ToWorker)
      })

    const change = <A extends Answer>(member: Member, message: Question<ToWorker>): Promise<A | undefined> =>
      question(member, message, changeMillisMax, () => {
        options.onProblem(`worker ${member.number} does not answer`)
        void member.thread.terminate()
      })

    interface Outcome {
      readonly member: Member
      readonly change: number
      /** Why not; a worker that is gone has no say. */
      readonly problems: ReadonlyArray<string> | "gone"
    }

    const prepareOne = async (member: Member, next: Next, ports: Current["ports"]): Promise<Outcome> => {
      const answer = await change<Extract<Answer, { _tag: "Prepared" }>>(member, { _tag: "Prepare", next, ports })
      return { member, change: answer?.id ?? 0, problems: answer?.problems ?? "gone" }
    }

    const finishOne = (outcome: Outcome, how: "commit" | "abort"): Promise<unknown> =>
      change(outcome.member, { _tag: "Finish", change: outcome.change, how })

    /** A worker that has just started takes over what the others serve. */
    const join = (member: Member): Promise<void> =>
      Effect.runPromise(
        changing.withPermits(1)(
          Effect.promise(async () => {
            if (current === undefined || ending) return
            const outcome = await prepareOne(member, { snapshot: seal(current.snapshot) }, current.ports)
            if (outcome.problems === "gone") return
            if (outcome.problems.length > 0) {
              options.onProblem(`worker ${member.number} cannot serve: ${outcome.problems.join("; ")}`)
              return void member.thread.terminate()
            }
            await finishOne(outcome, "commit")
            if (!all.has(member)) return
            failures.delete(member.number)
            members.add(member)
          }),
        ),
      )

    const spawn = (number: number): void => {
      const owed = new Int32Array(new SharedArrayBuffer(4))
      const start: ThreadStart = { ...options.start, number, owed, levels }
      const thread = new Worker(threadUrl, { workerData: seal(start) })
      const exited = new Promise<void>((resolve) => {
        thread.once("exit", () => resolve())
      })
      const member: Member = { thread, number, waiting: new Map(), exited, counted: [] }
      all.add(member)
      thread.on("message", (message: FromWorker) => {
        switch (message._tag) {
          case "Ready":
            void join(member)
            return
          case "Lines":
            options.onLines(message.text)
            Atomics.sub(owed, 0, message.bytes)
            return
          default:
            member.waiting.get(message.id)?.(message)
        }
      })
      thread.on("error", (error: unknown) => {
        options.onProblem(`worker ${number} died: ${error instanceof Error ? error.message : String(error)}`)
      })
      void exited.then(() => {
        members.delete(member)
        all.delete(member)
        // Nobody is inside any more by its count; its number is free for the next.
        bury(options.start.occupied, number)
        for (const settle of member.waiting.values()) settle(undefined)
        departed = merge([departed, member.counted.filter(({ definition }) => definition.kind !== "gauge")])
        if (ending) return
        options.onProblem(`worker ${number} ended; another takes its place`)
        const failed = failures.get(number) ?? 0
        failures.set(number, failed + 1)
        setTimeout(
          () => {
            if (!ending) spawn(number)
          },
          Math.min(restartMillisMax, restartMillis * 2 ** failed),
        ).unref()
      })
    }

    const drain = (): void => {
      if (ending) return
      ending = true
      for (const member of all) {
        if (members.has(member)) tell(member, { _tag: "Drain" })
        else void member.thread.terminate()
      }
    }

    yield* Effect.addFinalizer(() =>
      Effect.promise(async () => {
        drain()
        const patience = new Promise<void>((resolve) => {
          setTimeout(resolve, timerMillis(options.drainMillis + farewellMillis)).unref()
        })
        await Promise.race([Promise.all([...all].map(({ exited }) => exited)), patience])
        await Promise.all([...all].map(({ thread }) => thread.terminate()))
      }),
    )

    const prepare = Effect.fnUntraced(function* (
      snapshot: Snapshot,
      changes: Changes,
      addresses: ReadonlyMap<BindKey, Address>,
    ) {
      const next: Current = { snapshot, ports: portsOf(addresses) }
      yield* changing.take(1)
      const edits = members.size === 0 ? {} : seal(editsOf(changes))
      const outcomes = yield* Effect.promise(() =>
        Promise.all([...members].map((member) => prepareOne(member, { edits }, next.ports))),
      )
      const ready = outcomes.filter(({ problems }) => problems.length === 0)
      const finish = (how: "commit" | "abort") =>
        Effect.promise(async () => {
          await Promise.all(ready.map((outcome) => finishOne(outcome, how)))
          if (how === "abort") return
          const isFirst = current === undefined
          current = next
          if (isFirst && !ending) for (let number = 1; number <= options.count; number++) spawn(number)
        }).pipe(Effect.ensuring(changing.release(1)))
      const problems = outcomes.flatMap((outcome) =>
        outcome.problems === "gone"
          ? []
          : outcome.problems.map((problem) => `worker ${outcome.member.number}: ${problem}`),
      )
      if (problems.length > 0) {
        yield* finish("abort")
        return yield* Effect.fail<Unusable>({ _tag: "Unusable", problems })
      }
      return { commit: finish("commit"), abort: finish("abort") } satisfies Prepared
    })

    return {
      prepare,
      ask: async () => {
        await Promise.all(
          [...members].map(async (member) => {
            const answer = await question<Extract<Answer, { _tag: "Metrics" }>>(
              member,
              { _tag: "Metrics" },
              metricsMillisMax,
              () => {},
            )
            if (answer !== undefined) member.counted = answer.exported
          }),
        )
        return [departed, ...Array.from(members, ({ counted }) => counted)]
      },
      put: async (asking, millis = metricsMillisMax) => {
        const answers = await Promise.all(
          [...members].map((member) =>
            question<Extract<Answer, { _tag: "Said" }>>(member, { _tag: "Ask", asking }, millis, () => {}),
          ),
        )
        return answers.flatMap((answer) => (answer?.said === undefined ? [] : [answer.said]))
      },
      tellLevels: (setting) => {
        levels = setting
        for (const member of all) tell(member, { _tag: "LogLevels", setting })
      },
      drain,
      size: () => members.size,
    }
  })
