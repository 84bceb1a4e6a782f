/** How a call of gRPC ended: a code, and words for people. */
import type { Headers } from "../http/headers.ts"
import { decodeGrpcMessage } from "../http/grpc.ts"

export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const
export type Code = (typeof Code)[keyof typeof Code]

const names = new Map<number, string>(Object.entries(Code).map(([name, code]) => [code, name]))

/** Codes that nobody has named yet are shown as they are. */
export const nameOf = (code: number): string => names.get(code) ?? String(code)

export interface Status {
  readonly code: number
  readonly message: string
}

/** What the trailers of a call say, or the head of one that ended at once; undefined: they say nothing. */
export const statusIn = (fields: Headers | undefined): Status | undefined => {
  const written = fields?.get("grpc-status")
  if (fields === undefined || written === undefined) return undefined
  const code = /^\d{1,9}$/.test(written.trim()) ? Number(written) : Code.UNKNOWN
  return { code, message: decodeGrpcMessage(fields.get("grpc-message") ?? "") }
}

/** What an HTTP status means where no gRPC status came with it: a proxy in between has answered. */
export const codeOfHttp = (status: number): Code => {
  switch (status) {
    case 400:
      return Code.INTERNAL
    case 401:
      return Code.UNAUTHENTICATED
    case 403:
      return Code.PERMISSION_DENIED
    case 404:
      return Code.UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504:
      return Code.UNAVAILABLE
    default:
      return Code.UNKNOWN
  }
}
