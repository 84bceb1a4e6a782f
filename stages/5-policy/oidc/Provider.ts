import * as Effect from "effect/Effect"
import type { Document } from "../../../ir/policy/Document.ts"
import type { Oidc } from "../../../ir/policy/Oidc.ts"
import { discoveryUrl, parse as parseMetadata, type ServerMetadata } from "../../../protocols/oauth/metadata.ts"
import type { Exchange } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Refusal } from "../../Refusal.ts"
import type { Gate } from "../Gate.ts"
import type { RemoteDocument } from "../RemoteDocument.ts"
import { TokenCheck } from "../TokenCheck.ts"
import { refusal, unavailable } from "./answers.ts"

/** What is known of a provider once its metadata is there. */
export interface Provider {
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

/** A document may lead to a host that nobody here named; then it must be one that anybody can reach. */
const isElsewhere = (url: string, issuer: string): boolean => URL.parse(url)?.hostname !== URL.parse(issuer)?.hostname

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

/** The provider of one policy: explained by the configuration, or by a document of its own. */
export class KnownProvider {
  private readonly policy: Oidc
  private readonly gate: Gate
  private readonly clock: Clock
  private readonly discovery: RemoteDocument<ServerMetadata> | undefined
  private known: { readonly from: ServerMetadata | undefined; readonly provider: Provider | string } | undefined

  constructor(policy: Oidc, gate: Gate, clock: Clock) {
    this.policy = policy
    this.gate = gate
    this.clock = clock
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
          ...this.checks(jwks, false),
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

  private checks(jwks: Document, publicOnly: boolean): Pick<Provider, "tokens" | "logouts"> {
    const { clientId, issuer, logout } = this.policy
    const checking = (...requiredClaims: ReadonlyArray<string>): TokenCheck =>
      new TokenCheck([{ issuer, audiences: [clientId], jwks, requiredClaims, publicOnly }], this.gate, this.clock)
    return {
      tokens: checking("exp", "sub", "aud"),
      logouts: logout?.backChannelPath === undefined ? undefined : checking("aud"),
    }
  }

  private made(metadata: ServerMetadata | string): Provider | string {
    const found = typeof metadata === "string" ? metadata : explained(metadata)
    if (typeof found === "string") return found
    const { jwksUri, ...provider } = found
    const { issuer } = this.policy
    return {
      ...provider,
      isElsewhere: isElsewhere(provider.tokenEndpoint, issuer),
      ...this.checks({ _tag: "Remote", url: jwksUri }, isElsewhere(jwksUri, issuer)),
    }
  }

  /** As far as it is known; a text says why it is of no use. */
  current(): Provider | string | undefined {
    const from = this.discovery?.value
    if (this.discovery !== undefined && from !== this.known?.from) {
      this.known = from === undefined ? undefined : { from, provider: this.made(from) }
    }
    return this.known?.provider
  }

  get(exchange: Exchange, deadlineMillis = exchange.deadlineMillis): Effect.Effect<Provider, Refusal> {
    const waits = this.discovery?.touch(deadlineMillis, exchange)
    const found = Effect.suspend(() => {
      const provider = this.current()
      if (provider === undefined) return Effect.fail(unavailable("the provider cannot be reached"))
      return typeof provider === "string" ? Effect.fail(refusal("OidcFailed", provider)) : Effect.succeed(provider)
    })
    return waits === undefined ? found : Effect.andThen(waits, found)
  }
}
