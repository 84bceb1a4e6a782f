/**
 * What a chat request, its reply and its stream say, in the words of no provider. Each format is read into this and
 * written from it, so that a pair of formats is two halves that already exist. What only one family can say stays with
 * the part that carries it.
 */
import type { JsonObject } from "./Json.ts"
import type { LlmError } from "./LlmError.ts"
import type { Usage } from "./Usage.ts"

/** Who can verify an opaque signature or decrypt a hidden thought; nobody else accepts it. */
export type Vendor = "anthropic" | "openai" | "google"

/** Where the bytes of an image, a document or a sound are. */
export type Source =
  | { readonly kind: "base64"; readonly mediaType: string; readonly data: string }
  | { readonly kind: "url"; readonly url: string; readonly mediaType?: string | undefined }
  | { readonly kind: "file"; readonly id: string }
  | { readonly kind: "text"; readonly text: string }

/** A mark after which the provider may cache the prompt. */
export interface CacheMark {
  readonly ttl?: string | undefined
}

export interface TextPart {
  readonly kind: "text"
  readonly text: string
  readonly cache?: CacheMark | undefined
  /** Citations and annotations as the provider wrote them, for a reader of the same family. */
  readonly citations?: ReadonlyArray<Citation> | undefined
  readonly signature?: Signature | undefined
  readonly logprobs?: ReadonlyArray<unknown> | undefined
}

/** A place that a text refers to: what every family can say of it, and the original. */
export interface Citation {
  readonly url?: string | undefined
  readonly title?: string | undefined
  readonly start?: number | undefined
  readonly end?: number | undefined
  readonly vendor: Vendor | "amazon"
  readonly original: JsonObject
}

export interface Signature {
  readonly vendor: Vendor
  readonly value: string
}

export interface ImagePart {
  readonly kind: "image"
  readonly source: Source
  readonly detail?: string | undefined
  readonly cache?: CacheMark | undefined
}

/** A file to be read: PDF, text, spreadsheet. */
export interface DocumentPart {
  readonly kind: "document"
  readonly source: Source
  readonly name?: string | undefined
  readonly context?: string | undefined
  readonly citable?: boolean | undefined
  readonly cache?: CacheMark | undefined
}

/** Sound or moving pictures. */
export interface MediaPart {
  readonly kind: "media"
  readonly source: Source
  /** What was said in it, where the model wrote it. */
  readonly transcript?: string | undefined
}

export interface ReasoningPart {
  readonly kind: "reasoning"
  readonly text: string
  readonly signature?: Signature | undefined
  /** The thought itself, readable by its vendor only. */
  readonly hidden?: Signature | undefined
  readonly id?: string | undefined
}

export interface ToolCallPart {
  readonly kind: "toolCall"
  readonly id: string
  readonly name: string
  /** JSON as it was written; for a custom tool, its text. */
  readonly input: string
  readonly custom?: boolean | undefined
  readonly signature?: Signature | undefined
  /** The provider runs this tool itself. */
  readonly hosted?: boolean | undefined
  readonly cache?: CacheMark | undefined
}

export interface ToolResultPart {
  readonly kind: "toolResult"
  readonly id: string
  readonly name?: string | undefined
  readonly content: ReadonlyArray<TextPart | ImagePart | DocumentPart>
  /** The result was an object of its own, not a text. */
  readonly object?: JsonObject | undefined
  readonly failed?: boolean | undefined
  readonly custom?: boolean | undefined
  readonly cache?: CacheMark | undefined
}

export interface RefusalPart {
  readonly kind: "refusal"
  readonly text: string
}

export type Part =
  | TextPart
  | ImagePart
  | DocumentPart
  | MediaPart
  | ReasoningPart
  | ToolCallPart
  | ToolResultPart
  | RefusalPart

export type Role = "system" | "developer" | "user" | "assistant"

export interface Turn {
  readonly role: Role
  readonly parts: ReadonlyArray<Part>
  readonly name?: string | undefined
}

export interface Tool {
  readonly name: string
  readonly description?: string | undefined
  /** Absent: the tool takes free text (custom), or no arguments. */
  readonly schema?: JsonObject | undefined
  readonly strict?: boolean | undefined
  readonly custom?: FreeText | undefined
  readonly cache?: CacheMark | undefined
}

/** What the text of a custom tool looks like, where that is said. */
export interface FreeText {
  readonly format?: JsonObject | undefined
}

export type ToolChoice =
  | { readonly kind: "auto" | "required" | "none" }
  | { readonly kind: "tool"; readonly name: string; readonly custom?: boolean | undefined }
  | { readonly kind: "among"; readonly names: ReadonlyArray<string>; readonly required: boolean }

