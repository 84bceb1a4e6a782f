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
export const format = ({ flags, spanId, traceId }: TraceContext): string => `00-${traceId}-${spanId}-0${flags & 3}`

/** Which share of all traces this one belongs to, from 0 to 1: the same everywhere, so that samplers agree. */
export const shareOf = (traceId: string): number => Number.parseInt(traceId.slice(-14), 16) / 2 ** 56

const digits = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0))

/** The hexadecimal digit of those four bits. */
const digit = (bits: number, shift: number): number => digits[(bits >>> shift) & 15] as number

/** Digits one by one into one text: a tenth of what it costs to print and pad numbers. */
export const newSpanId = (random: () => number): string => {
  const high = (random() * 0x1_0000_0000) >>> 0
  const low = (random() * 0x1_0000_0000) >>> 0
  if (high === 0 && low === 0) return "0000000000000001"
  return String.fromCharCode(
    digit(high, 28),
    digit(high, 24),
    digit(high, 20),
    digit(high, 16),
    digit(high, 12),
    digit(high, 8),
    digit(high, 4),
    digit(high, 0),
    digit(low, 28),
    digit(low, 24),
    digit(low, 20),
    digit(low, 16),
    digit(low, 12),
    digit(low, 8),
    digit(low, 4),
    digit(low, 0),
  )
}

export const newTraceId = (random: () => number): string => newSpanId(random) + newSpanId(random)
