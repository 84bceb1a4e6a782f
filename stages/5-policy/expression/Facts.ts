/**
 * What an expression may look at: an exchange, an attempt or a connection, looked into field by field. Nothing is built
 * that is not read.
 */
import * as Redacted from "effect/Redacted"
import { type CelValue, isError, type Key, MapView } from "../../../ir/cel/CelValue.ts"
import type { Activation } from "../../../ir/cel/compile.ts"
import { durationFromMillis, timestampFromMillis } from "../../../ir/cel/time.ts"
import { HeaderView, QueryText, RedactedText } from "../../../ir/cel/views.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Workload } from "../../../ir/Workload.ts"
import type { Secured } from "../../Connection.ts"
import type { Conversation } from "../../6-dispatch/a2a/Conversation.ts"
import { a2aFacts } from "../../6-dispatch/a2a/facts.ts"
import type { Captured, Exchange, Reply, Request, Subject } from "../../Exchange.ts"
import type { Claims, KeyHolder } from "../../Identity.ts"
import type { ClientIdentity } from "../../ports/Network.ts"
import type { Clock } from "../../ports/Timer.ts"
import { LlmFacts } from "./LlmFacts.ts"
import { FieldView } from "./FieldView.ts"

/** What is the same for every evaluation. */
export interface Surroundings {
  readonly clock: Clock
  readonly env: CelValue
  /** Names of headers whose values `redacted()` hides. */
  readonly isSensitive: (name: string) => boolean
}

const timeOf = (clock: Clock, monotonicMillis: number): CelValue | undefined => {
  const made = timestampFromMillis(Math.round(clock.wallMillis() - (clock.nowMillis() - monotonicMillis)))
  return isError(made) ? undefined : made
}

const span = (fromMillis: number, toMillis: number): CelValue | undefined => {
  if (fromMillis === 0 || toMillis === 0) return undefined
  const made = durationFromMillis(Math.max(0, toMillis - fromMillis))
  return isError(made) ? undefined : made
}

const versions = { "1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2" } as const

const requestFields = [
  "method",
  "uri",
  "host",
  "scheme",
  "path",
  "pathAndQuery",
  "version",
  "headers",
  "body",
  "bodyPrefix",
  "startTime",
  "endTime",
]

const noBytes = new Uint8Array(0)

type Bodied = Readonly<Pick<Request | Reply, "body" | "captured">>

const bodyOf = ({ body, captured }: Bodied): Uint8Array | undefined =>
  captured !== undefined
    ? captured.bytes
    : body._tag === "Bytes"
      ? body.bytes
      : body._tag === "Empty"
        ? noBytes
        : undefined

const prefixOf = ({ body, captured }: Bodied): Uint8Array | undefined =>
  captured?.prefix ?? (body._tag === "Bytes" ? body.bytes : body._tag === "Empty" ? noBytes : undefined)

/** What a client says to switch protocols stands beside the list. */
const switching = (flat: ReadonlyArray<string>, upgrade: string): ReadonlyArray<string> => [
  ...flat,
  "connection",
  "upgrade",
  "upgrade",
  upgrade,
]

class RequestFacts extends FieldView {
  protected readonly names = requestFields
  private readonly request: Request
  private readonly facts: Facts
  private headers: HeaderView | undefined = undefined

  constructor(request: Request, facts: Facts) {
    super()
    this.request = request
    this.facts = facts
  }

  protected field(name: string): CelValue | undefined {
    const { request } = this
    switch (name) {
      case "method":
        return request.method
      case "path":
        return request.path
      case "headers":
        // A list of its own does not follow what is made of the headers, so it is not kept.
        return request.upgrade === undefined
          ? (this.headers ??= new HeaderView(request.headers.flat, this.facts.around.isSensitive))
          : new HeaderView(switching(request.headers.flat, request.upgrade), this.facts.around.isSensitive)
      case "host":
        return request.authority
      case "scheme":
        return request.scheme
      case "uri":
        return new QueryText(
          request.method === "CONNECT"
            ? request.authority
            : `${request.scheme}://${request.authority}${request.target}`,
        )
      case "pathAndQuery":
        return new QueryText(request.target)
      case "version":
        return versions[request.version]
      case "body":
        return bodyOf(request) ?? this.facts.recorded?.bytes
      case "bodyPrefix":
        return prefixOf(request) ?? this.facts.recorded?.prefix
      case "startTime": {
        const { around, exchange } = this.facts
        return exchange === undefined ? undefined : timeOf(around.clock, exchange.startedMillis)
      }
      case "endTime": {
        const { around, endedMillis } = this.facts
        return endedMillis === 0 ? undefined : timeOf(around.clock, endedMillis)
      }
      default:
        return undefined
    }
  }
}

