/** What was approved of servers, what they say now, and who decided what, in the storage of the gateway. */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import type { Kind } from "../../protocols/lock/hash.ts"
import { rootOf } from "../../protocols/lock/hash.ts"
import {
  type Audited,
  auditText,
  blank,
  bookName,
  type Deed,
  type Finding,
  type Locks,
  type LocksFailure,
  locksFailure,
  type Page,
  type Pass,
  type Pin,
  type ServerPlace,
} from "../../stages/ports/Locks.ts"
import type { Clock } from "../../stages/ports/Timer.ts"
import { sql } from "../store/Statement.ts"
import { type Component, number, type Row, type Store, type StoreFailure, text } from "../store/Store.ts"

export const component: Component = {
  name: "tool_lock",
  migrations: [
    `CREATE TABLE tool_lock_page (
      book TEXT NOT NULL, server TEXT NOT NULL, revision BIGINT NOT NULL, root TEXT NOT NULL, met TEXT NOT NULL,
      pins TEXT NOT NULL, PRIMARY KEY (book, server))`,
    `CREATE TABLE tool_lock_pass (
      book TEXT NOT NULL, server TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL,
      until DOUBLE PRECISION NOT NULL, PRIMARY KEY (book, server, kind, name, hash))`,
    `CREATE TABLE tool_lock_finding (
      book TEXT NOT NULL, server TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL,
      said TEXT NOT NULL, grade TEXT NOT NULL, action TEXT NOT NULL, reasons TEXT NOT NULL,
      first DOUBLE PRECISION NOT NULL, latest DOUBLE PRECISION NOT NULL, PRIMARY KEY (book, server, kind, name, hash))`,
    `CREATE TABLE tool_lock_former (
      book TEXT NOT NULL, server TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, at TEXT NOT NULL,
      replaced DOUBLE PRECISION NOT NULL, pin TEXT NOT NULL)`,
    "CREATE INDEX tool_lock_former_name ON tool_lock_former (book, server, kind, name)",
    `CREATE TABLE tool_lock_audit (
      number BIGINT PRIMARY KEY, deed TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)`,
  ],
}

export const sha256 = (value: string): string => createHash("sha256").update(value).digest("hex")

/** A server that says something else every time must not fill the storage. */
const findingsPerServerMax = 2_000
const findingsMax = 20_000
const formersMax = 100
/** How often others may come between while a record is added to the chain. */
const attemptsMax = 32

const failed = ({ message, reason }: StoreFailure): LocksFailure =>
  locksFailure(reason === "statement" ? "unusable" : "unavailable", message)

const findingIn = (row: Row): Finding => {
  const book = text(row, "book")
  return {
    book: book === "" ? { _tag: "Storage" } : { _tag: "File", path: book },
    server: text(row, "server"),
    kind: text(row, "kind") as Kind,
    name: text(row, "name"),
    hash: text(row, "hash"),
    text: text(row, "said"),
    grade: text(row, "grade") as Finding["grade"],
    action: text(row, "action") as Finding["action"],
    reasons: JSON.parse(text(row, "reasons")) as ReadonlyArray<string>,
    firstMillis: number(row, "first"),
    lastMillis: number(row, "latest"),
  }
}

const auditedIn = (row: Row): Audited => ({
  ...(JSON.parse(text(row, "deed")) as Deed),
  number: Number(row["number"]),
  previous: text(row, "previous"),
  hash: text(row, "hash"),
})

export interface StoredParts {
  readonly store: Effect.Effect<Store, StoreFailure>
  readonly clock: Pick<Clock, "wallMillis">
}

