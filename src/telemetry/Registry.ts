import type { Measured } from "../../protocols/otlp/metrics.ts"
import { Exponential, merge as mergeExponential } from "./Exponential.ts"

/**
 * Metrics of one thread. A series is an object with a number in it: whoever records holds the series itself, so an update
 * is one addition and nothing is looked up or allocated. What is exported is plain data, and data of several threads adds
 * up to that of the process.
 */

export interface Definition {
  /** As it is exposed; counters end in `_total`. */
  readonly name: string
  readonly kind: "counter" | "gauge" | "histogram"
  readonly help: string
  readonly labels: ReadonlyArray<string>
  /** Upper bounds of a histogram, rising; the last, infinite one is implied. */
  readonly buckets?: ReadonlyArray<number>
  /** How the gauges of several threads become one; counters and histograms are added. */
  readonly across?: "sum" | "max" | "min"
}

export class Counter {
  value = 0

  add(amount: number): void {
    this.value += amount
  }
}

export class Gauge {
  value = 0

  set(value: number): void {
    this.value = value
  }
}

export class Histogram {
  readonly bounds: ReadonlyArray<number>
  /** Of each bucket alone, the infinite one last. */
  readonly counts: Array<number>
  sum = 0
  /** Beside the fixed buckets, where somebody wants to see it. */
  readonly exponential: Exponential | undefined

  constructor(bounds: ReadonlyArray<number>, isExponential = false) {
    this.bounds = bounds
    this.exponential = isExponential ? new Exponential() : undefined
    this.counts = bounds.map(() => 0)
    this.counts.push(0)
  }

  observe(value: number): void {
    const { bounds } = this
    let i = 0
    while (i < bounds.length && value > (bounds[i] as number)) i++
    ;(this.counts[i] as number)++
    this.sum += value
    this.exponential?.observe(value)
  }
}

type Series = Counter | Gauge | Histogram

/** Label sets of one metric, unless its registry says otherwise; what comes later shares one series. */
export const metricSeriesMax = 10_000

/** Value of every label of the series that takes what is beyond the bound. */
export const overflow = "overflow"

/** Stands for a label value that there is none of. */
export const unknown = "unknown"

export class Family<S extends Series> {
  readonly definition: Definition
  /** Not shown, so nothing is kept either. */
  readonly removed: boolean
  private readonly seriesMax: number
  private readonly make: () => S
  private readonly overflowed: (metric: string) => void
  private readonly series = new Map<string, { readonly labels: ReadonlyArray<string>; readonly series: S }>()
  private readonly detached: S

  constructor(
    definition: Definition,
    removed: boolean,
    seriesMax: number,
    make: () => S,
    overflowed: (metric: string) => void,
  ) {
    this.definition = definition
    this.removed = removed
    this.seriesMax = seriesMax
    this.make = make
    this.overflowed = overflowed
    this.detached = make()
  }

  /** The series of these label values, in the order of the labels; to be kept by whoever updates it often. */
  with(...values: ReadonlyArray<string | undefined>): S {
    if (this.removed) return this.detached
    const labels = this.definition.labels.map((_, i) => values[i] ?? unknown)
    const found = this.series.get(keyOf(labels))
    if (found !== undefined) return found.series
    if (this.series.size < this.seriesMax) return this.add(labels)
    this.overflowed(this.definition.name)
    const rest = labels.map(() => overflow)
    return this.series.get(keyOf(rest))?.series ?? this.add(rest)
  }

  /** Forgets every series, for what is only known by looking. */
  clear(): void {
    this.series.clear()
  }

  export(): ExportedFamily {
    return {
      definition: this.definition,
      series: Array.from(this.series.values(), ({ labels, series }) =>
        series instanceof Histogram
          ? {
              labels,
              value: series.sum,
              counts: series.counts.slice(),
              ...(series.exponential === undefined ? {} : { exponential: series.exponential.export() }),
            }
          : { labels, value: series.value },
      ),
    }
  }

  private add(labels: ReadonlyArray<string>): S {
    const series = this.make()
    this.series.set(keyOf(labels), { labels, series })
    return series
  }
}

/** No two label sets share a key, whatever is in them. */
export const keyOf = (labels: ReadonlyArray<string>): string => JSON.stringify(labels)

export interface ExportedSeries extends Measured {
  readonly labels: ReadonlyArray<string>
}

export interface ExportedFamily {
  readonly definition: Definition
  readonly series: ReadonlyArray<ExportedSeries>
}

/** Plain data: it can be posted to another thread. */
export type Exported = ReadonlyArray<ExportedFamily>