class ResponseFacts extends FieldView {
  protected readonly names = ["code", "grpcStatus", "headers", "body", "bodyPrefix"]
  private readonly reply: Reply
  private readonly facts: Facts
  private headers: HeaderView | undefined = undefined

  constructor(reply: Reply, facts: Facts) {
    super()
    this.reply = reply
    this.facts = facts
  }

  protected field(name: string): CelValue | undefined {
    const { reply } = this
    switch (name) {
      case "code":
        return reply.status
      case "headers":
        return (this.headers ??= new HeaderView(reply.headers.flat, this.facts.around.isSensitive))
      case "grpcStatus": {
        const text = reply.headers.get("grpc-status")?.trim()
        return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
      }
      case "body":
        return bodyOf(reply)
      case "bodyPrefix":
        return prefixOf(reply)
      default:
        return undefined
    }
  }
}

const spiffeOf = (client: ClientIdentity): string | undefined =>
  client.subjectAltNames.find((name) => name.startsWith("spiffe://"))

const workloadId = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/

const sourceFields = [
  "address",
  "port",
  "rawAddress",
  "rawPort",
  "identity",
  "spiffeId",
  "subjectAltNames",
  "issuer",
  "subject",
  "subjectCn",
  "certificate",
  "unverifiedWorkload",
  "connectHeaders",
]

/** Fields that only the end of a handshake tells. */
const sealedFields = new Set([
  "identity",
  "spiffeId",
  "subjectAltNames",
  "issuer",
  "subject",
  "subjectCn",
  "certificate",
])

const workloads = new WeakMap<Snapshot["workloads"], ReadonlyMap<string, Workload>>()

const workloadAt = (table: Snapshot["workloads"], address: string): Workload | undefined => {
  let index = workloads.get(table)
  if (index === undefined) {
    const made = new Map<string, Workload>()
    for (const workload of table.values()) for (const one of workload.addresses) made.set(one, workload)
    workloads.set(table, (index = made))
  }
  return index.get(address)
}

class SourceFacts extends FieldView {
  protected readonly names = sourceFields
  private readonly facts: Facts

  constructor(facts: Facts) {
    super()
    this.facts = facts
  }

  protected field(name: string): CelValue | undefined {
    const { facts } = this
    const { secured } = facts
    if (secured === undefined) return undefined
    const { accepted } = secured
    switch (name) {
      case "address":
        return accepted.peer.host
      case "port":
        return accepted.peer.port
      case "rawAddress":
        return accepted.rawPeer.host
      case "rawPort":
        return accepted.rawPeer.port
      case "connectHeaders":
        return accepted.connectHeaders === undefined
          ? undefined
          : new HeaderView(accepted.connectHeaders.flat, facts.around.isSensitive)
      case "unverifiedWorkload": {
        const found = facts.workloads === undefined ? undefined : workloadAt(facts.workloads, accepted.peer.host)
        return found === undefined
          ? undefined
          : { name: found.name, namespace: found.namespace, serviceAccount: found.serviceAccount }
      }
      default:
        if (sealedFields.has(name)) facts.askedForSeal = true
        return secured.tls?.client === undefined ? undefined : ofClient(secured.tls.client, name)
    }
  }
}

