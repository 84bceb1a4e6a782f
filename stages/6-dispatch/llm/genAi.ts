/** A call of a model in the words that OpenTelemetry has for it. */
import type { Exchange } from "../../Exchange.ts"
import type { Attribute, Span } from "../../Trace.ts"
import type { Account } from "./Account.ts"

export const operationOf = ({ operation }: Account): string => (operation === "embeddings" ? "embeddings" : "chat")

/** Never what was said: names of spans are few. */
export const spanName = (account: Account): string =>
  `${operationOf(account)} ${account.upstreamModel ?? account.requestModel ?? "unknown"}`

export const askedOf = (account: Account): ReadonlyArray<Attribute> => {
  const { provider, providerName, requestModel, streaming, upstreamModel } = account
  const attributes: Array<Attribute> = [["gen_ai.operation.name", operationOf(account)]]
  if (provider !== undefined) attributes.push(["gen_ai.provider.name", provider])
  if (providerName !== undefined) attributes.push(["agw.ai.provider", providerName])
  const model = upstreamModel ?? requestModel
  if (model !== undefined) attributes.push(["gen_ai.request.model", model])
  if (streaming) attributes.push(["gen_ai.request.stream", true])
  return attributes
}

/** What the model answered is told by the span of the attempt that brought the answer, once it is known. */
export const tellAnswer = (span: Span, { notes }: Exchange): void => {
  const account = notes?.llm
  const asked = account?.providerName
  account?.watch(({ providerName, responseModel, timeToFirstTokenMillis, usage }) => {
    // Somebody else was asked after all.
    if (providerName !== asked) return
    if (responseModel !== undefined) span.set("gen_ai.response.model", responseModel)
    if (usage?.inputTokens !== undefined) span.set("gen_ai.usage.input_tokens", usage.inputTokens)
    if (usage?.outputTokens !== undefined) span.set("gen_ai.usage.output_tokens", usage.outputTokens)
    if (timeToFirstTokenMillis !== undefined) {
      span.set("gen_ai.response.time_to_first_chunk", timeToFirstTokenMillis / 1000)
    }
  })
}
