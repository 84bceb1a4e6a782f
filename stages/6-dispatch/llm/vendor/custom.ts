/** Any endpoint that speaks formats of others. */
import type { ProviderFormat } from "../../../../ir/backend/Llm.ts"
import type { Format } from "../../../../protocols/llm/Translation.ts"
import { clientFormats } from "../kinds.ts"
import { anthropicVersion } from "./anthropic.ts"
import { conversePath } from "./bedrock.ts"
import { nativePath } from "./gemini.ts"
import { suffixOf } from "./openAi.ts"
import { asBearer, prepending, replacingV1, type VendorTraits } from "./VendorCall.ts"

const isGemini = (format: Format): boolean => format === "gemini" || format === "geminiCountTokens"
const isAnthropic = (format: Format): boolean => format === "anthropicMessages" || format === "anthropicCountTokens"

export const custom = (name: string | undefined, declared: ReadonlyArray<ProviderFormat>): VendorTraits => {
  const formats: Array<Format> = []
  const paths = new Map<Format, string>()
  let realtime: string | undefined
  for (const { path, type } of declared) {
    const format = clientFormats[type]
    if (type === "realtime") realtime = path
    if (format === undefined) continue
    formats.push(format)
    if (path !== undefined) paths.set(format, path)
  }
  const isRealtime = declared.some(({ type }) => type === "realtime")
  const isOpenAiLike = declared.some(({ type }) => type === "completions" || type === "responses")
  return {
    name: name ?? "custom",
    address: () => undefined,
    formats: () => formats,
    path: (call) => {
      const own = paths.get(call.format)
      if (own !== undefined) return own
      if (call.format === "bedrockConverse") return conversePath(call.model, call.streaming, call.prefix)
      return isGemini(call.format) ? nativePath(call) : `${call.prefix ?? "/v1"}${suffixOf(call.format)}`
    },
    opaquePath: isOpenAiLike ? replacingV1 : prepending,
    ...(isRealtime ? { realtimePath: (prefix = "/v1") => realtime ?? `${prefix}/realtime` } : {}),
    credential: asBearer,
    head: (headers, { format }) => {
      if (isAnthropic(format) && !headers.has("anthropic-version")) headers.set("anthropic-version", anthropicVersion)
    },
  }
}
