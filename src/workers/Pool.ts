/**
 * The other cores: threads that listen on the same ports and serve the same plan. They change together or not at all,
 * one that dies is replaced, and none outlives the scope.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Worker } from "node:worker_threads"
import type { BindKey } from "../../ir/Key.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { seal } from "../../ir/transfer.ts"
import type { Address } from "../../stages/Connection.ts"
import type { Prepared } from "../config/publish.ts"
import type { Unusable } from "../config/Source.ts"
import type { Setting } from "../telemetry/Levels.ts"
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts"

/** A worker that dies is replaced after this long, so that one that cannot live does not spin. */
export const restartMillis = 1_000

interface Current {
  readonly snapshot: Snapshot
  readonly ports: ReadonlyArray<readonly [BindKey, number]>
}

interface Member {
  readonly thread: Worker
  readonly number: number
  /** Answers that are waited for, by the id of their question. */
  readonly waiting: Map<number, (message: FromWorker) => void>
  readonly exited: Promise<void>
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
  readonly prepare: (snapshot: Snapshot, addresses: ReadonlyMap<BindKey, Address>) => Effect.Effect<Prepared, Unusable>
  readonly ask: (what: "metrics" | "open") => Promise<ReadonlyArray<unknown>>
  readonly tellLevels: (setting: Setting) => void
  readonly drain: () => void
  readonly size: () => number
}

const threadUrl = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)

const portsOf = (addresses: ReadonlyMap<BindKey, Address>): Current["ports"] =>
  [...addresses].filter(([, { port }]) => port > 0).map(([key, { port }]) => [key, port])

export const make = (options: PoolOptions): Effect.Effect<Pool, never, Scope> =>
  Effect.gen(function* () {
    /** Workers that serve the current plan. */
    const members = new Set<Member>()
    const all = new Set<Member>()
    const changing = Semaphore.makeUnsafe(1)
    let current: Current | undefined
    let lastId = 0
    let ending = false

    const post = (member: Member, message: ToWorker): void => member.thread.postMessage(message)

    const question = (member: Member, make: (id: number) => ToWorker): Promise<FromWorker | undefined> =>
      new Promise((resolve) => {
        const id = ++lastId
        member.waiting.set(id, resolve)
        void member.exited.then(() => resolve(undefined))
        post(member, make(id))
      })

    const prepareOne = (member: Member, { ports, snapshot }: Current) => {
      let id = 0
      return question(member, (next) => {
        id = next
        return { _tag: "Prepare", id, snapshot: seal(snapshot), ports }
      }).then((answer) => ({
        member,
        id,
        problems: answer?._tag === "Prepared" ? answer.problems : ["the worker ended"],
        isGone: answer === undefined,
      }))
    }

    /** A worker that has just started takes over what the others serve. */
    const join = (member: Member): Promise<void> =>
      Effect.runPromise(
        changing.withPermits(1)(
          Effect.promise(async () => {
            if (current !== undefined) {
              const { id, isGone, problems } = await prepareOne(member, current)
              if (problems !== undefined) {
                if (!isGone) options.onProblem(`worker ${member.number} cannot serve: ${problems.join("; ")}`)
                return
              }
              post(member, { _tag: "Commit", id })
            }
            members.add(member)
          }),
        ),
      )

    const spawn = (number: number): void => {
      const thread = new Worker(threadUrl, { workerData: seal(options.start) })
      const exited = new Promise<void>((resolve) => {
        thread.once("exit", () => resolve())
      })
      const member: Member = { thread, number, waiting: new Map(), exited }
      all.add(member)
      thread.on("message", (message: FromWorker) => {
        switch (message._tag) {
          case "Ready":
            void join(member)
            return
          case "Lines":
            options.onLines(message.text)
            return
          default:
            member.waiting.get(message.id)?.(message)
            member.waiting.delete(message.id)
        }
      })
      thread.on("error", (error: unknown) => {
        options.onProblem(`worker ${number} died: ${error instanceof Error ? error.message : String(error)}`)
      })
      void exited.then(() => {
        members.delete(member)
        all.delete(member)
        if (ending) return
        const timer = setTimeout(() => {
          if (!ending) spawn(number)
        }, restartMillis)
        timer.unref()
      })
    }

    const drain = (): void => {
      if (ending) return
      ending = true
      for (const member of all) post(member, { _tag: "Drain" })
    }

    yield* Effect.acquireRelease(
      Effect.sync(() => {
        for (let number = 1; number <= options.count; number++) spawn(number)
      }),
      () =>
        Effect.promise(async () => {
          drain()
          const patience = new Promise<void>((resolve) => {
            setTimeout(resolve, options.drainMillis + 500).unref()
          })
          await Promise.race([Promise.all([...all].map(({ exited }) => exited)), patience])
          await Promise.all([...all].map(({ thread }) => thread.terminate()))
        }),
    )

    const prepare = (snapshot: Snapshot, addresses: ReadonlyMap<BindKey, Address>): Effect.Effect<Prepared, Unusable> =>
      Effect.gen(function* () {
        const next: Current = { snapshot, ports: portsOf(addresses) }
        yield* changing.take(1)
        const answers = yield* Effect.promise(() => Promise.all([...members].map((member) => prepareOne(member, next))))
        const alive = answers.filter(({ isGone }) => !isGone)
        const finish = (tag: "Commit" | "Abort") =>
          Effect.suspend(() => {
            for (const { id, member, problems } of alive) {
              if (problems === undefined) post(member, { _tag: tag, id })
            }
            if (tag === "Commit") current = next
            return changing.release(1)
          })
        const problems = alive.flatMap((answer) => answer.problems ?? [])
        if (problems.length > 0) {
          yield* finish("Abort")
          return yield* Effect.fail<Unusable>({ _tag: "Unusable", problems })
        }
        return { commit: finish("Commit"), abort: finish("Abort") }
      })

    return {
      prepare,
      ask: async (what) => {
        const answers = await Promise.all(
          [...members].map((member) => question(member, (id) => ({ _tag: "Ask", id, what }))),
        )
        return answers.flatMap((answer) => (answer?._tag === "Answer" ? [answer.value] : []))
      },
      tellLevels: (setting) => {
        for (const member of all) post(member, { _tag: "LogLevels", setting })
      },
      drain,
      size: () => members.size,
    }
  })
