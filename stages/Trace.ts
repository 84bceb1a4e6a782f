/**
 * The trace of one sampled exchange: its spans, gathered until the exchange is over. An exchange that is not sampled has
 * none and pays for none.
 */
import type { Json } from "../ir/cel/toJson.ts"
import { format, newSpanId, sampledFlag, type TraceContext } from "../protocols/trace/context.ts"

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
  | "Otlp"

/** Spans of one trace; what comes later is counted only. */
export const spansMax = 512

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

  constructor(
    name: string,
    kind: SpanKind,
    spanId: string,
    parentId: string | undefined,
    startedMillis: number,
    attributes: Array<Attribute>,
  ) {
    this.name = name
    this.kind = kind
    this.spanId = spanId
    this.parentId = parentId
    this.startedMillis = startedMillis
    this.attributes = attributes
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
  /** Told already: what begins now has nobody to be told to. */
  isOver: boolean
}

export class Trace {
  /** The span that what happens now is a part of. */
  readonly spanId: string
  private readonly gathered: Gathered
  private readonly random: () => number

  private constructor(gathered: Gathered, spanId: string, random: () => number) {
    this.gathered = gathered
    this.spanId = spanId
    this.random = random
  }

  /** `remote`: the client's own span; `traceId`: that of a trace that begins here. */
  static begin(random: () => number, traceId: string, remote: TraceContext | undefined): Trace {
    const flags = remote?.flags ?? sampledFlag
    return new Trace({ traceId, remote, flags, spans: [], dropped: 0, isOver: false }, newSpanId(random), random)
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
    const { gathered } = this
    if (gathered.remote !== undefined) return
    gathered.remote = remote
    gathered.traceId = remote.traceId
  }

  /** A part of what happens now. */
  span(name: string, kind: SpanKind, startedMillis: number, attributes: Array<Attribute> = []): Span {
    const span = new Span(name, kind, newSpanId(this.random), this.spanId, startedMillis, attributes)
    const { isOver, spans } = this.gathered
    if (!isOver && spans.length < spansMax) spans.push(span)
    else this.gathered.dropped++
    return span
  }

  /** The same trace, for what is a part of that span. */
  under({ spanId }: Span): Trace {
    return new Trace(this.gathered, spanId, this.random)
  }

  /** `traceparent` for whoever is called within that span. */
  header({ spanId }: { readonly spanId: string }): string {
    const { flags, traceId } = this.gathered
    return format({ traceId, spanId, flags: flags | sampledFlag })
  }

  /** What still lasts ends with the exchange. */
  finish(endedMillis: number): void {
    this.gathered.isOver = true
    for (const span of this.gathered.spans) span.end(endedMillis, "ended with the exchange")
  }
}
