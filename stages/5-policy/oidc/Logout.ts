import * as Effect from "effect/Effect"
import type { Oidc } from "../../../ir/policy/Oidc.ts"
import type { Headers } from "../../../protocols/http/headers.ts"
import * as Jwt from "../../../protocols/jose/jwt.ts"
import * as Body from "../../Body.ts"
import type { Request, Subject } from "../../Exchange.ts"
import type { Identity } from "../../Identity.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"
import { collectRequest } from "../buffer.ts"
import type { Gate } from "../Gate.ts"
import { identityOf } from "../keyed.ts"
import { answer, type Verdict } from "../Step.ts"
import { keysUnavailable, redirect, told } from "./answers.ts"
import { endedBy } from "./logoutToken.ts"
import type { KnownProvider } from "./Provider.ts"
import type { Cookies, Session } from "./Session.ts"

/** Of a form with a logout token. */
const LOGOUT_BYTES_MAX = 65_536

const decoder = new TextDecoder()

/** Sessions end because their browser asks for it, or because the provider says so. */
export class Logout {
  private readonly policy: Oidc
  private readonly gate: Gate
  private readonly provider: KnownProvider
  private readonly cookies: Cookies
  private readonly clock: Clock

  constructor(policy: Oidc, gate: Gate, provider: KnownProvider, cookies: Cookies, clock: Clock) {
    this.policy = policy
    this.gate = gate
    this.provider = provider
    this.cookies = cookies
    this.clock = clock
  }

  private identity(what: "sid" | "sub", value: string): bigint {
    const { clientId, issuer } = this.policy
    return identityOf(this.gate.cryptography, "ended", issuer, clientId, what, value)
  }

  /** Whether the provider has ended it by itself. */
  isEnded({ idToken }: Session): boolean {
    if (this.policy.logout?.backChannelPath === undefined) return false
    const ended = this.gate.ended()
    if (ended.isEmpty) return false
    const { iat, sid, sub } = Jwt.parse(idToken)?.claims ?? {}
    if (typeof sid === "string" && ended.at(this.identity("sid", sid)) !== undefined) return true
    const at = typeof sub === "string" ? ended.at(this.identity("sub", sub)) : undefined
    return at !== undefined && (typeof iat !== "number" || iat <= at)
  }

  /** The provider says that sessions are over (OpenID Connect Back-Channel Logout 1.0). */
  byProvider({ exchange, request }: Subject): Effect.Effect<Verdict, Refusal> {
    const { clock } = this
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
        return Effect.flatMap(this.provider.get(exchange), ({ logouts }) => {
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
            onFailure: (why) => (why._tag === "JwtAuth" ? wrong() : Effect.fail(keysUnavailable())),
          })
        })
      },
    )
  }

  byBrowser(request: Request, cookies: Headers): Effect.Effect<Verdict, Refusal> {
    const site = request.headers.get("sec-fetch-site")
    // Another site could log people out, which is no more than a nuisance, but theirs to decide.
    if (site === "cross-site") return Effect.fail({ _tag: "CsrfFailed" })
    const session = this.cookies.readSession(cookies)
    const provider = this.provider.current()
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
