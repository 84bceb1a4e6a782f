/**
 * What an expression may look at: an exchange, an attempt or a connection, looked into field by field. Nothing is built
 * that is not read.
 */
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import type { Activation } from "../../../ir/cel/compile.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Secured } from "../../Connection.ts"
import type { Conversation } from "../../6-dispatch/a2a/Conversation.ts"
import { a2aFacts } from "../../6-dispatch/a2a/facts.ts"
import type { Captured, Exchange, Reply, Request, Subject } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import { FieldView } from "./FieldView.ts"
import { JwtFacts, KeyFacts } from "./IdentityFacts.ts"
import { LlmFacts } from "./LlmFacts.ts"
import { RequestFacts, ResponseFacts } from "./MessageFacts.ts"
import { ProxyFacts } from "./ProxyFacts.ts"
import { SourceFacts } from "./SourceFacts.ts"

/** What is the same for every evaluation. */
export interface Surroundings {
  readonly clock: Clock
  readonly env: CelValue
  /** Names of headers whose values `redacted()` hides. */
  readonly isSensitive: (name: string) => boolean
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