const ofClient = (client: ClientIdentity, name: string): CelValue | undefined => {
  switch (name) {
    case "spiffeId":
      return spiffeOf(client)
    case "identity": {
      const [, trustDomain, namespace, serviceAccount] = workloadId.exec(spiffeOf(client) ?? "") ?? []
      return trustDomain === undefined || namespace === undefined || serviceAccount === undefined
        ? undefined
        : { trustDomain, namespace, serviceAccount }
    }
    case "subjectAltNames":
      return client.subjectAltNames
    case "issuer":
      return client.issuer
    case "subject":
      return client.subject
    case "subjectCn":
      return client.subjectCn
    case "certificate":
      return client.certificatePem
    default:
      return undefined
  }
}

class JwtFacts extends MapView {
  private readonly claims: Claims
  private readonly token: Redacted.Redacted | undefined

  constructor(claims: Claims, token: Redacted.Redacted | undefined) {
    super()
    this.claims = claims
    this.token = token
  }
  get(key: Key): CelValue | undefined {
    if (key === "rawToken") return this.token === undefined ? undefined : new RedactedText(Redacted.value(this.token))
    return typeof key === "string" && Object.hasOwn(this.claims, key) ? (this.claims[key] as CelValue) : undefined
  }
  keys(): ReadonlyArray<CelValue> {
    const names = Object.keys(this.claims)
    return this.token === undefined ? names : [...names.filter((name) => name !== "rawToken"), "rawToken"]
  }
}

class KeyFacts extends MapView {
  private readonly holder: KeyHolder

  constructor(holder: KeyHolder) {
    super()
    this.holder = holder
  }
  private get fields(): Readonly<Record<string, unknown>> {
    const { metadata } = this.holder
    return typeof metadata === "object" && metadata !== null && !Array.isArray(metadata)
      ? (metadata as Readonly<Record<string, unknown>>)
      : {}
  }
  get(key: Key): CelValue | undefined {
    if (key === "key") return new RedactedText(Redacted.value(this.holder.key))
    const { fields } = this
    return typeof key === "string" && Object.hasOwn(fields, key) ? (fields[key] as CelValue) : undefined
  }
  keys(): ReadonlyArray<CelValue> {
    return ["key", ...Object.keys(this.fields).filter((name) => name !== "key")]
  }
}

const proxyFields = [
  "bind",
  "gateway",
  "listener",
  "route",
  "requestProcessingDuration",
  "upstreamDuration",
  "responseProcessingDuration",
]

class ProxyFacts extends FieldView {
  protected readonly names = proxyFields
  private readonly facts: Facts

  constructor(facts: Facts) {
    super()
    this.facts = facts
  }

  protected field(name: string): CelValue | undefined {
    const { exchange, secured } = this.facts
    const trail = exchange?.trail
    switch (name) {
      case "bind":
        return secured?.accepted.bind
      case "gateway": {
        const listener = trail?.listener?.ir.name
        return listener === undefined ? undefined : { namespace: listener.gatewayNamespace, name: listener.gatewayName }
      }
      case "listener": {
        const listener = trail?.listener?.ir.name
        return listener === undefined ? undefined : { name: listener.listenerName }
      }
      case "route": {
        const route = trail?.route?.ir.name
        if (route === undefined) return undefined
        const { kind, name, namespace, ruleName } = route
        return {
          namespace,
          name,
          ...(kind === undefined ? {} : { kind }),
          ...(ruleName === undefined ? {} : { rule: ruleName }),
        }
      }
      case "requestProcessingDuration":
        return exchange === undefined ? undefined : span(exchange.startedMillis, exchange.trail.upstreamStartMillis)
      case "upstreamDuration":
        return trail === undefined ? undefined : span(trail.upstreamStartMillis, trail.upstreamHeadMillis)
      case "responseProcessingDuration":
        return trail === undefined ? undefined : span(trail.upstreamHeadMillis, trail.replyMillis)
      default:
        return undefined
    }
  }
}

export class Facts implements Activation {
  readonly around: Surroundings
  readonly exchange: Exchange | undefined
  readonly secured: Secured | undefined
  readonly workloads: Snapshot["workloads"] | undefined
  endedMillis = 0
  /** What flowed by of the request's body, once all is over. */
  get recorded(): Captured | undefined {
    return this.endedMillis === 0 ? undefined : this.exchange?.recorded
  }
  /** The body of a call of a model, for what changes it or chooses by it. */
  llmRequest: CelValue | undefined = undefined
  /** Whether a field was asked for that only a handshake fills. */
  askedForSeal = false
  /** The one thing of an MCP target that is judged; absent: what the exchange was about. */
  mcp: CelValue | undefined = undefined
  private readonly request: Request | undefined
  private readonly reply: Reply | undefined
  private requestFacts: RequestFacts | undefined = undefined
  private replyFacts: ResponseFacts | undefined = undefined

