/** What outlives the workers of the MCP gateway, in the storage of the gateway. */
import * as Effect from "effect/Effect"
import {
  type Keepsake,
  type KeepsakeKind,
  type Keepsakes,
  type KeepsakesFailure,
  type Bounds,
  databaseBounds,
} from "../../stages/ports/Keepsakes.ts"
import { type Statement, sql } from "../store/Statement.ts"
import { type Component, number, type Store, type StoreFailure, text } from "../store/Store.ts"

export const component: Component = {
  name: "mcp_keepsake",
  migrations: [
    `CREATE TABLE mcp_keepsake (
      id TEXT PRIMARY KEY, owner TEXT NOT NULL, kind TEXT NOT NULL, version DOUBLE PRECISION NOT NULL,
      begun DOUBLE PRECISION NOT NULL, until DOUBLE PRECISION NOT NULL, size DOUBLE PRECISION NOT NULL,
      sealed TEXT NOT NULL)`,
    "CREATE INDEX mcp_keepsake_owner ON mcp_keepsake (owner, begun)",
    "CREATE INDEX mcp_keepsake_until ON mcp_keepsake (until)",
    "CREATE INDEX mcp_keepsake_kind ON mcp_keepsake (kind, begun)",
  ],
}

/** After so many writes it is looked whether there is too much of everything. */
const SWEEP_WRITES = 256

const failed = ({ message }: StoreFailure): KeepsakesFailure => ({ _tag: "KeepsakesFailure", message })

/** What was begun first, where there is more than the bounds allow. */
const beyond = (where: Statement, max: number, charsMax: number): Statement =>
  sql`DELETE FROM mcp_keepsake WHERE id IN (
    SELECT id FROM (
      SELECT id, ROW_NUMBER() OVER (ORDER BY begun DESC, id) AS place,
        SUM(size) OVER (ORDER BY begun DESC, id ROWS UNBOUNDED PRECEDING) AS total
      FROM mcp_keepsake WHERE ${where}) AS placed
    WHERE place > ${max} OR total > ${charsMax})`

const sweeps = (kind: KeepsakeKind, now: number, { kept, keptChars }: Bounds): ReadonlyArray<Statement> => [
  sql`DELETE FROM mcp_keepsake WHERE until <= ${now}`,
  beyond(sql`kind = ${kind}`, kept, keptChars),
]

export const make = (store: Effect.Effect<Store, StoreFailure>, bounds: Bounds = databaseBounds): Keepsakes => {
  let writes = 0
  const using = <A>(work: (open: Store) => Effect.Effect<A, StoreFailure>): Effect.Effect<A, KeepsakesFailure> =>
    Effect.mapError(Effect.flatMap(store, work), failed)

  /** How many rows the first of these wrote; what there is too much of goes with it. */
  const write = (
    statement: Statement,
    { kind, owner }: Keepsake,
    now: number,
  ): Effect.Effect<number, KeepsakesFailure> =>
    using((open) => {
      const isDue = writes++ % SWEEP_WRITES === 0
      return Effect.map(
        open.batch([
          statement,
          beyond(sql`owner = ${owner}`, bounds.owned, bounds.ownedChars),
          ...(isDue ? sweeps(kind, now, bounds) : []),
        ]),
        ([first]) => first?.changes ?? 0,
      )
    })

  const values = ({ id, kind, owner, text: sealed, untilMillis }: Keepsake, now: number): Statement =>
    sql`(${id}, ${owner}, ${kind}, 1, ${now}, ${untilMillis}, ${sealed.length}, ${sealed})`

  const inserted = (keepsake: Keepsake, now: number): Statement =>
    sql`INSERT INTO mcp_keepsake (id, owner, kind, version, begun, until, size, sealed) VALUES ${values(keepsake, now)}`

  return {
    put: (keepsake, now) =>
      Effect.asVoid(
        write(
          sql`${inserted(keepsake, now)}
            ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, until = excluded.until, size = excluded.size,
              sealed = excluded.sealed, version = mcp_keepsake.version + 1`,
          keepsake,
          now,
        ),
      ),
    claim: (keepsake, version, now) =>
      Effect.map(
        write(
          version === undefined
            ? sql`${inserted(keepsake, now)}
                ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, until = excluded.until, size = excluded.size,
                  sealed = excluded.sealed, version = mcp_keepsake.version + 1
                WHERE mcp_keepsake.until <= ${now}`
            : sql`UPDATE mcp_keepsake SET until = ${keepsake.untilMillis}, size = ${keepsake.text.length},
                sealed = ${keepsake.text}, version = version + 1 WHERE id = ${keepsake.id} AND version = ${version}`,
          keepsake,
          now,
        ),
        (changes) => changes > 0,
      ),
    find: (id, now) =>
      using((open) =>
        open.first(sql`SELECT sealed, version FROM mcp_keepsake WHERE id = ${id} AND until > ${now}`, (row) => ({
          text: text(row, "sealed"),
          version: number(row, "version"),
        })),
      ),
    list: (owner, now) =>
      using((open) =>
        open.all(
          sql`SELECT sealed FROM mcp_keepsake WHERE owner = ${owner} AND until > ${now} ORDER BY begun, id`,
          (row) => text(row, "sealed"),
        ),
      ),
    clear: (owner) => using((open) => Effect.asVoid(open.run(sql`DELETE FROM mcp_keepsake WHERE owner = ${owner}`))),
    remove: (id) => using((open) => Effect.asVoid(open.run(sql`DELETE FROM mcp_keepsake WHERE id = ${id}`))),
  }
}
