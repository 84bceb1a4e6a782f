/** The postbox in the storage of the gateway: one for all its threads, and for all gateways of a Postgres. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes } from "node:crypto"
import { type Fields, fieldsOf } from "../../protocols/a2a/Fields.ts"
import type { Version } from "../../protocols/a2a/operation.ts"
import {
  AFTERLIFE_MILLIS,
  type DeadLetter,
  DEAD_MILLIS_MAX,
  type Kept,
  type Letter,
  LETTERS_PER_REGISTRATION_MAX,
  type Postbox,
  postboxFailure,
  type PostboxFailure,
  type Registration,
  REGISTRATION_MILLIS_MAX,
  REGISTRATIONS_MAX,
  REGISTRATIONS_PER_TASK_MAX,
  UNBOUND_MILLIS_MAX,
} from "../../stages/ports/Postbox.ts"
import { open, seal } from "../node/sealing.ts"
import { freshSigningKey } from "./signingKey.ts"
import { list, type Statement, sql } from "../store/Statement.ts"
import {
  type Component,
  failure,
  number,
  optional,
  type Row,
  type Store,
  type StoreFailure,
  text,
} from "../store/Store.ts"

export const component: Component = {
  name: "a2a_push",
  migrations: [
    "CREATE TABLE a2a_push_key (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    `CREATE TABLE a2a_push (
      id TEXT PRIMARY KEY, agent TEXT NOT NULL, owner TEXT NOT NULL, task TEXT, config TEXT NOT NULL,
      version TEXT NOT NULL, agent_version TEXT NOT NULL, sealed TEXT NOT NULL, last BIGINT NOT NULL,
      created DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION, UNIQUE (agent, owner, task, config))`,
    `CREATE TABLE a2a_push_letter (
      registration TEXT NOT NULL REFERENCES a2a_push (id) ON DELETE CASCADE, number BIGINT NOT NULL,
      digest TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, attempts BIGINT NOT NULL,
      due DOUBLE PRECISION NOT NULL, leased DOUBLE PRECISION NOT NULL, posted DOUBLE PRECISION NOT NULL, why TEXT,
      PRIMARY KEY (registration, number))`,
    "CREATE INDEX a2a_push_letter_due ON a2a_push_letter (state, due)",
    "CREATE INDEX a2a_push_letter_digest ON a2a_push_letter (registration, digest)",
  ],
}

/** What only the gateway may read of a registration. */
interface Secrets {
  readonly token: string
  readonly config: Fields
}

const failed = ({ message }: StoreFailure): PostboxFailure => postboxFailure(message)

/** What every gateway of the database has in common; whoever comes first makes it. */
const shared = (store: Store, name: string, make: () => string): Effect.Effect<Redacted.Redacted, StoreFailure> =>
  Effect.flatMap(
    store.batch([
      sql`INSERT INTO a2a_push_key (name, value) VALUES (${name}, ${make()}) ON CONFLICT (name) DO NOTHING`,
      sql`SELECT value FROM a2a_push_key WHERE name = ${name}`,
    ]),
    ([, found]) => {
      const [row] = found?.rows ?? []
      return row === undefined
        ? Effect.fail(failure("statement", "a key that was written cannot be read"))
        : Effect.succeed(Redacted.make(text(row, "value")))
    },
  )

/** One attempt for all who ask at a time; what failed is tried again. */
const once = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> => {
  let known: { readonly value: A } | undefined
  return Effect.suspend(() =>
    known === undefined
      ? Effect.tap(effect, (value) => Effect.sync(() => (known = { value })))
      : Effect.succeed(known.value),
  )
}

const fresh = (): string => randomBytes(32).toString("hex")

export interface PostboxParts {
  readonly store: Effect.Effect<Store, StoreFailure>
  /** Seals what clients entrust to the gateway, 32 bytes in hexadecimal; absent: a key that is kept in the database. */
  readonly key: Redacted.Redacted | undefined
}

export interface KeptPostbox {
  readonly postbox: Postbox
  /** A key that notifications are signed with, the same for all who share the database. */
  readonly signingKey: Effect.Effect<Redacted.Redacted, PostboxFailure>
}

