/** From what a client asks to what a provider is sent, and the way back. */
import * as Result from "effect/Result"
import type { LlmProvider } from "../../../ir/backend/Llm.ts"
import { withMembers } from "../../../protocols/json/members.ts"
import { isObject, type JsonObject, textOf } from "../../../protocols/llm/Json.ts"
import type { LlmError } from "../../../protocols/llm/LlmError.ts"
import type { CallOptions, Format, Prepared } from "../../../protocols/llm/Translation.ts"
import { translation } from "../../../protocols/llm/translations.ts"
import type { Try } from "../Target.ts"
import type { Asked } from "./Asked.ts"
import { clientFormats } from "./kinds.ts"
import { withMultipartField } from "./multipart.ts"
import { edited, type Shape, type Shaped, unchanged } from "./shape.ts"
import { invalid } from "./told.ts"
import type { VendorTraits } from "./vendor/VendorCall.ts"

/** What goes to a provider. */
export interface Sendable {
  readonly client: Format | undefined
  /** Absent where it is passed on unread. */
  readonly upstream: Format | undefined
  readonly model: string | undefined
  readonly streaming: boolean
  readonly bytes: Uint8Array
  /** Whether the bytes are JSON that the gateway has written anew. */
  readonly isRewritten: boolean
  /** The way back; absent where the reply passes as it is. */
  readonly prepared: Prepared | undefined
  /** An event that only tells of usage was asked for by the gateway, not by the client. */
  readonly holdsBackUsage: boolean
  /** The client takes a stream as one long list. */
  readonly wantsList: boolean
}

/** A request in the client's terms, complete, before it is put into the provider's. */
export interface Ready {
  readonly client: Format | undefined
  /** Absent where nobody reads it. */
  readonly json: JsonObject | undefined
  /** With the body that whoever looked at it in between left. */
  readonly close: (json: JsonObject | undefined) => Result.Result<Sendable, LlmError>
}

export type Preparing = (
  attempt: Try,
  asked: Asked,
  pinned: string | undefined,
  /** What only a translation needs. */
  call: () => { readonly nowMillis: number; readonly id: string },
) => Result.Result<Ready, LlmError>

/** In which order the ways to say it are tried; the client's own comes first, except where a provider only imitates it. */
const preferences: { readonly [From in Format]?: ReadonlyArray<Format> } = {
  openaiChat: ["gemini", "openaiChat", "anthropicMessages", "bedrockConverse", "openaiResponses"],
  openaiResponses: ["openaiResponses", "gemini", "openaiChat", "anthropicMessages", "bedrockConverse"],
  anthropicMessages: ["anthropicMessages", "gemini", "openaiChat", "openaiResponses", "bedrockConverse"],
  gemini: ["gemini", "openaiChat", "openaiResponses", "anthropicMessages", "bedrockConverse"],
  bedrockConverse: ["bedrockConverse", "anthropicMessages", "gemini", "openaiChat", "openaiResponses"],
  openaiEmbeddings: [
    "openaiEmbeddings",
    "geminiEmbeddings",
    "vertexEmbeddings",
    "bedrockTitanEmbeddings",
    "bedrockNovaEmbeddings",
    "bedrockCohereEmbeddings",
  ],
  cohereRerank: ["cohereRerank", "vertexRerank", "bedrockRerank"],
  anthropicCountTokens: ["anthropicCountTokens", "bedrockCountTokens", "geminiCountTokens"],
  geminiCountTokens: ["geminiCountTokens", "anthropicCountTokens"],
}

const choose = (from: Format, spoken: ReadonlyArray<Format>): Format | undefined =>
  preferences[from]?.find((to) => spoken.includes(to) && (to === from || translation(from, to) !== undefined))

/** A form keeps its files; only the field that names the model changes. */
const underName = ({ bytes, contentType, json }: Asked, model: string): Uint8Array => {
  if (json === undefined) return withMultipartField(bytes, contentType, "model", model)
  return textOf(json["model"]) === undefined ? bytes : withMembers(bytes, new Map([["model", JSON.stringify(model)]]))
}

/** The code of an error that another provider may not have. */
export const unsupported = "unsupported_conversion"

const encoder = new TextEncoder()

const bytesOf = ({ bytes }: Asked, { edits }: Shaped): Uint8Array => {
  if (edits.size === 0) return bytes
  const texts = new Map<string, string | undefined>()
  for (const [name, value] of edits) texts.set(name, value === undefined ? undefined : JSON.stringify(value))
  return withMembers(bytes, texts)
}

/** The usage of a stream is only told to those who ask. */
const askingForUsage = (shaped: Shaped): { readonly shaped: Shaped; readonly isOurs: boolean } => {
  if (shaped.json["stream"] !== true) return { shaped, isOurs: false }
  const { stream_options: options } = shaped.json
  if (isObject(options) && options["include_usage"] === true) return { shaped, isOurs: false }
  const wanted = { ...(isObject(options) ? options : {}), include_usage: true }
  return { shaped: edited(shaped, [["stream_options", wanted]]), isOurs: true }
}

const renamesMaxTokens = new Set(["openai", "azure", "copilot"])

/** Newer models of OpenAI's refuse the older name. */
const withMaxCompletionTokens = (shaped: Shaped): Shaped => {
  const { max_completion_tokens: current, max_tokens: older } = shaped.json
  if (older === undefined) return shaped
  return edited(shaped, [
    ["max_tokens", undefined],
    ...(current === undefined ? ([["max_completion_tokens", older]] as const) : []),
  ])
}

const withoutMetadata = invalid("what AWS is to be told of this request cannot be computed", "missing_metadata")

