/** Errors as Anthropic's Messages writes them. */
import { at, type JsonObject, textOf } from "../Json.ts"
import { type ErrorKind, kindOfStatus, type LlmError, statusOfKind } from "../LlmError.ts"

const types: Readonly<Record<ErrorKind, string>> = {
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
const kinds: Readonly<Record<string, ErrorKind>> = Object.fromEntries(
  Object.entries(types).map(([kind, type]) => [type, kind === "unavailable" ? "internal" : (kind as ErrorKind)]),
)

export const writeAnthropicError = (error: LlmError): JsonObject => ({
  type: "error",
  error: { type: types[error.kind], message: error.message },
})

export const readAnthropicError = (body: unknown, status?: number): LlmError | undefined => {
  const message = textOf(at(body, "error", "message"))
  const type = textOf(at(body, "error", "type"))
  if (message === undefined && type === undefined) return undefined
  const said = type === undefined ? undefined : kinds[type]
  const kind = said ?? (status === undefined ? "internal" : kindOfStatus(status))
  return { kind, status: status ?? statusOfKind(kind), message: message ?? type ?? "", code: undefined }
}
