/** What every database must do for a component, whichever it is. */
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { join, list, sql } from "../../src/store/Statement.ts"
import { Storage } from "../../src/store/Storage.ts"
import { bytes, type Component, number, optional, type Store, text } from "../../src/store/Store.ts"

export const notes: Component = {
  name: "notes",
  migrations: [
    {
      sqlite: "CREATE TABLE notes (id TEXT PRIMARY KEY, count BIGINT NOT NULL, weight DOUBLE PRECISION, body BLOB)",
      postgres: "CREATE TABLE notes (id TEXT PRIMARY KEY, count BIGINT NOT NULL, weight DOUBLE PRECISION, body BYTEA)",
    },
  ],
}

export type Using = <A>(work: (storage: Storage["Service"]) => Effect.Effect<A, unknown>) => Promise<A>

const withStore = <A>(using: Using, work: (store: Store) => Effect.Effect<A, unknown>): Promise<A> =>
  using((storage) => Effect.flatMap(storage.of(notes), work))

/** `using` gives each call the same empty database. */
export const storeSuite = (using: Using): void => {
  it("keeps text, whole numbers beyond 32 bits, fractions, bytes and nothing as they are", async () => {
    const row = await withStore(using, (store) =>
      Effect.andThen(
        store.run(
          sql`INSERT INTO notes VALUES (${"kinds; DROP TABLE notes"}, ${2 ** 52 + 1}, ${undefined}, ${new Uint8Array([0, 255])})`,
        ),
        store.first(sql`SELECT * FROM notes`, (row) => ({
          id: text(row, "id"),
          count: number(row, "count"),
          weight: optional(number, row, "weight"),
          body: [...bytes(row, "body")],
        })),
      ),
    )
    expect(row).toEqual({ id: "kinds; DROP TABLE notes", count: 2 ** 52 + 1, weight: undefined, body: [0, 255] })
  })

  it("adds up from many callers at once, and tells each the sum it made", async () => {
    const spend = sql`INSERT INTO notes (id, count) VALUES (${"sum"}, 1)
      ON CONFLICT (id) DO UPDATE SET count = notes.count + 1 RETURNING count`
    const seen = await withStore(using, (store) =>
      Effect.forEach(Array.from({ length: 40 }), () => store.first(spend, (row) => number(row, "count")), {
        concurrency: "unbounded",
      }),
    )
    expect([...seen].sort((a = 0, b = 0) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
  })

  it("does all of a batch or nothing of it", async () => {
    const [failed, left] = await withStore(using, (store) =>
      Effect.all([
        Effect.flip(
          store.batch([
            sql`INSERT INTO notes (id, count) VALUES (${"first"}, 1)`,
            sql`INSERT INTO notes (id, count) VALUES (${"first"}, 2)`,
          ]),
        ),
        store.all(sql`SELECT id FROM notes WHERE id = ${"first"}`, (row) => text(row, "id")),
      ]),
    )
    expect(failed).toMatchObject({ _tag: "StoreFailure", reason: "constraint" })
    expect(left).toEqual([])
  })

  it("goes on after a statement that makes no sense", async () => {
    const [failed, after] = await withStore(using, (store) =>
      Effect.all([
        Effect.flip(store.run(sql`SELEC nothing`)),
        store.first(sql`SELECT 7 AS seven`, (row) => number(row, "seven")),
      ]),
    )
    expect(failed).toMatchObject({ reason: "statement" })
    expect(after).toBe(7)
  })

  it("says which column is not what was expected", async () => {
    const failed = await withStore(using, (store) =>
      Effect.flip(store.first(sql`SELECT 7 AS seven`, (row) => text(row, "seven"))),
    )
    expect(failed).toMatchObject({ reason: "statement", message: "column seven holds number, not text" })
  })

  it("finds what is in a list, and nothing in an empty one", async () => {
    const found = await withStore(using, (store) =>
      Effect.andThen(
        store.batch(["x", "y", "z"].map((id) => sql`INSERT INTO notes (id, count) VALUES (${id}, 0)`)),
        Effect.all([
          store.all(sql`SELECT id FROM notes WHERE id IN ${list(["x", "z"])} ORDER BY id`, (row) => text(row, "id")),
          store.all(sql`SELECT id FROM notes WHERE id IN ${list([])}`, (row) => text(row, "id")),
          store.run(sql`DELETE FROM notes WHERE ${join([sql`id = ${"x"}`, sql`id = ${"y"}`], " OR ")}`),
        ]),
      ),
    )
    expect(found).toEqual([["x", "z"], [], 2])
  })

  it("runs each migration once, and refuses tables of a newer release", async () => {
    const grown: Component = {
      name: "grown",
      migrations: ["CREATE TABLE grown (id TEXT PRIMARY KEY)", "ALTER TABLE grown ADD COLUMN since BIGINT"],
    }
    await using((storage) => storage.of({ ...grown, migrations: grown.migrations.slice(0, 1) }))
    const columns = await using((storage) =>
      Effect.flatMap(storage.of(grown), (store) => store.run(sql`INSERT INTO grown (id, since) VALUES ('a', 1)`)),
    )
    const refused = await using((storage) =>
      Effect.flip(storage.of({ ...grown, migrations: grown.migrations.slice(0, 1) })),
    )
    expect(columns).toBe(1)
    expect(refused).toMatchObject({ message: expect.stringContaining("newer release") })
  })
}
