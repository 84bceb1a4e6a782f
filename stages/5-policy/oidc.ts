/**
 * Logs browsers in with an OpenID provider: authorization code with PKCE, the session sealed into cookies, renewed with
 * a refresh token where there is one. A script is told that a login is needed instead of being sent to one.
 */
import * as Effect from "effect/Effect"
import { defaults } from "../../ir/defaults.ts"
import type { Document } from "../../ir/policy/Document.ts"
import type { Oidc } from "../../ir/policy/Oidc.ts"
import { removeCookies } from "../../protocols/http/cookies.ts"
import { Headers } from "../../protocols/http/headers.ts"
import * as Jwt from "../../protocols/jose/jwt.ts"
import { discoveryUrl, parse as parseMetadata, type ServerMetadata } from "../../protocols/oauth/metadata.ts"
import * as Body from "../Body.ts"
import type { Exchange, Reply, Request, Subject } from "../Exchange.ts"
import { identify, type Identity } from "../Identity.ts"
import type { Refusal } from "../Refusal.ts"
import type { Ask } from "./ask.ts"
import { type Asker, proofOf, REPLY_BYTES_MAX } from "./credentials/tokenEndpoint.ts"
import { Tokens } from "./credentials/Tokens.ts"
import type { Gate } from "./Gate.ts"
import { collectRequest } from "./buffer.ts"
import { identityOf } from "./keyed.ts"
import { endedBy } from "./oidc/logoutToken.ts"
import { isNavigation, safeTarget } from "./oidc/navigation.ts"
import { COOKIE_PREFIX, Cookies, type Session } from "./oidc/Session.ts"
import { type Layer, slot } from "./order.ts"
import type { RemoteDocument } from "./RemoteDocument.ts"
import { answer, broken, pass, promise, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"
import { TokenCheck } from "./TokenCheck.ts"

/** How long before its end a token is renewed. */
const RENEW_MILLIS = 30_000
/** How long all requests that still carry the old session are given the new one. */
const SHARED_MILLIS = 30_000
/** How many logins may be under way in one browser; beyond, older ones are forgotten. */
const LOGINS_MAX = 4
const REFRESHES_MAX = 8192

export const DEFAULT_SESSION_MILLIS = 12 * 3_600_000

/** What is known of a provider once its metadata is there. */
interface Provider {
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly tokenEndpointAuth: "clientSecretBasic" | "clientSecretPost"
  readonly endSessionEndpoint: string | undefined
  readonly namesItself: boolean
  /** Its token endpoint is on a host that the configuration does not name. */
  readonly isElsewhere: boolean
  readonly tokens: TokenCheck
  /** Absent: the provider ends no sessions by itself. */
  readonly logouts: TokenCheck | undefined
}

interface Renewed {
  readonly session: Session
  readonly expiresMillis: number
}

type Renewal = Session | "refused" | "failed"

type Kind = "OidcLogin" | "OidcCallback" | "OidcFailed" | "OidcUnavailable"

const refusal = (kind: Kind, detail: string, headers: ReadonlyArray<string> = []): Refusal => ({
  _tag: kind,
  detail,
  headers,
})

/** Only what can be written into a header and says something to a person. */
const readable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 64)

const redirect = (location: string, cookies: ReadonlyArray<string>): Reply => ({
  status: 302,
  headers: new Headers([
    "location",
    location,
    "cache-control",
    "no-store",
    ...cookies.flatMap((cookie) => ["set-cookie", cookie]),
  ]),
  body: Body.empty,
  origin: "gateway",
})

/** What a browser sent of ours, kept from backends but not from the policies still to come. */
const setAside = new WeakMap<Exchange, Headers>()

const ourCookies = ({ exchange, request }: Subject): Headers => {
  const kept = setAside.get(exchange)
  if (kept !== undefined) return kept
  const headers = new Headers(request.headers.all("cookie").flatMap((value) => ["cookie", value]))
  setAside.set(exchange, headers)
  return headers
}

