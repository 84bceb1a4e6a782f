/**
 * One request and everything owed to its reply. The same object goes through every stage; each stage that learns
 * something narrows its type (Exchange → Routed), so a later step can only ask for what is known by then.
 */
import type * as Effect from "effect/Effect"
import type { CelValue } from "../ir/cel/CelValue.ts"
import type { Match } from "../ir/Match.ts"
import type { Headers } from "../protocols/http/headers.ts"
import type { Body, FlowFailure } from "./Body.ts"
import type { Bound } from "./Connection.ts"
import type { CompiledListener, CompiledRoute, Plan } from "./Plan.ts"
import type { Hop } from "./6-dispatch/Hop.ts"
import type { Conversation } from "./6-dispatch/a2a/Conversation.ts"
import type { Identity } from "./Identity.ts"
import type { Endpoint } from "./ports/Upstream.ts"
import type { Relayed, Socket } from "./ports/Network.ts"
import type { Account } from "./6-dispatch/llm/Account.ts"
import type { Inquiry } from "./Inquiry.ts"
import type { Refusal } from "./Refusal.ts"
import type { TokenMeter } from "./5-policy/TokenMeter.ts"
import type { Purpose, Subtype, Trace } from "./Trace.ts"

/** What was read of a body for expressions to look at. */
export interface Captured {
  /** Absent when the body is longer than may be kept. */
  readonly bytes: Uint8Array | undefined
  readonly prefix: Uint8Array
}

/** A request after normalization; steps edit it in place. */
export class Request {
  method: string
  scheme: string
  /** Host and port as the client wrote them, host in lower case. */
  authority: string
  /** The authority without its port. */
  host: string
  /** Raw, without query; rewriting it never touches the query. */
  path: string
  /** Raw, without the question mark; undefined when there was none. */
  query: string | undefined
  version: "1.0" | "1.1" | "2"
  headers: Headers
  body: Body
  /** The protocol the client asks to switch to. */
  upgrade: string | undefined
  /** Present once an expression needed the body. */
  captured: Captured | undefined = undefined
  /** Whether somebody here has written the authority, and means it. */
  isNamed = false

  constructor(
    method: string,
    scheme: string,
    authority: string,
    host: string,
    path: string,
    query: string | undefined,
    version: "1.0" | "1.1" | "2",
    headers: Headers,
    body: Body,
    upgrade: string | undefined,
  ) {
    this.method = method
    this.scheme = scheme
    this.authority = authority
    this.host = host
    this.path = path
    this.query = query
    this.version = version
    this.headers = headers
    this.body = body
    this.upgrade = upgrade
  }

  /** Path and query as they go into a request line. */
  get target(): string {
    return this.query === undefined ? this.path : `${this.path}?${this.query}`
  }

  /** An independent request with the same body. */
  copy(): Request {
    const copy = new Request(
      this.method,
      this.scheme,
      this.authority,
      this.host,
      this.path,
      this.query,
      this.version,
      this.headers.copy(),
      this.body,
      this.upgrade,
    )
    copy.captured = this.captured
    copy.isNamed = this.isNamed
    return copy
  }
}

/** The parts of a request that say where it goes. */
export type Destination = Readonly<Pick<Request, "scheme" | "authority" | "host" | "path" | "query">>

export interface Reply {
  status: number
  readonly headers: Headers
  body: Body
  /** Whether an upstream said this, or the gateway itself. */
  readonly origin: "upstream" | "gateway"
  /** What is behind a 101, or a 2xx to CONNECT. */
  readonly tunnel?: Tunnel
  /** Whether trailers may follow a body although its length is declared, as only HTTP/2 can have it. */
  readonly mayTrail?: boolean
  /** Present once an expression needed the body. */
  captured?: Captured
}

/** The raw stream the client is connected with, or whoever takes the client's side over inside the gateway. */
export type Tunnel =
  | Socket
  | {
      readonly handOver: (client: Socket) => Effect.Effect<Relayed>
      /** Where nobody will be handed over. */
      readonly destroy?: () => void
    }

/** Changes a reply in place; an effect is returned only by an edit that has to wait. */
export type Edit = (reply: Reply) => Effect.Effect<unknown> | undefined

/** An edit and when its turn is, by `replyOrder`. */
export interface Promised {
  readonly slot: number
  readonly edit: Edit
}

export type Service<X> = (x: X) => Effect.Effect<Reply, Refusal>

/** What kind of backend an exchange was sent to. */
export type BackendType = "static" | "dynamic" | "service" | "ai" | "aws" | "mcp" | "a2a" | "unknown"

/** What policies have found out for the expressions that come after them. */
export interface Notes {
  metadata?: Record<string, CelValue>
  extauthz?: Record<string, CelValue>
  extproc?: Record<string, CelValue>
  mcpGuardrails?: Record<string, CelValue>
  a2a?: Conversation
  /** The call of a model that the exchange is about. */
  llm?: Account
  /** What an MCP request was about: `methodName`, `sessionId`, and the tool, prompt, resource or task. */
  mcp?: Record<string, CelValue>
}

