/** `sluice explain`: where a request would go, what would act on it, and why nothing else took it. */
import * as Attachments from "../../ir/attachments.ts"
import type { Backend } from "../../ir/Backend.ts"
import type { Bind } from "../../ir/Bind.ts"
import { backendPolicies, type ConditionalOf, gatewayPolicies, routePolicies } from "../../ir/effective.ts"
import type { RouteGroupKey } from "../../ir/Key.ts"
import type { Listener } from "../../ir/Listener.ts"
import { isTls } from "../../ir/listenerProtocol.ts"
import type { Match } from "../../ir/Match.ts"
import { placement } from "../../ir/placement.ts"
import type { ConditionalKind } from "../../ir/Policy.ts"
import { portOf } from "../../ir/portOf.ts"
import type { Route, WeightedBackend } from "../../ir/Route.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import { parseAuthority } from "../../protocols/http/authority.ts"
import { relayRequest } from "../../protocols/http/hopByHop.ts"
import { type Reason, type Tried, whyNot } from "../../stages/4-route/explain.ts"
import { findTcp, makeTcp } from "../../stages/4-route/tcp.ts"
import { closeness, findHost, makeHosts, normal } from "../../stages/4-route/host.ts"
import type { RouteRequest } from "../../stages/4-route/tree.ts"
import { requestOrder } from "../../stages/5-policy/order.ts"
import { formatAll } from "../config/ConfigIssue.ts"
import { type Printed, readFor } from "./validate.ts"

export interface AskedRequest extends RouteRequest {
  readonly port: number | undefined
}

const requestMax = 65_536

