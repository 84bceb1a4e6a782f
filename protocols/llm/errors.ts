/** Errors of every format, in every other: what the upstream said, in the words that the client's library understands. */
import { readAnthropicError, writeAnthropicError } from "./errors/anthropic.ts"
import { bedrockErrorType, bedrockException, readBedrockError } from "./errors/bedrock.ts"
import { readGoogleError, writeGoogleError } from "./errors/google.ts"
import { readOpenAiError, writeOpenAiError, writeResponsesError } from "./errors/openai.ts"
import { type JsonObject, parseJson } from "./Json.ts"
import { kindOfStatus, type LlmError } from "./LlmError.ts"
import type { Format, WireEvent } from "./Translation.ts"

type Family = "openai" | "anthropic" | "google" | "aws" | "cohere"

const familyOf = (format: Format): Family => {
  switch (format) {
    case "anthropicMessages":
    case "anthropicCountTokens":
      return "anthropic"
    case "gemini":
    case "geminiEmbeddings":
    case "geminiCountTokens":
    case "vertexEmbeddings":
    case "vertexRerank":
      return "google"
    case "bedrockConverse":
    case "bedrockTitanEmbeddings":
    case "bedrockNovaEmbeddings":
    case "bedrockCohereEmbeddings":
    case "bedrockRerank":
    case "bedrockCountTokens":
      return "aws"
    case "cohereRerank":
      return "cohere"
    default:
      return "openai"
  }
}

/** As much of a body that nobody can read as is of use to a reader. */
const RAW_CHARS_MAX = 500

/** An error of the upstream; a body that is none of its format's still has a status and some text. */
export const readError = (
  format: Format,
  status: number,
  body: string,
  headers: { readonly [name: string]: string | undefined } = {},
): LlmError => {
  const parsed = parseJson(body)
  const family = familyOf(format)
  const known =
    family === "anthropic"
      ? readAnthropicError(parsed, status)
      : family === "google"
        ? readGoogleError(parsed, status)
        : family === "aws" && typeof parsed === "object" && parsed !== null
          ? readBedrockError(parsed, headers["x-amzn-errortype"], status)
          : readOpenAiError(parsed, status)
  // A proxy in between may answer in the most common format, whatever was asked.
  const found = known ?? (parsed === undefined ? undefined : readOpenAiError(parsed, status))
  if (found !== undefined) return found
  const text = body.trim()
  const readable = text !== "" && !text.startsWith("<")
  return {
    kind: kindOfStatus(status),
    status,
    message: readable ? text.slice(0, RAW_CHARS_MAX) : `the model answered with status ${status}`,
  }
}

/** The body of an error for a client of the format. */
export const writeError = (format: Format, error: LlmError): JsonObject => {
  switch (familyOf(format)) {
    case "anthropic":
      return writeAnthropicError(error)
    case "google":
      return writeGoogleError(error)
    case "aws":
      return { message: error.message }
    case "cohere":
      return { message: error.message, ...writeOpenAiError(error) }
    default:
      return writeOpenAiError(error)
  }
}

/** Headers that an error of the format has beside its body. */
export const errorHeaders = (format: Format, error: LlmError): ReadonlyArray<string> =>
  familyOf(format) === "aws" ? ["x-amzn-errortype", bedrockErrorType(error)] : []

/** The end of a stream that is passed on as it is, when the gateway has to break it off. */
export const streamError = (format: Format, error: LlmError): WireEvent => {
  const body = writeError(format, error)
  if (format === "bedrockConverse") return { event: `exception:${bedrockException(error)}`, data: JSON.stringify(body) }
  if (format === "anthropicMessages") return { event: "error", data: JSON.stringify(body) }
  if (format === "openaiResponses")
    return {
      event: "error",
      data: JSON.stringify({ type: "error", sequence_number: 0, ...writeResponsesError(error).event }),
    }
  return { data: JSON.stringify(body) }
}
