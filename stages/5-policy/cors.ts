/**
 * Cross-origin sharing (Fetch standard, §3.3): answers preflights, and says of every other reply who may read it. The
 * policy is the authority: where it does not allow an origin or credentials, a permission of the upstream is taken away.
 */
import type { Cors } from "../../ir/policy/Cors.ts"
import { defaultPort, parseAuthority, stripDefaultPort } from "../../protocols/http/authority.ts"
import { Headers } from "../../protocols/http/headers.ts"
import * as Body from "../Body.ts"
import type { Reply, Request, Subject } from "../Exchange.ts"
import { type Layer, slot } from "./order.ts"
import { answer, pass, promise, type Step } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

/** An origin whose host has wildcards, each for one character or more, dots included. */
export interface OriginPattern {
  /** With `://`. */
  readonly scheme: string
  /** What stands between the wildcards of the host. */
  readonly parts: ReadonlyArray<string>
  /** Undefined stands for any. */
  readonly port: number | undefined
}

export interface Rules {
  readonly anyOrigin: boolean
  readonly origins: ReadonlySet<string>
  readonly patterns: ReadonlyArray<OriginPattern>
  readonly credentials: boolean
  /** Undefined allows none; `*` whatever is asked for. */
  readonly methods: string | undefined
  readonly headers: string | undefined
  readonly expose: string | undefined
  readonly maxAge: string | undefined
}

const joined = (list: ReadonlyArray<string>): string | undefined =>
  list.length === 0 ? undefined : list.includes("*") ? "*" : list.join(",")

const patternOf = (scheme: string, rest: string): OriginPattern => {
  const colon = rest.lastIndexOf(":")
  const port = colon < 0 || rest.endsWith("]") ? undefined : rest.slice(colon + 1)
  return {
    scheme: `${scheme}://`,
    parts: (port === undefined ? rest : rest.slice(0, colon)).split("*"),
    port: port === undefined ? (defaultPort(scheme) ?? 0) : port === "*" ? undefined : Number(port),
  }
}

export const compileRules = (policy: Cors): Rules => {
  const origins = new Set<string>()
  const patterns: Array<OriginPattern> = []
  for (const written of policy.allowOrigins) {
    const origin = written.toLowerCase()
    const [scheme, rest] = origin.split("://", 2)
    if (scheme === undefined || rest === undefined) origins.add(origin)
    else if (rest.includes("*")) patterns.push(patternOf(scheme, rest))
    else origins.add(`${scheme}://${stripDefaultPort(scheme, rest)}`)
  }
  return {
    anyOrigin: origins.has("*"),
    origins,
    patterns,
    credentials: policy.allowCredentials,
    methods: joined(policy.allowMethods),
    headers: joined(policy.allowHeaders),
    expose: policy.exposeHeaders.length === 0 ? undefined : policy.exposeHeaders.join(","),
    maxAge: policy.maxAgeMillis === undefined ? undefined : String(Math.floor(policy.maxAgeMillis / 1000)),
  }
}

const matchesHost = (parts: ReadonlyArray<string>, host: string): boolean => {
  const last = parts.length - 1
  const first = parts[0] as string
  if (!host.startsWith(first)) return false
  let at = first.length
  for (let i = 1; i < last; i++) {
    const part = parts[i] as string
    const found = host.indexOf(part, at + 1)
    if (found < 0) return false
    at = found + part.length
  }
  const suffix = parts[last] as string
  return host.length - suffix.length > at && host.endsWith(suffix)
}

const matchesPattern = ({ parts, port, scheme }: OriginPattern, origin: string): boolean => {
  if (!origin.startsWith(scheme)) return false
  const authority = parseAuthority(origin.slice(scheme.length))
  if (authority === undefined) return false
  const its = authority.port ?? defaultPort(scheme.slice(0, -3)) ?? 0
  return (port === undefined || port === its) && matchesHost(parts, authority.host)
}

export const allowsOrigin = (rules: Rules, origin: string): boolean => {
  if (rules.anyOrigin) return true
  const lower = origin.toLowerCase()
  return rules.origins.has(lower) || rules.patterns.some((pattern) => matchesPattern(pattern, lower))
}

