/** From the policies in force at a place to the steps of its layer, in the order they run. */
import type { BackendPolicies, TrafficPolicies } from "../../ir/effective.ts"
import type { Attempt, Exchange, Routed } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import type { Step } from "./Step.ts"

/** What compiled policies take from around them. */
export interface PolicyPorts {
  readonly clock: Clock
  /** Limit for every place that needs a complete body. */
  readonly maxBufferBytes: number
}

export const gatewaySteps = (_ports: PolicyPorts, _policies: TrafficPolicies): ReadonlyArray<Step<Exchange>> => []

export const routeSteps = (_ports: PolicyPorts, _policies: TrafficPolicies): ReadonlyArray<Step<Routed>> => []

export const backendSteps = (_ports: PolicyPorts, _policies: BackendPolicies): ReadonlyArray<Step<Attempt>> => []
