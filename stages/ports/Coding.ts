/** Bodies that were coded for their way, compressed usually. */
import type { Headers } from "../../protocols/http/headers.ts"
import type { Flow } from "../Body.ts"

export interface Coding {
  /** The same bytes as they were before; undefined for a coding that nobody here knows. */
  readonly decoded: (encoding: string, flow: Flow) => Flow | undefined
}

/** How a body is coded; undefined where it is not. */
export const encodingOf = (headers: Headers): string | undefined => {
  const encoding = headers.get("content-encoding")?.trim()
  return encoding === undefined || encoding === "" || encoding.toLowerCase() === "identity" ? undefined : encoding
}
