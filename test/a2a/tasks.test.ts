/** Tasks of agents that the gateway plays, in memory and in both databases: the same laws. */
import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Kept from "../../src/a2a/tasks.ts"
import * as Storage from "../../src/store/Storage.ts"
import { memoryTasks } from "../../stages/6-dispatch/a2a/publish/memoryTasks.ts"
import { type KeptTask, TASK_MILLIS_MAX, type Tasks } from "../../stages/ports/Tasks.ts"

interface Opened {
  readonly tasks: Tasks
  readonly close: () => Promise<void>
}

const onStorage = async (layer: Layer.Layer<Storage.Storage>): Promise<Opened> => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  return {
    tasks: Kept.make(Context.get(context, Storage.Storage).of(Kept.component)),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}

const kinds: Readonly<Record<string, () => Promise<Opened>>> = {
  memory: async () => ({ tasks: memoryTasks(), close: async () => {} }),
  sqlite: () => onStorage(Storage.memory),
  postgres: async () => {
    const database = await PGlite.create()
    const server = new PGLiteSocketServer({ db: database, port: 0, host: "127.0.0.1" })
    await server.start()
    const url = `postgres://postgres:postgres@${server.getServerConn()}/postgres`
    const opened = await onStorage(Storage.layer({ _tag: "Postgres", url: Redacted.make(url), connectionsMax: 1 }))
    return {
      tasks: opened.tasks,
      close: async () => {
        await opened.close()
        await server.stop()
        await database.close()
      },
    }
  },
}

let count = 0
const task = (more: Partial<KeptTask> = {}): KeptTask => ({
  id: `t${++count}`,
  agent: "agent",
  owner: `o${count}`,
  contextId: "c",
  state: "TASK_STATE_WORKING",
  movedMillis: 1_000,
  task: "{}",
  more: "{}",
  ...more,
})

describe.each(Object.entries(kinds))("tasks in %s", (_, make) => {
  let opened: Opened
  let tasks: Tasks
  beforeAll(async () => {
    opened = await make()
    tasks = opened.tasks
  }, 60_000)
  afterAll(() => opened.close())
  const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(effect)

  it("are found as they were put last, with when they were heard of", async () => {
    const one = task()
    await run(tasks.put(one, 10))
    await run(tasks.put({ ...one, state: "TASK_STATE_COMPLETED", task: '{"a":1}' }, 20))
    expect(await run(tasks.find(one.id))).toEqual({
      task: { ...one, state: "TASK_STATE_COMPLETED", task: '{"a":1}' },
      beatMillis: 20,
    })
    expect(await run(tasks.find("nobody"))).toBeUndefined()
  })

  it("are listed for their owner only, those that moved last first, page by page", async () => {
    const owner = "lister"
    const [a, b, c] = [1, 2, 3].map((movedMillis) => task({ owner, movedMillis }))
    const other = task({ owner, contextId: "other", state: "TASK_STATE_FAILED", movedMillis: 4 })
    for (const one of [a, b, c, other, task()]) await run(tasks.put(one as KeptTask, 1))
    const all = { agent: "agent", owner, contextId: undefined, state: undefined, sinceMillis: undefined }
    const idsOf = async (query: Partial<Parameters<Tasks["list"]>[0]>) => {
      const { tasks: found, total } = await run(tasks.list({ ...all, limit: 10, offset: 0, ...query }))
      return [found.map(({ id }) => id), total]
    }
    expect(await idsOf({})).toEqual([[other.id, c?.id, b?.id, a?.id], 4])
    expect(await idsOf({ limit: 2, offset: 1 })).toEqual([[c?.id, b?.id], 4])
    expect(await idsOf({ contextId: "other" })).toEqual([[other.id], 1])
    expect(await idsOf({ state: "TASK_STATE_WORKING", sinceMillis: 2 })).toEqual([[c?.id, b?.id], 2])
    expect(await idsOf({ agent: "another" })).toEqual([[], 0])
  })

  it("are claimed by one of those who try", async () => {
    const one = task({ state: "TASK_STATE_INPUT_REQUIRED" })
    await run(tasks.put(one, 1))
    const claim = () => run(tasks.claim(one.id, "TASK_STATE_INPUT_REQUIRED", "TASK_STATE_WORKING", 2))
    expect((await Promise.all([claim(), claim(), claim()])).filter((isOurs) => isOurs).length).toBe(1)
  })

  it("tell whoever works on them that they are no longer wanted", async () => {
    const one = task()
    await run(tasks.put(one, 1))
    expect(await run(tasks.beat(one.id, 2))).toBe(false)
    await run(tasks.wish(one.id))
    expect(await run(tasks.beat(one.id, 3))).toBe(true)
    expect((await run(tasks.find(one.id)))?.beatMillis).toBe(3)
  })

  it("of which nothing was heard are found while they should be worked on", async () => {
    const states = ["WORKING", "SUBMITTED"].map((state) => `TASK_STATE_${state}`)
    const [silent, fresh] = [task(), task()]
    const [submitted, waiting] = [task({ state: states[1] ?? "" }), task({ state: "TASK_STATE_INPUT_REQUIRED" })]
    for (const one of [silent, submitted, waiting]) await run(tasks.put(one, 500_000))
    await run(tasks.put(fresh, 500_000))
    await run(tasks.beat(fresh.id, 600_000))
    const found = new Set((await run(tasks.silent(states, 600_000))).map(({ id }) => id))
    expect([silent, submitted, waiting, fresh].map(({ id }) => found.has(id))).toEqual([true, true, false, false])
    expect((await run(tasks.silent(states, 500_000))).map(({ id }) => id)).not.toContain(silent.id)
  })

  it("are forgotten when they have not moved for long", async () => {
    const [old, recent] = [task({ movedMillis: 1 }), task({ movedMillis: 1_000 + TASK_MILLIS_MAX })]
    await run(tasks.put(old, 1))
    await run(tasks.put(recent, 1))
    await run(tasks.sweep(1_000 + TASK_MILLIS_MAX))
    expect(await run(tasks.find(old.id))).toBeUndefined()
    expect(await run(tasks.find(recent.id))).toBeDefined()
  })
})