/** Whoever gets a session can use it, although nobody can read it. */
export const hideSessions = ({ headers }: Request): void => {
  if (headers.get("cookie")?.includes(COOKIE_PREFIX) === true) {
    removeCookies(headers, (name) => name.startsWith(COOKIE_PREFIX))
  }
}

/** A document may lead to a host that nobody here named; then it must be one that anybody can reach. */
const isElsewhere = (url: string, issuer: string): boolean => URL.parse(url)?.hostname !== URL.parse(issuer)?.hostname

const parameters = (query: string | undefined): URLSearchParams => new URLSearchParams(query ?? "")

/** What an explicit provider would have said of itself; a text says why it is of no use. */
const explained = (
  metadata: ServerMetadata,
): (Omit<Provider, "tokens" | "logouts" | "isElsewhere"> & { readonly jwksUri: string }) | string => {
  const { authorizationEndpoint, endSessionEndpoint, jwksUri, namesItself, tokenEndpoint } = metadata
  if (authorizationEndpoint === undefined || tokenEndpoint === undefined || jwksUri === undefined) {
    return "the provider names no endpoints for logins"
  }
  const methods = metadata.tokenEndpointAuthMethods
  const isBasic = methods.length === 0 || methods.includes("client_secret_basic")
  if (!isBasic && !methods.includes("client_secret_post")) return "the provider takes no client secret"
  const tokenEndpointAuth = isBasic ? "clientSecretBasic" : "clientSecretPost"
  return { authorizationEndpoint, tokenEndpoint, tokenEndpointAuth, endSessionEndpoint, namesItself, jwksUri }
}

/** Of a form with a logout token. */
const LOGOUT_BYTES_MAX = 65_536

const decoder = new TextDecoder()

const told = (status: number, text: string): Reply => ({
  status,
  headers: new Headers(["cache-control", "no-store", ...(text === "" ? [] : ["content-type", "application/json"])]),
  body: Body.text(text),
  origin: "gateway",
})

class Login {
  private readonly policy: Oidc
  private readonly gate: Gate
  private readonly ask: Ask
  private readonly asker: Asker
  private readonly ports: PolicyPorts
  private readonly cookies: Cookies
  private readonly callbackPath: string
  private readonly slot: number
  private readonly discovery: RemoteDocument<ServerMetadata> | undefined
  private readonly renewals: Tokens<Renewed>
  private known: { readonly from: ServerMetadata | undefined; readonly provider: Provider | string } | undefined

  constructor(policy: Oidc, gate: Gate, ask: Ask, ports: PolicyPorts, layer: Layer) {
    this.policy = policy
    this.gate = gate
    this.ask = ask
    this.ports = ports
    this.asker = {
      clock: ports.clock,
      cryptography: gate.cryptography,
      credentials: gate.wallet?.credentials ?? unsigned,
    }
    const callback = new URL(policy.redirectUri)
    this.callbackPath = callback.pathname
    this.cookies = new Cookies(policy.id, policy.cookieKey, callback.protocol === "https:", gate.cryptography)
    this.slot = slot("Oidc", layer)
    this.renewals = gate.renewals(policy.id)
    const { provider } = policy
    if (provider._tag === "Explicit") {
      const { authorizationEndpoint, jwks, tokenEndpoint, tokenEndpointAuth } = provider
      this.known = {
        from: undefined,
        provider: {
          authorizationEndpoint,
          tokenEndpoint,
          tokenEndpointAuth,
          endSessionEndpoint: undefined,
          namesItself: false,
          isElsewhere: false,
          tokens: this.tokenCheck(jwks),
          logouts: this.logoutCheck(jwks),
        },
      }
      return
    }
    if (provider.document?._tag === "Inline") {
      this.known = { from: undefined, provider: this.made(parseMetadata(provider.document.text, policy.issuer)) }
      return
    }
    const url = provider.document?.url ?? discoveryUrl(policy.issuer)
    this.discovery = gate.documentAt(url, `issuer ${policy.issuer}`, (text) => parseMetadata(text, policy.issuer))
    this.discovery.touch(0)
  }

