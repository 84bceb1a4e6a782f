/**
 * What this worker knows of grants. A token at hand costs nothing; one that is about to end is renewed before, by one of
 * all workers and replicas; what cannot be renewed or read just now is used for as long as it is good.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import type { Challenge } from "../../../../protocols/oauth/challenge.ts"
import type { Grant, GrantKey, Grants, Kept } from "../../../ports/Grants.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { type Discovered, discover } from "./discover.ts"
import { gatewayUser } from "./users.ts"
import {
  ownFields,
  refreshFields,
  revoke,
  type TokenPorts,
  tokens,
  TOKEN_MILLIS,
  type Tokens,
} from "./tokenRequests.ts"

/** What others have done is seen after so long. */
const FRESH_MILLIS = 3_000
/** With what is kept out of reach, what was read goes on for so long, and a token until its end. */
const STALE_MILLIS = 300_000
/** How long before its end a token is renewed. */
const AHEAD_MILLIS = 60_000
/** One that ends sooner is not sent: a request takes its time too. */
const MARGIN_MILLIS = 10_000
const RETRY_MILLIS = 2_000
/** Longer than asking can take, so that whoever is gone in the middle is not waited for for ever. */
const CLAIM_MILLIS = TOKEN_MILLIS + 5_000
const DISCOVERED_MILLIS = 300_000
const DISCOVERIES_MAX = 1_024
const ENTRIES_MAX = 20_000
const WRITES_MAX = 6
const POLL_MILLIS_MIN = 250
const POLL_MILLIS_MAX = 2_000

export interface ConnectionParts {
  readonly grants: Grants
  readonly tokens: TokenPorts
  readonly clock: Clock
  readonly run: (effect: Effect.Effect<unknown, unknown>) => Fiber.Fiber<unknown, unknown>
}

interface Entry {
  kept: Kept | undefined
  readMillis: number
  reading: Deferred.Deferred<Kept | undefined, string> | undefined
  renewing: Deferred.Deferred<Kept | undefined, string> | undefined
  retryMillis: number
}

interface Found {
  readonly discovered: Discovered
  readonly atMillis: number
  /** Of the challenge that led to it. */
  readonly by: string | undefined
}

const idOf = ({ place, user }: GrantKey): string => `${user} ${place}`

/** The server as it is configured, so that a token never goes to another one that took over a name. */
export const placeOf = ({ client, server }: Pick<McpOauth, "client" | "server">): string =>
  client === undefined ? server : `${server} as ${client.clientId}`

export class Connections {
  readonly parts: ConnectionParts
  private readonly entries = new Map<string, Entry>()
  private readonly found = new Map<string, Found>()
  private readonly waiting = new Map<string, Set<() => void>>()

  constructor(parts: ConnectionParts) {
    this.parts = parts
  }

  private entry(key: GrantKey): Entry {
    const id = idOf(key)
    let entry = this.entries.get(id)
    if (entry === undefined) {
      if (this.entries.size >= ENTRIES_MAX) {
        for (const [oldest, { reading, renewing }] of this.entries) {
          if (reading !== undefined || renewing !== undefined) continue
          this.entries.delete(oldest)
          break
        }
      }
      entry = {
        kept: undefined,
        readMillis: -Infinity,
        reading: undefined,
        renewing: undefined,
        retryMillis: -Infinity,
      }
      this.entries.set(id, entry)
    }
    return entry
  }

  /** What was seen last, without asking anybody. */
  peek(key: GrantKey): Kept | undefined {
    return this.entries.get(idOf(key))?.kept
  }

  // Reading -----------------------------------------------------------------------------------------------------------

  /** What is kept now. */
  readonly read = (key: GrantKey): Effect.Effect<Kept | undefined, string> =>
    Effect.suspend(() => {
      const entry = this.entry(key)
      return Deferred.await(entry.reading ?? this.startReading(key, entry))
    })

