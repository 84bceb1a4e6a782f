/** What calls cost: the catalogue of prices, and the sum for one call. */
import type { Price, Prices, Rates } from "../../../ir/Prices.ts"
import type { Usage } from "../../../protocols/llm/Usage.ts"

/** By provider, then by model. */
export type Catalogue = ReadonlyMap<string, ReadonlyMap<string, Price>>

/** Made once for each catalogue, however many backends use it. */
const known = new WeakMap<Prices, Catalogue>()

export const catalogueOf = (prices: Prices | undefined): Catalogue | undefined => {
  if (prices === undefined) return undefined
  let catalogue = known.get(prices)
  if (catalogue === undefined) {
    catalogue = new Map(Object.entries(prices).map(([provider, models]) => [provider, new Map(Object.entries(models))]))
    known.set(prices, catalogue)
  }
  return catalogue
}

/** In US dollars. */
export interface Cost {
  readonly total: number
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly reasoning: number
  readonly inputAudio: number
  readonly outputAudio: number
}

export const free: Cost = {
  total: 0,
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
  reasoning: 0,
  inputAudio: 0,
  outputAudio: 0,
}

export type Lookup =
  | { readonly status: "exact"; readonly price: Price }
  | { readonly status: "unpriced" | "missing" | "noCatalog" }

const isPriced = ({ rates, tiers }: Price): boolean => Object.keys(rates).length > 0 || tiers.length > 0

/** By what answered, else by what was asked for. */
export const find = (
  catalogue: Catalogue | undefined,
  provider: string | undefined,
  ...models: ReadonlyArray<string | undefined>
): Lookup => {
  if (catalogue === undefined || catalogue.size === 0) return { status: "noCatalog" }
  const known = provider === undefined ? undefined : catalogue.get(provider)
  for (const model of models) {
    const price = model === undefined ? undefined : known?.get(model)
    if (price !== undefined) return isPriced(price) ? { status: "exact", price } : { status: "unpriced" }
  }
  return { status: "missing" }
}

/** Those of the highest tier that the prompt reaches, over those of the base. */
export const ratesFor = ({ rates, tiers }: Price, inputTokens: number): Rates => {
  const tier = tiers.findLast(({ contextOver }) => contextOver < inputTokens)
  return tier === undefined ? rates : { ...rates, ...tier.rates }
}

/** Of several answers. */
export const costSum = (one: Cost, other: Cost): Cost => ({
  total: one.total + other.total,
  input: one.input + other.input,
  output: one.output + other.output,
  cacheRead: one.cacheRead + other.cacheRead,
  cacheWrite: one.cacheWrite + other.cacheWrite,
  reasoning: one.reasoning + other.reasoning,
  inputAudio: one.inputAudio + other.inputAudio,
  outputAudio: one.outputAudio + other.outputAudio,
})

const MILLION = 1_000_000

const dollars = (tokens: number, rate: number | undefined): number => (tokens * (rate ?? 0)) / MILLION

export const costOf = (usage: Usage, rates: Rates): Cost => {
  const cacheReadTokens = usage.cacheReadTokens ?? 0
  const cacheWriteTokens = usage.cacheWriteTokens ?? 0
  const hourTokens = Math.min(usage.cacheWriteHourTokens ?? 0, cacheWriteTokens)
  // Sound that came from a cache is counted in both; it is paid for once.
  const twice = Math.max(0, cacheReadTokens + cacheWriteTokens + (usage.inputAudioTokens ?? 0) - usage.inputTokens)
  const audioIn = Math.max(0, (usage.inputAudioTokens ?? 0) - twice)
  const audioOut = usage.outputAudioTokens ?? 0
  const reasoningTokens = usage.reasoningTokens ?? 0
  const plainIn = Math.max(0, usage.inputTokens - cacheReadTokens - cacheWriteTokens - audioIn)
  const plainOut = Math.max(0, usage.outputTokens - reasoningTokens - audioOut)
  const writeRate = rates.cacheWrite ?? rates.input
  const input = dollars(plainIn, rates.input)
  const output = dollars(plainOut, rates.output)
  const cacheRead = dollars(cacheReadTokens, rates.cacheRead ?? rates.input)
  const cacheWrite =
    dollars(cacheWriteTokens - hourTokens, writeRate) + dollars(hourTokens, rates.cacheWriteHour ?? writeRate)
  const reasoning = dollars(reasoningTokens, rates.reasoning ?? rates.output)
  const inputAudio = dollars(audioIn, rates.inputAudio ?? rates.input)
  const outputAudio = dollars(audioOut, rates.outputAudio ?? rates.output)
  return {
    total: input + output + cacheRead + cacheWrite + reasoning + inputAudio + outputAudio,
    input,
    output,
    cacheRead,
    cacheWrite,
    reasoning,
    inputAudio,
    outputAudio,
  }
}
