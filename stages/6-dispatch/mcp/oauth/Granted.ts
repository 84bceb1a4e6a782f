/**
 * Running something at a server with the token that somebody granted, and finding out why that does not go: no grant, one
 * that is no longer good, or one that is not enough.
 */
import * as Effect from "effect/Effect"
import type { McpOauth } from "../../../../ir/backend/McpOauth.ts"
import { type Challenge, challengeIn } from "../../../../protocols/oauth/challenge.ts"
import type { Exchange } from "../../../Exchange.ts"
import type { GrantKey, Kept } from "../../../ports/Grants.ts"
import type { Sealer } from "../../../ports/Sealer.ts"
import type { McpRuntime } from "../McpRuntime.ts"
import { broken } from "../target/Channel.ts"
import type { Caller, TargetFailure } from "../target/McpTarget.ts"
import type { Bearer } from "../target/outgoing.ts"
import { type Connections, placeOf } from "./Connections.ts"
import { obtained } from "./obtained.ts"
import { gatewayUser, type User, userOf } from "./users.ts"

/** How often a person is asked for more within an hour, because a server says that it is not enough. */
const STEPS_MAX = 3
const STEPS_MILLIS = 3_600_000
const STEPS_KEPT_MAX = 10_000

/** Why a call cannot go out as it is. */
export interface Need {
  readonly challenge: Challenge | undefined
  /** All that has to be granted, where that is known. */
  readonly scopes: ReadonlyArray<string> | undefined
  /** How often a person had agreed when it was not enough. */
  readonly consents: number
}

/** For whom a target is called; undefined: for nobody in particular. */
export const userFor = (exchange: Exchange, oauth: McpOauth, sealer: Sealer): User | undefined =>
  oauth.grant === "gateway" ? gatewayUser : userOf(exchange, sealer, oauth.connections.anonymous)

/** What requests to the server carry. */
export const bearerOf =
  (connections: Connections, oauth: McpOauth, sealer: Sealer): Bearer =>
  (exchange) => {
    const user = userFor(exchange, oauth, sealer)
    if (user === undefined) return Effect.succeed(undefined)
    return Effect.mapBoth(connections.token({ user: user.key, place: placeOf(oauth) }, oauth), {
      onFailure: (why) => broken(`there is no token for it: ${why}`, false),
      onSuccess: (kept) => kept?.grant.accessToken,
    })
  }

/** What comes of it for who has no grant, or not enough. */
export type Lacking<A> = (user: User | undefined, need: Need) => Effect.Effect<A, TargetFailure>

export class Granted {
  private readonly target: string
  private readonly oauth: McpOauth
  private readonly connections: Connections
  private readonly runtime: McpRuntime
  private readonly place: string
  /** What the server said when it was asked without a token; undefined: it was never asked, or wants none. */
  wanted: Challenge | undefined = undefined
  private readonly steps = new Map<string, Array<number>>()

  constructor(target: string, oauth: McpOauth, connections: Connections, runtime: McpRuntime) {
    this.target = target
    this.oauth = oauth
    this.connections = connections
    this.runtime = runtime
    this.place = placeOf(oauth)
  }

  keyOf(user: User): GrantKey {
    return { user: user.key, place: this.place }
  }

  /** The grant of a person, made good again where that goes without the person; undefined: there is none. */
  kept(user: User): Effect.Effect<Kept | undefined, TargetFailure> {
    return Effect.mapError(this.connections.token(this.keyOf(user), this.oauth), (why) => this.failed(why))
  }

  /** How often a person has agreed. */
  consents(user: User): number {
    return this.connections.peek(this.keyOf(user))?.grant.consents ?? 0
  }

  /** Runs something with the caller's token. What comes of it for who has none, or not enough, is for `lacking`. */
  with<A>(caller: Caller, run: Effect.Effect<A, TargetFailure>, lacking: Lacking<A>): Effect.Effect<A, TargetFailure> {
    return Effect.suspend(() => {
      const { exchange } = caller
      const user = userFor(exchange, this.oauth, this.runtime.sealer)
      if (user === undefined) {
        return this.wanted === undefined
          ? this.caught(run, (challenge) => {
              this.wanted = challenge
              return lacking(undefined, { challenge, scopes: challenge.scopes, consents: 0 })
            })
          : lacking(undefined, { challenge: this.wanted, scopes: this.wanted.scopes, consents: 0 })
      }
      const key = this.keyOf(user)
      return Effect.flatMap(this.kept(user), (kept) => {
        const consents = this.consents(user)
        if (kept === undefined) {
          const { wanted } = this
          if (wanted !== undefined)
            return this.without(user, { challenge: wanted, scopes: wanted.scopes, consents }, run, lacking)
          return this.caught(run, (challenge) => {
            this.wanted = challenge
            return this.without(user, { challenge, scopes: challenge.scopes, consents }, run, lacking)
          })
        }
        return this.caught(run, (challenge, status) =>
          status === 403
            ? this.stepUp(user, key, kept, challenge, lacking)
            : this.refused(user, key, kept, challenge, run, lacking),
        )
      })
    })
  }

