import type { Duplex } from "node:stream"

interface Handle {
  readonly writeQueueSize?: number
  /** Below the one that encrypts. */
  readonly _parent?: Handle | null
}

/** What the kernel has not yet taken; the queue below the stream shrinks within one write, so it tells progress. */
export const queuedOf = (stream: Duplex): number => {
  const { _handle: handle } = stream as { readonly _handle?: Handle | null }
  if (handle === undefined || handle === null) return stream.writableLength
  const { _parent: below, writeQueueSize = 0 } = handle
  return stream.writableLength + writeQueueSize + (below?.writeQueueSize ?? 0)
}

/** Grows as the kernel takes what is written; undefined while there is nothing for it to take. */
export const takenOf = (stream: Duplex): number | undefined => {
  const queued = queuedOf(stream)
  return queued === 0 ? undefined : ((stream as { readonly bytesWritten?: number }).bytesWritten ?? 0) - queued
}

/** How often to look for something that may take so long: often enough to notice in time, at most a second apart. */
export const lookEveryMillis = (millis: number): number => Math.min(1_000, Math.max(10, Math.floor(millis / 4)))
