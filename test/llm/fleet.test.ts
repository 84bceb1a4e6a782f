/** Budgets that outlive a process, or are shared by several gateways: a file of SQLite, and a Postgres. */
import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Sql from "../../src/llm/spending.ts"
import type { Location } from "../../src/store/Location.ts"
import { layer, Storage } from "../../src/store/Storage.ts"
import type { Spending } from "../../stages/ports/Spending.ts"

const folder = mkdtempSync(join(tmpdir(), "sluice-budgets-"))
let database: PGlite
let server: PGLiteSocketServer

beforeAll(async () => {
  database = await PGlite.create()
  server = new PGLiteSocketServer({ db: database, host: "127.0.0.1", port: 0, maxConnections: 16 })
  await server.start()
}, 120_000)
afterAll(async () => {
  await server.stop()
  await database.close()
  rmSync(folder, { recursive: true, force: true })
})

const places: Readonly<Record<string, () => Location>> = {
  "a file": () => ({ _tag: "File", path: join(folder, "budgets.db") }),
  Postgres: () => ({
    _tag: "Postgres",
    url: Redacted.make(`postgres://postgres:postgres@${server.getServerConn()}/postgres`),
    connectionsMax: 2,
  }),
}

interface Process {
  readonly spending: Spending
  /** Everything that was settled is written down, as before an orderly end. */
  readonly end: () => Promise<void>
}

const start = async (location: Location): Promise<Process> => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(layer(location), scope))
  const writes: Array<Promise<void>> = []
  return {
    spending: Sql.make({
      store: Context.get(context, Storage).of(Sql.component),
      clock: { wallMillis: () => 1_000 },
      run: (effect) => void writes.push(Effect.runPromise(effect)),
    }),
    end: async () => {
      await Promise.all(writes)
      await Effect.runPromise(Scope.close(scope, Exit.void))
    },
  }
}

const book = ({ spending }: Process, subject: string, amount: number, limit: number) =>
  Effect.runPromise(
    spending.book({
      account: { budget: "b", subject, windowMillis: 0, endMillis: 3_600_000 },
      amount,
      limit,
      expiresMillis: 1_000_000,
    }),
  )

describe.each(Object.keys(places))("a budget in %s", (name) => {
  const location = places[name] as () => Location

  it("is one for all who book at the same time", { timeout: 60_000 }, async () => {
    const all = await Promise.all([start(location()), start(location())])
    const booked = await Promise.all(
      Array.from({ length: 24 }, (_, i) => book(all[i % 2] as Process, "together", 5, 52)),
    )
    expect(booked.filter(({ id }) => id !== undefined).length).toBe(10)
    for (const one of all) await one.end()
  })

  it("is not forgotten at the end of a process", { timeout: 60_000 }, async () => {
    const before = await start(location())
    const { id } = await book(before, "later", 10, 50)
    before.spending.settle({ budget: "b", subject: "later", windowMillis: 0, endMillis: 3_600_000 }, id, 30)
    // One that is still running when the process ends stays booked until it would be over.
    await book(before, "later", 15, 50)
    await before.end()
    const after = await start(location())
    expect((await book(after, "later", 6, 50)).id).toBeUndefined()
    expect(await book(after, "later", 5, 50)).toMatchObject({ spent: 45 })
    await after.end()
  })
})