export const preparing = (
  provider: LlmProvider,
  traits: VendorTraits,
  shape: Shape,
  options: CallOptions | undefined,
  metadata?: (attempt: Try) => JsonObject | undefined,
): Preparing => {
  const opaque: Preparing = (_attempt, asked, pinned) => {
    const model = pinned ?? provider.model
    const renamed = model === undefined || asked.model === undefined ? undefined : shape.alias(model)
    const bytes = renamed === undefined || renamed === asked.model ? asked.bytes : underName(asked, renamed)
    const sendable: Sendable = {
      client: undefined,
      upstream: undefined,
      model: renamed ?? asked.model,
      streaming: asked.streaming,
      bytes,
      isRewritten: false,
      prepared: undefined,
      holdsBackUsage: false,
      wantsList: false,
    }
    return Result.succeed({ client: undefined, json: undefined, close: () => Result.succeed(sendable) })
  }

  return (attempt, asked, pinned, call) => {
    const client = clientFormats[asked.kind]
    if (client === undefined) return opaque(attempt, asked, pinned, call)
    if (asked.json === undefined) return Result.fail(invalid("the body of the request is not a JSON object"))
    const own = unchanged(asked.json)
    const pin = pinned ?? provider.model
    const named = pin ?? asked.model
    const isNamed = textOf(asked.json["model"]) === named
    let shaped = shape.before(attempt, named === undefined || isNamed ? own : edited(own, [["model", named]]))
    const said = textOf(shaped.json["model"])
    if (said === undefined || said === "") return Result.fail(invalid("the request names no model", "missing_model"))
    const model = shape.alias(said)
    if (model !== said) shaped = edited(shaped, [["model", model]])
    shaped = shape.prompts(client, shaped)
    const upstream = choose(client, traits.formats(model))
    if (upstream === undefined) {
      return Result.fail(invalid(`unsupported conversion: from ${asked.kind} to provider ${traits.name}`, unsupported))
    }
    const complete = shaped
    const close: Ready["close"] = (json) => {
      let shaped = json === undefined ? complete : difference(complete, json)
      const streaming = asked.streaming || shaped.json["stream"] === true
      const base = { client, upstream, model, wantsList: streaming && asked.wantsList }
      if (upstream === client) {
        let holdsBackUsage = false
        if (client === "openaiChat") {
          const asking = askingForUsage(shaped)
          shaped = asking.shaped
          holdsBackUsage = asking.isOurs
          if (renamesMaxTokens.has(traits.name) && model.startsWith("gpt-")) shaped = withMaxCompletionTokens(shaped)
        } else if (client === "gemini" || client === "geminiCountTokens" || client === "bedrockConverse") {
          // Their paths name the model.
          shaped = Object.hasOwn(shaped.json, "model") ? edited(shaped, [["model", undefined]]) : shaped
        }
        if (options?.moderation !== undefined && (client === "openaiChat" || client === "openaiResponses")) {
          shaped = edited(shaped, [["moderation", options.moderation]])
        }
        const adjusted = traits.body?.(shaped.json, { format: upstream, model, streaming, prefix: undefined })
        if (adjusted !== undefined && adjusted !== shaped.json) shaped = difference(shaped, adjusted)
        if (metadata !== undefined && upstream === "bedrockConverse") {
          const told = metadata(attempt)
          if (told === undefined) return Result.fail(withoutMetadata)
          shaped = edited(shaped, [["requestMetadata", told]])
        }
        shaped = shape.after(attempt, shaped)
        return Result.succeed({
          ...base,
          streaming,
          // What was looked at is what is sent: bytes may say a thing twice.
          bytes: json === undefined ? bytesOf(asked, shaped) : encoder.encode(JSON.stringify(shaped.json)),
          isRewritten: json !== undefined || shaped.edits.size > 0,
          prepared: undefined,
          holdsBackUsage,
        })
      }
      const prepared = translation(client, upstream)?.request(shaped.json, {
        model,
        ...call(),
        ...(asked.isStreamingPath ? { stream: true } : {}),
        ...(options === undefined ? {} : { options }),
      })
      if (prepared === undefined) return Result.fail(invalid("unsupported conversion"))
      if (Result.isFailure(prepared)) {
        const { path, reason } = prepared.failure
        return Result.fail({ ...invalid(reason), param: path === "" ? undefined : path })
      }
      const { body } = prepared.success
      const adjusted = traits.body?.(body, { format: upstream, model, streaming, prefix: undefined }) ?? body
      const told = metadata !== undefined && upstream === "bedrockConverse" ? metadata(attempt) : undefined
      if (metadata !== undefined && upstream === "bedrockConverse" && told === undefined) {
        return Result.fail(withoutMetadata)
      }
      const labelled = told === undefined ? adjusted : { ...adjusted, requestMetadata: told }
      const { json: final } = shape.after(attempt, unchanged(labelled))
      return Result.succeed({
        ...base,
        streaming,
        bytes: encoder.encode(JSON.stringify(final)),
        isRewritten: true,
        prepared: prepared.success,
        holdsBackUsage: false,
      })
    }
    return Result.succeed({ client, json: complete.json, close })
  }
}

/** Members that differ from what they were. */
const difference = (shaped: Shaped, to: JsonObject): Shaped => {
  const members: Array<readonly [string, unknown]> = []
  for (const [name, value] of Object.entries(to)) if (shaped.json[name] !== value) members.push([name, value])
  for (const name of Object.keys(shaped.json)) if (!Object.hasOwn(to, name)) members.push([name, undefined])
  return edited(shaped, members)
}
