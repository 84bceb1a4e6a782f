/** Booking and settling, in memory, in storage, and in a Redis where one is installed: the same laws. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Shared from "../../src/llm/redisSpending.ts"
import * as Sql from "../../src/llm/spending.ts"
import * as Storage from "../../src/store/Storage.ts"
import { inMemory, type Spending } from "../../stages/ports/Spending.ts"
import { make as makeConnection } from "../../src/node/redisConnection.ts"
import { isRedisThere, Redis } from "../peers/redis.ts"
import { freePort } from "../freePort.ts"

if (!isRedisThere) console.warn("redis-server is not installed: budgets in Redis are NOT TESTED")

interface Kept {
  readonly spending: Spending
  readonly settled: () => Promise<unknown>
  readonly close: () => Promise<void>
}

let now = 1_000_000

let redis: Redis
beforeAll(async () => {
  if (!isRedisThere) return
  redis = new Redis(await freePort())
  await redis.start()
}, 60_000)
afterAll(() => redis?.stop())

const kinds: Readonly<Record<string, () => Promise<Kept>>> = {
  memory: async () => {
    let last = 0
    return {
      spending: inMemory(
        () => now,
        () => String(++last),
      ),
      settled: async () => {},
      close: async () => {},
    }
  },
  sqlite: async () => {
    const scope = Effect.runSync(Scope.make())
    const context = await Effect.runPromise(Layer.buildWithScope(Storage.memory, scope))
    const writes: Array<Promise<void>> = []
    return {
      spending: Sql.make({
        store: Context.get(context, Storage.Storage).of(Sql.component),
        clock: { wallMillis: () => now },
        run: (effect) => void writes.push(Effect.runPromise(effect)),
      }),
      settled: () => Promise.all(writes),
      close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
    }
  },
  ...(isRedisThere
    ? {
        Redis: async () => {
          await redis.command("FLUSHALL")
          const writes: Array<Promise<void>> = []
          const spending = Shared.make({
            url: redis.url,
            clock: { nowMillis: () => performance.now(), wallMillis: () => now },
            run: (effect) => void writes.push(Effect.runPromise(effect)),
          })
          const first = { account: { ...account, subject: "first" }, amount: 0, limit: undefined, expiresMillis: now }
          // The library and the connection take a while, and nobody waits for them for long.
          while ((await Effect.runPromiseExit(spending.book(first)))._tag === "Failure") {
            await new Promise((resolve) => setTimeout(resolve, 100))
          }
          return { spending, settled: () => Promise.all(writes), close: async () => spending.close() }
        },
      }
    : {}),
}

const account = { budget: "b", subject: "s", windowMillis: 0, endMillis: 3_600_000 }

describe.each(Object.keys(kinds))("a spending in %s", (kind) => {
  const with_ = async (work: (kept: Kept) => Promise<void>): Promise<void> => {
    now = 1_000_000
    const kept = await (kinds[kind] as () => Promise<Kept>)()
    await work(kept)
    await kept.close()
  }
  const book = (kept: Kept, amount: number, limit: number | undefined, expiresMillis = now + 1_000) =>
    Effect.runPromise(kept.spending.book({ account, amount, limit, expiresMillis }))

  it("never books more than there is, however many come at once", () =>
    with_(async (kept) => {
      const booked = await Promise.all(Array.from({ length: 40 }, () => book(kept, 7, 50)))
      expect(booked.filter(({ id }) => id !== undefined).length).toBe(7)
    }))

  it("settles for what it was: the difference is free again, and an excess counts", () =>
    with_(async (kept) => {
      const first = await book(kept, 40, 50)
      expect((await book(kept, 20, 50)).id).toBeUndefined()
      kept.spending.settle(account, first.id, 10)
      await kept.settled()
      const second = await book(kept, 40, 50)
      expect(second).toMatchObject({ spent: 10 })
      kept.spending.settle(account, second.id, 60)
      await kept.settled()
      expect(await book(kept, 0, 50)).toEqual({ id: undefined, spent: 70 })
    }))

  it("gives back what nobody came to settle", () =>
    with_(async (kept) => {
      await book(kept, 50, 50, now + 3_000)
      expect((await book(kept, 1, 50)).id).toBeUndefined()
      // Redis has a clock of its own, which is waited for.
      let again = await book(kept, 1, 50)
      while (again.id === undefined) {
        now += 1_001
        await new Promise((resolve) => setTimeout(resolve, 20))
        again = await book(kept, 1, 50)
      }
      expect(again).toMatchObject({ spent: 0 })
    }))

  it("keeps subjects and windows apart, and books without a limit in any case", () =>
    with_(async (kept) => {
      await book(kept, 50, 50)
      const others = [
        { ...account, subject: "t" },
        { ...account, windowMillis: 60_000 },
        { ...account, budget: "c" },
      ]
      for (const other of others) {
        const booking = { account: other, amount: 50, limit: 50, expiresMillis: now + 1_000 }
        expect((await Effect.runPromise(kept.spending.book(booking))).id).toBeDefined()
      }
      expect(await book(kept, 5, undefined)).toMatchObject({ spent: 50 })
    }))
})

describe("a settlement in the storage", () => {
  it("counts once though the storage wrote it and could not say so", async () => {
    const scope = Effect.runSync(Scope.make())
    const context = await Effect.runPromise(Layer.buildWithScope(Storage.memory, scope))
    const store = await Effect.runPromise(Context.get(context, Storage.Storage).of(Sql.component))
    let lost = 0
    const losing = {
      ...store,
      batch: (statements: Parameters<typeof store.batch>[0]) =>
        Effect.flatMap(store.batch(statements), (outcomes) =>
          ++lost > 1
            ? Effect.succeed(outcomes)
            : Effect.fail({ _tag: "StoreFailure", reason: "unavailable", message: "the answer was lost" } as const),
        ),
    }
    const writes: Array<Promise<void>> = []
    const spending = Sql.make({
      store: Effect.succeed(losing),
      clock: { wallMillis: () => 1_000 },
      run: (effect) => void writes.push(Effect.runPromise(effect)),
    })
    spending.settle(account, undefined, 7)
    await Promise.all(writes)
    expect(lost).toBe(2)
    expect(await Effect.runPromise(Sql.list(store, 10))).toMatchObject([{ budget: "b", subject: "s", amount: 7 }])
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })
})

describe.runIf(isRedisThere)("what was spent in Redis", () => {
  it("is listed as what is kept in the storage is, and counts no bookings", async () => {
    const kept = await (kinds["Redis"] as () => Promise<Kept>)()
    const booking = { account, amount: 5, limit: undefined, expiresMillis: Date.now() + 60_000 }
    const { id } = await Effect.runPromise(kept.spending.book(booking))
    await Effect.runPromise(kept.spending.book({ ...booking, account: { ...account, subject: 'quo"ted}' } }))
    kept.spending.settle(account, id, 3)
    kept.spending.settle({ ...account, windowMillis: 60_000 }, undefined, 1.5)
    await kept.settled()
    const connection = makeConnection(redis.url, () => performance.now(), 10_000)
    expect(await Effect.runPromise(Shared.list(connection, 10))).toEqual([
      { budget: "b", subject: "s", windowStart: "1970-01-01T00:01:00.000Z", amount: 1.5 },
      { budget: "b", subject: "s", windowStart: "1970-01-01T00:00:00.000Z", amount: 3 },
    ])
    connection.close()
    await kept.close()
  })
})
