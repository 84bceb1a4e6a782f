/** Keys that the gateway gives out itself. Only their hashes are kept: a key is shown once, to whoever asked for it. */
import * as Effect from "effect/Effect"
import { createHash, randomBytes, randomUUID } from "node:crypto"
import type { Budget } from "../../ir/policy/Budget.ts"
import type { IssuedKey } from "../../ir/policy/ApiKey.ts"
import type { Keyring, VirtualKey } from "../../stages/ports/Keyring.ts"
import type { Clock } from "../../stages/ports/Timer.ts"
import { sql } from "../store/Statement.ts"
import { type Component, number, optional, type Row, type Store, type StoreFailure, text } from "../store/Store.ts"
import type { Wanted } from "./wanted.ts"

export const component: Component = {
  name: "llm_key",
  migrations: [
    `CREATE TABLE llm_key (
      id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, shown TEXT NOT NULL, metadata TEXT NOT NULL,
      models TEXT, budgets TEXT, expires DOUBLE PRECISION, created DOUBLE PRECISION NOT NULL, revoked DOUBLE PRECISION)`,
    "ALTER TABLE llm_key ADD COLUMN tools TEXT",
    // Of a key that was renewed: the one before it, and until when that one is still good.
    "ALTER TABLE llm_key ADD COLUMN former TEXT",
    "ALTER TABLE llm_key ADD COLUMN former_until DOUBLE PRECISION",
    "CREATE INDEX llm_key_former ON llm_key (former)",
  ],
}

export interface Shown {
  readonly id: string
  readonly name: string
  /** The beginning of the key, to tell it by. */
  readonly key: string
  readonly metadata: unknown
  readonly models: ReadonlyArray<string> | undefined
  readonly tools: ReadonlyArray<string> | undefined
  readonly budgets: ReadonlyArray<Budget> | undefined
  readonly expiresMillis: number | undefined
  readonly createdMillis: number
  readonly revokedMillis: number | undefined
}

const sha256 = (value: string): string => createHash("sha256").update(value).digest("hex")

const prefix = "sk-sluice-"
const shownChars = prefix.length + 4

const jsonIn = (row: Row, column: string): unknown => {
  const value = optional(text, row, column)
  return value === undefined ? undefined : JSON.parse(value)
}

const shownOf = (row: Row): Shown => ({
  id: text(row, "id"),
  name: text(row, "name"),
  key: `${text(row, "shown")}…`,
  metadata: jsonIn(row, "metadata"),
  models: jsonIn(row, "models") as ReadonlyArray<string> | undefined,
  tools: jsonIn(row, "tools") as ReadonlyArray<string> | undefined,
  budgets: jsonIn(row, "budgets") as ReadonlyArray<Budget> | undefined,
  expiresMillis: optional(number, row, "expires"),
  createdMillis: number(row, "created"),
  revokedMillis: optional(number, row, "revoked"),
})

export const create = (
  store: Store,
  wanted: Wanted,
  nowMillis: number,
): Effect.Effect<{ readonly id: string; readonly key: string }, StoreFailure> => {
  const key = prefix + randomBytes(32).toString("base64url")
  const id = randomUUID()
  const { budgets, expiresMillis, metadata = {}, models, name, tools } = wanted
  return Effect.as(
    store.run(
      sql`INSERT INTO llm_key (id, hash, name, shown, metadata, models, tools, budgets, expires, created, revoked) VALUES
        (${id}, ${sha256(key)}, ${name}, ${key.slice(0, shownChars)}, ${JSON.stringify({ ...metadata, id, name })},
        ${models === undefined ? null : JSON.stringify(models)}, ${tools === undefined ? null : JSON.stringify(tools)},
        ${budgets === undefined ? null : JSON.stringify(budgets)},
        ${expiresMillis ?? null}, ${nowMillis}, NULL)`,
    ),
    { id, key },
  )
}

export const list = (store: Store): Effect.Effect<ReadonlyArray<Shown>, StoreFailure> =>
  store.all(sql`SELECT * FROM llm_key ORDER BY created, id`, shownOf)

