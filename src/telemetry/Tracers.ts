/**
 * Spans made by a TracerProvider of OpenTelemetry that the program around the gateway has: it samples, names, limits and
 * exports them, and their ids are those that upstreams are told. A span begins when what it is about begins. All of a
 * trace end together with the exchange, at the times when they really did, because the filter of a policy and the
 * attributes ask what is known only then.
 */
import type { Attributes, Context as Within, Span, SpanOptions, Tracer, TracerProvider } from "@opentelemetry/api"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { TraceContext } from "../../protocols/trace/context.ts"
import type { Clock } from "../../stages/ports/Timer.ts"
import type { MadeSpan, SpanKind, SpanMaker } from "../../stages/Trace.ts"

type Api = typeof import("@opentelemetry/api")

/** Given to `Telemetry.layer`, it takes the place of the gateway's own spans. */
export class Tracers extends Context.Service<
  Tracers,
  { readonly maker: (clock: Pick<Clock, "nowMillis" | "wallMillis">, version: string) => SpanMaker }
>()("sluice/src/telemetry/Tracers") {}

/** Attributes of OpenTelemetry are flat: what has a shape of its own is told as JSON. */
const flat = (value: unknown): Attributes[string] => {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
      return value
    case "bigint":
      return Number(value)
    default:
  }
  if (value === null || value === undefined) return undefined
  if (Array.isArray(value)) {
    const [kind, ...others] = new Set(value.map((one) => typeof one))
    if (others.length === 0 && (kind === "string" || kind === "number" || kind === "boolean")) return value
  }
  return JSON.stringify(value)
}

const attributesOf = (all: ReadonlyArray<readonly [name: string, value: unknown]>): Attributes =>
  Object.fromEntries(all.map(([name, value]) => [name, flat(value)]))

const contextOf = (span: Span): TraceContext => {
  const { spanId, traceFlags, traceId } = span.spanContext()
  return { traceId, spanId, flags: traceFlags }
}

const makerOf = (
  api: Api,
  tracer: Tracer,
  { nowMillis, wallMillis }: Pick<Clock, "nowMillis" | "wallMillis">,
): SpanMaker => {
  const kinds: { readonly [K in SpanKind]: number } = {
    server: api.SpanKind.SERVER,
    client: api.SpanKind.CLIENT,
    internal: api.SpanKind.INTERNAL,
  }

  const remoteOf = ({ flags, spanId, traceId }: TraceContext, state: string | undefined) => ({
    traceId,
    spanId,
    traceFlags: flags,
    isRemote: true,
    ...(state === undefined ? {} : { traceState: api.createTraceState(state) }),
  })

  return {
    begin: ({ attributes, name, remote, startedMillis, state }) => {
      // One for the whole trace, so that a clock that is set meanwhile does not take its spans apart.
      const unixMillis = wallMillis() - nowMillis()
      const start = (
        called: string,
        kind: SpanKind,
        millis: number,
        said: ReadonlyArray<readonly [name: string, value: unknown]>,
        within: Within,
      ): Span => {
        const options: SpanOptions = {
          kind: kinds[kind],
          startTime: unixMillis + millis,
          attributes: attributesOf(said),
        }
        return tracer.startSpan(called, options, within)
      }

      const made = (span: Span): MadeSpan => ({
        context: contextOf(span),
        part: (called, kind, millis, said) =>
          made(start(called, kind, millis, said, api.trace.setSpan(api.ROOT_CONTEXT, span))),
        again: (other) => {
          const anew = start(name, "server", startedMillis, attributes, withRemote(other))
          return anew.isRecording() ? made(anew) : undefined
        },
        link: (other) => void span.addLink({ context: remoteOf(other, undefined) }),
        end: ({ attributes: said, endedMillis, error, name: called }) => {
          span.updateName(called)
          span.setAttributes(attributesOf(said))
          if (error !== undefined) span.setStatus({ code: api.SpanStatusCode.ERROR, message: error })
          span.end(unixMillis + endedMillis)
        },
      })

      const withRemote = (other: TraceContext): Within =>
        api.trace.setSpanContext(api.ROOT_CONTEXT, remoteOf(other, state))

      const span = start(
        name,
        "server",
        startedMillis,
        attributes,
        remote === undefined ? api.ROOT_CONTEXT : withRemote(remote),
      )
      return span.isRecording() ? made(span) : undefined
    },
  }
}

export const layer = (provider: TracerProvider): Layer.Layer<Tracers> =>
  Layer.effect(
    Tracers,
    Effect.map(
      // Whoever hands in no provider does not carry it.
      Effect.promise(() => import("@opentelemetry/api")),
      (api) => Tracers.of({ maker: (clock, version) => makerOf(api, provider.getTracer("sluice", version), clock) }),
    ),
  )
