import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { fork } from "node:child_process"
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Location } from "../../src/store/Location.ts"
import { sql } from "../../src/store/Statement.ts"
import { layer, Storage } from "../../src/store/Storage.ts"
import { number, text } from "../../src/store/Store.ts"
import { notes, storeSuite, type Using } from "./suite.ts"

const folder = mkdtempSync(join(tmpdir(), "sluice-store-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const at =
  (location: () => Location): Using =>
  (work) =>
    Effect.runPromise(
      Effect.scoped(Effect.provide(Effect.flatMap(Storage, work), layer(location())) as Effect.Effect<never>),
    )

describe("a SQLite file", () => {
  const path = join(folder, "deep/inside/data.db")
  const using = at(() => ({ _tag: "File", path }))
  storeSuite(using)

  it("can be read by its owner only", () => {
    expect(statSync(path).mode & 0o077).toBe(0)
  })

  it("is shared by threads that open it at the same moment", async () => {
    const shared = join(folder, "shared.db")
    const counts = await Promise.all(
      Array.from({ length: 4 }, () =>
        at(() => ({ _tag: "File", path: shared }))((storage) =>
          Effect.flatMap(storage.of(notes), (store) =>
            Effect.forEach(Array.from({ length: 25 }), () =>
              store.first(
                sql`INSERT INTO notes (id, count) VALUES ('all', 1)
                  ON CONFLICT (id) DO UPDATE SET count = notes.count + 1 RETURNING count`,
                (row) => number(row, "count"),
              ),
            ),
          ),
        ),
      ),
    )
    expect(new Set(counts.flat()).size).toBe(100)
    expect(Math.max(...counts.flat().map((count) => count ?? 0))).toBe(100)
  })

  it("leaves the event loop free while a statement takes its time", async () => {
    const slow = sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000)
      SELECT sum(i) AS sum FROM n`
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    await using((storage) =>
      Effect.flatMap(storage.of(notes), (store) => store.first(slow, (row) => number(row, "sum"))),
    )
    clearInterval(timer)
    expect(turns).toBeGreaterThan(10)
  })

  it("that is no database says so, and is left as it is", async () => {
    const other = join(folder, "letter.txt")
    writeFileSync(other, "Dear database, ".repeat(100))
    const failed = await at(() => ({ _tag: "File", path: other }))(({ check }) => Effect.flip(check))
    expect(failed).toMatchObject({ _tag: "StoreFailure", message: expect.stringContaining("not a database") })
    expect(statSync(other).size).toBe(1500)
  })

  it("has everything that was committed before the process was killed", async () => {
    const killed = join(folder, "killed.db")
    for (let round = 0; round < 2; round++) {
      const child = fork(join(import.meta.dirname, "writer.ts"), [killed, String(round)], { stdio: "ignore" })
      let told = 0
      await new Promise<void>((resolve) => {
        child.on("message", (written) => {
          told = Number(written)
          if (told >= 300 + round * 37) child.kill("SIGKILL")
        })
        child.on("exit", () => resolve())
      })
      expect(told).toBeGreaterThanOrEqual(300)
      const [whole, ids] = await at(() => ({ _tag: "File", path: killed }))((storage) =>
        Effect.flatMap(storage.of(notes), (store) =>
          Effect.all([
            store.first(sql`PRAGMA integrity_check`, (row) => text(row, "integrity_check")),
            store.all(sql`SELECT id, count FROM notes WHERE id LIKE ${`${round}/%`}`, (row) => text(row, "id")),
          ]),
        ),
      )
      expect(whole).toBe("ok")
      const kept = new Set(ids)
      const lost = Array.from({ length: told }, (_, i) => `${round}/${i + 1}`).filter((id) => !kept.has(id))
      expect(lost).toEqual([])
    }
  }, 60_000)
})

describe("a database in memory", () => {
  // One scope for the whole suite: it is forgotten with its scope.
  let stop = (): void => {}
  let storage: Storage["Service"]
  beforeAll(
    () =>
      new Promise<void>((resolve) => {
        const running = Effect.runFork(
          Effect.provide(
            Effect.flatMap(Storage, (made) =>
              Effect.andThen(
                Effect.sync(() => {
                  storage = made
                  resolve()
                }),
                Effect.never,
              ),
            ),
            layer({ _tag: "Memory" }),
          ),
        )
        stop = () => running.interruptUnsafe()
      }),
  )
  afterAll(() => stop())
  storeSuite((work) =>
    Effect.runPromise(work({ ...storage, of: (component) => storage.of(component) }) as Effect.Effect<never>),
  )
})

describe("Postgres", () => {
  let database: PGlite
  let server: PGLiteSocketServer
  const where = (): Location => ({
    _tag: "Postgres",
    url: Redacted.make(`postgres://postgres:postgres@${server.getServerConn()}/postgres`),
    connectionsMax: 5,
  })
  beforeAll(async () => {
    database = await PGlite.create()
    server = new PGLiteSocketServer({ db: database, host: "127.0.0.1", port: 0, maxConnections: 16 })
    await server.start()
  }, 60_000)
  afterAll(async () => {
    await server.stop()
    await database.close()
  })
  storeSuite(at(where))

  it("that nobody serves is unavailable, and the password is not told", async () => {
    const failed = await at(() => ({
      _tag: "Postgres",
      url: Redacted.make("postgres://sluice:hidden-word@127.0.0.1:1/sluice"),
      connectionsMax: 1,
    }))(({ check }) => Effect.flip(check))
    expect(failed).toMatchObject({ _tag: "StoreFailure", reason: "unavailable" })
    expect(JSON.stringify(failed)).not.toContain("hidden-word")
  })
})
