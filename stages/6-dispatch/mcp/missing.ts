/** The targets that are missing from a result, in its `_meta`. */
import type { Consent } from "./target/McpTarget.ts"

export const missingKey = "dev.sluice/missing"

export interface Missing {
  readonly target: string
  /** It is there as it was last seen. */
  readonly stale: boolean
  readonly reason: string
  /** Where a person can do something about it. */
  readonly url?: string
}

export const missingConsent = (target: string, { url }: Consent): Missing => ({
  target,
  stale: false,
  reason: "consent_required",
  ...(url === undefined ? {} : { url }),
})
