import * as Effect from "effect/Effect"
import { defaults } from "../../../ir/defaults.ts"
import type { Oidc } from "../../../ir/policy/Oidc.ts"
import * as Jwt from "../../../protocols/jose/jwt.ts"
import type { Exchange } from "../../Exchange.ts"
import type { Identity } from "../../Identity.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Ask } from "../ask.ts"
import { type Asker, proofOf, REPLY_BYTES_MAX } from "../credentials/tokenEndpoint.ts"
import type { Tokens } from "../credentials/Tokens.ts"
import type { Gate } from "../Gate.ts"
import { keysUnavailable, refusal } from "./answers.ts"
import type { KnownProvider, Provider } from "./Provider.ts"
import type { Session } from "./Session.ts"

/** How long all requests that still carry the old session are given the new one. */
const SHARED_MILLIS = 30_000
const REFRESHES_MAX = 8192
const DEFAULT_SESSION_MILLIS = 12 * 3_600_000

interface Renewed {
  readonly session: Session
  readonly expiresMillis: number
}

type Renewal = Session | "refused" | "failed"

const subjectOf = ({ idToken }: Session): unknown => Jwt.parse(idToken)?.claims["sub"]

const unsigned: Asker["credentials"] = { signJwt: () => Promise.reject(new Error("nothing here can sign")) }

/** What a provider gives for a code or for a refresh token: tokens, which are proved, and become a session. */
export class Grants {
  private readonly policy: Oidc
  private readonly gate: Gate
  private readonly provider: KnownProvider
  private readonly ask: Ask
  private readonly asker: Asker
  private readonly clock: Clock
  private readonly renewals: Tokens<Renewed>

  constructor(policy: Oidc, gate: Gate, provider: KnownProvider, ask: Ask, clock: Clock) {
    this.policy = policy
    this.gate = gate
    this.provider = provider
    this.ask = ask
    this.clock = clock
    this.asker = { clock, cryptography: gate.cryptography, credentials: gate.wallet?.credentials ?? unsigned }
    this.renewals = gate.renewals(policy.id)
  }

  /** Fails with `refused`, with `unavailable`, or with what is wrong with the answer. */
  tokens(
    { isElsewhere: publicOnly, tokenEndpoint, tokenEndpointAuth }: Provider,
    fields: ReadonlyArray<readonly [string, string]>,
    exchange: Exchange,
  ): Effect.Effect<{ readonly idToken: string | undefined; readonly refreshToken: string | undefined }, string> {
    const { clientId, clientSecret } = this.policy
    const isBasic = tokenEndpointAuth === "clientSecretBasic"
    return Effect.tryPromise({
      try: () =>
        proofOf({ _tag: isBasic ? "ClientSecretBasic" : "ClientSecretPost", clientId, clientSecret }, this.asker),
      catch: String,
    }).pipe(
      Effect.flatMap((proof) =>
        this.ask({
          method: "POST",
          url: tokenEndpoint,
          headers: [
            "accept",
            "application/json",
            "content-type",
            "application/x-www-form-urlencoded",
            ...(proof.authorization === undefined ? [] : ["authorization", proof.authorization]),
          ],
          body: new URLSearchParams([...fields, ...proof.fields].map(([name, value]) => [name, value])).toString(),
          bytesMax: REPLY_BYTES_MAX,
          timeoutMillis: defaults.oidcCodeExchangeTimeoutMillis,
          publicOnly,
          whenDown: "unavailable",
          exchange,
        }),
      ),
      Effect.flatMap(({ status, text }) => {
        if (status >= 500) return Effect.fail("unavailable")
        let document: unknown
        try {
          document = JSON.parse(text)
        } catch {
          return Effect.fail(`status ${status}, not JSON`)
        }
        if (status !== 200) {
          const isGrants = status === 400 && Reflect.get(Object(document), "error") === "invalid_grant"
          return Effect.fail(isGrants ? "refused" : `status ${status}`)
        }
        const idToken: unknown = Reflect.get(Object(document), "id_token")
        const refreshToken: unknown = Reflect.get(Object(document), "refresh_token")
        return Effect.succeed({
          idToken: typeof idToken === "string" && idToken !== "" ? idToken : undefined,
          refreshToken: typeof refreshToken === "string" && refreshToken !== "" ? refreshToken : undefined,
        })
      }),
    )
  }