export type Decision =
  /** Not from a page of another origin. */
  | { readonly _tag: "Plain" }
  /** Goes on, and its reply is not for that origin to read. */
  | { readonly _tag: "Foreign" }
  | { readonly _tag: "Allowed"; readonly origin: string }
  /** Is answered with these headers; none of them permits anything to an origin that is not allowed. */
  | { readonly _tag: "Preflight"; readonly headers: Array<string> }

const plain: Decision = { _tag: "Plain" }
const foreign: Decision = { _tag: "Foreign" }

/** A preflight depends on all that it asks. */
const preflightVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

const echoed = (allowed: string, asked: string | undefined, credentials: boolean): string | undefined =>
  // With credentials a browser takes the asterisk literally, so it would be of no use.
  allowed !== "*" ? allowed : asked !== undefined && asked !== "" ? asked : credentials ? undefined : "*"

const preflight = (rules: Rules, origin: string, method: string, headers: string | undefined): Array<string> => {
  const flat = ["access-control-allow-origin", origin]
  if (rules.credentials) flat.push("access-control-allow-credentials", "true")
  const methods = rules.methods === undefined ? undefined : echoed(rules.methods, method, rules.credentials)
  if (methods !== undefined) flat.push("access-control-allow-methods", methods)
  const names = rules.headers === undefined ? undefined : echoed(rules.headers, headers, rules.credentials)
  if (names !== undefined) flat.push("access-control-allow-headers", names)
  if (rules.maxAge !== undefined) flat.push("access-control-max-age", rules.maxAge)
  if (rules.expose !== undefined) flat.push("access-control-expose-headers", rules.expose)
  flat.push("vary", preflightVary)
  return flat
}

export const decide = (rules: Rules, request: Pick<Request, "method" | "headers">): Decision => {
  const origin = request.headers.get("origin")
  if (origin === undefined) return plain
  const method = request.method === "OPTIONS" ? request.headers.get("access-control-request-method") : undefined
  const isAllowed = allowsOrigin(rules, origin)
  if (method === undefined) return isAllowed ? { _tag: "Allowed", origin } : foreign
  return {
    _tag: "Preflight",
    headers: isAllowed
      ? preflight(rules, origin, method, request.headers.get("access-control-request-headers"))
      : ["vary", preflightVary],
  }
}

const coversOrigin = /(?:^|,)\s*(?:origin|\*)\s*(?:,|$)/i

/** A cache must not give one origin what was said to another, nor to it what was said to none. */
const varyByOrigin = (headers: Headers): void => {
  const flat = headers.flat
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] === "vary" && coversOrigin.test(flat[i + 1] as string)) return
  }
  headers.append("vary", "Origin")
}

/** Gives a reply what a decision means for it. */
export const applyDecision = (rules: Rules, decision: Decision, reply: Reply): void => {
  const { headers } = reply
  if (decision._tag === "Allowed") {
    headers.set("access-control-allow-origin", decision.origin)
    if (rules.credentials) headers.set("access-control-allow-credentials", "true")
    else headers.remove("access-control-allow-credentials")
    if (rules.expose !== undefined) headers.set("access-control-expose-headers", rules.expose)
  } else if (decision._tag === "Foreign") {
    headers.remove("access-control-allow-origin")
    headers.remove("access-control-allow-credentials")
  }
  varyByOrigin(headers)
}

export const compile = (policy: Cors, _ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const rules = compileRules(policy)
  const own = slot("Cors", layer)
  const edits = {
    Plain: (reply: Reply) => applyDecision(rules, plain, reply) as undefined,
    Foreign: (reply: Reply) => applyDecision(rules, foreign, reply) as undefined,
  }
  return {
    kind: "Cors",
    run: ({ exchange, request }) => {
      const decision = decide(rules, request)
      if (decision._tag === "Preflight") {
        return answer({ status: 200, headers: new Headers(decision.headers), body: Body.empty, origin: "gateway" })
      }
      promise(
        exchange,
        own,
        decision._tag === "Allowed"
          ? (reply) => applyDecision(rules, decision, reply) as undefined
          : edits[decision._tag],
      )
      return pass
    },
  }
}
