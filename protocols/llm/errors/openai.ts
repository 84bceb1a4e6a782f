/** Errors as OpenAI's formats and most others write them. */
import { at, isObject, type JsonObject, numberOf, textOf } from "../Json.ts"
import { type ErrorKind, kindOfStatus, type LlmError, statusOfKind } from "../LlmError.ts"

const types: Readonly<Record<ErrorKind, string>> = {
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

const kinds: Readonly<Record<string, ErrorKind>> = {
  invalid_request_error: "invalidRequest",
  invalid_api_key: "authentication",
  authentication_error: "authentication",
  permission_error: "permission",
  insufficient_quota: "billing",
  billing_error: "billing",
  not_found_error: "notFound",
  model_not_found: "notFound",
  request_too_large: "tooLarge",
  rate_limit_error: "rateLimit",
  rate_limit_exceeded: "rateLimit",
  tokens: "rateLimit",
  requests: "rateLimit",
  overloaded_error: "overloaded",
  server_is_overloaded: "overloaded",
  timeout_error: "timeout",
  service_unavailable_error: "unavailable",
  server_error: "internal",
  api_error: "internal",
}

export const writeOpenAiError = (error: LlmError): JsonObject => ({
  error: {
    message: error.message,
    type: types[error.kind],
    param: error.param ?? null,
    code: error.code ?? null,
  },
})

/** @param status undefined inside a stream, where the kind is all there is */
export const readOpenAiError = (body: unknown, status?: number): LlmError | undefined => {
  const error = at(body, "error")
  const type = textOf(at(error, "type")) ?? textOf(at(body, "type"))
  const number = numberOf(at(error, "code"))
  const code =
    textOf(at(error, "code")) ?? textOf(at(body, "code")) ?? (number === undefined ? undefined : String(number))
  const message =
    textOf(error) ??
    textOf(at(error, "message")) ??
    textOf(at(body, "message")) ??
    textOf(at(body, "detail")) ??
    (isObject(error) ? JSON.stringify(error) : undefined)
  if (message === undefined) return undefined
  const said = (code === undefined ? undefined : kinds[code]) ?? (type === undefined ? undefined : kinds[type])
  const known = status ?? (number !== undefined && number >= 400 && number < 600 ? number : undefined)
  // The status decides where it says something: providers write whatever type they like beside it.
  const kind =
    known === undefined
      ? (said ?? "internal")
      : said !== undefined && (kindOfStatus(known) === "invalidRequest" || known >= 500 || said === "billing")
        ? said
        : kindOfStatus(known)
  return {
    kind,
    status: known ?? statusOfKind(kind),
    message,
    code,
    param: textOf(at(error, "param")),
  }
}

const responseCodes: Readonly<Record<ErrorKind, string>> = {
  invalidRequest: "invalid_prompt",
  authentication: "server_error",
  permission: "server_error",
  billing: "rate_limit_exceeded",
  notFound: "server_error",
  tooLarge: "invalid_prompt",
  rateLimit: "rate_limit_exceeded",
  overloaded: "server_error",
  timeout: "server_error",
  unavailable: "server_error",
  internal: "server_error",
}

/** In a stream of Responses an error is said twice: as an event of its own, and as how the response ended. */
export const writeResponsesError = (error: LlmError): { readonly event: JsonObject; readonly error: JsonObject } => {
  const code = responseCodes[error.kind]
  return {
    event: {
      code: error.code ?? code,
      message: error.message,
      param: error.param ?? null,
      ...writeOpenAiError(error),
    },
    error: { code, message: error.message },
  }
}
