/** What calls of one model are counted by; each series is looked up when it is first needed, and held from then on. */
import type { Account } from "../../stages/6-dispatch/llm/Account.ts"
import type { Metrics } from "./metrics.ts"
import type { Counter, Histogram } from "./Registry.ts"

const lookups = { exact: "Exact", missing: "Missing", unpriced: "Unpriced", noCatalog: "NoCatalog" } as const

type TokenType = "input" | "output" | "input_cache_read" | "input_cache_write"

export class ModelSeries {
  private readonly metrics: Metrics
  private readonly labels: ReadonlyArray<string | undefined>
  private readonly byType: { [Type in TokenType]?: Histogram } = {}
  private readonly byLookup: { [Status in Account["priced"]]?: Counter } = {}
  private readonly byCached: { [Cached in NonNullable<Account["cached"]>]?: Counter } = {}
  private known: { cost?: Counter; duration?: Histogram; firstToken?: Histogram; perToken?: Histogram } = {}

  constructor(metrics: Metrics, labels: ReadonlyArray<string | undefined>) {
    this.metrics = metrics
    this.labels = labels
  }

  tokens(type: TokenType, count: number | undefined): void {
    if (count === undefined) return
    ;(this.byType[type] ??= this.metrics.tokenUsage.with(type, ...this.labels)).observe(count)
  }

  priced(status: Account["priced"]): void {
    ;(this.byLookup[status] ??= this.metrics.costLookups.with(lookups[status], ...this.labels)).add(1)
  }

  cached(result: Account["cached"]): void {
    if (result === undefined) return
    ;(this.byCached[result] ??= this.metrics.cachedReplies.with(result, ...this.labels)).add(1)
  }

  get cost(): Counter {
    return (this.known.cost ??= this.metrics.tokenCost.with(...this.labels))
  }

  get duration(): Histogram {
    return (this.known.duration ??= this.metrics.modelDuration.with(...this.labels))
  }

  get firstToken(): Histogram {
    return (this.known.firstToken ??= this.metrics.firstToken.with(...this.labels))
  }

  get perToken(): Histogram {
    return (this.known.perToken ??= this.metrics.perToken.with(...this.labels))
  }
}
