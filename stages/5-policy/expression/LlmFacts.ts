/** What expressions see of a call of a model. */
import { type CelValue, double, isError, Uint } from "../../../ir/cel/CelValue.ts"
import { durationFromMillis } from "../../../ir/cel/time.ts"
import { countOf, numberOf, textOf } from "../../../protocols/llm/Json.ts"
import { totalOf } from "../../../protocols/llm/Usage.ts"
import type { Account } from "../../6-dispatch/llm/Account.ts"
import { FieldView } from "./FieldView.ts"

const names = [
  "streaming",
  "requestModel",
  "responseModel",
  "provider",
  "serviceTier",
  "cache",
  "inputTokens",
  "providerInputTokens",
  "inputImageTokens",
  "inputTextTokens",
  "inputAudioTokens",
  "cachedInputTokens",
  "cacheCreationInputTokens",
  "outputTokens",
  "outputImageTokens",
  "outputTextTokens",
  "outputAudioTokens",
  "reasoningTokens",
  "totalTokens",
  "providerTotalTokens",
  "countTokens",
  "timeToFirstToken",
  "timePerOutputToken",
  "prompt",
  "completion",
  "toolCalls",
  "params",
  "cost",
  "costRates",
]

const uint = (count: number | undefined): CelValue | undefined => (count === undefined ? undefined : new Uint(count))

const span = (millis: number | undefined): CelValue | undefined => {
  if (millis === undefined) return undefined
  const made = durationFromMillis(Math.max(0, millis))
  return isError(made) ? undefined : made
}

const rest = (whole: number | undefined, ...parts: ReadonlyArray<number | undefined>): number | undefined => {
  if (whole === undefined || parts.every((part) => part === undefined)) return undefined
  return Math.max(
    0,
    parts.reduce<number>((left, part) => left - (part ?? 0), whole),
  )
}

const numbers = ["temperature", "top_p", "frequency_penalty", "presence_penalty"] as const

const paramsOf = ({ body }: Account): CelValue | undefined => {
  if (body === undefined) return undefined
  const params: Record<string, CelValue> = {}
  for (const name of numbers) {
    const value = numberOf(body[name])
    if (value !== undefined) params[name] = double(value)
  }
  const seed = numberOf(body["seed"])
  if (seed !== undefined && Number.isSafeInteger(seed)) params["seed"] = seed
  const maxTokens = ["max_completion_tokens", "max_tokens", "max_output_tokens"]
    .map((name) => countOf(body[name]))
    .find((value) => value !== undefined)
  if (maxTokens !== undefined) params["max_tokens"] = Math.trunc(maxTokens)
  const dimensions = countOf(body["dimensions"])
  if (dimensions !== undefined) params["dimensions"] = Math.trunc(dimensions)
  const encoding = textOf(body["encoding_format"])
  if (encoding !== undefined) params["encoding_format"] = encoding
  return params
}

const doubles = (fields: object | undefined): CelValue | undefined =>
  fields === undefined
    ? undefined
    : Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, double(value as number)]))

export class LlmFacts extends FieldView {
  protected readonly names = names
  private readonly account: Account

  constructor(account: Account) {
    super()
    this.account = account
  }

  protected field(name: string): CelValue | undefined {
    const { account } = this
    const { usage } = account
    switch (name) {
      case "streaming":
        return account.streaming
      case "requestModel":
        return account.requestModel
      case "responseModel":
        return account.responseModel
      case "provider":
        return account.provider
      case "serviceTier":
        return account.serviceTier
      case "cache":
        return account.cached
      case "inputTokens":
        return uint(usage?.inputTokens)
      case "providerInputTokens":
        return uint(usage?.reportedInputTokens ?? usage?.inputTokens)
      case "inputImageTokens":
        return uint(usage?.inputImageTokens)
      case "inputTextTokens":
        return uint(rest(usage?.inputTokens, usage?.inputImageTokens, usage?.inputAudioTokens))
      case "inputAudioTokens":
        return uint(usage?.inputAudioTokens)
      case "cachedInputTokens":
        return uint(usage?.cacheReadTokens)
      case "cacheCreationInputTokens":
        return uint(usage?.cacheWriteTokens)
      case "outputTokens":
        return uint(usage?.outputTokens)
      case "outputImageTokens":
        return uint(usage?.outputImageTokens)
      case "outputTextTokens":
        return uint(rest(usage?.outputTokens, usage?.outputImageTokens, usage?.outputAudioTokens))
      case "outputAudioTokens":
        return uint(usage?.outputAudioTokens)
      case "reasoningTokens":
        return uint(usage?.reasoningTokens)
      case "totalTokens":
      case "providerTotalTokens":
        return usage === undefined ? undefined : uint(totalOf(usage))
      case "countTokens":
        return uint(account.countedTokens)
      case "timeToFirstToken":
        return span(account.timeToFirstTokenMillis)
      case "timePerOutputToken":
        return span(account.timePerOutputTokenMillis)
      case "prompt":
        return account.prompt as CelValue | undefined
      case "completion":
        return account.completion as CelValue | undefined
      case "toolCalls":
        return account.toolCalls as CelValue | undefined
      case "params":
        return paramsOf(account)
      case "cost":
        return doubles(account.cost)
      case "costRates":
        return doubles(account.rates)
      default:
        return undefined
    }
  }
}