  private tokenCheck(jwks: Document, publicOnly = false): TokenCheck {
    const { clientId, issuer } = this.policy
    const expected = { issuer, audiences: [clientId], jwks, requiredClaims: ["exp", "sub", "aud"], publicOnly }
    return new TokenCheck([expected], this.gate, this.ports.clock)
  }

  private logoutCheck(jwks: Document, publicOnly = false): TokenCheck | undefined {
    if (this.policy.logout?.backChannelPath === undefined) return undefined
    const { clientId, issuer } = this.policy
    const expected = { issuer, audiences: [clientId], jwks, requiredClaims: ["aud"], publicOnly }
    return new TokenCheck([expected], this.gate, this.ports.clock)
  }

  private made(metadata: ServerMetadata | string): Provider | string {
    const found = typeof metadata === "string" ? metadata : explained(metadata)
    if (typeof found === "string") return found
    const { jwksUri, ...provider } = found
    const { issuer } = this.policy
    return {
      ...provider,
      isElsewhere: isElsewhere(provider.tokenEndpoint, issuer),
      tokens: this.tokenCheck({ _tag: "Remote", url: jwksUri }, isElsewhere(jwksUri, issuer)),
      logouts: this.logoutCheck({ _tag: "Remote", url: jwksUri }, isElsewhere(jwksUri, issuer)),
    }
  }

  /** The provider as far as it is known. */
  private current(): Provider | string | undefined {
    const from = this.discovery?.value
    if (this.discovery !== undefined && from !== this.known?.from) {
      this.known = from === undefined ? undefined : { from, provider: this.made(from) }
    }
    return this.known?.provider
  }

  private provider(exchange: Exchange, deadlineMillis = exchange.deadlineMillis): Effect.Effect<Provider, Refusal> {
    const waits = this.discovery?.touch(deadlineMillis, exchange)
    const found = Effect.suspend(() => {
      const provider = this.current()
      if (provider === undefined) {
        return Effect.fail(refusal("OidcUnavailable", "the provider cannot be reached", ["retry-after", "15"]))
      }
      return typeof provider === "string" ? Effect.fail(refusal("OidcFailed", provider)) : Effect.succeed(provider)
    })
    return waits === undefined ? found : Effect.andThen(waits, found)
  }

