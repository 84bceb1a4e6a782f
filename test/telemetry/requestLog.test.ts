/** The request log on both kinds of databases: what is kept, found, summed up and let go, and what waits for it. */
import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Location } from "../../src/store/Location.ts"
import { sql } from "../../src/store/Statement.ts"
import { layer, Storage } from "../../src/store/Storage.ts"
import { failure, number, type Store } from "../../src/store/Store.ts"
import { WriteQueue } from "../../src/store/WriteQueue.ts"
import * as Query from "../../src/telemetry/requestLog/query.ts"
import { forget, RequestLog } from "../../src/telemetry/requestLog/RequestLog.ts"
import { Told } from "../../src/telemetry/Told.ts"
import { FakeClock } from "../stages/exchange.ts"
import { until } from "../e2e/standalone.ts"
import { answered, exchangeOf, reply, upstream } from "./exchanges.ts"

const folder = mkdtempSync(join(tmpdir(), "sluice-log-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const clock = {
  after: (millis: number, work: () => void) => {
    const timer = setTimeout(work, millis)
    return () => clearTimeout(timer)
  },
  nowMillis: () => performance.now(),
  wallMillis: () => Date.now(),
  random: Math.random,
}

const t0 = Date.parse("2026-03-01T12:00:00.000Z")

interface Words {
  readonly path: string
  readonly status?: number
  readonly atMillis: number
  readonly user?: string
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** An exchange as the journal tells it, at a time of its own. */
const toldOf = ({ atMillis, path, status = 200 }: Words): Told => {
  const exchange = exchangeOf({ path, trail: upstream })
  const ending = answered({ reply: reply(status) })
  return new Told(
    exchange,
    ending,
    {
      connection: 0,
      request: 0,
      endpoint: "10.1.1.1:80",
      peer: { host: "10.0.0.1", port: 5000 },
      tls: undefined,
      method: "GET",
      host: "example.com",
      path,
      query: undefined,
      version: "1.1",
      status,
      grpcStatus: undefined,
      traceId: undefined,
      spanId: undefined,
      subject: undefined,
      protocol: "http",
      attempts: 1,
      error: undefined,
      reason: undefined,
      durationMillis: 4,
    },
    { gateway: "ns/default", listener: "listener0", route: undefined, rule: undefined },
    "Upstream",
    [["size", path.length]],
    t0 + atMillis,
  )
}

const kinds: ReadonlyArray<{
  readonly name: string
  readonly open: () => Promise<{ readonly location: Location; readonly close: () => Promise<void> }>
}> = [
  {
    name: "SQLite",
    open: async () => ({ location: { _tag: "File", path: join(folder, "log.db") }, close: async () => {} }),
  },
  {
    name: "Postgres",
    open: async () => {
      const database = await PGlite.create()
      const server = new PGLiteSocketServer({ db: database, host: "127.0.0.1", port: 0, maxConnections: 16 })
      await server.start()
      return {
        location: {
          _tag: "Postgres",
          url: Redacted.make(`postgres://postgres:postgres@${server.getServerConn()}/postgres`),
          connectionsMax: 3,
        },
        close: async () => {
          await server.stop()
          await database.close()
        },
      }
    },
  },
]

for (const { name, open } of kinds) {
  describe(`the request log in ${name}`, () => {
    let close = async (): Promise<void> => {}
    let stop = (): void => {}
    let log: RequestLog
    let store: Store
    const users = new Map<string, string>()

    beforeAll(async () => {
      const opened = await open()
      close = opened.close
      log = new RequestLog({
        clock,
        standard: ({ line }) => ({ user: users.get(line.path ?? ""), group: undefined }),
        onDropped: (count, why) => {
          throw new Error(`${count} dropped: ${why}`)
        },
        onUnavailable: (why) => {
          throw new Error(why)
        },
      })
      // Told before the database is open: it waits.
      users.set("/first", "ann")
      log.witness.tell(toldOf({ path: "/first", atMillis: 0 }))
      expect(log.size).toBe(1)
      await new Promise<void>((resolve, reject) => {
        const running = Effect.runFork(
          Effect.provide(
            Effect.flatMap(Storage, (storage) =>
              Effect.andThen(log.open(storage), Effect.andThen(Effect.sync(resolve), Effect.never)),
            ),
            layer(opened.location),
          ),
        )
        running.addObserver((exit) => {
          if (exit._tag === "Failure") reject(new Error(String(exit.cause)))
        })
        stop = () => running.interruptUnsafe()
      })
      store = log.store as Store
      for (let i = 0; i < 20; i++) {
        const path = `/p${i}`
        users.set(path, i % 2 === 0 ? "ann" : "bob")
        log.witness.tell(toldOf({ path, status: i % 5 === 0 ? 500 : 200, atMillis: 1_000 * (i + 1) }))
      }
      await Effect.runPromise(log.flush)
    }, 60_000)
    afterAll(async () => {
      stop()
      await close()
    })

    const search = (filters: Query.Filters, more: Partial<Query.Search> = {}) =>
      Effect.runPromise(Query.search(store, { limit: 100, filters, includeAttributes: true, ...more }))

    it("gives back what was told, the newest first, page by page", async () => {
      const all: Array<Query.Entry> = []
      let cursor: string | undefined
      do {
        const page = await search({}, { limit: 6, cursor })
        all.push(...page.logs)
        cursor = page.nextCursor
      } while (cursor !== undefined)
      expect(all.map(({ attributes }) => Reflect.get(attributes as object, "http.path"))).toEqual([
        ...Array.from({ length: 20 }, (_, i) => `/p${19 - i}`),
        "/first",
      ])
      expect(new Date(all[0]?.completedAt ?? 0).getTime()).toBe(t0 + 20_000)
    })

    it("finds by columns, attributes and time", async () => {
      expect((await search({ httpStatus: [500] })).logs).toHaveLength(4)
      expect((await search({ attributes: { "agentgateway.user": "bob" } })).logs).toHaveLength(10)
      expect((await search({ attributes: { "http.path": ["/p3", "/p4", "/none"] } })).logs).toHaveLength(2)
      expect((await search({ attributes: { size: 3, "http.method": "GET" } })).logs).toHaveLength(10)
      expect((await search({ attributes: { "it's; -- nothing": "x" } })).logs).toHaveLength(0)
      expect((await search({}, { fromUnixMillis: t0 + 15_000, toUnixMillis: t0 + 18_000 })).logs).toHaveLength(3)
      expect((await search({ hasPayload: true, protocol: ["llm"] })).logs).toHaveLength(0)
    })

    it("tells what came after a place, the oldest first", async () => {
      const first = await Effect.runPromise(Query.since(store, "", {}, 5))
      expect(first).toHaveLength(5)
      const rest = await Effect.runPromise(Query.since(store, first[4]?.cursor ?? "", { httpStatus: [500] }, 100))
      expect(rest.map(({ entry }) => Reflect.get(entry.attributes as object, "http.path"))).toEqual([
        "/p5",
        "/p10",
        "/p15",
      ])
    })

    it("sums up over time and by group", async () => {
      const sums = await Effect.runPromise(
        Query.summarize(store, {
          fromUnixMillis: t0 - 10,
          toUnixMillis: t0 + 100_000,
          bucketMillis: 10_000,
          groupBy: [{ field: "attributes", key: "agentgateway.user" }, { field: "httpStatus" }],
          filters: {},
        }),
      )
      expect(sums.groups.map(({ group, requests }) => [...group, requests])).toEqual(
        expect.arrayContaining([
          ["ann", "200", 9],
          ["bob", "200", 8],
          ["ann", "500", 2],
          ["bob", "500", 2],
        ]),
      )
      expect(sums.buckets.reduce((sum, { requests }) => sum + requests, 0)).toBe(21)
      const options = await Effect.runPromise(Query.options(store, t0 - 10, t0 + 100_000))
      expect(options.user).toEqual(["ann", "bob"])
    })

    it("lets go of what is older than it is to be kept, with its payloads, however many that are", async () => {
      const count = () =>
        Effect.runPromise(store.first(sql`SELECT count(*) AS n FROM request_logs`, (row) => number(row, "n")))
      const payloads = () =>
        Effect.runPromise(store.first(sql`SELECT count(*) AS n FROM request_log_payloads`, (row) => number(row, "n")))
      const numbers = sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5200)`
      await Effect.runPromise(
        store.batch([
          sql`INSERT INTO request_logs (id, started_at, completed_at, duration_ms, protocol, reason, has_payload, attributes_json)
            ${numbers} SELECT 'old' || i, i, i, 1, 'llm', 'Upstream', 1, '{}' FROM n`,
          sql`INSERT INTO request_log_payloads ${numbers} SELECT 'old' || i, '"secret"', NULL FROM n`,
        ]),
      )
      expect(await count()).toBe(5_221)
      expect(await Effect.runPromise(forget(store, t0 - 50_000))).toBe(5_200)
      expect([await count(), await payloads()]).toEqual([21, 0])
      // The entry of 0 began four milliseconds before it was told.
      expect(await Effect.runPromise(forget(store, t0 + 10_000))).toBe(11)
      expect((await search({})).logs).toHaveLength(10)
    }, 120_000)
  })
}

describe("what waits for a database", () => {
  it("is bounded before the database is open, and what is beyond is counted", () => {
    let dropped = 0
    const log = new RequestLog({
      clock,
      standard: () => ({ user: undefined, group: undefined }),
      onDropped: (count) => void (dropped += count),
      onUnavailable: () => {},
    })
    const told = toldOf({ path: "/", atMillis: 0 })
    for (let i = 0; i < 5_000; i++) log.witness.tell(told)
    expect([log.size, dropped]).toEqual([4_096, 904])
  })

  /** A database that does as it is told. */
  const scripted = (
    answer: (batch: ReadonlyArray<unknown>) => Effect.Effect<never, never> | undefined | "unavailable" | "bad",
  ) => {
    const written: Array<unknown> = []
    const store = {
      batch: (batch: ReadonlyArray<unknown>) =>
        Effect.suspend(() => {
          const said = answer(batch)
          if (said === "unavailable") return Effect.fail(failure("unavailable", "away"))
          if (said === "bad") return Effect.fail(failure("constraint", "no"))
          if (said !== undefined) return said
          written.push(...batch)
          return Effect.succeed([])
        }),
    } as unknown as Store
    return { store, written }
  }

  it("is bounded while the database writes, and nothing that waits is lost", async () => {
    const time = new FakeClock()
    let isStuck = true
    let letGo = (): void => {}
    const { store, written } = scripted(() =>
      isStuck
        ? (Effect.callback<never>((resume) => {
            letGo = () => resume(Effect.succeed([]) as never)
          }) as Effect.Effect<never>)
        : undefined,
    )
    let dropped = 0
    const queue = new WriteQueue({
      store,
      clock: time,
      waitingMax: 10,
      batchMax: 4,
      onDropped: (n) => void (dropped += n),
    })
    const took = Array.from({ length: 14 }, (_, i) => queue.offer(sql`${i}`))
    expect(took.filter(Boolean)).toHaveLength(10)
    expect([queue.size, dropped]).toEqual([10, 4])
    isStuck = false
    letGo()
    await until(() => queue.size === 0)
    expect(written).toHaveLength(6)
    expect(dropped).toBe(4)
  })

  it("waits while the database is away, and is written when it is back", async () => {
    const time = new FakeClock()
    let isAway = true
    const { store, written } = scripted(() => (isAway ? "unavailable" : undefined))
    let dropped = 0
    const queue = new WriteQueue({ store, clock: time, onDropped: (n) => void (dropped += n) })
    for (let i = 0; i < 5; i++) queue.offer(sql`${i}`)
    time.advance(50)
    await until(() => time.waiting > 0)
    expect([queue.size, written.length]).toEqual([5, 0])
    isAway = false
    time.advance(1_000)
    await until(() => queue.size === 0)
    expect([written.length, dropped]).toEqual([5, 0])
  })

  it("is written but for what the database refuses, which is counted", async () => {
    const bad = sql`bad`
    const { store, written } = scripted((batch) => (batch.includes(bad) ? "bad" : undefined))
    const why: Array<string> = []
    const queue = new WriteQueue({ store, clock: new FakeClock(), onDropped: (_, reason) => void why.push(reason) })
    for (const one of [sql`a`, bad, sql`b`]) queue.offer(one)
    await Effect.runPromise(queue.flush)
    expect([written.length, why]).toEqual([2, ["no"]])
  })
})
