/**
 * The trace of one sampled exchange: its spans, gathered until the exchange is over. An exchange that is not sampled has
 * none and pays for none.
 */
import type { Json } from "../ir/cel/toJson.ts"
import type { Headers } from "../protocols/http/headers.ts"
import { format, newSpanId, sampledFlag, type TraceContext } from "../protocols/trace/context.ts"
import { type Propagation, w3c } from "../protocols/trace/propagation.ts"

export type Attribute = readonly [name: string, value: Json]

export type SpanKind = "server" | "client" | "internal"

/** For whom a call is made; named as in the metric of calls. */
export type Purpose = "Primary" | "Policy" | "Mirror"

/** What kind of call it is; named as in the metric of calls. */
export type Subtype =
  | "Http"
  | "Llm"
  | "Mcp"
  | "A2a"
  | "ExtAuthz"
  | "ExtProc"
  | "Guardrail"
  | "RateLimit"
  | "Credential"
  | "Oidc"
  | "Otlp"

/** Spans of one trace; what comes later is counted only. */
const spansMax = 512

/** What is said of a span when it is over. */
export interface MadeEnd {
  readonly name: string
  readonly attributes: ReadonlyArray<readonly [name: string, value: unknown]>
  readonly error: string | undefined
  /** By the monotonic clock. */
  readonly endedMillis: number
}

/** A span that somebody else made while it happened. */
export interface MadeSpan {
  /** How others are told of it. */
  readonly context: TraceContext
  readonly part: (name: string, kind: SpanKind, startedMillis: number, attributes: ReadonlyArray<Attribute>) => MadeSpan
  /** The span of the same exchange as a part of another trace, in place of this one. */
  readonly again: (remote: TraceContext) => MadeSpan | undefined
  /** Another trace that has to do with it. */
  readonly link: (remote: TraceContext) => void
  readonly end: (end: MadeEnd) => void
}

/** Whoever makes spans in our place: what they are called for others, and which are sampled, is his to say. */
export interface SpanMaker {
  /** The span of an exchange; undefined where it is not sampled. */
  readonly begin: (beginning: {
    readonly name: string
    readonly remote: TraceContext | undefined
    readonly state: string | undefined
    readonly startedMillis: number
    readonly attributes: ReadonlyArray<Attribute>
  }) => MadeSpan | undefined
}

export class Span {
  readonly name: string
  readonly kind: SpanKind
  readonly spanId: string
  readonly parentId: string | undefined
  readonly startedMillis: number
  /** By the monotonic clock; 0 while it lasts. */
  endedMillis = 0
  readonly attributes: Array<Attribute>
  /** Why it failed, where it did. */
  error: string | undefined = undefined
  /** The same span as somebody else makes it. */
  readonly made: MadeSpan | undefined

  constructor(
    name: string,
    kind: SpanKind,
    spanId: string,
    parentId: string | undefined,
    startedMillis: number,
    attributes: Array<Attribute>,
    made: MadeSpan | undefined,
  ) {
    this.name = name
    this.kind = kind
    this.spanId = spanId
    this.parentId = parentId
    this.startedMillis = startedMillis
    this.attributes = attributes
    this.made = made
  }

  set(name: string, value: Json): void {
    this.attributes.push([name, value])
  }

  /** The first end counts. */
  end(endedMillis: number, error?: string): void {
    if (this.endedMillis !== 0) return
    this.endedMillis = endedMillis
    if (error !== undefined) this.error = error
  }
}

/** What all views of one trace share. */
interface Gathered {
  traceId: string
  /** The span of whoever called us, where there is one. */
  remote: TraceContext | undefined
  flags: number
  readonly spans: Array<Span>
  dropped: number
  /** How others are told. */
  readonly propagation: Propagation
  /** Told already: what begins now has nobody to be told to. */
  isOver: boolean
}

