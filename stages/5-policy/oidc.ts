/**
 * Logs browsers in with an OpenID provider: authorization code with PKCE, the session sealed into cookies, renewed with
 * a refresh token where there is one. A script is told that a login is needed instead of being sent to one.
 */
import * as Effect from "effect/Effect"
import { defaults } from "../../ir/defaults.ts"
import type { Oidc } from "../../ir/policy/Oidc.ts"
import { removeCookies } from "../../protocols/http/cookies.ts"
import { Headers } from "../../protocols/http/headers.ts"
import type { Exchange, Request, Subject } from "../Exchange.ts"
import { identify, type Identity } from "../Identity.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Refusal } from "../Refusal.ts"
import type { Ask } from "./ask.ts"
import type { Gate } from "./Gate.ts"
import { cookieFields, keysUnavailable, redirect, refusal, unavailable } from "./oidc/answers.ts"
import { Grants } from "./oidc/Grants.ts"
import { Logout } from "./oidc/Logout.ts"
import { isNavigation, safeTarget } from "./oidc/navigation.ts"
import { KnownProvider, type Provider } from "./oidc/Provider.ts"
import { COOKIE_PREFIX, Cookies, type Session } from "./oidc/Session.ts"
import { type Layer, slot } from "./order.ts"
import { answer, broken, pass, promise, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

/** How long before its end a token is renewed. */
const RENEW_MILLIS = 30_000
/** How many logins may be under way in one browser; beyond, older ones are forgotten. */
const LOGINS_MAX = 4

/** Only what can be written into a header and says something to a person. */
const readable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 64)

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

const parameters = (query: string | undefined): URLSearchParams => new URLSearchParams(query ?? "")

class Login {
  private readonly policy: Oidc
  private readonly gate: Gate
  private readonly clock: Clock
  private readonly cookies: Cookies
  private readonly callbackPath: string
  private readonly slot: number
  private readonly provider: KnownProvider
  private readonly grants: Grants
  private readonly logout: Logout

  constructor(policy: Oidc, gate: Gate, ask: Ask, clock: Clock, layer: Layer) {
    this.policy = policy
    this.gate = gate
    this.clock = clock
    const callback = new URL(policy.redirectUri)
    this.callbackPath = callback.pathname
    this.cookies = new Cookies(policy.id, policy.cookieKey, callback.protocol === "https:", gate.cryptography)
    this.slot = slot("Oidc", layer)
    this.provider = new KnownProvider(policy, gate, clock)
    this.grants = new Grants(policy, gate, this.provider, ask, clock)
    this.logout = new Logout(policy, gate, this.provider, this.cookies, clock)
  }

  readonly run = (subject: Subject): Effect.Effect<Verdict, Refusal> => {
    const { exchange, request } = subject
    const cookies = ourCookies(subject)
    hideSessions(request)
    if (request.method === "OPTIONS" && request.headers.has("access-control-request-method")) return pass
    if (request.method === "GET" && request.path === this.callbackPath) {
      const asked = parameters(request.query)
      if (asked.has("state") && (asked.has("code") || asked.has("error"))) {
        return Effect.flatMap(this.provider.get(exchange), (provider) =>
          this.callback(provider, cookies, asked, exchange),
        )
      }
    }
    if (this.policy.logout !== undefined && request.path === this.policy.logout.path) {
      return this.logout.byBrowser(request, cookies)
    }
    if (request.method === "POST" && request.path === this.policy.logout?.backChannelPath) {
      return this.logout.byProvider(subject)
    }
    const session = this.cookies.readSession(cookies)
    const now = this.clock.wallMillis()
    if (session === undefined || session.endsMillis <= now || this.logout.isEnded(session)) {
      return this.login(subject, cookies)
    }
    if (session.freshMillis - now > RENEW_MILLIS || session.refreshToken === undefined) {
      return this.enter(subject, session, cookies)
    }
    return Effect.flatMap(this.grants.renewed(session, session.refreshToken, exchange), (renewal) => {
      if (typeof renewal !== "string") {
        const set = this.cookies.session(renewal, this.clock.wallMillis(), this.cookies.had(cookies))
        if (set !== undefined) this.hand(exchange, set)
        return this.enter(subject, renewal, cookies)
      }
      if (session.freshMillis > now) return this.enter(subject, session, cookies)
      return renewal === "refused"
        ? this.login(subject, cookies)
        : Effect.fail(unavailable("the session cannot be renewed now"))
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
    return Effect.flatMap(this.provider.get(exchange), ({ tokens }) => {
      const found = tokens.check(session.idToken, exchange.deadlineMillis, exchange)
      const accept = (identity: Identity): Effect.Effect<Verdict> => {
        identify(subject, identity)
        return pass
      }
      if (!Effect.isEffect(found)) return accept(found)
      return Effect.matchEffect(found, {
        onSuccess: accept,
        onFailure: (why) => (why._tag === "JwtAuth" ? this.login(subject, cookies) : Effect.fail(keysUnavailable())),
      })
    })
  }

  private login(subject: Subject, cookies: Headers): Effect.Effect<Verdict, Refusal> {
    const { exchange, request } = subject
    if (!isNavigation(request)) {
      return Effect.fail(refusal("OidcLogin", "login is needed", cookieFields(this.cookies.forgetting(cookies))))
    }
    return Effect.flatMap(this.provider.get(exchange), (provider) => {
      const { cryptography } = this.gate
      const now = this.clock.wallMillis()
      const transaction = {
        id: cryptography.random(16),
        csrf: cryptography.random(16),
        nonce: cryptography.random(16),
        verifier: cryptography.random(32),
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
        ["state", `${transaction.id}.${transaction.csrf}`],
        ["nonce", transaction.nonce],
        ["code_challenge", cryptography.digest(transaction.verifier)],
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
    const now = this.clock.wallMillis()
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
      Effect.mapError(this.grants.tokens(provider, fields, exchange), (why) =>
        // The login is not over: the browser may come back with the same code.
        why === "unavailable"
          ? unavailable("the code cannot be exchanged now")
          : refusal(why === "refused" ? "OidcCallback" : "OidcFailed", `the code cannot be exchanged: ${why}`, over),
      ),
      ({ idToken, refreshToken }) => {
        if (idToken === undefined) {
          return Effect.fail(refusal("OidcFailed", "there is no id token in the provider's answer", over))
        }
        const expected = { nonce: transaction.nonce }
        return Effect.flatMap(this.grants.proved(provider, idToken, expected, exchange, over), (exp) => {
          const session = this.grants.sessionOf(idToken, refreshToken, exp, undefined)
          const set = this.cookies.session(session, this.clock.wallMillis(), this.cookies.had(cookies))
          return set === undefined
            ? Effect.fail(refusal("OidcFailed", "the session is too large for cookies", over))
            : answer(redirect(transaction.target, [...set, this.cookies.endTransaction(id)]))
        })
      },
    )
  }
}

export const compile = (policy: Oidc, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { gate } = ports
  if (gate?.ask === undefined) return broken("Oidc", "nobody here can be asked")
  const { ask } = gate
  return gate.once(policy, () => ({ kind: "Oidc", run: new Login(policy, gate, ask, ports.clock, layer).run }))
}
