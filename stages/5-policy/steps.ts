/** From the policies in force at a place to the steps of its layer, in the order they run. */
import type { BackendPolicies, TrafficPolicies } from "../../ir/effective.ts"
import type { Expression } from "../../ir/Expression.ts"
import type { BackendPolicy, TrafficPolicy } from "../../ir/Policy.ts"
import type { Attempt, Exchange, Routed, Subject } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import * as authorization from "./authorization.ts"
import * as apiKey from "./apiKey.ts"
import * as backendAuth from "./backendAuth.ts"
import * as basicAuth from "./basicAuth.ts"
import * as bodyLimit from "./bodyLimit.ts"
import * as buffer from "./buffer.ts"
import * as concurrencyLimit from "./concurrencyLimit.ts"
import { conditional, conditionOf } from "./condition.ts"
import { captureRequest } from "./expression/capture.ts"
import { type Expressions, readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import * as cors from "./cors.ts"
import * as csrf from "./csrf.ts"
import * as delay from "./delay.ts"
import * as extAuthz from "./extAuthz.ts"
import * as extProc from "./extProc.ts"
import * as directResponse from "./directResponse.ts"
import type { Gate } from "./Gate.ts"
import * as ipAccessControl from "./ipAccessControl.ts"
import * as jwtAuth from "./jwtAuth.ts"
import * as localRateLimit from "./localRateLimit.ts"
import { type Layer, requestOrder } from "./order.ts"
import * as mcpAuthentication from "./mcpAuthentication.ts"
import * as oidc from "./oidc.ts"
import * as remoteRateLimit from "./remoteRateLimit.ts"
import * as requestHeaderModifier from "./requestHeaderModifier.ts"
import * as requestRedirect from "./requestRedirect.ts"
import * as precondition from "./precondition.ts"
import * as responseHeaderModifier from "./responseHeaderModifier.ts"
import { broken, type Step } from "./Step.ts"
import * as transformations from "./transformations.ts"
import * as timeout from "./timeout.ts"
import * as urlRewrite from "./urlRewrite.ts"

/** What compiled policies take from around them. */
export interface PolicyPorts {
  readonly clock: Clock
  /** Limit for every place that needs a complete body. */
  readonly maxBufferBytes: number
  /** Absent for a policy that is compiled by itself. */
  readonly expressions?: Expressions
  /** Absent where nobody proves identities: policies that would are broken there. */
  readonly gate?: Gate
  /** What backend the policies act on; absent: only its requests tell. */
  readonly backend?: BackendFacts
}

export interface BackendFacts {
  /** Absent: it has none. */
  readonly host: string | undefined
  /** How requests to it are signed, where it is one of Amazon's. */
  readonly aws?: { readonly service?: string; readonly region?: string }
}

type Policy = Exclude<TrafficPolicy | BackendPolicy, { readonly _tag: "Conditional" }>

/** What both families have in common. */
interface Conditional {
  readonly _tag: "Conditional"
  readonly entries: ReadonlyArray<{ readonly condition?: Expression; readonly policy: Policy }>
}
type Policies = { readonly [kind: string]: Policy | ReadonlyArray<Policy> | Conditional | undefined }

/** Undefined: the policy asks for nothing. */
const compileOne = (policy: Policy, ports: PolicyPorts, layer: Layer): Step<Subject> | undefined => {
  switch (policy._tag) {
    case "Cors":
      return cors.compile(policy, ports, layer)
    case "ApiKey":
      return apiKey.compile(policy, ports, layer)
    case "BasicAuth":
      return basicAuth.compile(policy, ports, layer)
    case "BackendAuth":
      return backendAuth.compile(policy, ports)
    case "Csrf":
      return csrf.compile(policy)
    case "ExtAuthz":
      return extAuthz.compile(policy, ports, layer)
    case "ExtProc":
      return extProc.compile(policy, ports, layer)
    case "JwtAuth":
      return jwtAuth.compile(policy, ports, layer)
    case "McpAuthentication":
      return mcpAuthentication.compile(policy, ports, layer)
    case "Oidc":
      return oidc.compile(policy, ports, layer)
    case "LocalRateLimit":
      return localRateLimit.compile(policy, ports, layer)
    case "RemoteRateLimit":
      return remoteRateLimit.compile(policy, ports, layer)
    case "Timeout":
      return timeout.compile(policy)
    case "Buffer":
      return buffer.compile(policy, ports, layer)
    case "RequestHeaderModifier":
      return requestHeaderModifier.compile(policy)
    case "ResponseHeaderModifier":
      return responseHeaderModifier.compile(policy, ports, layer)
    case "UrlRewrite":
      return urlRewrite.compile(policy)
    case "RequestRedirect":
      return requestRedirect.compile(policy)
    case "Transformations":
      return transformations.compile(policy, ports, layer)
    case "Retry":
      return precondition.compile(policy, ports, layer)
    case "Delay":
      return delay.compile(policy, ports, layer)
    case "DirectResponse":
      return directResponse.compile(policy, ports, layer)
    default:
      return broken(policy._tag, "it is not built")
  }
}

const compileConditional = (
  kind: string,
  { entries }: Conditional,
  ports: PolicyPorts,
  layer: Layer,
): Step<Subject> => {
  try {
    const expressions = expressionsOf(ports)
    const compiled = entries.map(({ condition, policy }) => ({
      condition: condition === undefined ? undefined : expressions.compile(condition, layer, "condition"),
      step: compileOne(policy, ports, layer),
    }))
    return conditional(
      kind,
      compiled.map(({ condition, step }) => ({
        condition: condition === undefined ? undefined : conditionOf(condition, expressions.around),
        step,
      })),
      compiled.some(({ condition }) => readsRequestBody(condition)),
    )
  } catch (error) {
    // A route is compiled when the first exchange takes it: failing must cost that exchange, not the connection.
    return broken(kind, error instanceof Error ? error.message : String(error))
  }
}

const allOf = <Tag extends Policy["_tag"]>(
  policies: ReadonlyArray<Policy>,
  tag: Tag,
): ReadonlyArray<Extract<Policy, { readonly _tag: Tag }>> | undefined => {
  const isOne = (policy: Policy): policy is Extract<Policy, { readonly _tag: Tag }> => policy._tag === tag
  return policies.every(isOne) ? policies : undefined
}

/** A kind that every level adds to. */
const compileAll = (
  kind: string,
  policies: ReadonlyArray<Policy>,
  ports: PolicyPorts,
  layer: Layer,
): Step<Subject> | undefined => {
  const rules = allOf(policies, "Authorization")
  if (rules !== undefined) return authorization.compile(rules, ports, layer)
  const concurrency = allOf(policies, "ConcurrencyLimit")
  if (concurrency !== undefined) return concurrencyLimit.compile(concurrency, ports, layer)
  const addresses = allOf(policies, "IpAccessControl")
  if (addresses !== undefined) return ipAccessControl.compile(addresses)
  const lengths = allOf(policies, "BodyLimit")
  return lengths === undefined ? broken(kind, "it is not built") : bodyLimit.compile(lengths, layer)
}

/** The first of the policies that ask who somebody is. */
const firstToAskWho = "Oidc"

const stepsOf = (
  ports: PolicyPorts,
  policies: Policies,
  layer: Layer,
  entrance?: Step<Subject>,
): ReadonlyArray<Step<Subject>> => {
  const steps: Array<Step<Subject>> = []
  const known = new Set<string>()
  let isBodyRead = false
  for (const { by, kind } of requestOrder[layer]) {
    known.add(kind)
    if (kind === firstToAskWho && entrance !== undefined) steps.push(entrance)
    const found = policies[kind]
    if (by !== "step" || found === undefined) continue
    const step =
      "_tag" in found
        ? found._tag === "Conditional"
          ? compileConditional(kind, found, ports, layer)
          : compileOne(found, ports, layer)
        : compileAll(kind, found, ports, layer)
    if (step === undefined) continue
    // Whoever is refused before costs no reading.
    if (step.readsBody === true && !isBodyRead) {
      steps.push(captureRequest(ports))
      isBodyRead = true
    }
    steps.push(step)
  }
  // What does not stand in this layer must not be dropped without a word.
  for (const kind of Object.keys(policies)) {
    if (!known.has(kind)) steps.unshift(broken(kind, `it has no place in the ${layer} layer`))
  }
  return steps
}

export const gatewaySteps = (ports: PolicyPorts, policies: TrafficPolicies): ReadonlyArray<Step<Exchange>> =>
  stepsOf(ports, policies, "gateway")

/** `entrance` refuses what would be refused whoever asks it. */
export const routeSteps = (
  ports: PolicyPorts,
  policies: TrafficPolicies,
  entrance?: Step<Subject>,
): ReadonlyArray<Step<Routed>> => stepsOf(ports, policies, "route", entrance)

export const backendSteps = (ports: PolicyPorts, policies: BackendPolicies): ReadonlyArray<Step<Attempt>> =>
  stepsOf(ports, policies, "backend")