const gathering = (
  traceId: string,
  remote: TraceContext | undefined,
  flags: number,
  propagation: Propagation,
): Gathered => ({ traceId, remote, flags, spans: [], dropped: 0, propagation, isOver: false })

export class Trace {
  private readonly gathered: Gathered
  private readonly random: () => number
  private own: string
  private maker: MadeSpan | undefined

  private constructor(gathered: Gathered, own: string, random: () => number, maker: MadeSpan | undefined) {
    this.gathered = gathered
    this.own = own
    this.random = random
    this.maker = maker
  }

  /** `remote`: the client's own span; `traceId`: that of a trace that begins here. */
  static begin(
    random: () => number,
    traceId: string,
    remote: TraceContext | undefined,
    propagation: Propagation = w3c,
  ): Trace {
    const flags = remote?.flags ?? sampledFlag
    return new Trace(gathering(traceId, remote, flags, propagation), newSpanId(random), random, undefined)
  }

  /** A trace whose spans somebody else makes. */
  static from(
    random: () => number,
    made: MadeSpan,
    remote: TraceContext | undefined,
    propagation: Propagation = w3c,
  ): Trace {
    const { flags, spanId, traceId } = made.context
    return new Trace(gathering(traceId, remote, flags, propagation), spanId, random, made)
  }

  /** The span that what happens now is a part of. */
  get spanId(): string {
    return this.own
  }

  /** The same span, where somebody else makes it. */
  get made(): MadeSpan | undefined {
    return this.maker
  }

  get traceId(): string {
    return this.gathered.traceId
  }

  /** The caller's span, for the span of the exchange itself. */
  get remoteSpanId(): string | undefined {
    return this.gathered.remote?.spanId
  }

  get spans(): ReadonlyArray<Span> {
    return this.gathered.spans
  }

  /** Spans there was no room for. */
  get dropped(): number {
    return this.gathered.dropped
  }

  /** A context that came inside the message, as MCP and A2A send it: taken where none came with the request. */
  adopt(remote: TraceContext): void {
    const { gathered, maker } = this
    if (gathered.remote !== undefined) return
    if (maker === undefined) gathered.traceId = remote.traceId
    else {
      const again = gathered.spans.length === 0 ? maker.again(remote) : undefined
      // Spans that were made below it belong to their trace for good: then the other one is only pointed at.
      if (again === undefined) return maker.link(remote)
      this.maker = again
      this.own = again.context.spanId
      gathered.traceId = again.context.traceId
    }
    gathered.remote = remote
  }

  /** A part of what happens now. */
  span(name: string, kind: SpanKind, startedMillis: number, attributes: Array<Attribute> = []): Span {
    const { isOver, spans } = this.gathered
    const isTold = !isOver && spans.length < spansMax
    const made = isTold ? this.maker?.part(name, kind, startedMillis, attributes) : undefined
    const spanId = made?.context.spanId ?? newSpanId(this.random)
    const span = new Span(name, kind, spanId, this.own, startedMillis, attributes, made)
    if (isTold) spans.push(span)
    else this.gathered.dropped++
    return span
  }

  /** The same trace, for what is a part of that span. */
  under({ made, spanId }: Span): Trace {
    return new Trace(this.gathered, spanId, this.random, made ?? this.maker)
  }

  /** `traceparent` for whoever is called within that span. */
  header(span: { readonly spanId: string }): string {
    return format(this.contextOf(span))
  }

  /** Tells whoever is called within that span, in the headers of his request. */
  tell(headers: Headers, span: { readonly spanId: string }): void {
    this.gathered.propagation.inject(headers, this.contextOf(span))
  }

  private contextOf({ spanId }: { readonly spanId: string }): TraceContext {
    const { flags, traceId } = this.gathered
    return { traceId, spanId, flags: flags | sampledFlag }
  }

  /** What still lasts ends with the exchange. */
  finish(endedMillis: number): void {
    this.gathered.isOver = true
    for (const span of this.gathered.spans) span.end(endedMillis, "ended with the exchange")
  }
}
