/** What a client is told when a target gave no outcome: which target, and what kind of trouble; never its own words. */
import { codes, errorOf } from "../../../protocols/mcp/jsonrpc.ts"
import type { Json } from "../../../protocols/mcp/json.ts"
import type { TargetFailure } from "./target/McpTarget.ts"

export interface Told {
  readonly error: Json
  /** Where no stream has begun. */
  readonly status: number
  readonly retryAfterSeconds: number | undefined
}

export const tellFailure = (failure: TargetFailure): Told => {
  const { target } = failure
  const told = (reason: string, message: string, more: Readonly<Record<string, unknown>> = {}): Json =>
    errorOf(codes.internal, message, { reason, target, ...more })
  switch (failure._tag) {
    case "Unreachable":
      return {
        error: failure.began
          ? told("upstream_disconnected", `${target} broke off: ${failure.message}`)
          : told("upstream_unreachable", `${target} cannot be reached: ${failure.message}`),
        status: 200,
        retryAfterSeconds: undefined,
      }
    case "TimedOut":
      return {
        error: told("upstream_timeout", `${target} did not answer in time`),
        status: 200,
        retryAfterSeconds: undefined,
      }
    case "Unauthorized":
      return {
        error: told("upstream_auth", `${target} does not accept the credentials that the gateway has for it`),
        status: 200,
        retryAfterSeconds: undefined,
      }
    case "Busy": {
      const { retryAfterMillis, status } = failure
      return {
        error: told(
          "upstream_busy",
          `${target} is busy`,
          retryAfterMillis === undefined ? {} : { retryAfterMs: retryAfterMillis },
        ),
        status,
        retryAfterSeconds: retryAfterMillis === undefined ? undefined : Math.ceil(retryAfterMillis / 1000),
      }
    }
    case "Suspended":
      return {
        error: told("upstream_suspended", `${target} failed too often and is left alone for a moment`),
        status: 200,
        retryAfterSeconds: undefined,
      }
  }
}