  private startReading(key: GrantKey, entry: Entry): Deferred.Deferred<Kept | undefined, string> {
    const { clock, grants, run } = this.parts
    const reading = Deferred.makeUnsafe<Kept | undefined, string>()
    entry.reading = reading
    run(
      Effect.onExit(grants.read(key), (exit) =>
        Effect.sync(() => {
          entry.reading = undefined
          if (Exit.isSuccess(exit)) {
            const isOlder =
              entry.kept !== undefined && exit.value !== undefined && exit.value.version < entry.kept.version
            if (!isOlder) entry.kept = exit.value
            entry.readMillis = clock.nowMillis()
          }
          Deferred.doneUnsafe(reading, settled(exit))
        }),
      ),
    )
    return reading
  }

  // Tokens ------------------------------------------------------------------------------------------------------------

  /** One that can be sent now; undefined: nobody has granted any, or it has ended. */
  token(key: GrantKey, oauth: McpOauth): Effect.Effect<Kept | undefined, string> {
    const entry = this.entry(key)
    const age = this.parts.clock.nowMillis() - entry.readMillis
    if (age <= FRESH_MILLIS) return this.good(key, entry, oauth)
    if (entry.kept !== undefined && age <= STALE_MILLIS) {
      if (entry.reading === undefined) this.startReading(key, entry)
      return this.good(key, entry, oauth)
    }
    return Effect.matchEffect(this.read(key), {
      onFailure: (why) =>
        // Nothing is known of what was done meanwhile, but the token is what it was.
        entry.kept !== undefined && leftMillis(entry.kept.grant, this.parts.clock) > MARGIN_MILLIS
          ? Effect.succeed<Kept | undefined>(entry.kept)
          : Effect.fail(why),
      onSuccess: () => this.good(key, entry, oauth),
    })
  }

  private good(key: GrantKey, entry: Entry, oauth: McpOauth): Effect.Effect<Kept | undefined, string> {
    const { kept } = entry
    if (kept === undefined) return none
    const left = leftMillis(kept.grant, this.parts.clock)
    if (left > AHEAD_MILLIS) return Effect.succeed(kept)
    if (!renews(kept.grant)) return left > 0 ? Effect.succeed(kept) : none
    if (left > MARGIN_MILLIS) {
      if (entry.renewing === undefined && this.parts.clock.nowMillis() >= entry.retryMillis) {
        this.startRenewing(key, entry, kept, oauth)
      }
      return Effect.succeed(kept)
    }
    return this.renewed(key, kept, oauth)
  }

  /** The one after a token that is no longer good, whatever its server had said of its end. */
  readonly renewed = (key: GrantKey, kept: Kept, oauth: McpOauth): Effect.Effect<Kept | undefined, string> =>
    Effect.suspend(() => {
      const entry = this.entry(key)
      if (entry.kept !== undefined && entry.kept.version > kept.version)
        return Effect.succeed<Kept | undefined>(entry.kept)
      if (entry.renewing === undefined && this.parts.clock.nowMillis() < entry.retryMillis) {
        return Effect.fail("it could not be renewed a moment ago")
      }
      return Deferred.await(entry.renewing ?? this.startRenewing(key, entry, kept, oauth))
    })

  private startRenewing(
    key: GrantKey,
    entry: Entry,
    kept: Kept,
    oauth: McpOauth,
  ): Deferred.Deferred<Kept | undefined, string> {
    const { clock, run } = this.parts
    const renewing = Deferred.makeUnsafe<Kept | undefined, string>()
    entry.renewing = renewing
    run(
      Effect.onExit(this.renew(key, kept, oauth, clock.nowMillis() + 2 * CLAIM_MILLIS), (exit) =>
        Effect.sync(() => {
          entry.renewing = undefined
          if (Exit.isSuccess(exit)) {
            entry.kept = exit.value
            entry.readMillis = clock.nowMillis()
          } else entry.retryMillis = clock.nowMillis() + RETRY_MILLIS
          Deferred.doneUnsafe(renewing, settled(exit))
        }),
      ),
    )
    return renewing
  }

  private renew(
    key: GrantKey,
    kept: Kept,
    oauth: McpOauth,
    giveUpMillis: number,
  ): Effect.Effect<Kept | undefined, string> {
    const { clock, grants } = this.parts
    return Effect.flatMap(grants.claim(key, kept.version, CLAIM_MILLIS), (isOurs) => {
      if (isOurs) return this.exchange(key, kept, oauth)
      // Somebody else is at it, or has done it.
      return Effect.flatMap(grants.read(key), (now): Effect.Effect<Kept | undefined, string> => {
        if (now === undefined || now.version !== kept.version) return Effect.succeed(now)
        return clock.nowMillis() >= giveUpMillis
          ? Effect.fail("nobody renews it")
          : Effect.andThen(
              Effect.sleep(POLL_MILLIS_MIN),
              Effect.suspend(() => this.renew(key, kept, oauth, giveUpMillis)),
            )
      })
    })
  }

