import type { Measured } from "../../protocols/otlp/metrics.ts"
import { Exponential, merge as mergeExponential } from "./Exponential.ts"

/**
 * Metrics of one thread. A series is a place among the numbers of its registry: whoever records keeps that place, so an
 * update is one addition and nothing is looked up or allocated. What is exported is plain data, and data of several threads
 * adds up to that of the process.
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

/** The numbers of all series side by side: what is made together lies together, and is fetched from memory together. */
export class Cells {
  values = new Float64Array(256)
  private used = 0

  /** Where the first of so many new ones is. */
  take(count: number): number {
    const at = this.used
    this.used += count
    if (this.used > this.values.length) {
      const wider = new Float64Array(Math.max(this.used, 2 * this.values.length))
      wider.set(this.values)
      this.values = wider
    }
    return at
  }

  add(at: number, amount: number): void {
    this.values[at] = (this.values[at] as number) + amount
  }
}

export class Counter {
  readonly at: number
  private readonly cells: Cells

  constructor(cells: Cells) {
    this.cells = cells
    this.at = cells.take(1)
  }

  get value(): number {
    return this.cells.values[this.at] as number
  }

  add(amount: number): void {
    this.cells.add(this.at, amount)
  }
}

export class Gauge {
  value = 0

  set(value: number): void {
    this.value = value
  }
}

/** What the histograms of one metric have in common. */
class Scale {
  readonly cells: Cells
  readonly bounds: ReadonlyArray<number>
  /** Beside the fixed buckets, where somebody wants to see them. */
  private readonly exponentials: Map<number, Exponential> | undefined

  constructor(cells: Cells, bounds: ReadonlyArray<number>, isExponential: boolean) {
    this.cells = cells
    this.bounds = bounds
    this.exponentials = isExponential ? new Map() : undefined
  }

  /** The sum, then each bucket alone, the infinite one last. */
  take(): number {
    const at = this.cells.take(this.bounds.length + 2)
    this.exponentials?.set(at, new Exponential())
    return at
  }

  observe(at: number, value: number): void {
    const { bounds, cells } = this
    let i = 0
    while (i < bounds.length && value > (bounds[i] as number)) i++
    cells.add(at + 1 + i, 1)
    cells.add(at, value)
    this.exponentials?.get(at)?.observe(value)
  }

  /** What is told of one. */
  read(at: number): Omit<ExportedSeries, "labels"> {
    const { values } = this.cells
    const exponential = this.exponentials?.get(at)
    return {
      value: values[at] as number,
      counts: Array.from(values.subarray(at + 1, at + 2 + this.bounds.length)),
      ...(exponential === undefined ? {} : { exponential: exponential.export() }),
    }
  }
}

export class Histogram {
  readonly at: number
  readonly scale: Scale

  constructor(scale: Scale) {
    this.scale = scale
    this.at = scale.take()
  }

  observe(value: number): void {
    this.scale.observe(this.at, value)
  }
}

type Series = Counter | Gauge | Histogram

/** Label sets of one metric, unless its registry says otherwise; what comes later shares one series. */
export const metricSeriesMax = 10_000

/** Value of every label of the series that takes what is beyond the bound. */
const overflow = "overflow"

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
        series instanceof Histogram ? { labels, ...series.scale.read(series.at) } : { labels, value: series.value },
      ),
    }
  }

  private add(labels: ReadonlyArray<string>): S {
    const series = this.make()
    this.series.set(keyOf(labels), { labels, series })
    return series
  }
}

export class Histograms extends Family<Histogram> {
  readonly scale: Scale

  constructor(
    scale: Scale,
    definition: Definition,
    removed: boolean,
    seriesMax: number,
    overflowed: (metric: string) => void,
  ) {
    super(definition, removed, seriesMax, () => new Histogram(scale), overflowed)
    this.scale = scale
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
  private readonly families: Array<Family<Counter> | Family<Gauge> | Histograms> = []
  private readonly readers: Array<() => void> = []
  private readonly removedNames: ReadonlyMap<string, string>
  private readonly seriesMax: number
  private readonly prefix: string
  private readonly isExponential: boolean
  /** Where whoever counts has its places. */
  readonly cells = new Cells()
  /** Told of every label set that was refused a series of its own. */
  onOverflow: (metric: string) => void = () => {}

  constructor({ exponential = false, prefix = "", remove = [], seriesMax = metricSeriesMax }: RegistryOptions = {}) {
    this.prefix = prefix
    this.isExponential = exponential
    this.removedNames = new Map(remove.map((name) => [shortest(name, prefix), name]))
    this.seriesMax = seriesMax
  }

  counter(definition: Definition & { readonly kind: "counter" }): Family<Counter> {
    return this.register(
      definition,
      this.familyOf(definition, () => new Counter(this.cells)),
    )
  }

  gauge(definition: Definition & { readonly kind: "gauge" }): Family<Gauge> {
    return this.register(
      definition,
      this.familyOf(definition, () => new Gauge()),
    )
  }

  histogram(definition: Definition & { readonly kind: "histogram" }): Histograms {
    const scale = new Scale(this.cells, definition.buckets ?? [], this.isExponential)
    return this.register(
      definition,
      new Histograms(scale, definition, this.isRemoved(definition), this.seriesMax, this.overflowed),
    )
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

  private readonly overflowed = (metric: string): void => this.onOverflow(metric)

  private isRemoved({ name }: Definition): boolean {
    return this.removedNames.has(shortest(name, this.prefix))
  }

  private familyOf<S extends Series>(definition: Definition, make: () => S): Family<S> {
    return new Family(definition, this.isRemoved(definition), this.seriesMax, make, this.overflowed)
  }

  private register<F extends Family<Counter> | Family<Gauge> | Histograms>({ name }: Definition, family: F): F {
    if (this.families.some(({ definition }) => definition.name === name)) {
      throw new Error(`the metric ${name} is defined twice`)
    }
    this.families.push(family)
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