export interface RegistryOptions {
  /** Names that are not recorded: whole, or without prefix, unit or `_total`. */
  readonly remove?: ReadonlyArray<string>
  readonly seriesMax?: number
  readonly prefix?: string
  /** Whether histograms have exponential buckets beside the fixed ones. */
  readonly exponential?: boolean
}

export class Registry {
  private readonly families: Array<Family<Counter> | Family<Gauge> | Family<Histogram>> = []
  private readonly readers: Array<() => void> = []
  private readonly removedNames: ReadonlyMap<string, string>
  private readonly seriesMax: number
  private readonly prefix: string
  private readonly isExponential: boolean
  /** Told of every label set that was refused a series of its own. */
  onOverflow: (metric: string) => void = () => {}

  constructor({ exponential = false, prefix = "", remove = [], seriesMax = metricSeriesMax }: RegistryOptions = {}) {
    this.prefix = prefix
    this.isExponential = exponential
    this.removedNames = new Map(remove.map((name) => [shortest(name, prefix), name]))
    this.seriesMax = seriesMax
  }

  counter(definition: Definition & { readonly kind: "counter" }): Family<Counter> {
    return this.register(definition, () => new Counter())
  }

  gauge(definition: Definition & { readonly kind: "gauge" }): Family<Gauge> {
    return this.register(definition, () => new Gauge())
  }

  histogram(definition: Definition & { readonly kind: "histogram" }): Family<Histogram> {
    const bounds = definition.buckets ?? []
    return this.register(definition, () => new Histogram(bounds, this.isExponential))
  }

  /** Called before every export, to set what is known only by looking. */
  onRead(read: () => void): void {
    this.readers.push(read)
  }

  /** Names that were to be removed, but that no metric has. */
  get unmatched(): ReadonlyArray<string> {
    const names = new Set(this.families.map(({ definition }) => shortest(definition.name, this.prefix)))
    return [...this.removedNames].flatMap(([short, name]) => (names.has(short) ? [] : [name]))
  }

  export(): Exported {
    for (const read of this.readers) read()
    return this.families.filter(({ removed }) => !removed).map((family) => family.export())
  }

  private register<S extends Counter | Gauge | Histogram>(definition: Definition, make: () => S): Family<S> {
    if (this.families.some((family) => family.definition.name === definition.name)) {
      throw new Error(`the metric ${definition.name} is defined twice`)
    }
    const removed = this.removedNames.has(shortest(definition.name, this.prefix))
    const family = new Family(definition, removed, this.seriesMax, make, (metric) => this.onOverflow(metric))
    this.families.push(family as unknown as Family<Counter>)
    return family
  }
}

/** A name without prefix, `_total` and unit: what every way to write it comes down to. */
const shortest = (name: string, prefix: string): string =>
  (name.startsWith(prefix) ? name.slice(prefix.length) : name).replace(/_total$/, "").replace(/_(?:seconds|bytes)$/, "")

const combine: { readonly [K in "sum" | "max" | "min"]: (a: number, b: number) => number } = {
  sum: (a, b) => a + b,
  max: Math.max,
  min: Math.min,
}

/** One export out of those of several threads. */
export const merge = (exports: ReadonlyArray<Exported>): Exported => {
  const only = exports[0]
  if (exports.length === 1 && only !== undefined) return only
  const families = new Map<string, { readonly definition: Definition; readonly series: Map<string, ExportedSeries> }>()
  for (const exported of exports) {
    for (const { definition, series } of exported) {
      let family = families.get(definition.name)
      if (family === undefined) families.set(definition.name, (family = { definition, series: new Map() }))
      const together = combine[definition.across ?? "sum"]
      for (const one of series) {
        const key = keyOf(one.labels)
        const before = family.series.get(key)
        family.series.set(key, before === undefined ? one : mergedSeries(before, one, together))
      }
    }
  }
  return Array.from(families.values(), ({ definition, series }) => ({ definition, series: [...series.values()] }))
}

const mergedSeries = (
  a: ExportedSeries,
  b: ExportedSeries,
  together: (a: number, b: number) => number,
): ExportedSeries =>
  a.counts === undefined || b.counts === undefined
    ? { labels: a.labels, value: together(a.value, b.value) }
    : {
        labels: a.labels,
        value: a.value + b.value,
        counts: a.counts.map((count, i) => count + (b.counts?.[i] ?? 0)),
        ...(a.exponential === undefined || b.exponential === undefined
          ? {}
          : { exponential: mergeExponential(a.exponential, b.exponential) }),
      }