/** What happened on the way, for the journal. */
export interface Trail {
  listener: CompiledListener | undefined
  route: CompiledRoute | undefined
  /** The name of the backend that was chosen. */
  backend: string | undefined
  backendType: BackendType | undefined
  endpoint: Endpoint | undefined
  attempts: number
  /** How many copies of the request were sent elsewhere. */
  mirrors: number
  refusal: Refusal | undefined
  /** The policy that refused; undefined where a stage did, or nobody. */
  refusedBy: string | undefined
  /** Who refused it in the words of its protocol, so that it is no refusal of ours to whoever looks at the status. */
  declined: { readonly by: string; readonly why: string } | undefined
  /** Why the upstream broke off a reply that the client was given an end of, in the words of its protocol. */
  brokenOff: FlowFailure | undefined
  /** When the first upstream call began and when its head came back; 0 until then. */
  upstreamStartMillis: number
  upstreamHeadMillis: number
  /** When our own reply was ready to be sent; 0 until then. */
  replyMillis: number
  /** How long it waited, before the upstream was called, for others that it had to ask. */
  waitedMillis: number
}

/** Whatever a policy step can look at and change: an exchange, or one attempt of it. */
export interface Subject {
  readonly request: Request
  readonly exchange: Exchange
}

export class Exchange implements Subject {
  readonly plan: Plan
  readonly bound: Bound
  readonly request: Request
  readonly startedMillis: number
  /** The request must be answered by then; `Infinity` without a deadline. */
  deadlineMillis = Infinity
  /** Edits promised while the request went in, one slot per kind and layer, in the order of the slots; run once. */
  edits: Array<Promised> | undefined
  readonly trail: Trail
  /** Present only while somebody asks to have this exchange explained. */
  inquiry: Inquiry | undefined
  listener: CompiledListener | undefined
  route: CompiledRoute | undefined
  match: Match | undefined
  /** Where the client meant to go, once a policy has sent it elsewhere. */
  original: Destination | undefined
  /** What authentication has proved so far. */
  identity: Identity | undefined
  notes: Notes | undefined
  /** Limits on the tokens of models that hold for this exchange. */
  meters: Array<TokenMeter> | undefined
  /** The request as an attempt sent it, where that is not the exchange's own. */
  sent: Request | undefined
  /** The body of the request as it flowed by, where that is to be written down. */
  recorded: Captured | undefined
  /** Decided on the request as the client sent it: whether a failed attempt may be made again. */
  mayRetry = true
  /** Somebody will write down what is said to a model and by it. */
  keepsPayload = false
  /** By which a client can ask for its story; present once the exchange has one to tell. */
  id: string | undefined = undefined
  /** Present when the exchange is sampled. */
  trace: Trace | undefined = undefined
  /** For whom it is sent: for the client, or by the gateway itself. */
  purpose: Purpose = "Primary"
  /** What kind of call it is, where the gateway makes it by itself. */
  subtype: Subtype | undefined = undefined
  /** Signs what is asked of others on its behalf. */
  hop: Hop | undefined = undefined
  /** What is to be let go when the exchange is over, its reply sent or broken off. */
  atEnd: Array<() => void> | undefined = undefined
  /** Takes interim replies of the upstream. */
  readonly inform: ((status: number, flat: Array<string>) => void) | undefined

  constructor(
    plan: Plan,
    bound: Bound,
    request: Request,
    startedMillis: number,
    inform: ((status: number, flat: Array<string>) => void) | undefined,
    inquiry: Inquiry | undefined,
  ) {
    this.plan = plan
    this.bound = bound
    this.request = request
    this.startedMillis = startedMillis
    this.inform = inform
    this.inquiry = inquiry
    this.listener = undefined
    this.route = undefined
    this.match = undefined
    this.original = undefined
    this.identity = undefined
    this.notes = undefined
    this.meters = undefined
    this.sent = undefined
    this.recorded = undefined
    this.edits = undefined
    this.trail = {
      listener: undefined,
      route: undefined,
      backend: undefined,
      backendType: undefined,
      endpoint: undefined,
      attempts: 0,
      mirrors: 0,
      refusal: undefined,
      refusedBy: undefined,
      declined: undefined,
      brokenOff: undefined,
      upstreamStartMillis: 0,
      upstreamHeadMillis: 0,
      replyMillis: 0,
      waitedMillis: 0,
    }
  }

  get exchange(): this {
    return this
  }
}

/** Calls back once, when nothing of the exchange goes on any more. */
export const whenOver = (exchange: Exchange, callback: () => void): void => {
  if (exchange.atEnd === undefined) exchange.atEnd = [callback]
  else exchange.atEnd.push(callback)
}

/** An exchange whose route is known. */
export type Routed = Exchange & {
  readonly route: CompiledRoute
  readonly match: Match
  readonly listener: CompiledListener
}

/** One try of sending a routed exchange to a backend. */
export interface Attempt extends Subject {
  readonly exchange: Routed
  /** Its own copy wherever something may change it, so that the next attempt starts clean. */
  readonly request: Request
  /** 0 for the first. */
  readonly number: number
  /** Has the last word over the request: a signature covers everything that others make of it. */
  seal?: Seal | undefined
}

/** Gives a request its last touch; the request it is given belongs to others too. */
export type Seal = (request: Request, endpoint: Endpoint) => Effect.Effect<Request, Refusal>