const placeOf = ({ agent, configId, owner, taskId }: Registration): Statement =>
  sql`agent = ${agent} AND owner = ${owner} AND task = ${taskId} AND config = ${configId}`

const lettersOf = ({ number: at, registration }: Letter): Statement =>
  sql`registration = ${registration.id} AND number = ${at} AND state = 'waiting'`

export const make = ({ key, store }: PostboxParts): KeptPostbox => {
  const using = <A>(work: (open: Store) => Effect.Effect<A, StoreFailure>): Effect.Effect<A, PostboxFailure> =>
    Effect.mapError(Effect.flatMap(store, work), failed)
  const run = (statement: Statement): Effect.Effect<void, PostboxFailure> =>
    using((open) => Effect.asVoid(open.run(statement)))
  const sealingKey =
    key === undefined ? once(Effect.flatMap(store, (open) => shared(open, "seal", fresh))) : Effect.succeed(key)

  const sealed = (registration: Registration): Effect.Effect<string, StoreFailure> => {
    const { config, id, token } = registration
    return Effect.map(sealingKey, (secret) => seal(secret, JSON.stringify({ token, config } satisfies Secrets), id))
  }

  /** Sealed with a key that is gone, it is as if it were not there: nobody can be told any more. */
  const read = (secret: Redacted.Redacted, row: Row): ReadonlyArray<Registration> => {
    const id = text(row, "id")
    const opened = open(secret, text(row, "sealed"), id)
    if (opened === undefined) return []
    const { config, token } = JSON.parse(opened) as Secrets
    return [
      {
        id,
        agent: text(row, "agent"),
        owner: text(row, "owner"),
        taskId: optional(text, row, "task"),
        configId: text(row, "config"),
        version: text(row, "version") as Version,
        agentVersion: text(row, "agent_version") as Version,
        token,
        config: fieldsOf(config),
      },
    ]
  }

  const select = (where: Statement): Effect.Effect<ReadonlyArray<Registration>, PostboxFailure> =>
    using((open) =>
      Effect.flatMap(sealingKey, (secret) =>
        Effect.map(
          open.all(sql`SELECT * FROM a2a_push WHERE ${where} ORDER BY created, id`, (row) => read(secret, row)),
          (found) => found.flat(),
        ),
      ),
    )

  const insert = (registration: Registration, hidden: string, now: number): Statement => {
    const { agent, agentVersion, configId, id, owner, taskId, version } = registration
    return sql`INSERT INTO a2a_push (id, agent, owner, task, config, version, agent_version, sealed, last, created)
      SELECT ${id}, ${agent}, ${owner}, CAST(${taskId} AS TEXT), ${configId}, ${version}, ${agentVersion}, ${hidden}, 0,
        CAST(${now} AS DOUBLE PRECISION)
      WHERE (SELECT COUNT(*) FROM a2a_push WHERE agent = ${agent} AND owner = ${owner} AND task = CAST(${taskId} AS TEXT))
        < ${REGISTRATIONS_PER_TASK_MAX} AND (SELECT COUNT(*) FROM a2a_push) < ${REGISTRATIONS_MAX}`
  }

  const keep: Postbox["keep"] = (registration, now) =>
    Effect.flatMap(
      registration.taskId === undefined
        ? Effect.succeed<ReadonlyArray<Registration>>([])
        : select(placeOf(registration)),
      ([before]): Effect.Effect<Kept | "full", PostboxFailure> => {
        if (before === undefined) {
          return using((open) =>
            Effect.map(
              Effect.flatMap(sealed(registration), (hidden) => open.run(insert(registration, hidden, now))),
              (changes) => (changes === 0 ? ("full" as const) : { registration, before }),
            ),
          )
        }
        const kept = { ...registration, id: before.id, token: before.token }
        return using((open) =>
          Effect.as(
            Effect.flatMap(sealed(kept), (hidden) =>
              open.run(
                sql`UPDATE a2a_push SET version = ${kept.version}, agent_version = ${kept.agentVersion},
                  sealed = ${hidden} WHERE id = ${kept.id}`,
              ),
            ),
            { registration: kept, before },
          ),
        )
      },
    )

  const bind: Postbox["bind"] = (id, taskId) =>
    using((open) => {
      const own = sql`id = ${id} AND task IS NULL`
      return Effect.asVoid(
        open.batch([
          // An older one by the same name for the same task has been replaced by this.
          sql`DELETE FROM a2a_push WHERE id <> ${id} AND task = ${taskId} AND EXISTS (SELECT 1 FROM a2a_push AS own
            WHERE own.id = ${id} AND own.task IS NULL AND own.agent = a2a_push.agent AND own.owner = a2a_push.owner
              AND own.config = a2a_push.config)`,
          sql`UPDATE a2a_push SET task = ${taskId} WHERE ${own}`,
        ]),
      )
    })

  const post: Postbox["post"] = ({ body, digest, isLast, registration: id, repeats }, now) => {
    const isSame = sql`registration = ${id} AND digest = ${digest}`
    const known =
      repeats === "never"
        ? sql`1 = 0`
        : repeats === "anywhere"
          ? sql`EXISTS (SELECT 1 FROM a2a_push_letter WHERE ${isSame})`
          : sql`EXISTS (SELECT 1 FROM a2a_push_letter WHERE ${isSame} AND number =
              (SELECT MAX(number) FROM a2a_push_letter WHERE registration = ${id}))`
    return using((open) =>
      Effect.map(
        open.batch([
          // Whoever posts for the same registration at the same time waits here.
          sql`UPDATE a2a_push SET last = last + 1 WHERE id = ${id}`,
          sql`SELECT CASE WHEN ${known} THEN 1 ELSE 0 END AS known`,
          sql`INSERT INTO a2a_push_letter (registration, number, digest, body, state, attempts, due, leased, posted)
            SELECT id, last, CAST(${digest} AS TEXT), CAST(${body} AS TEXT), 'waiting', 0,
              CAST(${now} AS DOUBLE PRECISION), 0, CAST(${now} AS DOUBLE PRECISION)
            FROM a2a_push WHERE id = ${id} AND NOT (${known})
              AND (SELECT COUNT(*) FROM a2a_push_letter WHERE registration = ${id} AND state = 'waiting')
                < ${LETTERS_PER_REGISTRATION_MAX}`,
          ...(isLast ? [sql`UPDATE a2a_push SET ended = ${now} WHERE id = ${id} AND ended IS NULL`] : []),
        ]),
        ([counted, before, inserted]) => {
          if ((inserted?.changes ?? 0) > 0) return "posted"
          const [row] = before?.rows ?? []
          const isGone = (counted?.changes ?? 0) === 0
          return isGone || (row !== undefined && number(row, "known") === 1) ? "known" : "full"
        },
      ),
    )
  }

  const take: Postbox["take"] = (max, now, until) =>
    using((open) =>
      Effect.flatMap(
        open.all(
          sql`UPDATE a2a_push_letter SET leased = ${until} WHERE (registration, number) IN (
              SELECT registration, number FROM a2a_push_letter AS one
              WHERE state = 'waiting' AND due <= ${now} AND leased <= ${now} AND NOT EXISTS (
                SELECT 1 FROM a2a_push_letter AS earlier WHERE earlier.registration = one.registration
                  AND earlier.state = 'waiting' AND earlier.number < one.number)
              ORDER BY due LIMIT ${max})
            AND leased <= ${now} AND state = 'waiting' RETURNING registration, number, body, attempts, posted`,
          (row) => row,
        ),
        (rows) => {
          if (rows.length === 0) return Effect.succeed([])
          const ids = [...new Set(rows.map((row) => text(row, "registration")))]
          return Effect.flatMap(sealingKey, (secret) =>
            Effect.map(
              open.all(sql`SELECT * FROM a2a_push WHERE id IN ${list(ids)}`, (row) => read(secret, row)),
              (registrations) => {
                const byId = new Map(registrations.flat().map((one) => [one.id, one]))
                return rows.flatMap((row): ReadonlyArray<Letter> => {
                  const registration = byId.get(text(row, "registration"))
                  return registration === undefined
                    ? []
                    : [
                        {
                          registration,
                          number: number(row, "number"),
                          body: text(row, "body"),
                          attempts: number(row, "attempts"),
                          postedMillis: number(row, "posted"),
                        },
                      ]
                })
              },
            ),
          )
        },
      ),
    )

  const sweep: Postbox["sweep"] = (now) =>
    using((open) =>
      Effect.asVoid(
        open.batch([
          sql`DELETE FROM a2a_push WHERE (task IS NULL AND created < ${now - UNBOUND_MILLIS_MAX})
            OR created < ${now - REGISTRATION_MILLIS_MAX}
            OR (ended < ${now - AFTERLIFE_MILLIS} AND NOT EXISTS (SELECT 1 FROM a2a_push_letter
              WHERE registration = a2a_push.id AND state IN ('waiting', 'dead')))`,
          sql`DELETE FROM a2a_push_letter WHERE (state = 'done' AND posted < ${now - AFTERLIFE_MILLIS})
            OR (state = 'dead' AND posted < ${now - DEAD_MILLIS_MAX})`,
        ]),
      ),
    )

  const dead: Postbox["dead"] = (max) =>
    using((open) =>
      Effect.flatMap(sealingKey, (secret) =>
        Effect.map(
          open.all(
            sql`SELECT a2a_push.*, letter.number, letter.body, letter.attempts, letter.posted, letter.why
              FROM a2a_push_letter AS letter JOIN a2a_push ON a2a_push.id = letter.registration
              WHERE letter.state = 'dead' ORDER BY letter.posted DESC, letter.registration, letter.number LIMIT ${max}`,
            (row) =>
              read(secret, row).map((registration): DeadLetter => ({
                registration,
                number: number(row, "number"),
                body: text(row, "body"),
                attempts: number(row, "attempts"),
                postedMillis: number(row, "posted"),
                why: optional(text, row, "why") ?? "",
              })),
          ),
          (found) => found.flat(),
        ),
      ),
    )
  const changed = (statement: Statement): Effect.Effect<boolean, PostboxFailure> =>
    using((open) => Effect.map(open.run(statement), (count) => count > 0))
  const deadOne = (id: string, at: number): Statement => sql`registration = ${id} AND number = ${at} AND state = 'dead'`

  return {
    signingKey: Effect.mapError(once(Effect.flatMap(store, (open) => shared(open, "sign", freshSigningKey))), failed),
    postbox: {
      keep,
      bind,
      find: (id) => Effect.map(select(sql`id = ${id}`), ([found]) => found),
      list: (agent, owner, taskId) => select(sql`agent = ${agent} AND owner = ${owner} AND task = ${taskId}`),
      remove: (id) => run(sql`DELETE FROM a2a_push WHERE id = ${id}`),
      post,
      take,
      // What was said need not be kept to know that it was.
      delivered: (letter) => run(sql`UPDATE a2a_push_letter SET state = 'done', body = '' WHERE ${lettersOf(letter)}`),
      postpone: (letter, attempts, due) =>
        run(
          sql`UPDATE a2a_push_letter SET attempts = ${attempts}, due = ${due}, leased = 0 WHERE ${lettersOf(letter)}`,
        ),
      bury: (letter, why) =>
        run(
          sql`UPDATE a2a_push_letter SET state = 'dead', why = ${why}, attempts = ${letter.attempts + 1}
            WHERE ${lettersOf(letter)}`,
        ),
      dead,
      revive: (id, at, now) =>
        changed(
          sql`UPDATE a2a_push_letter SET state = 'waiting', why = NULL, attempts = 0, due = ${now}, leased = 0,
            posted = ${now} WHERE ${deadOne(id, at)}`,
        ),
      drop: (id, at) => changed(sql`DELETE FROM a2a_push_letter WHERE ${deadOne(id, at)}`),
      sweep,
    },
  }
}
