/**
 * A histogram whose buckets grow by a constant factor, 2^(2^-scale): native in Prometheus, exponential in OTLP. There are
 * buckets only where something fell, and never more than a fixed range of them: then two become one.
 */
import type { OtlpExponential } from "../../protocols/otlp/metrics.ts"

/** Eight buckets for each doubling: no value is told wrong by more than five per cent. */
export const firstScale = 3

/** From the lowest bucket to the highest; what does not fit makes all of them coarser. */
export const rangeMax = 160

export class Exponential {
  private scale = firstScale
  private factor = 2 ** firstScale
  private zeroCount = 0
  private low = 0
  private high = -1
  private counts = new Map<number, number>()

  observe(value: number): void {
    if (!(value > 0) || value === Infinity) {
      this.zeroCount++
      return
    }
    let index = Math.ceil(Math.log2(value) * this.factor) - 1
    if (this.high < this.low) this.low = this.high = index
    else if (index < this.low || index > this.high) {
      let [low, high] = [Math.min(this.low, index), Math.max(this.high, index)]
      while (high - low >= rangeMax) {
        this.coarsen()
        index >>= 1
        ;[low, high] = [Math.min(this.low, index), Math.max(this.high, index)]
      }
      this.low = low
      this.high = high
    }
    this.counts.set(index, (this.counts.get(index) ?? 0) + 1)
  }

  export(): OtlpExponential {
    const buckets = [...this.counts].sort(([a], [b]) => a - b)
    return { scale: this.scale, zeroCount: this.zeroCount, buckets }
  }

  private coarsen(): void {
    this.scale--
    this.factor /= 2
    this.low >>= 1
    this.high >>= 1
    this.counts = new Map(halved([...this.counts]))
  }
}

const halved = (buckets: ReadonlyArray<readonly [number, number]>): ReadonlyArray<readonly [number, number]> => {
  const counts = new Map<number, number>()
  for (const [index, count] of buckets) counts.set(index >> 1, (counts.get(index >> 1) ?? 0) + count)
  return [...counts]
}

/** What both have seen, as coarse as the coarser of them, and coarser where the range asks for it. */
export const merge = (a: OtlpExponential, b: OtlpExponential): OtlpExponential => {
  let scale = Math.min(a.scale, b.scale)
  const at = ({ buckets, scale: own }: OtlpExponential): ReadonlyArray<readonly [number, number]> => {
    let coarse = buckets
    for (let i = own; i > scale; i--) coarse = halved(coarse)
    return coarse
  }
  const counts = new Map<number, number>()
  for (const [index, count] of [...at(a), ...at(b)]) counts.set(index, (counts.get(index) ?? 0) + count)
  let buckets: ReadonlyArray<readonly [number, number]> = [...counts].sort(([x], [y]) => x - y)
  while (buckets.length > 0 && (buckets.at(-1)?.[0] ?? 0) - (buckets[0]?.[0] ?? 0) >= rangeMax) {
    buckets = [...halved(buckets)].sort(([x], [y]) => x - y)
    scale--
  }
  return { scale, zeroCount: a.zeroCount + b.zeroCount, buckets }
}

/** What came since: a histogram only ever gets coarser, so the one before can be made as coarse. */
export const since = (before: OtlpExponential | undefined, now: OtlpExponential): OtlpExponential => {
  if (before === undefined) return now
  let buckets = before.buckets
  for (let i = before.scale; i > now.scale; i--) buckets = halved(buckets)
  const known = new Map(buckets)
  return {
    scale: now.scale,
    zeroCount: now.zeroCount - before.zeroCount,
    buckets: now.buckets.flatMap(([index, count]) => {
      const more = count - (known.get(index) ?? 0)
      return more === 0 ? [] : [[index, more] as const]
    }),
  }
}