  private exchange(key: GrantKey, kept: Kept, oauth: McpOauth): Effect.Effect<Kept | undefined, string> {
    const { grant, version } = kept
    const fields =
      grant.refreshToken === undefined || grant.user === gatewayUser.key
        ? ownFields(grant.scopes, grant.resource)
        : refreshFields(grant.refreshToken, grant.resource)
    return Effect.matchEffect(tokens(this.parts.tokens, oauth, grant, fields), {
      onSuccess: (got) => this.keep(key, renewedGrant(grant, got, this.parts.clock), version),
      onFailure: ({ detail, why }) => {
        const told = Effect.logWarning(`a token for ${grant.target} was not renewed: ${detail}`)
        if (why === "failed") {
          const released = Effect.ignore(this.parts.grants.release(key, version))
          return Effect.andThen(Effect.andThen(told, released), Effect.fail(`it is not renewed: ${detail}`))
        }
        // What was granted is worth nothing any more; a person has to agree again.
        const forgotten = Effect.as(this.parts.grants.remove(key, version), undefined)
        const { client, issuer, redirectUri } = grant
        return Effect.andThen(
          told,
          why === "unknownClient"
            ? Effect.andThen(this.parts.grants.forgetClient(issuer, redirectUri, client.clientId), forgotten)
            : forgotten,
        )
      },
    })
  }

  /** A refresh token that was used up must not be lost with its successor, so writing is tried until it is done. */
  private keep(key: GrantKey, grant: Grant, version: number, attempts = 0): Effect.Effect<Kept | undefined, string> {
    return Effect.matchEffect(this.parts.grants.renew(grant, version), {
      onSuccess: (next): Effect.Effect<Kept | undefined, string> =>
        next === undefined ? this.parts.grants.read(key) : Effect.succeed({ grant, version: next }),
      onFailure: (why) => {
        if (attempts === 0) {
          this.parts.run(this.later(key, grant, version, 1))
          return Effect.as(Effect.logError(`a renewed token for ${grant.target} cannot be written down yet: ${why}`), {
            grant,
            version,
          })
        }
        return Effect.fail(why)
      },
    })
  }

  private later(key: GrantKey, grant: Grant, version: number, attempt: number): Effect.Effect<void> {
    return Effect.andThen(
      Effect.sleep(250 * 2 ** attempt),
      Effect.matchEffect(this.keep(key, grant, version, attempt), {
        onSuccess: (kept) =>
          Effect.sync(() => {
            const entry = this.entry(key)
            if (kept !== undefined && (entry.kept?.version ?? 0) <= kept.version) entry.kept = kept
          }),
        onFailure: () => (attempt < WRITES_MAX ? this.later(key, grant, version, attempt + 1) : Effect.void),
      }),
    )
  }

  // Connecting --------------------------------------------------------------------------------------------------------

  /** A person has agreed, or the gateway got a token of its own. */
  readonly connect = (grant: Grant): Effect.Effect<Kept, string> =>
    Effect.map(this.parts.grants.connect(grant), (version) => {
      const entry = this.entry(grant)
      const kept = { grant, version }
      entry.kept = kept
      entry.readMillis = this.parts.clock.nowMillis()
      entry.retryMillis = -Infinity
      for (const wake of Array.from(this.waiting.get(idOf(grant)) ?? [])) wake()
      return kept
    })

  /** It turned out to be good for nothing; one that took its place meanwhile stays. */
  readonly discard = (key: GrantKey, { version }: Kept): Effect.Effect<void, string> =>
    Effect.andThen(this.parts.grants.remove(key, version), Effect.asVoid(this.again(key)))

  private again(key: GrantKey): Effect.Effect<Kept | undefined, string> {
    return Effect.suspend(() => {
      const entry = this.entry(key)
      entry.kept = undefined
      entry.readMillis = -Infinity
      return this.read(key)
    })
  }

