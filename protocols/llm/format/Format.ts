/**
 * The two halves that each format of a chat consists of. A format that clients speak reads requests and writes replies;
 * one that providers speak writes requests and reads replies.
 */
import type { ChatReply, ChatRequest, Delta, Vendor } from "../Conversation.ts"
import type { JsonObject } from "../Json.ts"
import type { LlmError } from "../LlmError.ts"
import type { Notes } from "../Notes.ts"
import type { ToolNames } from "../toolNames.ts"
import type { Call, ChatFormat, Untranslatable, WireEvent } from "../Translation.ts"

/** What a half may need to know of the call that it is part of. */
export interface Context {
  readonly call: Call
  /** What the client asked, once it was read. */
  readonly request: ChatRequest
  readonly body: JsonObject
  readonly names: ToolNames
  readonly from: ChatFormat
  readonly to: ChatFormat
  /** Headers of the upstream's reply, names in lower case. */
  readonly headers: { readonly [name: string]: string | undefined }
}

/** Reads the events of an upstream. */
export interface StreamReader {
  readonly feed: (event: WireEvent) => void
}

/** Writes the events of a client. */
export interface StreamWriter {
  readonly write: (delta: Delta) => void
  /** The stream ended well: whatever is still open is closed. */
  readonly end: () => void
  readonly fail: (error: LlmError) => void
}

export interface ClientHalf {
  readonly format: ChatFormat
  readonly vendor: Vendor
  readonly readRequest: (body: JsonObject, notes: Notes) => ChatRequest
  readonly writeReply: (reply: ChatReply, context: Context) => JsonObject
  readonly streamWriter: (context: Context, emit: (event: WireEvent) => void) => StreamWriter
}

export interface UpstreamHalf {
  readonly format: ChatFormat
  readonly vendor: Vendor
  /** Made anew for every call. */
  readonly toolNames: () => ToolNames
  readonly writeRequest: (request: ChatRequest, context: Context, notes: Notes) => JsonObject
  /** Undefined fields of the reply are what it did not say; a reply of another shape is a reason. */
  readonly readReply: (body: JsonObject, context: Context) => ChatReply | Untranslatable
  readonly streamReader: (context: Context, emit: (delta: Delta) => void) => StreamReader
}
