/** How spans and records are batched, as the `OTEL_` variables say it. */
import type { OtlpSpan } from "../../../protocols/otlp/traces.ts"
import type { BatchSettings } from "./Batch.ts"
import type { Variables } from "./resource.ts"

const whole = (text: string | undefined, otherwise: number, max: number): number => {
  const value = text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : otherwise
  return value > 0 ? Math.min(value, max) : otherwise
}

export const batchSettings = (env: Variables): BatchSettings => {
  const waitingMax = whole(env["OTEL_BSP_MAX_QUEUE_SIZE"], 2_048, 1_048_576)
  return {
    waitingMax,
    batchMax: Math.min(waitingMax, whole(env["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], 512, 65_536)),
    delayMillis: whole(env["OTEL_BSP_SCHEDULE_DELAY"], 5_000, 600_000),
    exportMillis: whole(env["OTEL_BSP_EXPORT_TIMEOUT"], 30_000, 600_000),
  }
}

export interface SpanLimits {
  readonly attributesMax: number
  /** Characters of a text. */
  readonly valueLengthMax: number
}

/** The first that is a number; 0 is one. */
const limit = (otherwise: number, ...texts: ReadonlyArray<string | undefined>): number => {
  const text = texts.find((one) => one !== undefined && /^\d+$/.test(one.trim()))
  return text === undefined ? otherwise : Number(text)
}

export const spanLimits = (env: Variables): SpanLimits => ({
  attributesMax: limit(128, env["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"], env["OTEL_ATTRIBUTE_COUNT_LIMIT"]),
  valueLengthMax: limit(
    Infinity,
    env["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
    env["OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"],
  ),
})

const shortened = (value: unknown, max: number): unknown =>
  typeof value === "string"
    ? value.slice(0, max)
    : Array.isArray(value)
      ? value.map((one) => shortened(one, max))
      : value

/** The same span where it is inside its limits, which nearly all are. */
export const limited = (span: OtlpSpan, { attributesMax, valueLengthMax }: SpanLimits): OtlpSpan => {
  const { attributes } = span
  if (attributes.length <= attributesMax && valueLengthMax === Infinity) return span
  const kept = attributes.length <= attributesMax ? attributes : attributes.slice(0, attributesMax)
  return {
    ...span,
    droppedAttributes: attributes.length - kept.length,
    attributes:
      valueLengthMax === Infinity ? kept : kept.map(([name, value]) => [name, shortened(value, valueLengthMax)]),
  }
}
