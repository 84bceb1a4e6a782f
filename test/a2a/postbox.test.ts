/** A postbox in memory and in both databases: the same laws. */
import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Kept from "../../src/a2a/postbox.ts"
import * as Storage from "../../src/store/Storage.ts"
import { memoryPostbox } from "../../stages/6-dispatch/a2a/push/memoryPostbox.ts"
import {
  AFTERLIFE_MILLIS,
  type Letter,
  LETTERS_PER_REGISTRATION_MAX,
  type Postbox,
  type Posting,
  type Registration,
  UNBOUND_MILLIS_MAX,
} from "../../stages/ports/Postbox.ts"

interface Opened {
  readonly postbox: Postbox
  readonly close: () => Promise<void>
}

const onStorage = async (layer: Layer.Layer<Storage.Storage>): Promise<Opened> => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  const store = Context.get(context, Storage.Storage).of(Kept.component)
  return {
    postbox: Kept.make({ store, key: undefined }).postbox,
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}

const kinds: Readonly<Record<string, () => Promise<Opened>>> = {
  memory: async () => ({ postbox: memoryPostbox(), close: async () => {} }),
  sqlite: () => onStorage(Storage.memory),
  postgres: async () => {
    const database = await PGlite.create()
    const server = new PGLiteSocketServer({ db: database, port: 0, host: "127.0.0.1" })
    await server.start()
    const url = `postgres://postgres:postgres@${server.getServerConn()}/postgres`
    const opened = await onStorage(Storage.layer({ _tag: "Postgres", url: Redacted.make(url), connectionsMax: 1 }))
    return {
      postbox: opened.postbox,
      close: async () => {
        await opened.close()
        await server.stop()
        await database.close()
      },
    }
  },
}

let count = 0
const registration = (more: Partial<Registration> = {}): Registration => {
  const id = `r${++count}`
  return {
    id,
    agent: "agent",
    owner: "me",
    taskId: `task of ${id}`,
    configId: "one",
    version: "1.0",
    agentVersion: "0.3",
    token: `token of ${id}`,
    config: { url: "https://example.com/", more: [1, { a: null }] },
    ...more,
  }
}

const posting = (of: Registration, body: string, more: Partial<Posting> = {}): Posting => ({
  registration: of.id,
  body,
  digest: body,
  repeats: "next",
  isLast: false,
  ...more,
})

