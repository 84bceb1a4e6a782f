/**
 * Between two ways of speaking to a model. Everything here is pure and total: what cannot be said in the other format
 * is a reason, never a throw, and what had to be left out is named.
 *
 *     client request ──request──▶ upstream request          `translation(from, to)` finds the pair
 *     client reply   ◀──reply──── upstream reply
 *     client events  ◀──stream─── upstream events           bytes become events in `framing/`
 *     client error   ◀──────────── upstream error           `errors.ts`
 */
import type * as Result from "effect/Result"
import type { Finish } from "./Conversation.ts"
import type { JsonObject } from "./Json.ts"
import type { LlmError } from "./LlmError.ts"
import type { Usage } from "./Usage.ts"

/** How a chat may be asked for, by clients and of providers. */
export const chatFormats = ["openaiChat", "openaiResponses", "anthropicMessages", "gemini", "bedrockConverse"] as const
export type ChatFormat = (typeof chatFormats)[number]

/** What is asked once and answered once. */
const plainFormats = [
  "openaiEmbeddings",
  "geminiEmbeddings",
  "vertexEmbeddings",
  "bedrockTitanEmbeddings",
  "bedrockNovaEmbeddings",
  "bedrockCohereEmbeddings",
  "cohereRerank",
  "bedrockRerank",
  "vertexRerank",
  "anthropicCountTokens",
  "bedrockCountTokens",
  "geminiCountTokens",
] as const
export type PlainFormat = (typeof plainFormats)[number]

export const formats = [...chatFormats, ...plainFormats] as const
export type Format = ChatFormat | PlainFormat

/** What a translation cannot know from the body alone. */
export interface Call {
  /** The model as the upstream names it. */
  readonly model: string
  readonly nowMillis: number
  /** Unique to the call, at least sixteen of [0-9a-f]; ids that the upstream does not give are made from it. */
  readonly id: string
  /** Where the client's path says whether it wants a stream, and not its body (Gemini, Bedrock). */
  readonly stream?: boolean | undefined
  readonly options?: CallOptions | undefined
}

export interface CallOptions {
  /** For a format that demands a bound where the client gave none. Default 4096. */
  readonly maxTokens?: number | undefined
  /** Where the client's cache marks do not exist: where the gateway puts its own (Bedrock, Anthropic). */
  readonly promptCaching?: PromptCaching | undefined
  readonly bedrock?: BedrockOptions | undefined
  /** OpenAI's own moderation, asked for in the same call. */
  readonly moderation?: JsonObject | undefined
}

export interface PromptCaching {
  readonly system: boolean
  readonly messages: boolean
  readonly tools: boolean
  readonly minTokens: number
  readonly messageOffset: number
}

export interface BedrockOptions {
  readonly guardrail?: { readonly identifier: string; readonly version: string } | undefined
  /** Already limited to what may pass. */
  readonly anthropicBetas?: ReadonlyArray<string> | undefined
  readonly anthropicVersion?: string | undefined
  readonly metadata?: JsonObject | undefined
  readonly region?: string | undefined
}

/** Why something cannot be said in the other format. */
export interface Untranslatable {
  readonly reason: string
  /** Where in the body, as `messages[2].content[0]`. */
  readonly path: string
}

export interface TranslatedReply {
  readonly body: JsonObject
  readonly usage: Usage | undefined
  /** The model that the upstream says answered. */
  readonly model: string | undefined
  readonly finish: Finish | undefined
}

/** An event of a stream, without the framing that carried it. */
export interface WireEvent {
  /** The SSE event name, or the type of an AWS event-stream message; `exception:<type>` for its exceptions. */
  readonly event?: string | undefined
  readonly data: string
}

/**
 * One stream in one direction. Whatever was emitted so far is a valid beginning of a stream of the client's format,
 * and after `end` or `fail` it is a whole one.
 */
export interface StreamTranslator {
  readonly feed: (event: WireEvent) => ReadonlyArray<WireEvent>
  /** The upstream's body ended. If its stream was not finished, the client is told so. */
  readonly end: () => ReadonlyArray<WireEvent>
  /** The upstream broke, or what it sent may not be passed on. */
  readonly fail: (error: LlmError) => ReadonlyArray<WireEvent>
  readonly seen: () => Seen
}

/** What is known of a stream so far. */
export interface Seen {
  readonly usage: Usage | undefined
  readonly model: string | undefined
  readonly finish: Finish | undefined
  /** Something for the reader came: text, thought or the beginning of a tool call. */
  readonly content: boolean
  readonly error: LlmError | undefined
  /** Nothing more will be emitted. */
  readonly over: boolean
}

/** A request in the upstream's format, and the way back for what it answers. */
export interface Prepared {
  readonly body: JsonObject
  readonly streaming: boolean
  /** What the client said and the upstream's format cannot, in words or as paths into the client's body. */
  readonly dropped: ReadonlyArray<string>
  /** Headers of the reply that carry what its body lacks are given in lower case. */
  readonly reply: (
    body: unknown,
    headers?: { readonly [name: string]: string | undefined },
  ) => Result.Result<TranslatedReply, Untranslatable>
  readonly stream: () => StreamTranslator
}

export interface Translation {
  readonly from: Format
  readonly to: Format
  readonly request: (body: unknown, call: Call) => Result.Result<Prepared, Untranslatable>
}