/** `GET http://host:port/path?query`; the method may be left out. */
export const parseRequest = (text: string, headers: ReadonlyArray<string>): AskedRequest | string => {
  if (text.length > requestMax) return "the request is too long"
  const words = text.trim().split(/\s+/)
  if (words.length > 2) return `expected 'METHOD http://host/path', got ${JSON.stringify(text)}`
  const method = words.length === 2 ? (words[0] as string) : "GET"
  const url = words.at(-1) as string
  if (url.includes("#"))
    return `${JSON.stringify(url)} has a fragment, which no client sends; leave out \`#\` and what follows`
  const parts = /^(https?):\/\/([^/?#]+)([^?#]*)(?:\?([^#]*))?$/i.exec(url)
  if (parts === null) return `${JSON.stringify(url)} is not an http or https URL with a host`
  const authority = parseAuthority(parts[2] as string)
  if (authority === undefined) return `${JSON.stringify(parts[2])} is not a host with an optional port`
  const scheme = (parts[1] as string).toLowerCase()
  const flat: Array<string> = []
  for (const line of headers) {
    const colon = line.indexOf(":")
    if (colon <= 0) return `${JSON.stringify(line)} is not a header; write 'name: value'`
    flat.push(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim())
  }
  const head = relayRequest(flat)
  if (head.malformed !== undefined) return `such a request is refused: ${head.malformed}`
  const host = parseAuthority(head.host ?? "") ?? authority
  return {
    method,
    scheme,
    authority: host.port === undefined ? host.host : `${host.host}:${host.port}`,
    host: host.host,
    path: parts[3] === "" ? "/" : (parts[3] as string),
    query: parts[4],
    headers: head.headers,
    upgrade: head.upgrade,
    port: authority.port,
  }
}

export interface PolicyLine {
  readonly layer: "gateway" | "route" | "backend"
  readonly policy: string
  /** Whether it acts depends on more of the request than its route. */
  readonly conditional: boolean
}

export interface BackendLine {
  readonly weight: number
  readonly backend: string
  readonly target: string
  readonly policies: ReadonlyArray<PolicyLine>
}

export interface Verdict {
  readonly bind: string
  readonly listener: string | undefined
  /** The delegation chain, outermost first. */
  readonly routes: ReadonlyArray<{ readonly key: string; readonly match: string }>
  readonly policies: ReadonlyArray<PolicyLine>
  readonly backends: ReadonlyArray<BackendLine>
  readonly outcome: string
  readonly others: ReadonlyArray<string>
}

const describeBind = (bind: Bind): string =>
  bind.address._tag === "Ip"
    ? `${bind.key} (${bind.address.host ?? "*"}:${bind.address.port}, ${bind.protocol})`
    : `${bind.key} (${bind.protocol})`

const describeMatch = (match: Match | undefined): string => {
  if (match === undefined) return "no matches"
  const path =
    match.path._tag === "Regex"
      ? `path ~ ${match.path.pattern}`
      : `path ${match.path._tag.toLowerCase()} ${match.path.path}`
  const more = [
    ...(match.method === undefined ? [] : [`method ${match.method}`]),
    ...match.headers.map(
      ({ name, value }) =>
        `header ${name} ${value._tag === "Exact" ? "=" : "~"} ${value._tag === "Exact" ? value.value : value.pattern}`,
    ),
    ...match.query.map(
      ({ name, value }) =>
        `query ${name} ${value._tag === "Exact" ? "=" : "~"} ${value._tag === "Exact" ? value.value : value.pattern}`,
    ),
  ]
  return [path, ...more].join(", ")
}

const describeReason = (reason: Reason | undefined): string => {
  if (reason === undefined) return "would match too, but a more specific route comes first"
  switch (reason._tag) {
    case "Host":
      return "the host is not one of its hostnames"
    case "Path":
      return "the path does not match"
    case "Method":
      return "the method is another"
    case "Header":
      return `header ${reason.name} does not match`
    case "Query":
      return `query parameter ${reason.name} does not match`
    case "TooLong":
      return `${reason.what} is too long for a regular expression; the request is refused`
    case "NoMatches":
      return "it has no matches"
  }
}

const describeBackend = (backend: Backend | undefined): string => {
  switch (backend?._tag) {
    case undefined:
      return "does not exist"
    case "Host":
      return backend.target._tag === "Host"
        ? `${backend.target.host}:${backend.target.port}`
        : `unix:${backend.target.path}`
    case "Dynamic":
      return "the authority of the request"
    case "AgentCore":
      return `the agent runtime ${backend.runtimeArn}`
    case "A2a":
      return `agents: ${backend.agents.map(({ name }) => name).join(", ")}`
    case "Internal":
      return "the administration interface"
    case "Mcp":
      return `MCP servers: ${[...backend.targets.map(({ name }) => name), ...backend.selectors.map(() => "services by label")].join(", ")}`
    case "Llm":
      return `models of ${backend.groups.map((group) => group.map(({ name }) => name).join(", ")).join("; then ")}`
    case "Models":
      return `the models ${[...backend.models, ...backend.virtualModels].map(({ name }) => name).join(", ")}`
    case "Invalid":
      return `invalid: ${backend.reason}`
  }
}

/** A content without a condition at the end takes effect whatever the request is. */
const isConditional = (policy: unknown): boolean =>
  typeof policy === "object" &&
  policy !== null &&
  "_tag" in policy &&
  policy._tag === "Conditional" &&
  (policy as ConditionalOf<ConditionalKind>).entries.every(({ condition }) => condition !== undefined)

const inOrder = (layer: PolicyLine["layer"], policies: object): ReadonlyArray<PolicyLine> =>
  requestOrder[layer]
    .filter(({ kind }) => Object.hasOwn(policies, kind))
    .map(({ kind }) => ({
      layer,
      policy: placement[kind].spelling,
      conditional: isConditional(Reflect.get(policies, kind)),
    }))

/** Policies that answer themselves. */
const answers = new Set<string>([placement.DirectResponse.spelling, placement.RequestRedirect.spelling])

/** What a reference leads to, in words. */
const targetOf = (snapshot: Snapshot, { backend }: WeightedBackend): string => {
  switch (backend._tag) {
    case "Backend":
      return describeBackend(snapshot.backends.get(backend.backend))
    case "Service":
      return `service ${backend.service}:${backend.port}`
    case "Group":
      return `route group ${backend.group}`
    case "Dynamic":
      return "the authority of the request"
    default:
      return "invalid"
  }
}

/** Where a connection goes whose requests are not looked at. */
const connectionOn = (
  snapshot: Snapshot,
  listener: Listener,
  serverName: string | undefined,
): Pick<Verdict, "routes" | "backends" | "outcome"> => {
  const routes = [...snapshot.tcpRoutes.values()].filter((route) => route.listener === listener.key)
  const route = findTcp(makeTcp(routes.map((one) => ({ route: one, value: one }))), serverName)
  if (route === undefined)
    return { routes: [], backends: [], outcome: "the connection is closed: no TCP route matches" }
  const { backends, hostnames, key } = route
  const total = backends.reduce((sum, { weight }) => sum + weight, 0)
  return {
    routes: [{ key, match: hostnames.length === 0 ? "any connection" : `server name ${hostnames.join(", ")}` }],
    backends: backends.map((ref) => {
      const target = targetOf(snapshot, ref)
      const backend = ref.backend._tag === "Backend" ? ref.backend.backend : target
      return { weight: total === 0 ? 0 : ref.weight / total, backend, target, policies: [] }
    }),
    outcome:
      total === 0
        ? "the connection is closed: no valid backends"
        : "the connection goes to one of the backends; its requests are not looked at",
  }
}

/** Answers for one bind of raw connections. */
const explainRaw = (snapshot: Snapshot, bind: Bind): Verdict => {
  const listener = [...snapshot.listeners.values()].find((one) => one.bind === bind.key)
  const nothing = { bind: describeBind(bind), policies: [], others: [] }
  return listener === undefined
    ? { ...nothing, listener: undefined, routes: [], backends: [], outcome: "the connection is closed: no listener" }
    : { ...nothing, listener: `${listener.key} (${listener.protocol})`, ...connectionOn(snapshot, listener, undefined) }
}

/** Answers for one bind. */
const explainOn = (snapshot: Snapshot, bind: Bind, request: AskedRequest): Verdict => {
  const index = Attachments.make(snapshot.attachments.values())
  const secure = request.scheme === "https"
  const own = [...snapshot.listeners.values()].filter((listener) => listener.bind === bind.key)
  const possible = own.filter((listener) => isTls(listener) === secure && listener.protocol !== "TCP")
  const listener = findHost(makeHosts(possible.map((value) => ({ hostname: value.hostname, value }))), request.host)
  const nothing = { bind: describeBind(bind), routes: [], policies: [], backends: [] }
  if (listener === undefined) {
    return {
      ...nothing,
      listener: undefined,
      outcome: secure ? "the connection is closed: no TLS listener matches the server name" : "404 listener not found",
      others: own.map((one) =>
        isTls(one) === secure
          ? `listener ${one.key}: its hostname ${one.hostname} is not ${request.host}`
          : `listener ${one.key}: it speaks ${one.protocol}, the request is ${request.scheme}`,
      ),
    }
  }
  const found = { ...nothing, listener: `${listener.key} (${listener.hostname}, ${listener.protocol})` }
  const others: Array<string> = own
    .filter((one) => one !== listener)
    .map((one) =>
      closeness(normal(one.hostname), request.host) >= 0
        ? `listener ${one.key}: ${listener.key} names the host more closely`
        : `listener ${one.key}: its hostname ${one.hostname} is not ${request.host}`,
    )
  if (listener.protocol === "TLS") return { ...found, ...connectionOn(snapshot, listener, request.host), others }

  const chain: Array<Tried> = []
  const seen = new Set<RouteGroupKey>()
  let candidates: ReadonlyArray<Route> = [...snapshot.routes.values()].filter(
    ({ parent }) => parent._tag === "Listener" && parent.listener === listener.key,
  )
  let outcome = ""
  let backends: ReadonlyArray<WeightedBackend> = []
  while (outcome === "") {
    const tried = whyNot(
      candidates.map((route) => ({ route, value: undefined })),
      request,
    )
    for (const one of tried) {
      if (!one.isChosen)
        others.push(`route ${one.route.key} [${describeMatch(one.match)}]: ${describeReason(one.reason)}`)
    }
    const chosen = tried.find(({ isChosen }) => isChosen)
    if (chosen === undefined) {
      outcome = "404 route not found"
      break
    }
    chain.push(chosen)
    backends = chosen.route.backends
    const drawn = backends.filter(({ weight }) => weight > 0)
    const group = drawn.find(({ backend }) => backend._tag === "Group")?.backend
    if (group?._tag !== "Group") {
      outcome = drawn.length === 0 ? "500 no valid backends" : "goes to one of the backends"
    } else if (seen.has(group.group)) outcome = "500 route delegation cycle detected"
    else {
      seen.add(group.group)
      candidates = [...snapshot.routes.values()].filter(
        ({ parent }) => parent._tag === "Group" && parent.group === group.group,
      )
    }
  }
  const routes = chain.map(({ route }) => route)
  const place = { listener, port: portOf(bind) }
  const total = backends.reduce((sum, { weight }) => sum + weight, 0)
  const policies = [
    ...inOrder("gateway", gatewayPolicies(index, place)),
    ...(routes.length === 0 ? [] : inOrder("route", routePolicies(index, { ...place, routes }))),
  ]
  const answering = policies.find(({ conditional, policy }) => !conditional && answers.has(policy))
  return {
    ...found,
    routes: chain.map(({ match, route }) => ({ key: route.key, match: describeMatch(match) })),
    policies,
    backends: backends.map((ref) => {
      const backend = ref.backend._tag === "Backend" ? snapshot.backends.get(ref.backend.backend) : undefined
      const service = ref.backend._tag === "Service" ? { key: ref.backend.service, port: ref.backend.port } : undefined
      const target = targetOf(snapshot, ref)
      return {
        weight: total === 0 ? 0 : ref.weight / total,
        backend: ref.backend._tag === "Backend" ? ref.backend.backend : target,
        target,
        policies: inOrder(
          "backend",
          backendPolicies(index, { ...place, routes, backend, service, refPolicies: ref.policies }),
        ),
      }
    }),
    outcome: answering === undefined ? outcome : `answered by ${answering.policy}, before any backend`,
    others,
  }
}

/** One verdict for each bind the request could arrive at: those of its port, or all where it names none. */
export const verdicts = (snapshot: Snapshot, request: AskedRequest): ReadonlyArray<Verdict> => {
  const all = [...snapshot.binds.values()]
  const onPort = all.filter((bind) => portOf(bind) === (request.port ?? (request.scheme === "https" ? 443 : 80)))
  const asked =
    onPort.length > 0 || request.port !== undefined ? onPort : all.filter(({ protocol }) => protocol !== "tcp")
  return asked.map((bind) =>
    bind.protocol === "tcp" ? explainRaw(snapshot, bind) : explainOn(snapshot, bind, request),
  )
}

const nowhere = (snapshot: Snapshot, request: AskedRequest): string => {
  const binds = [...snapshot.binds.values()]
  if (binds.every(({ protocol }) => protocol === "tcp")) return "the configuration has no HTTP binds"
  const ports = binds.flatMap((bind) => portOf(bind) ?? []).join(", ")
  return `nothing listens on port ${request.port}; the configuration has ${ports}`
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10}%`

const format = (verdict: Verdict): string => {
  const lines = [`bind      ${verdict.bind}`, `listener  ${verdict.listener ?? "none"}`]
  if (verdict.routes.length === 0) lines.push("route     none")
  for (const [depth, { key, match }] of verdict.routes.entries()) {
    lines.push(`${depth === 0 ? "route     " : "          ↳ "}${key}  [${match}]`)
  }
  lines.push("policies  in the order they act")
  if (verdict.policies.length === 0) lines.push("          none")
  const named = ({ conditional, policy }: PolicyLine): string =>
    conditional ? `${policy} (if its condition holds)` : policy
  for (const one of verdict.policies) lines.push(`          ${one.layer.padEnd(8)} ${named(one)}`)
  for (const { backend, policies, target, weight } of verdict.backends) {
    lines.push(`backend   ${percent(weight).padEnd(6)} ${backend} → ${target}`)
    for (const one of policies) lines.push(`          backend  ${named(one)}`)
  }
  lines.push(`outcome   ${verdict.outcome}`)
  if (verdict.others.length > 0) lines.push("not taken", ...verdict.others.map((line) => `          ${line}`))
  return lines.join("\n")
}

export const explain = async (
  file: string,
  requestText: string,
  headers: ReadonlyArray<string>,
  json: boolean,
  env: NodeJS.ProcessEnv,
): Promise<Printed> => {
  const request = parseRequest(requestText, headers)
  if (typeof request === "string") return { out: "", error: `sluice: ${request}\n`, exitCode: 2 }
  const read = await readFor(file, env)
  if (read._tag === "Refused") return { out: "", error: `${formatAll(read.issues, file)}\n`, exitCode: 1 }
  const { snapshot } = read.loaded
  const found = verdicts(snapshot, request)
  if (found.length === 0) return { out: "", error: `sluice: ${nowhere(snapshot, request)}\n`, exitCode: 1 }
  return {
    out: json ? `${JSON.stringify(found, undefined, 2)}\n` : `${found.map(format).join("\n\n")}\n`,
    error: "",
    exitCode: 0,
  }
}
