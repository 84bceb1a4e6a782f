/** Errors as Google's interfaces write them. */
import { at, type JsonObject, numberOf, textOf } from "../Json.ts"
import { type ErrorKind, kindOfStatus, type LlmError, statusOfKind } from "../LlmError.ts"

const statuses: Readonly<Record<ErrorKind, string>> = {
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

const kinds: Readonly<Record<string, ErrorKind>> = {
  INVALID_ARGUMENT: "invalidRequest",
  FAILED_PRECONDITION: "invalidRequest",
  OUT_OF_RANGE: "invalidRequest",
  UNAUTHENTICATED: "authentication",
  PERMISSION_DENIED: "permission",
  NOT_FOUND: "notFound",
  RESOURCE_EXHAUSTED: "rateLimit",
  UNAVAILABLE: "overloaded",
  DEADLINE_EXCEEDED: "timeout",
  INTERNAL: "internal",
}

export const writeGoogleError = (error: LlmError): JsonObject => ({
  error: { code: error.status, message: error.message, status: statuses[error.kind] },
})

/** Outside of SSE, an error comes alone in a list. */
export const readGoogleError = (body: unknown, status?: number): LlmError | undefined => {
  const error = at(Array.isArray(body) ? (body as ReadonlyArray<unknown>)[0] : body, "error")
  const message = textOf(error) ?? textOf(at(error, "message"))
  if (message === undefined) return undefined
  const code = textOf(at(error, "status"))
  const number = numberOf(at(error, "code"))
  const http = status ?? (number !== undefined && number >= 400 && number < 600 ? number : undefined)
  const kind = (code === undefined ? undefined : kinds[code]) ?? (http === undefined ? "internal" : kindOfStatus(http))
  return { kind, status: http ?? statusOfKind(kind), message, code }
}
