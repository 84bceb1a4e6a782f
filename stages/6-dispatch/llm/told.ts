/** Failures in the words of the format that the client speaks. */
import { Headers } from "../../../protocols/http/headers.ts"
import { encodeSse } from "../../../protocols/http/sse.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import { type ErrorKind, kindOfStatus, type LlmError } from "../../../protocols/llm/LlmError.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"
import * as Body from "../../Body.ts"
import type { Reply } from "../../Exchange.ts"
import { message, status, type Refusal } from "../../Refusal.ts"

const openAiTypes: Readonly<Record<ErrorKind, string>> = {
  invalidRequest: "invalid_request_error",
  authentication: "authentication_error",
  permission: "permission_error",
  billing: "insufficient_quota",
  notFound: "not_found_error",
  tooLarge: "invalid_request_error",
  rateLimit: "rate_limit_error",
  overloaded: "overloaded_error",
  timeout: "timeout_error",
  unavailable: "service_unavailable_error",
  internal: "server_error",
}

const anthropicTypes: Readonly<Record<ErrorKind, string>> = {
  invalidRequest: "invalid_request_error",
  authentication: "authentication_error",
  permission: "permission_error",
  billing: "billing_error",
  notFound: "not_found_error",
  tooLarge: "request_too_large",
  rateLimit: "rate_limit_error",
  overloaded: "overloaded_error",
  timeout: "timeout_error",
  unavailable: "api_error",
  internal: "api_error",
}

const googleStatuses: Readonly<Record<ErrorKind, string>> = {
  invalidRequest: "INVALID_ARGUMENT",
  authentication: "UNAUTHENTICATED",
  permission: "PERMISSION_DENIED",
  billing: "FAILED_PRECONDITION",
  notFound: "NOT_FOUND",
  tooLarge: "INVALID_ARGUMENT",
  rateLimit: "RESOURCE_EXHAUSTED",
  overloaded: "UNAVAILABLE",
  timeout: "DEADLINE_EXCEEDED",
  unavailable: "UNAVAILABLE",
  internal: "INTERNAL",
}

export const errorBody = (format: Format | undefined, error: LlmError): JsonObject => {
  switch (format) {
    case "anthropicMessages":
    case "anthropicCountTokens":
      return { type: "error", error: { type: anthropicTypes[error.kind], message: error.message } }
    case "gemini":
    case "geminiCountTokens":
      return { error: { code: error.status, message: error.message, status: googleStatuses[error.kind] } }
    default:
      return {
        error: {
          message: error.message,
          type: openAiTypes[error.kind],
          param: error.param ?? null,
          code: error.code ?? null,
        },
      }
  }
}

const encoder = new TextEncoder()

/** The end of a stream that failed. */
export const errorEnd = (format: Format | undefined, error: LlmError): Uint8Array => {
  const body = errorBody(format, error)
  switch (format) {
    case "anthropicMessages":
      return encoder.encode(encodeSse({ event: "error", data: JSON.stringify(body) }))
    case "openaiResponses":
      return encoder.encode(
        encodeSse({
          event: "error",
          data: JSON.stringify({
            type: "error",
            code: error.code ?? openAiTypes[error.kind],
            message: error.message,
            param: null,
            sequence_number: 0,
          }),
        }),
      )
    default:
      return encoder.encode(encodeSse({ data: JSON.stringify(body) }))
  }
}

export const errorReply = (
  format: Format | undefined,
  error: LlmError,
  headers: ReadonlyArray<string> = [],
  origin: Reply["origin"] = "gateway",
): Reply => ({
  status: error.status,
  headers: new Headers(["content-type", "application/json", ...headers]),
  body: Body.text(JSON.stringify(errorBody(format, error))),
  origin,
})

/** A refusal of the gateway's own, as an error of a model. */
export const ofRefusal = (refusal: Refusal): LlmError => {
  const code = status(refusal)
  return { kind: kindOfStatus(code), status: code, message: message(refusal) }
}

export const invalid = (text: string, code?: string): LlmError => ({
  kind: "invalidRequest",
  status: 400,
  message: text,
  code,
})