  /** Nobody may use it any more; its server is told, if it can be. */
  readonly forget = (key: GrantKey, oauth: McpOauth | undefined): Effect.Effect<boolean, string> =>
    Effect.flatMap(this.parts.grants.remove(key), (grant) => {
      const entry = this.entry(key)
      entry.kept = undefined
      entry.readMillis = this.parts.clock.nowMillis()
      return grant === undefined ? Effect.succeed(false) : Effect.as(revoke(this.parts.tokens, oauth, grant), true)
    })

  /** Whether somebody has agreed more often than that, within so long. */
  readonly agreed = (key: GrantKey, consents: number, millis: number): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const { clock } = this.parts
      const until = clock.nowMillis() + millis
      const look = (waitMillis: number): Effect.Effect<boolean> =>
        Effect.flatMap(
          Effect.orElseSucceed(this.read(key), () => undefined),
          (kept): Effect.Effect<boolean> => {
            if (kept !== undefined && kept.grant.consents > consents) return Effect.succeed(true)
            const left = until - clock.nowMillis()
            return left <= 0
              ? Effect.succeed(false)
              : Effect.andThen(
                  this.woken(key, Math.min(waitMillis, left)),
                  Effect.suspend(() => look(Math.min(waitMillis * 1.5, POLL_MILLIS_MAX))),
                )
          },
        )
      return look(POLL_MILLIS_MIN)
    })

  /** Until something was agreed upon here, or so long. */
  private woken(key: GrantKey, millis: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const id = idOf(key)
      const wake = (): void => {
        disarm()
        leave()
        resume(Effect.void)
      }
      const leave = (): void => {
        const set = this.waiting.get(id)
        set?.delete(wake)
        if (set?.size === 0) this.waiting.delete(id)
      }
      const disarm = this.parts.clock.after(millis, wake)
      let set = this.waiting.get(id)
      if (set === undefined) this.waiting.set(id, (set = new Set()))
      set.add(wake)
      return Effect.sync(() => {
        disarm()
        leave()
      })
    })
  }

  // Where tokens come from --------------------------------------------------------------------------------------------

  /** Remembered for a while; `anew`: the server has just said that it wants another token. */
  readonly discovered = (
    oauth: McpOauth,
    challenge: Challenge | undefined,
    anew: boolean,
  ): Effect.Effect<Discovered, string> =>
    Effect.suspend(() => {
      const { clock } = this.parts
      const place = JSON.stringify([placeOf(oauth), oauth.issuer ?? ""])
      const known = this.found.get(place)
      const by = challenge?.resourceMetadata
      const isKnown =
        known !== undefined &&
        !anew &&
        clock.nowMillis() - known.atMillis < DISCOVERED_MILLIS &&
        (by === undefined || by === known.by)
      if (isKnown) return Effect.succeed(known.discovered)
      return Effect.map(discover(this.parts.tokens.ask, oauth, challenge), (found) => {
        if (this.found.size >= DISCOVERIES_MAX) this.found.clear()
        this.found.set(place, { discovered: found, atMillis: clock.nowMillis(), by })
        return found
      })
    })
}

const none: Effect.Effect<undefined> = Effect.succeed(undefined)

const settled = <A>(exit: Exit.Exit<A, string>): Exit.Exit<A, string> =>
  Exit.isSuccess(exit) || !Exit.hasInterrupts(exit) ? exit : Exit.fail("the gateway ends")

const leftMillis = ({ expiresMillis }: Grant, clock: Clock): number =>
  expiresMillis === undefined ? Infinity : expiresMillis - clock.wallMillis()

/** The gateway gets itself another token whenever it wants one. */
const renews = ({ refreshToken, user }: Grant): boolean => refreshToken !== undefined || user === gatewayUser.key

export const expiryOf = ({ expiresInMillis }: Tokens, clock: Clock): number | undefined =>
  expiresInMillis === undefined ? undefined : clock.wallMillis() + expiresInMillis

const renewedGrant = (grant: Grant, got: Tokens, clock: Clock): Grant => ({
  ...grant,
  accessToken: got.accessToken,
  expiresMillis: expiryOf(got, clock),
  refreshToken: got.refreshToken ?? grant.refreshToken,
  scopes: got.scopes ?? grant.scopes,
})