/** False where there is no such key, or it was revoked already. */
export const revoke = (store: Store, id: string, nowMillis: number): Effect.Effect<boolean, StoreFailure> =>
  Effect.map(
    store.run(sql`UPDATE llm_key SET revoked = ${nowMillis} WHERE id = ${id} AND revoked IS NULL`),
    (changes) => changes > 0,
  )

/** Another key for the same holder, with the same budgets; the one before stays good for a while. Undefined: no such key. */
export const renew = (
  store: Store,
  id: string,
  nowMillis: number,
  graceMillis: number,
): Effect.Effect<{ readonly id: string; readonly key: string } | undefined, StoreFailure> => {
  const key = prefix + randomBytes(32).toString("base64url")
  return Effect.map(
    store.run(
      sql`UPDATE llm_key SET former = hash, former_until = ${nowMillis + graceMillis}, hash = ${sha256(key)},
        shown = ${key.slice(0, shownChars)} WHERE id = ${id} AND revoked IS NULL`,
    ),
    (changes) => (changes > 0 ? { id, key } : undefined),
  )
}

const issuedOf =
  (hash: string) =>
  (row: Row): VirtualKey => {
    const { budgets, expiresMillis, id, metadata, models, tools } = shownOf(row)
    const formerUntil = text(row, "hash") === hash ? Infinity : (optional(number, row, "former_until") ?? 0)
    const until = Math.min(expiresMillis ?? Infinity, formerUntil)
    const issued: IssuedKey = {
      value: { _tag: "Hashed", sha256: hash },
      metadata: metadata as NonNullable<IssuedKey["metadata"]>,
      ...(models === undefined ? {} : { allowedModels: models }),
      ...(tools === undefined ? {} : { allowedTools: tools }),
      ...(budgets === undefined ? {} : { budgets }),
      ...(until === Infinity ? {} : { expiresMillis: until }),
    }
    return { id, issued }
  }

/** A revoked key is refused everywhere after this at the latest. */
export const FRESH_MILLIS = 2_000
/** With the storage gone, who was known goes on for this long. */
const STALE_MILLIS = 60_000
/** Strangers that try keys do not make it grow. */
const KNOWN_MAX = 20_000

interface Known {
  readonly key: VirtualKey | undefined
  readonly askedMillis: number
}

export const keyring = (store: Effect.Effect<Store, StoreFailure>, clock: Pick<Clock, "nowMillis">): Keyring => {
  const known = new Map<string, Known>()
  const remember = (hash: string, key: VirtualKey | undefined): VirtualKey | undefined => {
    if (known.size >= KNOWN_MAX) for (const oldest of [...known.keys()].slice(0, KNOWN_MAX / 10)) known.delete(oldest)
    known.delete(hash)
    known.set(hash, { key, askedMillis: clock.nowMillis() })
    return key
  }
  const ageOf = ({ askedMillis }: Known): number => clock.nowMillis() - askedMillis
  return {
    known: (hash) => {
      const found = known.get(hash)
      return found === undefined || ageOf(found) > FRESH_MILLIS ? undefined : found.key
    },
    find: (hash) =>
      Effect.suspend(() => {
        const before = known.get(hash)
        if (before !== undefined && ageOf(before) <= FRESH_MILLIS) return Effect.succeed(before.key)
        const asked = Effect.flatMap(store, (open) =>
          open.first(
            sql`SELECT * FROM llm_key WHERE (hash = ${hash} OR former = ${hash}) AND revoked IS NULL`,
            issuedOf(hash),
          ),
        )
        return Effect.match(asked, {
          onFailure: () => (before !== undefined && ageOf(before) <= STALE_MILLIS ? before.key : undefined),
          // The same object while it says the same, so that what was made of it is found again.
          onSuccess: (key) => remember(hash, JSON.stringify(key) === JSON.stringify(before?.key) ? before?.key : key),
        })
      }),
  }
}