export const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const
export type Effort = (typeof efforts)[number]

export interface Reasoning {
  readonly effort?: Effort | undefined
  readonly budgetTokens?: number | undefined
  /** The model decides how long it thinks. */
  readonly adaptive?: boolean | undefined
  readonly off?: boolean | undefined
  /** Whether the thoughts, or a summary of them, are wanted in the reply. */
  readonly summary?: string | undefined
}

export type OutputShape =
  | { readonly kind: "json" }
  | {
      readonly kind: "schema"
      readonly schema: JsonObject
      readonly name?: string | undefined
      readonly description?: string | undefined
      readonly strict?: boolean | undefined
    }

export interface ChatRequest {
  readonly model?: string | undefined
  /** System and developer turns stand where they were said; a format that only knows one prompt gathers them. */
  readonly turns: ReadonlyArray<Turn>
  readonly tools: ReadonlyArray<Tool>
  readonly toolChoice?: ToolChoice | undefined
  readonly parallelTools?: boolean | undefined
  readonly maxTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly stop?: ReadonlyArray<string> | undefined
  readonly seed?: number | undefined
  readonly presencePenalty?: number | undefined
  readonly frequencyPenalty?: number | undefined
  readonly choices?: number | undefined
  readonly logprobs?: boolean | undefined
  readonly topLogprobs?: number | undefined
  readonly reasoning?: Reasoning | undefined
  readonly output?: OutputShape | undefined
  readonly verbosity?: string | undefined
  readonly stream: boolean
  /** The client of a stream asked for the usage at its end. */
  readonly streamUsage?: boolean | undefined
  readonly user?: string | undefined
  readonly metadata?: JsonObject | undefined
  readonly serviceTier?: string | undefined
  readonly modalities?: ReadonlyArray<string> | undefined
  /** Fields of the whole request that only one family knows, as they were written. */
  readonly extras: { readonly vendor: Vendor; readonly fields: JsonObject }
}

const finishes = [
  "stop",
  "stopSequence",
  "length",
  "contextWindow",
  "toolCalls",
  "contentFilter",
  "refusal",
  "pause",
] as const
/** Why the model stopped. */
export type Finish = (typeof finishes)[number]

export interface Choice {
  readonly parts: ReadonlyArray<Part>
  readonly finish: Finish
  readonly stopSequence?: string | undefined
}

export interface ChatReply {
  readonly id?: string | undefined
  readonly model?: string | undefined
  readonly createdSeconds?: number | undefined
  readonly choices: ReadonlyArray<Choice>
  readonly usage?: Usage | undefined
  readonly serviceTier?: string | undefined
  readonly fingerprint?: string | undefined
  /** The reply is an error that came with a good status. */
  readonly error?: LlmError | undefined
}

/** What a part of a stream is, said when it begins. */
export type Opening =
  | { readonly kind: "text" }
  | { readonly kind: "refusal" }
  | { readonly kind: "reasoning"; readonly id?: string | undefined }
  | {
      readonly kind: "toolCall"
      readonly id: string
      readonly name: string
      readonly custom?: boolean | undefined
      readonly signature?: Signature | undefined
    }
  | { readonly kind: "media"; readonly part: MediaPart | ImagePart }

/**
 * One thing that a stream says. Parts are named by a key that is unique in the stream; every part is opened, grows and
 * is closed, and several may be open at once.
 */
export type Delta =
  | {
      readonly kind: "start"
      readonly id?: string | undefined
      readonly model?: string | undefined
      readonly createdSeconds?: number | undefined
      readonly serviceTier?: string | undefined
      readonly fingerprint?: string | undefined
    }
  | { readonly kind: "open"; readonly key: string; readonly choice: number; readonly opening: Opening }
  | { readonly kind: "grow"; readonly key: string; readonly text: string; readonly logprobs?: ReadonlyArray<unknown> }
  | { readonly kind: "sign"; readonly key: string; readonly signature: Signature }
  | { readonly kind: "hide"; readonly key: string; readonly hidden: Signature }
  | { readonly kind: "cite"; readonly key: string; readonly citation: Citation }
  | { readonly kind: "close"; readonly key: string }
  | {
      readonly kind: "finish"
      readonly choice: number
      readonly finish: Finish
      readonly stopSequence?: string | undefined
    }
  | { readonly kind: "usage"; readonly usage: Usage }
  | { readonly kind: "error"; readonly error: LlmError }
  /** The stream said that it is over. */
  | { readonly kind: "end" }
