/**
 * In which order policies act, on the way in and on the way back, with the reason beside each line. Every kind is named
 * once in each layer where it may stand, whether or not it is a step there: what surrounds attempts or chooses between
 * endpoints is carried out by dispatch, and its line says when its turn is.
 */
import type { PolicyKind } from "../../ir/placement.ts"
import type { BackendKind, TrafficKind } from "../../ir/Policy.ts"

export type Layer = "gateway" | "route" | "backend"

export interface Line<K extends PolicyKind> {
  readonly kind: K
  readonly by: "step" | "dispatch"
  readonly why: string
}

const step = <const K extends PolicyKind>(kind: K, why: string): Line<K> => ({ kind, by: "step", why })
const dispatch = <const K extends PolicyKind>(kind: K, why: string): Line<K> => ({ kind, by: "dispatch", why })

const gateway: ReadonlyArray<Line<TrafficKind>> = [
  step("Cors", "a preflight carries no credentials, so it is answered before any are asked for"),
  step("IpAccessControl", "who may not come at all costs no proof of who it is; browsers still read the refusal"),
  step("Oidc", "a browser session becomes an identity before identities are looked at"),
  step("JwtAuth", "the strongest proof of identity first"),
  step("BasicAuth", "after tokens, because one header can hold only one of them"),
  step("ApiKey", "after the identities that name a person"),
  step("ExtAuthz", "may look at the identity, and may add to what rules look at"),
  step("Authorization", "rules see every identity, and what the external service said"),
  step("ExtProc", "only requests that may go on are worth a remote call"),
  step(
    "Transformations",
    "sees what the external processor made of the request, and routing sees what this makes of it",
  ),
]

const route: ReadonlyArray<Line<TrafficKind>> = [
  step("Timeout", "the clock runs from arrival, so everything that waits must know when it stops"),
  step(
    "ResponseHeaderModifier",
    "promised before anybody can answer or refuse, so that it holds for those replies too",
  ),
  step("Cors", "a preflight carries no credentials, so it is answered before any are asked for"),
  step("IpAccessControl", "who may not come at all costs no proof of who it is; browsers still read the refusal"),
  step("BodyLimit", "before anybody reads a body, and after what a refusal of it must say to browsers"),
  step("Oidc", "a browser session becomes an identity before identities are looked at"),
  step("JwtAuth", "the strongest proof of identity first"),
  step("McpAuthentication", "a token check with another answer; stands where the token check stands"),
  step("BasicAuth", "after tokens, because one header can hold only one of them"),
  step("ApiKey", "after the identities that name a person"),
  step("ExtAuthz", "may look at the identity, and may add to what rules look at"),
  step("Authorization", "rules see every identity, and what the external service said"),
  step("Retry", "whether to try again is decided by the request as the client sent it"),
  step("LocalRateLimit", "what is not authorised spends nothing; counting here is cheaper than asking"),
  step("RemoteRateLimit", "asked only about what the local limit lets pass"),
  step("ConcurrencyLimit", "whoever is over a rate need not wait for a place; whoever waits keeps nobody else busy"),
  step("Buffer", "whoever reads the body next finds all of it"),
  step("ExtProc", "only requests that may go on are worth a remote call"),
  step("Transformations", "sees what the external processor made of the request"),
  step("Csrf", "looks at the origin and the site as they stand after all computed changes"),
  step("RequestHeaderModifier", "fixed edits have the last word over computed ones"),
  step("UrlRewrite", "after everything that looks at where the client meant to go"),
  step("RequestRedirect", "keeps to the address before rewriting"),
  step("Delay", "only what was let through and is not sent away waits"),
  step("DirectResponse", "the last step: what would be sent on is answered instead, delay included"),
  dispatch("RequestMirror", "copies the request as the backend will see it"),
  dispatch("Ai", "acts once it is known which provider is asked"),
]

const backend: ReadonlyArray<Line<BackendKind>> = [
  dispatch("SessionAffinity", "the endpoint is chosen first, because all that follows is for that endpoint"),
  dispatch("InferenceRouting", "an endpoint picker overrules the choice"),
  dispatch("Health", "endpoints that failed are not among the choices"),
  dispatch("BackendTcp", "how a connection is kept"),
  dispatch("BackendTunnel", "through which proxy it goes"),
  dispatch("BackendTls", "how it is sealed"),
  dispatch("BackendHttp", "which version it speaks, and how long a reply may take"),
  step(
    "ResponseHeaderModifier",
    "promised before anybody can answer or refuse, so that it holds for those replies too",
  ),
  step("Authorization", "rules of the backend see the client's own credentials"),
  step("ExtAuthz", "only asked about what the rules allow"),
  step("BackendAuth", "replaces the client's credentials once nobody needs them any more"),
  step("Transformations", "can move credentials to where the backend expects them"),
  step("RequestHeaderModifier", "fixed edits have the last word over computed ones"),
  step("RequestRedirect", "keeps to the address before rewriting"),
  dispatch("RequestMirror", "copies the request as the backend will see it"),
  dispatch("A2a", "what is asked is known before the first rule, and said to the agent after the last edit"),
  dispatch("Ai", "translates to what the provider understands, after all edits in the client's terms"),
  dispatch("McpGuardrails", "judges single messages, which only the protocol knows"),
  dispatch("McpAuthorization", "judges single tools, and may ask what a guard has said of the call"),
]

export const requestOrder = { gateway, route, backend } as const

export interface ReplyLine {
  readonly kind: TrafficKind | BackendKind
  readonly layer: Layer
  readonly why: string
}

const back = (kind: ReplyLine["kind"], layer: Layer, why: string): ReplyLine => ({ kind, layer, why })

const queued = "belongs to the gateway's own answer, so it overrides what anybody else put there; the closer place last"

/** One line, and so one slot of `Exchange.edits`, for each kind and layer that has something to say to a reply. */
export const replyOrder: ReadonlyArray<ReplyLine> = [
  back("BodyLimit", "route", "counts what comes from the upstream before anybody else reads it"),
  back("Buffer", "route", "may turn a reply into a refusal, and header edits hold for that one too"),
  back("A2a", "backend", "a refusal is worded for its client before anybody looks at it"),
  back("ResponseHeaderModifier", "route", "fixed edits come before the computed ones that may look at them"),
  back("ResponseHeaderModifier", "backend", "the closer place has the last word"),
  back("Transformations", "route", "the closest to the backend that sees both"),
  back("Transformations", "backend", "sees what the route made of the reply"),
  back("Transformations", "gateway", "what holds for everything comes last"),
  back("ExtProc", "route", "sees the reply as it would go out"),
  back("ExtProc", "gateway", "what holds for everything comes last"),
  back("Oidc", "gateway", queued),
  back("Oidc", "route", queued),
  back("ExtAuthz", "gateway", queued),
  back("ExtAuthz", "route", queued),
  back("ExtAuthz", "backend", queued),
  back("LocalRateLimit", "route", queued),
  back("RemoteRateLimit", "route", queued),
  back("Cors", "gateway", queued),
  back("Cors", "route", queued),
]

/** Behind every other slot: for what looks at replies as they go out, and changes nothing. */
export const lastSlot = replyOrder.length

const slots = new Map(replyOrder.map(({ kind, layer }, index) => [`${layer} ${kind}`, index]))

/** Where a kind promises its edit. Asked when a policy is compiled, never for a request. */
export const slot = (kind: ReplyLine["kind"], layer: Layer): number => {
  const index = slots.get(`${layer} ${kind}`)
  if (index === undefined) throw new Error(`${kind} has nothing to say to a reply in the ${layer} layer`)
  return index
}