export const storedLocks = ({ clock, store }: StoredParts): Locks => {
  const using = <A>(work: (open: Store) => Effect.Effect<A, StoreFailure>): Effect.Effect<A, LocksFailure> =>
    Effect.mapError(Effect.flatMap(store, work), failed)

  const passes = (open: Store, place: ServerPlace): Effect.Effect<ReadonlyArray<Pass>, StoreFailure> =>
    open.all(
      sql`SELECT kind, name, hash, until FROM tool_lock_pass
        WHERE book = ${bookName(place.book)} AND server = ${place.server} AND until > ${clock.wallMillis()}`,
      (row) => ({
        kind: text(row, "kind") as Kind,
        name: text(row, "name"),
        hash: text(row, "hash"),
        untilMillis: number(row, "until"),
      }),
    )

  const read = (open: Store, place: ServerPlace): Effect.Effect<Page, StoreFailure> =>
    Effect.flatMap(
      open.first(
        sql`SELECT revision, root, met, pins FROM tool_lock_page
          WHERE book = ${bookName(place.book)} AND server = ${place.server}`,
        (row): Page => {
          const pins = JSON.parse(text(row, "pins")) as ReadonlyArray<Pin>
          if (rootOf(pins, sha256) !== text(row, "root"))
            throw new Error(`the lock of ${place.server} is not what its root says`)
          return {
            pins,
            met: JSON.parse(text(row, "met")) as Page["met"],
            passes: [],
            revision: String(row["revision"]),
          }
        },
      ),
      (page) => Effect.map(passes(open, place), (found): Page => ({ ...(page ?? blank), passes: found })),
    )

  const addAudit = (open: Store, deed: Deed): Effect.Effect<void, StoreFailure> => {
    const attempt = (left: number): Effect.Effect<void, StoreFailure> =>
      Effect.flatMap(
        open.first(
          sql`SELECT number, deed, previous, hash FROM tool_lock_audit ORDER BY number DESC LIMIT 1`,
          auditedIn,
        ),
        (last) => {
          const next = (last?.number ?? 0) + 1
          const previous = last?.hash ?? ""
          const added = open.run(
            sql`INSERT INTO tool_lock_audit (number, deed, previous, hash)
              VALUES (${next}, ${JSON.stringify(deed)}, ${previous}, ${sha256(auditText(deed, next, previous))})
              ON CONFLICT (number) DO NOTHING`,
          )
          // Somebody else was faster; the chain goes on behind what he wrote.
          return Effect.flatMap(added, (changes) => (changes > 0 || left === 0 ? Effect.void : attempt(left - 1)))
        },
      )
    return attempt(attemptsMax)
  }

  return {
    read: (place) => using((open) => read(open, place)),

    write: (place, { met, pins }, revision) =>
      using((open) => {
        const [book, server] = [bookName(place.book), place.server]
        const root = rootOf(pins, sha256)
        const [pinned, known] = [JSON.stringify(pins), JSON.stringify(met)]
        const written =
          revision === ""
            ? open.run(
                sql`INSERT INTO tool_lock_page (book, server, revision, root, met, pins)
                  VALUES (${book}, ${server}, 1, ${root}, ${known}, ${pinned}) ON CONFLICT (book, server) DO NOTHING`,
              )
            : open.run(
                sql`UPDATE tool_lock_page SET revision = revision + 1, root = ${root}, met = ${known}, pins = ${pinned}
                  WHERE book = ${book} AND server = ${server} AND revision = ${Number(revision)}`,
              )
        return Effect.flatMap(written, (changes): Effect.Effect<Page | undefined, StoreFailure> =>
          changes === 0 ? Effect.succeed(undefined) : read(open, place),
        )
      }),

    pass: (place, { hash, kind, name, untilMillis }) =>
      using((open) =>
        Effect.asVoid(
          open.batch([
            sql`DELETE FROM tool_lock_pass WHERE until <= ${clock.wallMillis()}`,
            sql`INSERT INTO tool_lock_pass (book, server, kind, name, hash, until)
              VALUES (${bookName(place.book)}, ${place.server}, ${kind}, ${name}, ${hash}, ${untilMillis})
              ON CONFLICT (book, server, kind, name, hash) DO UPDATE SET until = excluded.until`,
          ]),
        ),
      ),

    report: (one) =>
      using((open) => {
        const book = bookName(one.book)
        return Effect.flatMap(
          open.run(
            sql`UPDATE tool_lock_finding SET latest = ${one.lastMillis}, action = ${one.action}, grade = ${one.grade},
              reasons = ${JSON.stringify(one.reasons)}
              WHERE book = ${book} AND server = ${one.server} AND kind = ${one.kind} AND name = ${one.name}
              AND hash = ${one.hash}`,
          ),
          (changes) =>
            changes > 0
              ? Effect.succeed(false)
              : Effect.map(
                  open.run(
                    sql`INSERT INTO tool_lock_finding
                      (book, server, kind, name, hash, said, grade, action, reasons, first, latest)
                      SELECT CAST(${book} AS TEXT), CAST(${one.server} AS TEXT), CAST(${one.kind} AS TEXT),
                        CAST(${one.name} AS TEXT), CAST(${one.hash} AS TEXT), CAST(${one.text} AS TEXT),
                        CAST(${one.grade} AS TEXT), CAST(${one.action} AS TEXT),
                        CAST(${JSON.stringify(one.reasons)} AS TEXT), CAST(${one.firstMillis} AS DOUBLE PRECISION),
                        CAST(${one.lastMillis} AS DOUBLE PRECISION)
                      WHERE (SELECT COUNT(*) FROM tool_lock_finding WHERE book = ${book} AND server = ${one.server})
                        < ${findingsPerServerMax}
                      ON CONFLICT (book, server, kind, name, hash) DO NOTHING`,
                  ),
                  (added) => added > 0,
                ),
        )
      }),

    settle: (place, { hash, kind, name }) =>
      using((open) => {
        const which = hash === undefined ? sql`` : sql` AND hash = ${hash}`
        return Effect.map(
          open.run(
            sql`DELETE FROM tool_lock_finding WHERE book = ${bookName(place.book)} AND server = ${place.server}
              AND kind = ${kind} AND name = ${name}${which}`,
          ),
          (changes) => changes > 0,
        )
      }),

    findings: using((open) =>
      open.all(
        sql`SELECT * FROM tool_lock_finding ORDER BY book, server, kind, name, first LIMIT ${findingsMax}`,
        findingIn,
      ),
    ),

    former: (place, kind, name) =>
      using((open) =>
        open.all(
          sql`SELECT pin FROM tool_lock_former WHERE book = ${bookName(place.book)} AND server = ${place.server}
            AND kind = ${kind} AND name = ${name} ORDER BY replaced DESC LIMIT ${formersMax}`,
          (row) => JSON.parse(text(row, "pin")) as Pin,
        ),
      ),

    keepFormer: (place, pin) =>
      using((open) =>
        Effect.asVoid(
          open.run(
            sql`INSERT INTO tool_lock_former (book, server, kind, name, at, replaced, pin)
              VALUES (${bookName(place.book)}, ${place.server}, ${pin.kind}, ${pin.name}, ${pin.at},
              ${clock.wallMillis()}, ${JSON.stringify(pin)})`,
          ),
        ),
      ),

    dropFormer: (place, pin) =>
      using((open) =>
        Effect.asVoid(
          open.run(
            sql`DELETE FROM tool_lock_former WHERE book = ${bookName(place.book)} AND server = ${place.server}
              AND kind = ${pin.kind} AND name = ${pin.name} AND at = ${pin.at} AND pin = ${JSON.stringify(pin)}`,
          ),
        ),
      ),

    audit: (deed) => using((open) => addAudit(open, deed)),

    audited: (count) =>
      using((open) =>
        Effect.map(
          open.all(
            sql`SELECT number, deed, previous, hash FROM tool_lock_audit ORDER BY number DESC LIMIT ${count}`,
            auditedIn,
          ),
          (rows) => rows.toReversed(),
        ),
      ),
  }
}
