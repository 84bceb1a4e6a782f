/** What one call of a model came to; filled in while it runs, told when it is over. */
import type * as Effect from "effect/Effect"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import { type Answered, type CalledTool, promptIn, type Said } from "../../../protocols/llm/said.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"
import { later, sum, type Usage } from "../../../protocols/llm/Usage.ts"
import type { Checked } from "./guard/Guard.ts"
import type { Rates } from "../../../ir/Prices.ts"
import type { Admission } from "./budgets.ts"
import { costSum, type Cost, type Lookup } from "./prices.ts"

export class Account {
  /** The kind of call. */
  readonly operation: "chat" | "embeddings" | "rerank" | "countTokens" | "other"
  readonly requestModel: string | undefined
  readonly streaming: boolean
  readonly body: JsonObject | undefined
  readonly startedMillis: number
  /** As metrics and prices call it. */
  provider: string | undefined
  /** The one of several that answered, as configuration names it. */
  providerName: string | undefined
  /** What the provider was asked for. */
  upstreamModel: string | undefined
  responseModel: string | undefined
  /** In whose words the client asked, and in whose the provider was asked; absent: as it came. */
  clientFormat: string | undefined
  upstreamFormat: string | undefined
  /** What the client said and the provider's format cannot say. */
  leftOut: ReadonlyArray<string> | undefined
  serviceTier: string | undefined
  /** What the cache of replies knew: `similar` is a hit by meaning; absent without a cache. */
  cached: "hit" | "similar" | "miss" | "bypass" | undefined
  usage: Usage | undefined
  /** Whether a part of the usage was counted or guessed here because the provider never said it. */
  isEstimated = false
  /** What the prompt was counted to before it was sent. */
  countedTokens: number | undefined
  /** Budgets that are used up but only mark who goes on. */
  overspent: ReadonlyArray<string> | undefined
  firstTokenMillis = 0
  endedMillis = 0
  /** What the catalogue knew. */
  priced: Lookup["status"] = "noCatalog"
  cost: Cost | undefined
  rates: Rates | undefined
  /** In which the client speaks. */
  format: Format | undefined
  /** Somebody will ask what was answered, so it is kept. */
  isHeard = false
  /** What was answered; put together when it is first asked for. */
  answered: (() => Answered) | undefined
  private said: ReadonlyArray<Said> | undefined
  private heard: Answered | undefined
  /** What guards made of it, once for every guard that was asked. */
  readonly guarded: Array<Checked> = []
  /** Whoever charges for it; each is told once. */
  private watchers: Array<(account: Account) => void> | undefined = []
  /** Of these, those who charge as it goes on; what they were told of they need not be told again. */
  private charging: Array<(account: Account) => void> | undefined
  /** Charges budgets for what was used so far, and asks them whether there is more; absent without budgets. */
  renewed: Effect.Effect<Admission> | undefined

  constructor(
    operation: Account["operation"],
    requestModel: string | undefined,
    streaming: boolean,
    body: JsonObject | undefined,
    startedMillis: number,
  ) {
    this.operation = operation
    this.requestModel = requestModel
    this.streaming = streaming
    this.body = body
    this.startedMillis = startedMillis
  }

  get timeToFirstTokenMillis(): number | undefined {
    return this.firstTokenMillis === 0 ? undefined : this.firstTokenMillis - this.startedMillis
  }

  /** Between one token and the next, once a reply has come in pieces. */
  get timePerOutputTokenMillis(): number | undefined {
    const tokens = this.usage?.outputTokens ?? 0
    return this.firstTokenMillis === 0 || this.endedMillis === 0 || tokens < 2
      ? undefined
      : (this.endedMillis - this.firstTokenMillis) / (tokens - 1)
  }

  get prompt(): ReadonlyArray<Said> | undefined {
    return this.body === undefined ? undefined : (this.said ??= promptIn(this.format, this.body))
  }

  get completion(): ReadonlyArray<string> | undefined {
    return (this.heard ??= this.answered?.())?.completion
  }

  get toolCalls(): ReadonlyArray<CalledTool> | undefined {
    return (this.heard ??= this.answered?.())?.toolCalls
  }

  checked(one: Checked): void {
    // A stream is judged piece by piece: the same said again adds nothing.
    const same = this.guarded.some(
      ({ action, guard, phase }) => action === one.action && guard === one.guard && phase === one.phase,
    )
    if (!same) this.guarded.push(one)
  }

  used(usage: Usage): void {
    this.usage = later(this.usage, usage)
  }

  /** Told at once where all is over already. */
  watch(watcher: (account: Account) => void): void {
    if (this.watchers === undefined) watcher(this)
    else this.watchers.push(watcher)
  }

  /** Told each time that something more was used; what is told is all of it so far. */
  watchAlong(watcher: (account: Account) => void): void {
    ;(this.charging ??= []).push(watcher)
  }

  /** One of several answers to a call that goes on: it is added to what there was, and charged. */
  answeredOnce(usage: Usage, cost: Cost | undefined): void {
    this.usage = this.usage === undefined ? usage : sum(this.usage, usage)
    if (cost !== undefined) this.cost = this.cost === undefined ? cost : costSum(this.cost, cost)
    if (this.charging !== undefined) for (const watcher of this.charging) watcher(this)
  }

  settle(endedMillis: number): void {
    const { watchers } = this
    if (watchers === undefined) return
    this.watchers = undefined
    this.endedMillis = endedMillis
    for (const watcher of watchers) watcher(this)
  }
}