describe.each(Object.keys(kinds))("a postbox in %s", { timeout: 60_000 }, (kind) => {
  let opened: Opened
  let box: Postbox
  beforeAll(async () => {
    opened = await (kinds[kind] as () => Promise<Opened>)()
    box = opened.postbox
  }, 60_000)
  afterAll(() => opened.close())

  const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(effect)
  const keep = async (one: Registration, now = 0): Promise<Registration> => {
    const kept = await run(box.keep(one, now))
    if (kept === "full") throw new Error("full")
    return kept.registration
  }
  /** What is due at a time, of one registration. */
  const due = async (of: Registration, now: number, until = now + 10): Promise<ReadonlyArray<Letter>> =>
    (await run(box.take(100, now, until))).filter(({ registration: { id } }) => id === of.id)

  it("keeps what it is given, for its owner only", async () => {
    const one = await keep(registration())
    expect(await run(box.find(one.id))).toEqual(one)
    expect(await run(box.list("agent", "me", String(one.taskId)))).toEqual([one])
    expect(await run(box.list("agent", "other", String(one.taskId)))).toEqual([])
    expect(await run(box.list("other", "me", String(one.taskId)))).toEqual([])
    expect(await run(box.find("nobody"))).toBe(undefined)
    await run(box.remove(one.id))
    expect(await run(box.find(one.id))).toBe(undefined)
  })

  it("puts one in the place of another by the same name, under which the agent knows it", async () => {
    const one = await keep(registration())
    const other = registration({ taskId: one.taskId, config: { url: "https://example.com/other" } })
    const kept = await run(box.keep(other, 1))
    expect(kept).toEqual({ registration: { ...other, id: one.id, token: one.token }, before: one })
    expect(await run(box.list("agent", "me", String(one.taskId)))).toEqual([{ ...other, id: one.id, token: one.token }])
  })

  it("has room for ten of one task", async () => {
    const first = await keep(registration())
    for (let i = 1; i < 10; i++) await keep(registration({ taskId: first.taskId, configId: `c${i}` }))
    expect(await run(box.keep(registration({ taskId: first.taskId, configId: "more" }), 0))).toBe("full")
    expect(await run(box.keep(registration({ taskId: first.taskId, configId: "c3" }), 0))).not.toBe("full")
    expect(await run(box.keep(registration({ taskId: first.taskId, owner: "you" }), 0))).not.toBe("full")
  })

  it("is told later which task it is about, once", async () => {
    const taskId = `late ${kind}`
    const old = await keep(registration({ taskId }))
    const one = await keep(registration({ taskId: undefined }))
    await run(box.bind(one.id, taskId))
    expect(await run(box.list("agent", "me", taskId))).toEqual([{ ...one, taskId }])
    expect(await run(box.find(old.id))).toBe(undefined)
    await run(box.bind(one.id, "another"))
    expect((await run(box.find(one.id)))?.taskId).toBe(taskId)
  })

  it("keeps what was given up longer than its task, and gives it out again to whoever asks for that", async () => {
    const one = await keep(registration())
    await run(box.post(posting(one, "lost", { isLast: true }), 1))
    const [letter] = await due(one, 1)
    await run(box.bury(letter as Letter, "nobody there", 2))
    await run(box.sweep(2 + 2 * AFTERLIFE_MILLIS))
    const mine = async () => (await run(box.dead(1_000))).filter(({ registration: { id } }) => id === one.id)
    const [dead] = await mine()
    expect(dead).toMatchObject({ body: "lost", attempts: 1, why: "nobody there", postedMillis: 1, registration: one })
    expect(await due(one, 100)).toEqual([])
    const at = dead?.number ?? 0
    expect(await run(box.revive(one.id, at + 1, 50))).toBe(false)
    expect(await run(box.revive(one.id, at, 50))).toBe(true)
    expect(await run(box.revive(one.id, at, 50))).toBe(false)
    expect(await mine()).toEqual([])
    const [again] = await due(one, 60)
    expect(again).toMatchObject({ body: "lost", attempts: 0, postedMillis: 50 })
    await run(box.bury(again as Letter, "still nobody", 70))
    expect(await run(box.drop(one.id, at))).toBe(true)
    expect(await run(box.drop(one.id, at))).toBe(false)
    expect(await mine()).toEqual([])
    expect(await due(one, 1_000)).toEqual([])
  })

  it("gives letters of one registration out one after the other, each to one courier only", async () => {
    const one = await keep(registration())
    for (const body of ["a", "b", "c"]) expect(await run(box.post(posting(one, body), 0))).toBe("posted")
    const [a] = await due(one, 0)
    expect(a).toMatchObject({ body: "a", attempts: 0, postedMillis: 0, registration: one })
    expect(await due(one, 5)).toEqual([])
    await run(box.delivered(a as Letter))
    const [b] = await due(one, 5)
    expect(b?.body).toBe("b")
    await run(box.postpone(b as Letter, 3, 50))
    expect(await due(one, 49)).toEqual([])
    const [again] = await due(one, 50)
    expect(again).toMatchObject({ body: "b", attempts: 3 })
    await run(box.bury(again as Letter, "hopeless", 51))
    const [c] = await due(one, 51)
    expect(c?.body).toBe("c")
    // Its courier is gone: somebody else gets it.
    expect((await due(one, 61)).map(({ body }) => body)).toEqual(["c"])
  })

  it("gives out no letter twice at a time, however many ask", async () => {
    const several = await Promise.all(Array.from({ length: 12 }, () => keep(registration())))
    for (const one of several) await run(box.post(posting(one, "x"), 1_000))
    const taken = await Promise.all(Array.from({ length: 6 }, () => run(box.take(5, 1_000, 2_000))))
    const ids = taken.flat().map((letter) => letter.registration.id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { id } of several) await run(box.remove(id))
  })

  it("knows what it was told before, as far as it may", async () => {
    const one = await keep(registration())
    const post = (body: string, repeats: Posting["repeats"]) => run(box.post(posting(one, body, { repeats }), 0))
    expect(await post("a", "next")).toBe("posted")
    expect(await post("a", "next")).toBe("known")
    expect(await post("b", "anywhere")).toBe("posted")
    expect(await post("a", "next")).toBe("posted")
    expect(await post("b", "anywhere")).toBe("known")
    expect(await post("c", "never")).toBe("posted")
    expect(await post("c", "never")).toBe("posted")
    const [letter] = await due(one, 0)
    await run(box.delivered(letter as Letter))
    expect(await post("b", "anywhere")).toBe("known")
    expect(await run(box.post(posting({ ...one, id: "nobody" }, "a"), 0))).toBe("known")
  })

  // A thousand round trips over a socket take seconds.
  it("takes a thousand letters for one receiver, and no more", { timeout: 60_000 }, async () => {
    const one = await keep(registration())
    const all = await run(
      Effect.forEach(
        Array.from({ length: LETTERS_PER_REGISTRATION_MAX + 1 }, (_, i) => `${i}`),
        (body) => box.post(posting(one, body), 0),
      ),
    )
    expect(all.filter((one) => one === "posted").length).toBe(LETTERS_PER_REGISTRATION_MAX)
    expect(all.at(-1)).toBe("full")
    await run(box.remove(one.id))
    expect(await due(one, 10_000)).toEqual([])
  })

  it("forgets what nobody needs any more, and nothing else", async () => {
    const now = UNBOUND_MILLIS_MAX * 2
    const [ended, waiting, going, unbound] = await Promise.all([
      keep(registration(), now),
      keep(registration(), now),
      keep(registration(), now),
      keep(registration({ taskId: undefined }), now),
    ])
    for (const one of [ended, waiting]) await run(box.post(posting(one, "end", { isLast: true }), now))
    const letters = await run(box.take(1_000, now, now + 10))
    const own = letters.find(({ registration: { id } }) => id === ended.id)
    await run(box.delivered(own as Letter))
    await run(box.sweep(now + AFTERLIFE_MILLIS))
    expect(await run(box.find(ended.id))).toEqual(ended)
    await run(box.sweep(now + AFTERLIFE_MILLIS + 1))
    expect(await run(box.find(ended.id))).toBe(undefined)
    expect(await run(box.find(waiting.id))).toEqual(waiting)
    expect(await run(box.find(unbound.id))).toEqual(unbound)
    await run(box.sweep(now + UNBOUND_MILLIS_MAX + 1))
    expect(await run(box.find(unbound.id))).toBe(undefined)
    expect(await run(box.find(going.id))).toEqual(going)
    expect((await due(waiting, now + UNBOUND_MILLIS_MAX + 1)).map(({ body }) => body)).toEqual(["end"])
  })
})
