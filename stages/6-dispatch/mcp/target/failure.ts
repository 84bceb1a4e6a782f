/** From what went wrong on the wire to what is said about it. */
import type { Broken } from "./Channel.ts"
import type { TargetFailure } from "./McpTarget.ts"

export const failureOf = (target: string, failure: Broken): TargetFailure => {
  const { challenge, code, message, retryAfterMillis, sent, status } = failure
  if (status === 401 || status === 403) return { _tag: "Unauthorized", target, status, challenge }
  if (status === 429 || status === 503) return { _tag: "Busy", target, status, retryAfterMillis }
  if (message === "no reply in time" || message === "the server fell silent")
    return { _tag: "TimedOut", target, message }
  return { _tag: "Unreachable", target, message, began: sent, status, code }
}
