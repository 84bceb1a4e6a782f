/**
 * What a call consumed, in one convention: input counts everything the model read, from a cache or not; output counts
 * everything it wrote, thoughts included. The other counts are parts of these two.
 */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  /** Parts of the input. */
  readonly cacheReadTokens?: number | undefined
  readonly cacheWriteTokens?: number | undefined
  /** The part of the cache write that is kept for an hour. */
  readonly cacheWriteHourTokens?: number | undefined
  readonly inputAudioTokens?: number | undefined
  readonly inputImageTokens?: number | undefined
  /** Parts of the output. */
  readonly reasoningTokens?: number | undefined
  readonly outputAudioTokens?: number | undefined
  readonly outputImageTokens?: number | undefined
  readonly acceptedPredictionTokens?: number | undefined
  readonly rejectedPredictionTokens?: number | undefined
  /** What the provider counts beside input and output (the prompts of its own tools). */
  readonly otherTokens?: number | undefined
  /** What the provider called input, before the cache was added to it. */
  readonly reportedInputTokens?: number | undefined
}

export const totalOf = (usage: Usage): number => usage.inputTokens + usage.outputTokens + (usage.otherTokens ?? 0)

/** Of several answers together. */
export const sum = (before: Usage, after: Usage): Usage => {
  const all: Record<string, number | undefined> = { ...before }
  for (const [name, count] of Object.entries(after)) {
    if (count !== undefined) all[name] = (all[name] ?? 0) + Number(count)
  }
  return all as unknown as Usage
}

/** The later report over the earlier: streams repeat themselves with growing counts. */
export const later = (before: Usage | undefined, after: Usage): Usage => {
  if (before === undefined) return after
  const merged: Record<string, number | undefined> = { ...before }
  for (const [name, count] of Object.entries(after)) if (count !== undefined) merged[name] = count
  return merged as unknown as Usage
}
