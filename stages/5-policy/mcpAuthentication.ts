/**
 * The gateway as the resource server that MCP clients expect: it says where tokens come from, checks those that come,
 * says which scopes are missing, and stands in for authorization servers that do not speak as the protocol wants.
 */
import * as Effect from "effect/Effect"
import type { Json } from "effect/Schema"
import type { McpAuthentication } from "../../ir/policy/McpAuthentication.ts"
import * as Vendors from "../../protocols/oauth/vendors.ts"
import type { Request, Subject } from "../Exchange.ts"
import { identify, type Identity } from "../Identity.ts"
import type { Refusal } from "../Refusal.ts"
import type { Ask } from "./ask.ts"
import { compile as credentialAt, type Credential } from "./credential.ts"
import { type Expression, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { Facts } from "./expression/Facts.ts"
import type { Gate } from "./Gate.ts"
import { json, notAllowed, reply } from "./mcpAuthentication/answers.ts"
import { SERVER_PREFIX, StandIn } from "./mcpAuthentication/StandIn.ts"
import type { Layer } from "./order.ts"
import { answer, broken, pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"
import { TokenCheck } from "./TokenCheck.ts"

export const RESOURCE_PREFIX = "/.well-known/oauth-protected-resource"

/** The path behind a well-known prefix; undefined where it is another path. */
const behind = (path: string, prefix: string): string | undefined =>
  path === prefix || path === `${prefix}/` ? "" : path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined

/** A text in quotes (RFC 9110 §5.6.4). */
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&").replace(/[^\x20-\x7e]/g, "?")}"`

class ResourceServer {
  private readonly policy: McpAuthentication
  private readonly ports: PolicyPorts
  private readonly at: Credential
  private readonly tokens: TokenCheck
  private readonly standIn: StandIn
  private readonly further: { readonly [name: string]: Json }
  private readonly stepUp: ReadonlyArray<{ readonly condition: Expression; readonly scopes: ReadonlyArray<string> }>

  constructor(policy: McpAuthentication, gate: Gate, ask: Ask, ports: PolicyPorts, layer: Layer) {
    const { audiences, issuer, provider, requiredClaims } = policy
    this.policy = policy
    this.ports = ports
    this.at = credentialAt(policy.location, ports, layer)
    const jwks = policy.jwks ?? ({ _tag: "Remote", url: Vendors.keysUrl(issuer, provider) } as const)
    this.tokens = new TokenCheck([{ issuer, audiences, jwks, requiredClaims }], gate, ports.clock)
    this.standIn = new StandIn(policy, gate, ask, ports.clock, (request) => this.base(request))
    this.further = Object.fromEntries(
      Object.entries(policy.resourceMetadata).map(([name, value]) => [Vendors.snakeCase(name), value]),
    )
    this.stepUp = policy.stepUp.map(({ condition, scopes }) => ({
      condition: expressionsOf(ports).compile(condition, layer, "condition"),
      scopes,
    }))
  }

  get readsBody(): boolean {
    return this.at.readsBody || this.stepUp.some(({ condition }) => readsRequestBody(condition))
  }

  readonly run = (subject: Subject): Effect.Effect<Verdict, Refusal> => {
    const { request } = subject
    const { path } = request
    if (path.startsWith("/.well-known/")) {
      const resource = behind(path, RESOURCE_PREFIX)
      if (resource !== undefined) return this.describe(request, resource)
      const server = behind(path, SERVER_PREFIX)
      if (server !== undefined) return this.standIn.run(subject, server)
    }
    return this.check(subject)
  }

  /** Where clients see the gateway, without a path. */
  private base(request: Request): string {
    const { resource } = this.further
    const configured = typeof resource === "string" ? URL.parse(resource) : null
    if (configured !== null) return configured.origin
    const forwarded = request.headers.get("x-forwarded-proto")
    const scheme = forwarded === "https" || forwarded === "http" ? forwarded : request.scheme
    return `${scheme}://${request.authority}`
  }

  private describe(request: Request, path: string): Effect.Effect<Verdict> {
    if (request.method === "OPTIONS") return answer(reply(204, []))
    if (request.method !== "GET" && request.method !== "HEAD") return notAllowed("GET, OPTIONS")
    const { issuer, provider, scopes } = this.policy
    const resource = `${this.base(request)}${path}`
    const known = [...new Set([...scopes, ...this.stepUp.flatMap((one) => one.scopes)])]
    return answer(
      json(200, {
        resource,
        authorization_servers: [provider === undefined ? issuer : resource],
        bearer_methods_supported: ["header"],
        ...(known.length === 0 ? {} : { scopes_supported: known }),
        mcp_protocol_version: "2025-06-18",
        resource_type: "mcp-server",
        ...this.further,
      }),
    )
  }

  private check(subject: Subject): Effect.Effect<Verdict, Refusal> {
    const { exchange, request } = subject
    const { mode } = this.policy
    const token = this.at.extract(subject)
    // A token for this gateway is for nobody behind it, good or not.
    this.at.remove(request)
    if (token === undefined) return mode === "strict" ? this.challenge(request, 401, "") : pass
    const found = this.tokens.check(token, exchange.deadlineMillis, exchange)
    if (!Effect.isEffect(found)) return this.accept(subject, found)
    return Effect.matchEffect(found, {
      onSuccess: (identity) => this.accept(subject, identity),
      onFailure: (why): Effect.Effect<Verdict, Refusal> =>
        mode === "permissive"
          ? pass
          : why._tag === "JwtAuth"
            ? this.challenge(request, 401, "invalid_token")
            : Effect.fail(why),
    })
  }

  private accept(subject: Subject, identity: Identity): Effect.Effect<Verdict, Refusal> {
    const { scopes } = this.policy
    if (scopes.length > 0 || this.stepUp.length > 0) {
      // Expressions may look at who is asking.
      identify(subject, identity)
      const needed = this.needed(subject)
      const granted = Vendors.scopesIn(identity.jwt ?? {})
      if (needed.some((scope) => !granted.has(scope))) {
        return this.policy.mode === "permissive"
          ? pass
          : this.challenge(subject.request, 403, "insufficient_scope", needed)
      }
      return pass
    }
    identify(subject, identity)
    return pass
  }

  /** All that this request needs; a condition that fails may well be true. */
  private needed(subject: Subject): ReadonlyArray<string> {
    if (this.stepUp.length === 0) return this.policy.scopes
    const facts = Facts.of(expressionsOf(this.ports).around, subject)
    const further = this.stepUp.filter(({ condition }) => condition.holds(facts) !== false)
    return [...new Set([...this.policy.scopes, ...further.flatMap(({ scopes }) => scopes)])]
  }

  private challenge(
    request: Request,
    status: 401 | 403,
    code: string,
    needed: ReadonlyArray<string> = this.policy.scopes,
  ): Effect.Effect<never, Refusal> {
    const parts = [
      `resource_metadata=${quoted(`${this.base(request)}${RESOURCE_PREFIX}${request.path === "/" ? "" : request.path}`)}`,
    ]
    if (code !== "") parts.unshift(`error=${quoted(code)}`)
    if (needed.length > 0) parts.push(`scope=${quoted(needed.join(" "))}`)
    const headers = ["www-authenticate", `Bearer ${parts.join(", ")}`]
    return Effect.fail(
      status === 401 ? { _tag: "McpUnauthorized", headers } : { _tag: "McpScope", detail: needed.join(" "), headers },
    )
  }
}

export const compile = (policy: McpAuthentication, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const { gate } = ports
  if (gate?.ask === undefined) return broken("McpAuthentication", "nobody here can be asked")
  const { ask } = gate
  return gate.once(policy, () => {
    const server = new ResourceServer(policy, gate, ask, ports, layer)
    return { kind: "McpAuthentication", readsBody: server.readsBody, run: server.run }
  })
}
