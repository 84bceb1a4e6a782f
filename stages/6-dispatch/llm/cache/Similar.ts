/** Questions by their meaning: vectors of unit length, few enough to be compared one by one. */

interface Known {
  readonly around: string
  readonly vector: Float32Array
  readonly key: string
  readonly untilMillis: number
}

/** Undefined where there is no direction. */
export const normalized = (values: ReadonlyArray<unknown>): Float32Array | undefined => {
  const vector = new Float32Array(values.length)
  let square = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (typeof value !== "number" || !Number.isFinite(value)) return undefined
    vector[i] = value
    square += value * value
  }
  const length = Math.sqrt(square)
  if (!(length > 0) || !Number.isFinite(length)) return undefined
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) / length
  return vector
}

const cosine = (a: Float32Array, b: Float32Array): number => {
  if (a.length !== b.length) return -1
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

export class Similar {
  private readonly entriesMax: number
  /** By the key of the answer; the oldest first. */
  private readonly known = new Map<string, Known>()

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax
  }

  get size(): number {
    return this.known.size
  }

  put(key: string, around: string, vector: Float32Array, untilMillis: number): void {
    this.known.delete(key)
    this.known.set(key, { around, vector, key, untilMillis })
    for (const oldest of this.known.keys()) {
      if (this.known.size <= this.entriesMax) return
      this.known.delete(oldest)
    }
  }

  /** The answer to the nearest question that was asked in the same surroundings. */
  nearest(around: string, vector: Float32Array, threshold: number, nowMillis: number): string | undefined {
    let best: string | undefined
    let least = threshold
    for (const one of this.known.values()) {
      if (one.untilMillis <= nowMillis) {
        this.known.delete(one.key)
        continue
      }
      if (one.around !== around) continue
      const near = cosine(one.vector, vector)
      // Rounding must not make a question unlike itself.
      if (near + 1e-6 >= least) {
        least = near
        best = one.key
      }
    }
    return best
  }
}