  private constructor(
    around: Surroundings,
    secured: Secured | undefined,
    workloads: Snapshot["workloads"] | undefined,
    exchange: Exchange | undefined,
    request: Request | undefined,
    reply: Reply | undefined,
  ) {
    this.around = around
    this.secured = secured
    this.workloads = workloads
    this.exchange = exchange
    this.request = request
    this.reply = reply
  }

  /** An exchange or an attempt on its way in. */
  static of(around: Surroundings, { exchange, request }: Subject, reply?: Reply): Facts {
    return new Facts(around, exchange.bound.secured, exchange.plan.snapshot.workloads, exchange, request, reply)
  }

  /** An exchange with its reply; the request is what was sent, where something was. */
  static replied(around: Surroundings, exchange: Exchange, reply: Reply | undefined): Facts {
    const request = exchange.sent ?? exchange.request
    return new Facts(around, exchange.bound.secured, exchange.plan.snapshot.workloads, exchange, request, reply)
  }

  static connection(around: Surroundings, secured: Secured, workloads: Snapshot["workloads"] | undefined): Facts {
    return new Facts(around, secured, workloads, undefined, undefined, undefined)
  }

  get(name: string): CelValue | undefined {
    const { exchange } = this
    switch (name) {
      case "request":
        return this.request === undefined ? undefined : (this.requestFacts ??= new RequestFacts(this.request, this))
      case "response":
        return this.reply === undefined ? undefined : (this.replyFacts ??= new ResponseFacts(this.reply, this))
      case "source":
        return this.secured === undefined ? undefined : new SourceFacts(this)
      case "destination":
        return this.secured === undefined ? undefined : destinationOf(this.secured)
      case "jwt":
        return exchange?.identity?.jwt === undefined
          ? undefined
          : new JwtFacts(exchange.identity.jwt, exchange.identity.token)
      case "apiKey":
        return exchange?.identity?.apiKey === undefined ? undefined : new KeyFacts(exchange.identity.apiKey)
      case "basicAuth":
        return exchange?.identity?.basicAuth
      case "proxy":
        return new ProxyFacts(this)
      case "backend":
        return exchange?.trail.backend === undefined ? undefined : backendOf(exchange)
      case "env":
        return this.around.env
      case "metadata":
        return exchange?.notes?.metadata
      case "extauthz":
        return exchange?.notes?.extauthz
      case "extproc":
        return exchange?.notes?.extproc
      case "mcpGuardrails":
        return exchange?.notes?.mcpGuardrails
      case "a2a":
        return exchange?.notes?.a2a === undefined ? undefined : new A2aView(exchange.notes.a2a)
      case "llm":
        return exchange?.notes?.llm === undefined ? undefined : new LlmFacts(exchange.notes.llm)
      case "llmRequest":
        return this.llmRequest
      case "mcp":
        return this.mcp ?? exchange?.notes?.mcp
      default:
        return undefined
    }
  }
}

/** What is said to an agent, and what it answered. */
class A2aView extends FieldView {
  protected readonly names = a2aFacts
  private readonly conversation: Conversation

  constructor(conversation: Conversation) {
    super()
    this.conversation = conversation
  }

  protected field(name: string): CelValue | undefined {
    return this.conversation.fact(name)
  }
}

const destinationOf = ({ accepted, tls }: Secured): CelValue => ({
  address: accepted.local.host,
  port: accepted.local.port,
  ...(tls === undefined || tls.serverName === "" ? {} : { hostname: tls.serverName }),
})

const backendOf = ({ notes, trail }: Exchange): CelValue => ({
  name: trail.backend ?? "",
  type: trail.backendType ?? "unknown",
  protocol: notes?.a2a?.protocol ?? "http",
})
