/** From an exchange that is over to the spans of its trace. */
import type { OtlpSpan } from "../../protocols/otlp/traces.ts"
import { isGrpc } from "../../protocols/http/grpc.ts"
import { tracestateHeader } from "../../protocols/trace/context.ts"
import type { Tracing } from "../../ir/policy/Tracing.ts"
import type { Match } from "../../ir/Match.ts"
import type { Exchange } from "../../stages/Exchange.ts"
import { spokenAttributes, spokenName } from "./spoken.ts"
import type { Field } from "../../stages/5-policy/recording.ts"
import { arranged, type Told, type Witness } from "./Told.ts"
import type { Exports } from "./Exports.ts"

const routeText = ({ path }: Match): string => {
  switch (path._tag) {
    case "Exact":
      return path.path
    case "Regex":
      return path.pattern
    default:
      return path.path === "/" ? "/*" : `${path.path}/*`
  }
}

/** Never the path itself: names of spans are few. */
const nameOf = (exchange: Exchange): string => {
  const { match, request } = exchange
  const spoken = spokenName(exchange)
  if (spoken !== undefined) return spoken
  if (isGrpc(request.headers.get("content-type"))) return (exchange.original?.path ?? request.path).slice(1)
  return match === undefined ? "unknown" : `${request.method} ${routeText(match)}`
}

/** Told of the server only, never as an attribute: the status says it. */
const statusFields = ["error", "trace.id", "span.id"]
/** Set as an attribute, it is the name of the span. */
const nameAttribute = "span.name"

const removals = new WeakMap<Tracing, ReadonlyArray<string>>()

const removedBy = (policy: Tracing | undefined): ReadonlyArray<string> => {
  if (policy === undefined) return statusFields
  let removed = removals.get(policy)
  if (removed === undefined) removals.set(policy, (removed = [...statusFields, ...policy.remove]))
  return removed
}

/** The span of the exchange itself first, then those of what it did. */
const spansOf = (told: Told): ReadonlyArray<OtlpSpan> => {
  const { ending, exchange, line } = told
  const { trace } = exchange
  const tracer = exchange.trail.listener?.tracer
  if (trace === undefined || tracer === undefined) return []
  trace.finish(ending.endedMillis)
  const computed = tracer.attributes(exchange, ending)
  const named = computed.find(([name]) => name === nameAttribute)?.[1]
  const own: Array<Field> = told.fields.slice()
  own.push(["url.scheme", exchange.request.scheme])
  for (const one of spokenAttributes(exchange)) own.push(one)
  if (line.version !== undefined) own.push(["network.protocol.version", line.version])
  const state = exchange.request.headers.get(tracestateHeader)
  const { traceId } = trace
  const server: OtlpSpan = {
    traceId,
    spanId: trace.spanId,
    parentId: trace.remoteSpanId,
    state,
    name: typeof named === "string" && named !== "" ? named : nameOf(exchange),
    kind: "server",
    startedUnixMillis: told.unixMillis(exchange.startedMillis),
    endedUnixMillis: told.endedUnixMillis,
    attributes: arranged(
      own,
      removedBy(tracer.policy),
      named === undefined ? computed : computed.filter(([name]) => name !== nameAttribute),
    ),
    error: line.error,
  }
  return [
    server,
    ...trace.spans.map((span): OtlpSpan => ({
      traceId,
      spanId: span.spanId,
      parentId: span.parentId,
      state,
      name: span.name,
      kind: span.kind,
      startedUnixMillis: told.unixMillis(span.startedMillis),
      endedUnixMillis: told.unixMillis(span.endedMillis),
      attributes: span.attributes,
      error: span.error,
    })),
  ]
}

/** What somebody else made of it ends now, the whole last. */
const endMade = ({ ending, exchange }: Told, spans: ReadonlyArray<OtlpSpan>): void => {
  const { trace } = exchange
  const [own] = spans
  if (trace?.made === undefined || own === undefined) return
  for (const { attributes, endedMillis, error, made, name } of trace.spans) {
    made?.end({ name, attributes, error, endedMillis })
  }
  const { attributes, error, name } = own
  trace.made.end({ name, attributes, error, endedMillis: ending.endedMillis })
}

export const traceWitness = (exports: Exports): Witness => ({
  wants: ({ trace, trail }) => trace !== undefined && trail.listener?.tracer !== undefined,
  tell: (told) => {
    const { ending, exchange } = told
    const tracer = exchange.trail.listener?.tracer
    if (tracer === undefined || !tracer.keeps(exchange, ending)) return
    const spans = spansOf(told)
    endMade(told, spans)
    const { policy, resources } = tracer
    if (policy !== undefined) exports.use((exporter) => exporter.spans(policy, policy, resources, exchange, spans))
  },
})
