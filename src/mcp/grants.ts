/**
 * Grants in the storage of the gateway. A row says whose it is and for what only by a digest; everything else is sealed,
 * each in the context of its row, so that no row can be put in the place of another.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import {
  type Grant,
  type GrantKey,
  type Grants,
  type Kept,
  type RegisteredClient,
  shownOf,
} from "../../stages/ports/Grants.ts"
import type { Clock } from "../../stages/ports/Timer.ts"
import { sql } from "../store/Statement.ts"
import { type Component, number, type Row, type Store, type StoreFailure, text } from "../store/Store.ts"
import type { GrantKeys } from "./grantKeys.ts"

export const component: Component = {
  name: "mcp_grant",
  migrations: [
    `CREATE TABLE mcp_grant (
      id TEXT PRIMARY KEY, owner TEXT NOT NULL, version DOUBLE PRECISION NOT NULL, claimed DOUBLE PRECISION,
      sealed TEXT NOT NULL)`,
    "CREATE INDEX mcp_grant_owner ON mcp_grant (owner)",
    "CREATE TABLE mcp_grant_client (id TEXT PRIMARY KEY, sealed TEXT NOT NULL)",
  ],
}

const listedMax = 10_000

const digest = (...parts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32)

const idOf = ({ place, user }: GrantKey): string => digest("grant", user, place)
const clientIdOf = (issuer: string, redirectUri: string): string => digest("client", issuer, redirectUri)

export interface GrantParts {
  readonly store: Effect.Effect<Store, StoreFailure>
  readonly keys: Effect.Effect<GrantKeys, string>
  readonly clock: Pick<Clock, "wallMillis">
}

interface Opened {
  readonly store: Store
  readonly keys: GrantKeys
}

export const grantsIn = ({ clock, keys, store }: GrantParts): Grants => {
  const inStore = <A>(run: (opened: Opened) => Effect.Effect<A, StoreFailure | string>): Effect.Effect<A, string> =>
    Effect.mapError(
      Effect.flatMap(store, (open) => Effect.flatMap(keys, (found) => run({ store: open, keys: found }))),
      (why) => (typeof why === "string" ? why : `the storage failed: ${why.message}`),
    )

  /** Undefined: nobody here can read it, so it is as if it were not there. */
  const opened = ({ keys: found, store: open }: Opened, id: string, row: Row): Effect.Effect<Kept | undefined> => {
    const read = found.open(text(row, "sealed"), id)
    if (read === undefined) {
      return Effect.as(Effect.logError("a grant was sealed with a key that is not configured here", { id }), undefined)
    }
    const version = number(row, "version")
    // Whatever can be opened was sealed here, and so has the shape that it was given.
    const kept: Kept = { grant: JSON.parse(read.text) as Grant, version }
    if (read.isCurrent) return Effect.succeed(kept)
    const resealed = found.seal(read.text, id)
    return Effect.as(
      Effect.ignore(open.run(sql`UPDATE mcp_grant SET sealed = ${resealed} WHERE id = ${id} AND version = ${version}`)),
      kept,
    )
  }

  const reading = (one: Opened, key: GrantKey): Effect.Effect<Kept | undefined, StoreFailure> => {
    const id = idOf(key)
    return Effect.flatMap(
      one.store.first(sql`SELECT version, sealed FROM mcp_grant WHERE id = ${id}`, (row) => row),
      (row) => (row === undefined ? Effect.succeed(undefined) : opened(one, id, row)),
    )
  }

  return {
    read: (key) => inStore((one) => reading(one, key)),

    // Versions go by the clock, so that one of a grant that is gone is never that of the next.
    connect: (grant) =>
      inStore(({ keys: found, store: open }) => {
        const id = idOf(grant)
        const sealed = found.seal(JSON.stringify(grant), id)
        const now = clock.wallMillis()
        return Effect.map(
          open.first(
            sql`INSERT INTO mcp_grant (id, owner, version, claimed, sealed)
              VALUES (${id}, ${digest("owner", grant.user)}, ${now}, NULL, ${sealed})
              ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, claimed = NULL,
                version = CASE WHEN mcp_grant.version >= excluded.version THEN mcp_grant.version + 1
                  ELSE excluded.version END
              RETURNING version`,
            (row) => number(row, "version"),
          ),
          (version) => version ?? now,
        )
      }),

    renew: (grant, version) =>
      inStore(({ keys: found, store: open }) => {
        const id = idOf(grant)
        const next = Math.max(version + 1, clock.wallMillis())
        const sealed = found.seal(JSON.stringify(grant), id)
        return Effect.map(
          open.run(
            sql`UPDATE mcp_grant SET sealed = ${sealed}, version = ${next}, claimed = NULL
              WHERE id = ${id} AND version = ${version}`,
          ),
          (changes) => (changes === 0 ? undefined : next),
        )
      }),

    claim: (key, version, millis) =>
      inStore(({ store: open }) => {
        const now = clock.wallMillis()
        return Effect.map(
          open.run(
            sql`UPDATE mcp_grant SET claimed = ${now + millis}
              WHERE id = ${idOf(key)} AND version = ${version} AND (claimed IS NULL OR claimed <= ${now})`,
          ),
          (changes) => changes > 0,
        )
      }),

    release: (key, version) =>
      inStore(({ store: open }) =>
        Effect.asVoid(
          open.run(sql`UPDATE mcp_grant SET claimed = NULL WHERE id = ${idOf(key)} AND version = ${version}`),
        ),
      ),

    remove: (key, version) =>
      inStore((one) => {
        const id = idOf(key)
        const which = version === undefined ? sql`` : sql` AND version = ${version}`
        return Effect.flatMap(
          one.store.first(sql`DELETE FROM mcp_grant WHERE id = ${id}${which} RETURNING version, sealed`, (row) => row),
          (row) => {
            const read = row === undefined ? undefined : one.keys.open(text(row, "sealed"), id)
            return Effect.succeed(read === undefined ? undefined : (JSON.parse(read.text) as Grant))
          },
        )
      }),

    list: (user) =>
      inStore(({ keys: found, store: open }) => {
        const whose = user === undefined ? sql`` : sql` WHERE owner = ${digest("owner", user)}`
        return Effect.map(
          open.all(sql`SELECT id, sealed FROM mcp_grant${whose} ORDER BY id LIMIT ${listedMax}`, (row) => row),
          (rows) =>
            rows.flatMap((row) => {
              const id = text(row, "id")
              const read = found.open(text(row, "sealed"), id)
              return read === undefined ? [] : [shownOf(id, JSON.parse(read.text) as Grant)]
            }),
        )
      }),

    client: (issuer, redirectUri) =>
      inStore(({ keys: found, store: open }) => {
        const id = clientIdOf(issuer, redirectUri)
        return Effect.map(
          open.first(sql`SELECT sealed FROM mcp_grant_client WHERE id = ${id}`, (row) => text(row, "sealed")),
          (sealed) => {
            const read = sealed === undefined ? undefined : found.open(sealed, id)
            return read === undefined ? undefined : (JSON.parse(read.text) as RegisteredClient)
          },
        )
      }),

    keepClient: (issuer, redirectUri, client) =>
      inStore(({ keys: found, store: open }) => {
        const id = clientIdOf(issuer, redirectUri)
        const sealed = found.seal(JSON.stringify(client), id)
        return Effect.asVoid(
          open.run(
            sql`INSERT INTO mcp_grant_client (id, sealed) VALUES (${id}, ${sealed})
              ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed`,
          ),
        )
      }),

    forgetClient: (issuer, redirectUri, clientId) =>
      inStore(({ keys: found, store: open }) => {
        const id = clientIdOf(issuer, redirectUri)
        return Effect.flatMap(
          open.first(sql`SELECT sealed FROM mcp_grant_client WHERE id = ${id}`, (row) => text(row, "sealed")),
          (sealed) => {
            const read = sealed === undefined ? undefined : found.open(sealed, id)
            if (sealed === undefined || read === undefined) return Effect.void
            const known = JSON.parse(read.text) as RegisteredClient
            return known.clientId === clientId
              ? Effect.asVoid(open.run(sql`DELETE FROM mcp_grant_client WHERE id = ${id} AND sealed = ${sealed}`))
              : Effect.void
          },
        )
      }),
  }
}