  /** Until when an id token is good that was got for this very login. */
  proved(
    { tokens }: Provider,
    idToken: string,
    { nonce, sub }: { readonly nonce?: string; readonly sub?: unknown },
    exchange: Exchange,
    over: ReadonlyArray<string>,
    deadlineMillis = exchange.deadlineMillis,
  ): Effect.Effect<number, Refusal> {
    const found = tokens.check(idToken, deadlineMillis, exchange)
    const judged = (identity: Identity): Effect.Effect<number, Refusal> => {
      const claims = identity.jwt ?? {}
      const claimed = claims["nonce"]
      if (nonce !== undefined && (typeof claimed !== "string" || !this.gate.cryptography.equal(claimed, nonce))) {
        return Effect.fail(refusal("OidcCallback", "the nonce is another", over))
      }
      const { aud, azp, exp } = claims
      if (sub !== undefined && claims["sub"] !== sub) {
        return Effect.fail(refusal("OidcCallback", "the token was issued for somebody else", over))
      }
      if ((azp !== undefined || (Array.isArray(aud) && aud.length > 1)) && azp !== this.policy.clientId) {
        return Effect.fail(refusal("OidcCallback", "the token was issued to another client", over))
      }
      return Effect.succeed(typeof exp === "number" ? exp * 1000 : 0)
    }
    if (!Effect.isEffect(found)) return judged(found)
    return Effect.matchEffect(found, {
      onSuccess: judged,
      onFailure: (why) =>
        Effect.fail(
          why._tag === "JwtAuth"
            ? refusal("OidcFailed", `the id token is not good: ${why.detail}`, over)
            : keysUnavailable(over),
        ),
    })
  }

  sessionOf(
    idToken: string,
    refreshToken: string | undefined,
    expMillis: number,
    before: Session | undefined,
  ): Session {
    const now = this.clock.wallMillis()
    const freshMillis = Math.min(expMillis, now + defaults.oidcSessionMillis)
    if (refreshToken === undefined) return { idToken, freshMillis, endsMillis: freshMillis }
    const endsMillis = before?.endsMillis ?? now + (this.policy.sessionMillis ?? DEFAULT_SESSION_MILLIS)
    return { idToken, refreshToken, freshMillis, endsMillis }
  }

  /** All requests of a browser that come with the old session share one renewal: a refresh token may be good once only. */
  renewed(session: Session, refreshToken: string, exchange: Exchange): Effect.Effect<Renewal> {
    const late = refusal("OidcUnavailable", "the session cannot be renewed now")
    const refused = refusal("OidcLogin", "the session has ended")
    const renewal = this.renewals.get(this.gate.cryptography.sha256(refreshToken), {
      isOneTime: true,
      entriesMax: REFRESHES_MAX,
      timeoutMillis: defaults.oidcCodeExchangeTimeoutMillis,
      late,
      fetch: () =>
        Effect.flatMap(this.provider.get(exchange, Infinity), (provider) =>
          Effect.flatMap(
            Effect.mapError(
              this.tokens(
                provider,
                [
                  ["grant_type", "refresh_token"],
                  ["refresh_token", refreshToken],
                ],
                exchange,
              ),
              (why) => (why === "refused" ? refused : late),
            ),
            ({ idToken = session.idToken, refreshToken: next = refreshToken }) =>
              Effect.map(
                this.proved(provider, idToken, { sub: subjectOf(session) }, exchange, [], Infinity),
                (exp): Renewed => ({
                  session: this.sessionOf(idToken, next, exp, session),
                  expiresMillis: this.clock.wallMillis() + SHARED_MILLIS,
                }),
              ),
          ),
        ),
    })
    const waited = Effect.matchEffect(renewal, {
      onSuccess: ({ session: next }): Effect.Effect<Renewal> => Effect.succeed(next),
      onFailure: ({ _tag }): Effect.Effect<Renewal> =>
        Effect.succeed(_tag === "OidcUnavailable" || _tag === "Defect" ? "failed" : "refused"),
    })
    const left = exchange.deadlineMillis - this.clock.nowMillis()
    return left === Infinity
      ? waited
      : Effect.timeoutOrElse(waited, {
          duration: Math.max(0, left),
          orElse: (): Effect.Effect<Renewal> => Effect.succeed("failed"),
        })
  }
}
