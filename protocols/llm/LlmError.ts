/** Why a call to a model failed, before it is put into the words of the client's format. */

const errorKinds = [
  "invalidRequest",
  "authentication",
  "permission",
  "billing",
  "notFound",
  "tooLarge",
  "rateLimit",
  "overloaded",
  "timeout",
  "unavailable",
  "internal",
] as const
export type ErrorKind = (typeof errorKinds)[number]

export interface LlmError {
  readonly kind: ErrorKind
  /** As it reaches the client; inside a stream, what it would have been. */
  readonly status: number
  readonly message: string
  /** The code of the one who reported it (`context_length_exceeded`, `RESOURCE_EXHAUSTED`). */
  readonly code?: string | undefined
  /** The field that it is about. */
  readonly param?: string | undefined
}

export const kindOfStatus = (status: number): ErrorKind => {
  switch (status) {
    case 401:
      return "authentication"
    case 402:
      return "billing"
    case 403:
      return "permission"
    case 404:
      return "notFound"
    case 413:
      return "tooLarge"
    case 408:
    case 504:
      return "timeout"
    case 429:
      return "rateLimit"
    case 503:
      return "unavailable"
    case 529:
      return "overloaded"
    default:
      return status >= 400 && status < 500 ? "invalidRequest" : "internal"
  }
}

const statuses: Readonly<Record<ErrorKind, number>> = {
  invalidRequest: 400,
  authentication: 401,
  billing: 402,
  permission: 403,
  notFound: 404,
  tooLarge: 413,
  rateLimit: 429,
  overloaded: 529,
  timeout: 504,
  unavailable: 503,
  internal: 500,
}
export const statusOfKind = (kind: ErrorKind): number => statuses[kind]
