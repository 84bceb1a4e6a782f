/**
 * How a trace is told from one service to the next, in the ways that the variables of OpenTelemetry name: W3C Trace
 * Context, B3 in one header or in several, and that of Jaeger. Where several are read, the last one that is there holds.
 */
import type { Headers } from "../http/headers.ts"
import { format, parse, sampledFlag, type TraceContext, traceparentHeader } from "./context.ts"

/** `baggage` is a header that nobody here has to understand: it goes on as it came. */
export const propagators = ["tracecontext", "baggage", "b3", "b3multi", "jaeger"] as const
export type Propagator = (typeof propagators)[number]

export interface Propagation {
  readonly extract: (headers: Headers) => TraceContext | undefined
  readonly inject: (headers: Headers, context: TraceContext) => void
}

const isHex = /^[0-9a-f]+$/i
const isNothing = /^0+$/

/** Ids as W3C has them: shorter ones are filled up in front, as their standards say. */
const contextOf = (traceId: string, spanId: string, isSampled: boolean): TraceContext | undefined => {
  if (!isHex.test(traceId) || !isHex.test(spanId) || traceId.length > 32 || spanId.length > 16) return undefined
  if (isNothing.test(traceId) || isNothing.test(spanId)) return undefined
  return {
    traceId: traceId.toLowerCase().padStart(32, "0"),
    spanId: spanId.toLowerCase().padStart(16, "0"),
    flags: isSampled ? sampledFlag : 0,
  }
}

const isSampledOf = ({ flags }: TraceContext): boolean => (flags & sampledFlag) !== 0

/** As everybody does who says nothing. */
export const w3c: Propagation = {
  extract: (headers) => parse(headers.get(traceparentHeader)),
  inject: (headers, context) => headers.set(traceparentHeader, format(context)),
}

/** A decision that means yes: `d` is yes for debugging. */
const isYes = (text: string | undefined): boolean => text === "1" || text === "d" || text?.toLowerCase() === "true"

const severalB3 = {
  traceId: "x-b3-traceid",
  spanId: "x-b3-spanid",
  sampled: "x-b3-sampled",
  flags: "x-b3-flags",
} as const

/** Ids of B3 have exactly 16 or 32 digits, and 16. */
const b3 = (traceId = "", spanId = "", isSampled: boolean): TraceContext | undefined =>
  (traceId.length === 16 || traceId.length === 32) && spanId.length === 16
    ? contextOf(traceId, spanId, isSampled)
    : undefined

const extractB3 = (headers: Headers): TraceContext | undefined => {
  const single = headers.get("b3")?.trim()
  if (single !== undefined) {
    const [traceId, spanId, sampled] = single.split("-")
    const found = b3(traceId, spanId, isYes(sampled))
    if (found !== undefined) return found
  }
  const isSampled = headers.get(severalB3.flags)?.trim() === "1" || isYes(headers.get(severalB3.sampled)?.trim())
  return b3(headers.get(severalB3.traceId)?.trim(), headers.get(severalB3.spanId)?.trim(), isSampled)
}

const jaegerHeader = "uber-trace-id"

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const all: { readonly [P in Propagator]: Propagation | undefined } = {
  tracecontext: w3c,
  baggage: undefined,
  b3: {
    extract: extractB3,
    inject: (headers, context) =>
      headers.set("b3", `${context.traceId}-${context.spanId}-${isSampledOf(context) ? "1" : "0"}`),
  },
  b3multi: {
    extract: extractB3,
    inject: (headers, context) => {
      headers.set(severalB3.traceId, context.traceId)
      headers.set(severalB3.spanId, context.spanId)
      headers.set(severalB3.sampled, isSampledOf(context) ? "1" : "0")
    },
  },
  jaeger: {
    extract: (headers) => {
      const [traceId = "", spanId = "", , flags = ""] = decoded(headers.get(jaegerHeader)?.trim() ?? "").split(":")
      return contextOf(traceId, spanId, (Number.parseInt(flags, 16) & 1) === 1)
    },
    inject: (headers, context) =>
      headers.set(jaegerHeader, `${context.traceId}:${context.spanId}:0:0${isSampledOf(context) ? "1" : "0"}`),
  },
}

export const propagationOf = (names: ReadonlyArray<Propagator> | undefined): Propagation => {
  if (names === undefined) return w3c
  const chosen = names.flatMap((name) => all[name] ?? [])
  const [only] = chosen
  if (only !== undefined && chosen.length === 1) return only
  return {
    extract: (headers) => {
      let found: TraceContext | undefined
      for (const one of chosen) found = one.extract(headers) ?? found
      return found
    },
    inject: (headers, context) => {
      for (const one of chosen) one.inject(headers, context)
    },
  }
}
