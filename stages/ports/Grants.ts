/**
 * What people have granted the gateway at servers behind it, and the clients it was registered as there. All workers and
 * replicas see the same; whoever implements this keeps secrets so that nobody reads them off a disk.
 */
import * as Effect from "effect/Effect"
import type { ClientAuthMethod } from "../../protocols/oauth/registration.ts"
import type { Clock } from "./Timer.ts"

/** Whose it is, and for which server. */
export interface GrantKey {
  readonly user: string
  /** The server as it is configured: its URL, and the client where that is configured too. */
  readonly place: string
}

export interface Client {
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly method: ClientAuthMethod
}

export interface Grant extends GrantKey {
  /** For people: who, and at which target. */
  readonly label: string
  readonly target: string
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly revocationEndpoint: string | undefined
  readonly client: Client
  /** Where codes were sent to; a client that was registered belongs to it. */
  readonly redirectUri: string
  readonly resource: string | undefined
  readonly scopes: ReadonlyArray<string>
  readonly accessToken: string
  /** By the wall clock; absent: nobody said. */
  readonly expiresMillis: number | undefined
  readonly refreshToken: string | undefined
  /** How often a person has agreed. */
  readonly consents: number
  readonly connectedMillis: number
}

export interface Kept {
  readonly grant: Grant
  /** Grows with every change. */
  readonly version: number
}

/** A grant without what it is worth. */
export interface Shown {
  readonly id: string
  readonly user: string
  readonly label: string
  readonly target: string
  readonly place: string
  readonly issuer: string
  readonly scopes: ReadonlyArray<string>
  readonly connectedMillis: number
  readonly expiresMillis: number | undefined
  readonly renews: boolean
}

export interface RegisteredClient extends Client {
  /** By the wall clock; absent: it does not end. */
  readonly expiresMillis: number | undefined
}

/** Fails with a reason in words, where what is kept cannot be reached. */
export interface Grants {
  readonly read: (key: GrantKey) => Effect.Effect<Kept | undefined, string>
  /** In place of whatever is there: a person has agreed. */
  readonly connect: (grant: Grant) => Effect.Effect<number, string>
  /** Only in place of that version; undefined: there is another one by now. */
  readonly renew: (grant: Grant, version: number) => Effect.Effect<number | undefined, string>
  /** Of all who share what is kept, one at a time may renew a version, for so long; false: somebody else is at it. */
  readonly claim: (key: GrantKey, version: number, millis: number) => Effect.Effect<boolean, string>
  /** Whoever claimed it could not renew it after all. */
  readonly release: (key: GrantKey, version: number) => Effect.Effect<void, string>
  /** Only that version, where one is named; what was removed comes back. */
  readonly remove: (key: GrantKey, version?: number) => Effect.Effect<Grant | undefined, string>
  readonly list: (user?: string) => Effect.Effect<ReadonlyArray<Shown>, string>
  readonly client: (issuer: string, redirectUri: string) => Effect.Effect<RegisteredClient | undefined, string>
  readonly keepClient: (issuer: string, redirectUri: string, client: RegisteredClient) => Effect.Effect<void, string>
  /** Only that one: another may have been registered meanwhile. */
  readonly forgetClient: (issuer: string, redirectUri: string, clientId: string) => Effect.Effect<void, string>
}

export const shownOf = (id: string, grant: Grant): Shown => ({
  id,
  user: grant.user,
  label: grant.label,
  target: grant.target,
  place: grant.place,
  issuer: grant.issuer,
  scopes: grant.scopes,
  connectedMillis: grant.connectedMillis,
  expiresMillis: grant.expiresMillis,
  renews: grant.refreshToken !== undefined,
})

/** Grants kept in memory; the one used longest ago goes first. */
const grantsMax = 100_000
const clientsMax = 1_024

/** Forgotten with the process: for a gateway without storage, and for simulation. */
export const inMemory = (clock: Pick<Clock, "nowMillis">): Grants => {
  const grants = new Map<string, { kept: Kept; claimedUntil: number }>()
  const clients = new Map<string, RegisteredClient>()
  let lastVersion = 0
  const idOf = ({ place, user }: GrantKey): string => `${user} ${place}`
  const set = (grant: Grant): number => {
    const id = idOf(grant)
    if (!grants.has(id) && grants.size >= grantsMax)
      for (const oldest of grants.keys()) {
        grants.delete(oldest)
        break
      }
    grants.set(id, { kept: { grant, version: ++lastVersion }, claimedUntil: -Infinity })
    return lastVersion
  }
  const clientKey = (issuer: string, redirectUri: string): string => `${issuer} ${redirectUri}`
  return {
    read: (key) => Effect.sync(() => grants.get(idOf(key))?.kept),
    connect: (grant) => Effect.sync(() => set(grant)),
    renew: (grant, version) =>
      Effect.sync(() => (grants.get(idOf(grant))?.kept.version === version ? set(grant) : undefined)),
    claim: (key, version, millis) =>
      Effect.sync(() => {
        const entry = grants.get(idOf(key))
        const now = clock.nowMillis()
        if (entry === undefined || entry.kept.version !== version || entry.claimedUntil > now) return false
        entry.claimedUntil = now + millis
        return true
      }),
    release: (key, version) =>
      Effect.sync(() => {
        const entry = grants.get(idOf(key))
        if (entry?.kept.version === version) entry.claimedUntil = -Infinity
      }),
    remove: (key, version) =>
      Effect.sync(() => {
        const entry = grants.get(idOf(key))
        if (entry === undefined || (version !== undefined && entry.kept.version !== version)) return undefined
        grants.delete(idOf(key))
        return entry.kept.grant
      }),
    list: (user) =>
      Effect.sync(() =>
        [...grants].flatMap(([id, { kept }]) =>
          user === undefined || kept.grant.user === user ? [shownOf(id, kept.grant)] : [],
        ),
      ),
    client: (issuer, redirectUri) => Effect.sync(() => clients.get(clientKey(issuer, redirectUri))),
    keepClient: (issuer, redirectUri, client) =>
      Effect.sync(() => {
        if (clients.size >= clientsMax) clients.clear()
        clients.set(clientKey(issuer, redirectUri), client)
      }),
    forgetClient: (issuer, redirectUri, clientId) =>
      Effect.sync(() => {
        const key = clientKey(issuer, redirectUri)
        if (clients.get(key)?.clientId === clientId) clients.delete(key)
      }),
  }
}
