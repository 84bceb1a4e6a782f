/** The request line as HTTP/2 writes it. */
import type { Request } from "../../Exchange.ts"

/** The names of pseudo-headers with their colon. */
export const pseudoHeaders = (request: Request): ReadonlyArray<readonly [name: string, value: string]> => [
  [":method", request.method],
  [":scheme", request.scheme],
  [":authority", request.authority],
  [":path", request.method === "CONNECT" ? "" : request.target],
]
