/** The end of a call: what nobody said is counted here, and everything is priced. */
import type { Format } from "../../../protocols/llm/Translation.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"
import type { Clock } from "../../ports/Timer.ts"
import { guess, type Tokens } from "../../ports/Tokens.ts"
import type { Account } from "./Account.ts"
import type { Received } from "./deliver.ts"
import type { Sendable } from "./prepare.ts"
import { type Catalogue, costOf, find, ratesFor } from "./prices.ts"
import { promptTokens, wordsIn } from "./words.ts"

export type Settling = (account: Account, sendable: Sendable, received: Received | undefined) => void

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

export const settling =
  (catalogue: Catalogue | undefined, clock: Clock, tokens: Tokens): Settling =>
  (account, sendable, received) => {
    if (received !== undefined && received.events.length > 0) {
      account.usage = estimated(account, sendable.client, received, tokens)
      account.isEstimated = true
    }
    const { provider, responseModel, upstreamModel, usage } = account
    const found = find(catalogue, provider, responseModel, upstreamModel)
    account.priced = found.status
    if (usage !== undefined && found.status === "exact") {
      account.rates = ratesFor(found.price, usage.inputTokens)
      account.cost = costOf(usage, account.rates)
    }
    account.settle(clock.nowMillis())
  }
