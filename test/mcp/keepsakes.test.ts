/** What outlives workers of MCP, in memory and in both databases: the same laws. */
import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Kept from "../../src/mcp/keepsakes.ts"
import * as Storage from "../../src/store/Storage.ts"
import { type Bounds, inMemory, type Keepsake, type Keepsakes } from "../../stages/ports/Keepsakes.ts"

const bounds: Bounds = { owned: 5, ownedChars: 1_000, kept: 1_000, keptChars: 100_000 }

interface Opened {
  readonly keepsakes: Keepsakes
  readonly close: () => Promise<void>
}

const onStorage = async (layer: Layer.Layer<Storage.Storage>): Promise<Opened> => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(layer, scope))
  return {
    keepsakes: Kept.make(Context.get(context, Storage.Storage).of(Kept.component), bounds),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
  }
}

const kinds: Readonly<Record<string, () => Promise<Opened>>> = {
  memory: async () => ({ keepsakes: inMemory(bounds), close: async () => {} }),
  sqlite: () => onStorage(Storage.memory),
  postgres: async () => {
    const database = await PGlite.create()
    const server = new PGLiteSocketServer({ db: database, port: 0, host: "127.0.0.1" })
    await server.start()
    const url = `postgres://postgres:postgres@${server.getServerConn()}/postgres`
    const opened = await onStorage(Storage.layer({ _tag: "Postgres", url: Redacted.make(url), connectionsMax: 1 }))
    return {
      keepsakes: opened.keepsakes,
      close: async () => {
        await opened.close()
        await server.stop()
        await database.close()
      },
    }
  },
}

let count = 0
const keepsake = (more: Partial<Keepsake> = {}): Keepsake => ({
  id: `k${++count}`,
  owner: `o${count}`,
  kind: "task",
  text: "a",
  untilMillis: 1_000_000,
  ...more,
})

describe.each(Object.entries(kinds))("keepsakes in %s", (_, make) => {
  let opened: Opened
  let keepsakes: Keepsakes
  beforeAll(async () => {
    opened = await make()
    keepsakes = opened.keepsakes
  }, 60_000)
  afterAll(() => opened.close())
  const run = <A>(effect: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(effect)

  it("are found as they were put last, until their time is over", async () => {
    const one = keepsake({ untilMillis: 100 })
    await run(keepsakes.put(one, 10))
    const first = await run(keepsakes.find(one.id, 20))
    await run(keepsakes.put({ ...one, text: "b" }, 20))
    const second = await run(keepsakes.find(one.id, 99))
    expect([first?.text, second?.text]).toEqual(["a", "b"])
    expect(second?.version).not.toBe(first?.version)
    expect(await run(keepsakes.find(one.id, 100))).toBeUndefined()
    expect(await run(keepsakes.list(one.owner, 100))).toEqual([])
    expect(await run(keepsakes.find("nobody", 1))).toBeUndefined()
  })

  it("are listed for their owner alone, in the order in which they began, whatever was changed since", async () => {
    const owner = `lister ${++count}`
    const [a, b] = [keepsake({ owner, text: "first" }), keepsake({ owner, text: "second" })]
    await run(keepsakes.put(a, 1))
    await run(keepsakes.put(b, 2))
    await run(keepsakes.put(keepsake(), 3))
    await run(keepsakes.put({ ...a, text: "first, again" }, 4))
    expect(await run(keepsakes.list(owner, 5))).toEqual(["first, again", "second"])
    await run(keepsakes.remove(a.id))
    expect(await run(keepsakes.list(owner, 5))).toEqual(["second"])
    await run(keepsakes.clear("nobody"))
    expect(await run(keepsakes.list(owner, 5))).toEqual(["second"])
    await run(keepsakes.clear(owner))
    expect(await run(keepsakes.list(owner, 5))).toEqual([])
  })

  it("are claimed by one of those who try, at first, after a change, and after their time", async () => {
    const one = keepsake({ untilMillis: 100 })
    const claim = (version: number | undefined, now: number) =>
      Promise.all(
        ["x", "y", "z"].map((text) => run(keepsakes.claim({ ...one, text, untilMillis: now + 50 }, version, now))),
      )
    expect((await claim(undefined, 1)).filter(Boolean).length).toBe(1)
    const found = await run(keepsakes.find(one.id, 2))
    expect((await claim(found?.version, 2)).filter(Boolean).length).toBe(1)
    expect((await claim(found?.version, 3)).filter(Boolean).length).toBe(0)
    expect((await claim(undefined, 3)).filter(Boolean).length).toBe(0)
    expect((await claim(undefined, 1_000)).filter(Boolean).length).toBe(1)
  })

  it("of one owner are bounded in number and in size: what began first goes", async () => {
    const owner = `many ${++count}`
    for (let i = 0; i < 8; i++) await run(keepsakes.put(keepsake({ owner, text: `t${i}` }), i + 1))
    const listed = await run(keepsakes.list(owner, 1_000))
    expect([listed.length, listed[0], listed.at(-1)]).toEqual([5, "t3", "t7"])
    const heavy = `heavy ${++count}`
    const text = "x".repeat(bounds.ownedChars / 4)
    for (let i = 0; i < 6; i++) await run(keepsakes.put(keepsake({ owner: heavy, text }), i + 1))
    expect((await run(keepsakes.list(heavy, 1_000))).length).toBe(4)
    // The same one again is no other one.
    const same = keepsake({ owner: heavy, text })
    for (let i = 0; i < 3; i++) await run(keepsakes.put(same, 100 + i))
    expect((await run(keepsakes.list(heavy, 1_000))).length).toBe(4)
  })
})

describe("keepsakes in memory", () => {
  it("are bounded whoever's they are, and those whose time is over go first", () => {
    const keepsakes = inMemory({ ...bounds, kept: 3, keptChars: 10 })
    const put = (id: string, more: Partial<Keepsake> = {}, now = 1): void =>
      Effect.runSync(Effect.orDie(keepsakes.put(keepsake({ id, owner: id, ...more }), now)))
    const isThere = (id: string): boolean => Effect.runSync(Effect.orDie(keepsakes.find(id, 20))) !== undefined
    put("a")
    put("b", { untilMillis: 10 })
    put("c")
    put("d", {}, 20)
    expect(["a", "b", "c", "d"].map(isThere)).toEqual([true, false, true, true])
    put("e", {}, 20)
    expect(["a", "c", "d", "e"].map(isThere)).toEqual([false, true, true, true])
    put("f", { text: "123456789" }, 20)
    expect(["c", "d", "e", "f"].map(isThere)).toEqual([false, false, true, true])
  })
})
