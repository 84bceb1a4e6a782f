/** The end of a call: what nobody said is counted here, and everything is priced. */
import type { Format } from "../../../protocols/llm/Translation.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"
import type { Clock } from "../../ports/Timer.ts"
import { guess, type Tokens } from "../../ports/Tokens.ts"
import type { Account } from "./Account.ts"
import type { Received } from "./deliver.ts"
import type { Sendable } from "./prepare.ts"
import { type Catalogue, type Cost, costOf, find, ratesFor } from "./prices.ts"
import { promptTokens, wordsIn } from "./words.ts"

export interface Settling {
  /** It is over. */
  readonly over: (account: Account, sendable: Sendable, received: Received | undefined) => void
  /** One of the answers to a call that goes on is over. */
  readonly answered: (account: Account, usage: Usage) => void
}

const countWith = (tokens: Tokens, model: string | undefined): ((text: string) => number) => {
  return (text) => tokens.count(model, text) ?? guess(text)
}

/** A stream that broke off was paid for as far as it came, though the provider never said how far that was. */
const estimated = (
  { body, countedTokens, upstreamModel, usage }: Account,
  client: Format | undefined,
  { events, share }: Received,
  tokens: Tokens,
): Usage => {
  const count = countWith(tokens, upstreamModel)
  const written = Math.ceil(count(wordsIn(events)) / Math.max(share, 0.01))
  return {
    ...usage,
    inputTokens: usage?.inputTokens || (countedTokens ?? (body === undefined ? 0 : promptTokens(client, body, count))),
    outputTokens: Math.max(usage?.outputTokens ?? 0, written),
  }
}

/** Its price, where that is known, for so many tokens of prompt. */
const priced = (catalogue: Catalogue | undefined, account: Account, usage: Usage | undefined): Cost | undefined => {
  const { provider, responseModel, upstreamModel } = account
  const found = find(catalogue, provider, responseModel, upstreamModel)
  account.priced = found.status
  if (usage === undefined || found.status !== "exact") return undefined
  account.rates = ratesFor(found.price, usage.inputTokens)
  return costOf(usage, account.rates)
}

export const settling = (catalogue: Catalogue | undefined, clock: Clock, tokens: Tokens): Settling => ({
  answered: (account, usage) => account.answeredOnce(usage, priced(catalogue, account, usage)),
  over: (account, sendable, received) => {
    if (received !== undefined && received.events.length > 0) {
      account.usage = estimated(account, sendable.client, received, tokens)
      account.isEstimated = true
    }
    // What has several answers was priced by each of them: a tier is reached by one prompt, not by the sum of many.
    account.cost ??= priced(catalogue, account, account.usage)
    account.settle(clock.nowMillis())
  },
})