  readonly run = (subject: Subject): Effect.Effect<Verdict, Refusal> => {
    const { exchange, request } = subject
    const cookies = ourCookies(subject)
    hideSessions(request)
    if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) return pass
    if (request.method === "GET" && request.path === this.callbackPath) {
      const asked = parameters(request.query)
      if (asked.has("state") && (asked.has("code") || asked.has("error"))) {
        return Effect.flatMap(this.provider(exchange), (provider) => this.callback(provider, cookies, asked, exchange))
      }
    }
    if (this.policy.logout !== undefined && request.path === this.policy.logout.path) {
      return this.logout(request, cookies)
    }
    if (request.method === "POST" && request.path === this.policy.logout?.backChannelPath) {
      return this.backChannel(subject)
    }
    const session = this.cookies.readSession(cookies)
    const now = this.ports.clock.wallMillis()
    if (session === undefined || session.endsMillis <= now || this.isEnded(session)) return this.login(subject, cookies)
    if (session.freshMillis - now > RENEW_MILLIS || session.refreshToken === undefined) {
      return this.enter(subject, session, cookies)
    }
    return Effect.flatMap(this.renewed(session, session.refreshToken, exchange), (renewal) => {
      if (typeof renewal !== "string") {
        const set = this.cookies.session(renewal, this.ports.clock.wallMillis(), this.cookies.had(cookies))
        if (set !== undefined) this.hand(exchange, set)
        return this.enter(subject, renewal, cookies)
      }
      if (session.freshMillis > now) return this.enter(subject, session, cookies)
      return renewal === "refused"
        ? this.login(subject, cookies)
        : Effect.fail(refusal("OidcUnavailable", "the session cannot be renewed now", ["retry-after", "15"]))
    })
  }

  private hand(exchange: Exchange, cookies: ReadonlyArray<string>): void {
    promise(exchange, this.slot, ({ headers }) => {
      for (const cookie of cookies) headers.append("set-cookie", cookie)
      return undefined
    })
  }

  /** Lets in whom a session is for; a session whose token is no longer good counts for nothing. */
  private enter(subject: Subject, session: Session, cookies: Headers): Effect.Effect<Verdict, Refusal> {
    const { exchange } = subject
    return Effect.flatMap(this.provider(exchange), ({ tokens }) => {
      const found = tokens.check(session.idToken, exchange.deadlineMillis, exchange)
      const accept = (identity: Identity): Effect.Effect<Verdict> => {
        identify(subject, identity)
        return pass
      }
      if (!Effect.isEffect(found)) return accept(found)
      return Effect.matchEffect(found, {
        onSuccess: accept,
        onFailure: (why) =>
          why._tag === "JwtAuth"
            ? this.login(subject, cookies)
            : Effect.fail(
                refusal("OidcUnavailable", "the keys of the provider cannot be fetched", ["retry-after", "15"]),
              ),
      })
    })
  }

  private login(subject: Subject, cookies: Headers): Effect.Effect<Verdict, Refusal> {
    const { exchange, request } = subject
    if (!isNavigation(request)) {
      return Effect.fail(refusal("OidcLogin", "login is needed", cookieFields(this.cookies.forgetting(cookies))))
    }
    return Effect.flatMap(this.provider(exchange), (provider) => {
      const { cryptography } = this.gate
      const now = this.ports.clock.wallMillis()
      const [id, csrf, nonce, verifier] = [16, 16, 16, 32].map(cryptography.random) as [string, string, string, string]
      const transaction = {
        id,
        csrf,
        nonce,
        verifier,
        target: safeTarget(request),
        endsMillis: now + defaults.oidcTransactionMillis,
      }
      const { clientId, redirectUri, scopes } = this.policy
      const location = new URL(provider.authorizationEndpoint)
      for (const [name, value] of [
        ["response_type", "code"],
        ["client_id", clientId],
        ["redirect_uri", redirectUri],
        ["scope", ["openid", ...scopes].join(" ")],
        ["state", `${id}.${csrf}`],
        ["nonce", nonce],
        ["code_challenge", cryptography.digest(verifier)],
        ["code_challenge_method", "S256"],
      ] as const) {
        location.searchParams.set(name, value)
      }
      const begun = this.cookies.begun(cookies)
      return answer(
        redirect(location.href, [
          this.cookies.transaction(transaction, now),
          ...begun.slice(0, Math.max(0, begun.length + 1 - LOGINS_MAX)).map((one) => this.cookies.endTransaction(one)),
          ...this.cookies.forgetting(cookies),
        ]),
      )
    })
  }

  private callback(
    provider: Provider,
    cookies: Headers,
    asked: URLSearchParams,
    exchange: Exchange,
  ): Effect.Effect<Verdict, Refusal> {
    const { cryptography } = this.gate
    const [id = "", csrf = ""] = (asked.get("state") ?? "").split(".", 2)
    const transaction = /^[\w-]{8,64}$/.test(id) ? this.cookies.readTransaction(cookies, id) : undefined
    const now = this.ports.clock.wallMillis()
    if (transaction === undefined) return Effect.fail(refusal("OidcCallback", "missing transaction"))
    const over = cookieFields([this.cookies.endTransaction(id)])
    const wrong = (detail: string) => Effect.fail(refusal("OidcCallback", detail, over))
    if (transaction.endsMillis <= now) return wrong("the login took too long")
    if (!cryptography.equal(transaction.csrf, csrf)) return wrong("the state is another")
    const issuer = asked.get("iss")
    if (issuer === null ? provider.namesItself : issuer !== this.policy.issuer) return wrong("the issuer is another")
    const error = asked.get("error")
    if (error !== null) return wrong(`oidc provider returned callback error '${readable(error)}'`)
    const fields: ReadonlyArray<readonly [string, string]> = [
      ["grant_type", "authorization_code"],
      ["code", asked.get("code") ?? ""],
      ["redirect_uri", this.policy.redirectUri],
      ["code_verifier", transaction.verifier],
    ]
    return Effect.flatMap(
      Effect.mapError(this.tokens(provider, fields, exchange), (why) =>
        // The login is not over: the browser may come back with the same code.
        why === "unavailable"
          ? refusal("OidcUnavailable", "the code cannot be exchanged now", ["retry-after", "15"])
          : refusal(why === "refused" ? "OidcCallback" : "OidcFailed", `the code cannot be exchanged: ${why}`, over),
      ),
      ({ idToken, refreshToken }) => {
        if (idToken === undefined) {
          return Effect.fail(refusal("OidcFailed", "there is no id token in the provider's answer", over))
        }
        const expected = { nonce: transaction.nonce }
        return Effect.flatMap(this.proved(provider, idToken, expected, exchange, over), (exp) => {
          const session = this.sessionOf(idToken, refreshToken, exp, undefined)
          const set = this.cookies.session(session, this.ports.clock.wallMillis(), this.cookies.had(cookies))
          return set === undefined
            ? Effect.fail(refusal("OidcFailed", "the session is too large for cookies", over))
            : answer(redirect(transaction.target, [...set, this.cookies.endTransaction(id)]))
        })
      },
    )
  }

  /** Until when an id token is good that was got for this very login. */
  private proved(
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
            : refusal("OidcUnavailable", "the keys of the provider cannot be fetched", ["retry-after", "15", ...over]),
        ),
    })
  }

  private sessionOf(
    idToken: string,
    refreshToken: string | undefined,
    expMillis: number,
    before: Session | undefined,
  ): Session {
    const now = this.ports.clock.wallMillis()
    const freshMillis = Math.min(expMillis, now + defaults.oidcSessionMillis)
    if (refreshToken === undefined) return { idToken, freshMillis, endsMillis: freshMillis }
    const endsMillis = before?.endsMillis ?? now + (this.policy.sessionMillis ?? DEFAULT_SESSION_MILLIS)
    return { idToken, refreshToken, freshMillis, endsMillis }
  }

  /** All requests of a browser that come with the old session share one renewal: a refresh token may be good once only. */
  private renewed(session: Session, refreshToken: string, exchange: Exchange): Effect.Effect<Renewal> {
    const unavailable = refusal("OidcUnavailable", "the session cannot be renewed now")
    const refused = refusal("OidcLogin", "the session has ended")
    const renewal = this.renewals.get(this.gate.cryptography.sha256(refreshToken), {
      isOneTime: true,
      entriesMax: REFRESHES_MAX,
      timeoutMillis: defaults.oidcCodeExchangeTimeoutMillis,
      late: unavailable,
      fetch: () =>
        Effect.flatMap(this.provider(exchange, Infinity), (provider) =>
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
              (why) => (why === "refused" ? refused : unavailable),
            ),
            ({ idToken = session.idToken, refreshToken: next = refreshToken }) =>
              Effect.map(
                this.proved(provider, idToken, { sub: subjectOf(session) }, exchange, [], Infinity),
                (exp): Renewed => ({
                  session: this.sessionOf(idToken, next, exp, session),
                  expiresMillis: this.ports.clock.wallMillis() + SHARED_MILLIS,
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
    const left = exchange.deadlineMillis - this.ports.clock.nowMillis()
    return left === Infinity
      ? waited
      : Effect.timeoutOrElse(waited, {
          duration: Math.max(0, left),
          orElse: (): Effect.Effect<Renewal> => Effect.succeed("failed"),
        })
  }

  /** Fails with `refused`, with `unavailable`, or with what is wrong with the answer. */
  private tokens(
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

  private identity(what: "sid" | "sub", value: string): bigint {
    const { clientId, issuer } = this.policy
    return identityOf(this.gate.cryptography, "ended", issuer, clientId, what, value)
  }

  /** Whether the provider has ended it by itself. */
  private isEnded({ idToken }: Session): boolean {
    if (this.policy.logout?.backChannelPath === undefined) return false
    const ended = this.gate.ended()
    if (ended.isEmpty) return false
    const { iat, sid, sub } = Jwt.parse(idToken)?.claims ?? {}
    if (typeof sid === "string" && ended.at(this.identity("sid", sid)) !== undefined) return true
    const at = typeof sub === "string" ? ended.at(this.identity("sub", sub)) : undefined
    return at !== undefined && (typeof iat !== "number" || iat <= at)
  }

  /** The provider says that sessions are over (OpenID Connect Back-Channel Logout 1.0). */
  private backChannel({ exchange, request }: Subject): Effect.Effect<Verdict, Refusal> {
    const { clock } = this.ports
    const { deadlineMillis } = exchange
    const wrong = (): Effect.Effect<Verdict> => answer(told(400, '{"error":"invalid_request"}'))
    return Effect.flatMap(
      collectRequest(request, LOGOUT_BYTES_MAX, clock, deadlineMillis),
      (collected): Effect.Effect<Verdict, Refusal> => {
        if (collected._tag === "Partial") {
          Body.discard(collected.body)
          return wrong()
        }
        const token = new URLSearchParams(decoder.decode(collected.bytes)).get("logout_token")
        if (token === null) return wrong()
        return Effect.flatMap(this.provider(exchange), ({ logouts }) => {
          const found = logouts?.check(token, deadlineMillis, exchange)
          if (found === undefined) return wrong()
          const judged = ({ jwt = {} }: Identity): Effect.Effect<Verdict> => {
            const sessions = endedBy(jwt, clock.wallMillis() / 1000)
            if (typeof sessions === "string") {
              exchange.inquiry?.note({ stage: "Oidc", decision: `the logout token is not good: ${sessions}` })
              return wrong()
            }
            const { atSeconds, session, subject } = sessions
            // A session that is named is that one only, whosever it is.
            if (session !== undefined) this.gate.ended().put(this.identity("sid", session), atSeconds)
            else if (subject !== undefined) this.gate.ended().put(this.identity("sub", subject), atSeconds)
            return answer(told(200, ""))
          }
          if (!Effect.isEffect(found)) return judged(found)
          return Effect.matchEffect(found, {
            onSuccess: judged,
            onFailure: (why) =>
              why._tag === "JwtAuth"
                ? wrong()
                : Effect.fail(
                    refusal("OidcUnavailable", "the keys of the provider cannot be fetched", ["retry-after", "15"]),
                  ),
          })
        })
      },
    )
  }

  private logout(request: Request, cookies: Headers): Effect.Effect<Verdict, Refusal> {
    const site = request.headers.get("sec-fetch-site")
    // Another site could log people out, which is no more than a nuisance, but theirs to decide.
    if (site === "cross-site") return Effect.fail({ _tag: "CsrfFailed" })
    const session = this.cookies.readSession(cookies)
    const provider = this.current()
    const end = typeof provider === "object" ? provider.endSessionEndpoint : undefined
    const back = this.policy.logout?.redirectUri
    const forgetting = [
      ...this.cookies.forgetting(cookies),
      ...this.cookies.begun(cookies).map((id) => this.cookies.endTransaction(id)),
    ]
    if (end === undefined) return answer(redirect(back ?? "/", forgetting))
    const location = new URL(end)
    location.searchParams.set("client_id", this.policy.clientId)
    if (session !== undefined) location.searchParams.set("id_token_hint", session.idToken)
    if (back !== undefined) location.searchParams.set("post_logout_redirect_uri", back)
    return answer(redirect(location.href, forgetting))
  }
}

const subjectOf = ({ idToken }: Session): unknown => Jwt.parse(idToken)?.claims["sub"]

const cookieFields = (cookies: ReadonlyArray<string>): ReadonlyArray<string> =>
  cookies.flatMap((cookie) => ["set-cookie", cookie])

const unsigned: Asker["credentials"] = { signJwt: () => Promise.reject(new Error("nothing here can sign")) }

export const compile = (policy: Oidc, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { gate } = ports
  if (gate?.ask === undefined) return broken("Oidc", "nobody here can be asked")
  const { ask } = gate
  return gate.once(policy, () => ({ kind: "Oidc", run: new Login(policy, gate, ask, ports, layer).run }))
}
