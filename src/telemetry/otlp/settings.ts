/** How spans and records are batched, as the `OTEL_` variables say it. */
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
  }
}

/** Whether the variables turn everything off. */
export const isDisabled = (env: Variables): boolean => env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true"
