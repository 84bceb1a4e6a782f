/** W3C Trace Context, level 1 and 2: the `traceparent` header read strictly and written back. */

export interface TraceContext {
  readonly traceId: string
  readonly spanId: string
  readonly flags: number
}

export const traceparentHeader = "traceparent"
export const tracestateHeader = "tracestate"

export const sampledFlag = 1

const shape = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const noTrace = "0".repeat(32)
const noSpan = "0".repeat(16)

/** Undefined for whatever must be ignored: then a new trace begins (§3.2.2). */
export const parse = (header: string | undefined): TraceContext | undefined => {
  if (header === undefined) return undefined
  const [, version, traceId, spanId, flags, more] = shape.exec(header.trim()) ?? []
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined
  // Version 00 ends here; a later one may say more, which is not understood but does no harm.
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined
  return traceId === noTrace || spanId === noSpan ? undefined : { traceId, spanId, flags: Number.parseInt(flags, 16) }
}

/** Only flags that are understood are passed on: sampled, and random trace id. */
export const format = ({ flags, spanId, traceId }: TraceContext): string =>
  `00-${traceId}-${spanId}-${(flags & 3).toString(16).padStart(2, "0")}`

/** Which share of all traces this one belongs to, from 0 to 1: the same everywhere, so that samplers agree. */
export const shareOf = (traceId: string): number => Number.parseInt(traceId.slice(-14), 16) / 2 ** 56

const part = (random: () => number): string =>
  Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, "0")

export const newSpanId = (random: () => number): string => {
  const id = part(random) + part(random)
  return id === noSpan ? "0000000000000001" : id
}

export const newTraceId = (random: () => number): string => newSpanId(random) + newSpanId(random)