  private caught<A>(
    run: Effect.Effect<A, TargetFailure>,
    wanting: (challenge: Challenge, status: number) => Effect.Effect<A, TargetFailure>,
  ): Effect.Effect<A, TargetFailure> {
    return Effect.catch(run, (failure) => {
      if (failure._tag !== "Unauthorized") return Effect.fail(failure)
      const challenge = challengeIn(failure.challenge)
      if (failure.status === 401) {
        return wanting(challenge ?? { error: undefined, scopes: undefined, resourceMetadata: undefined }, 401)
      }
      return challenge?.error === "insufficient_scope" ? wanting(challenge, 403) : Effect.fail(failure)
    })
  }

  /** Nobody has granted anything: the gateway helps itself where it may, people are led to the page. */
  private without<A>(
    user: User,
    need: Need,
    run: Effect.Effect<A, TargetFailure>,
    lacking: Lacking<A>,
  ): Effect.Effect<A, TargetFailure> {
    return this.oauth.grant === "gateway"
      ? Effect.andThen(
          Effect.mapError(
            obtained(
              { target: this.target, oauth: this.oauth, connections: this.connections },
              this.runtime.clock,
              user,
              need,
            ),
            (why) => this.failed(why),
          ),
          run,
        )
      : lacking(user, need)
  }

  /** The token that was sent is no longer good: the server may have moved to other authorization servers meanwhile. */
  private refused<A>(
    user: User,
    key: GrantKey,
    kept: Kept,
    challenge: Challenge,
    run: Effect.Effect<A, TargetFailure>,
    lacking: Lacking<A>,
  ): Effect.Effect<A, TargetFailure> {
    // The grant will be gone, and counting begins anew with the next one.
    const need: Need = { challenge, scopes: challenge.scopes, consents: 0 }
    this.wanted = challenge
    const forgotten = Effect.andThen(
      Effect.ignore(this.connections.discard(key, kept)),
      this.without(user, need, run, lacking),
    )
    const again = this.caught(run, (_, status) =>
      status === 403
        ? lacking(user, need)
        : this.oauth.grant === "gateway"
          ? Effect.fail(this.unauthorized(401))
          : forgotten,
    )
    return Effect.flatMap(
      Effect.mapError(this.connections.discovered(this.oauth, challenge, true), (why) => this.failed(why)),
      ({ server }) => {
        const { issuer, refreshToken } = kept.grant
        if (server.issuer !== issuer || refreshToken === undefined) return forgotten
        return Effect.flatMap(
          Effect.mapError(this.connections.renewed(key, kept, this.oauth), (why) => this.failed(why)),
          (next) => {
            if (next === undefined) return lacking(user, need)
            return next.version === kept.version ? forgotten : again
          },
        )
      },
    )
  }

  private stepUp<A>(
    user: User,
    key: GrantKey,
    kept: Kept,
    challenge: Challenge,
    lacking: Lacking<A>,
  ): Effect.Effect<A, TargetFailure> {
    const now = this.runtime.clock.nowMillis()
    const recent = (this.steps.get(key.user) ?? []).filter((one) => now - one < STEPS_MILLIS)
    if (this.oauth.grant === "gateway" || recent.length >= STEPS_MAX) return Effect.fail(this.unauthorized(403))
    if (this.steps.size >= STEPS_KEPT_MAX) this.steps.clear()
    this.steps.set(key.user, [...recent, now])
    const scopes = [...new Set([...kept.grant.scopes, ...(challenge.scopes ?? [])])]
    return lacking(user, { challenge, scopes, consents: kept.grant.consents })
  }

  private failed(message: string): TargetFailure {
    return { _tag: "Unreachable", target: this.target, message, began: false }
  }

  private unauthorized(status: number): TargetFailure {
    return { _tag: "Unauthorized", target: this.target, status, challenge: undefined }
  }
}
