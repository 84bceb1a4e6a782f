/** Apart from the schemas, so that serving does not load them. */
import type { TrafficKind, TrafficPolicy } from "./Policy.ts"

/** The kind a policy is of, looking through its conditions. */
export const trafficKind = (policy: TrafficPolicy): TrafficKind =>
  policy._tag === "Conditional" ? policy.entries[0].policy._tag : policy._tag
