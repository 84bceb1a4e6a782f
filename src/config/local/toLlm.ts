/** The `llm` section to one route with models behind it. */
import type { LlmProvider, Model as IrModel, Vendor, VirtualModel as IrVirtualModel } from "../../../ir/backend/Llm.ts"
import { coversModel } from "../../../ir/backend/modelNames.ts"
import { bearer } from "../../../ir/defaults.ts"
import type { HostTarget } from "../../../ir/HostTarget.ts"
import type { BackendKey, BindKey, ListenerKey, RouteKey } from "../../../ir/Key.ts"
import type { Listener } from "../../../ir/Listener.ts"
import { any } from "../../../ir/Match.ts"
import type { BackendPolicy, TrafficPolicy } from "../../../ir/Policy.ts"
import type { Path } from "../ConfigIssue.ts"
import { chooseFrom } from "../suggest.ts"
import * as Draft from "./Draft.ts"
import { secret } from "./FileOrInline.ts"
import type { Llm } from "./llm.ts"
import { presetTable } from "./llmPresets.ts"
import type { Mapping } from "./Mapping.ts"
import { backendPolicies, gatewayPolicies as gatewayKinds, trafficPolicies } from "./policies.ts"
import { backendTls } from "./policy/BackendTls.ts"
import { present } from "./present.ts"
import { attachPolicies, serverTls } from "./toListeners.ts"
import { customVendor } from "./toProviders.ts"
import { match, valueMatch } from "./toMatch.ts"
import { attachedTo, implicit } from "./toRoutes.ts"

type Model = Llm["models"][number]
type Provider = NonNullable<Llm["providers"]>[number]
type Params = NonNullable<Model["params"]>

const defaultPort = 4000

/** What a model is made of once what it refers to has been put in. */
interface Whole {
  readonly kind: Exclude<Model["provider"], { readonly reference?: string }> | Model["provider"]
  readonly params: Params
  readonly shared: NonNullable<Provider["defaults"]>
  /** The name that prices and metrics know the provider by, where it is not its own. */
  readonly called: string | undefined
}

const merged = <A>(
  base: Readonly<Record<string, A>> | undefined,
  over: Readonly<Record<string, A>> | undefined,
): Readonly<Record<string, A>> | undefined =>
  base === undefined || over === undefined ? (over ?? base) : { ...base, ...over }

const mapFields = ["defaults", "overrides", "transformation"] as const
const singleFields = [
  "requestHeaders",
  "responseHeaders",
  "tls",
  "backendTLS",
  "auth",
  "health",
  "backendTunnel",
  "promptCaching",
] as const

const whole = (model: Model, providers: ReadonlyMap<string, Provider>, path: Path, to: Mapping): Whole | undefined => {
  const { provider } = model
  const own: Record<string, unknown> = {}
  for (const field of [...mapFields, ...singleFields]) if (model[field] !== undefined) own[field] = model[field]
  if (typeof provider === "string" || provider.reference === undefined) {
    return { kind: provider, params: model.params ?? {}, shared: own, called: undefined }
  }
  const at = [...path, "provider", "reference"]
  const found = providers.get(provider.reference)
  if (found === undefined) {
    return to.fail(
      at,
      `unknown provider \`${provider.reference}\``,
      chooseFrom(provider.reference, [...providers.keys()]) || "Add it to `llm.providers`.",
    )
  }
  for (const key of Object.keys(model.params ?? {})) {
    if (key !== "model" && (model.params as Record<string, unknown>)[key] !== undefined) {
      to.fail([...path, "params", key], `\`${key}\` is set by the provider \`${found.name}\` and cannot be set here`)
    }
  }
  const shared: Record<string, unknown> = { ...found.defaults, ...own }
  for (const field of mapFields) {
    const value = merged<unknown>(found.defaults?.[field], model[field])
    if (value !== undefined) shared[field] = value
  }
  if (own["tls"] !== undefined || own["backendTLS"] !== undefined) {
    delete shared["tls"]
    delete shared["backendTLS"]
    Object.assign(shared, present({ tls: own["tls"], backendTLS: own["backendTLS"] }))
  }
  return { kind: found.provider, params: { ...found.params, ...model.params }, shared, called: found.name }
}

interface Address {
  readonly target: HostTarget
  readonly pathPrefix: string | undefined
  readonly isTls: boolean
}

const addressOf = (url: string): Address => {
  const { hostname, pathname, port, protocol } = new URL(url)
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname
  const prefix = pathname.replace(/\/+$/, "")
  const isTls = protocol === "https:"
  return {
    target: { _tag: "Host", host, port: port === "" ? (isTls ? 443 : 80) : Number(port) },
    pathPrefix: prefix === "" ? undefined : prefix,
    isTls,
  }
}

const needed = (params: Params, field: keyof Params, vendor: string, path: Path, to: Mapping): string => {
  const value = params[field]
  if (typeof value === "string") return value
  to.fail(path, `\`params.${field}\` is needed for \`${vendor}\``, `Set \`params.${field}\`.`)
  return "missing"
}

/** Which interface is spoken, and where, unless the parameters say. */
const vendorOf = (
  { called, kind, params }: Whole,
  path: Path,
  to: Mapping,
): { readonly vendor: Vendor; readonly baseUrl?: string } | undefined => {
  if (typeof kind !== "string") {
    if (kind.reference !== undefined) {
      return to.fail([...path, "provider"], "a provider cannot refer to another one")
    }
    if (kind.custom === undefined) return undefined
    if (params.baseUrl === undefined && params.hostOverride === undefined) {
      to.fail([...path, "params"], "a custom provider needs `params.baseUrl`", "Set `params.baseUrl`.")
    }
    const vendor = customVendor(kind.custom, [...path, "provider", "custom"], to, called)
    return vendor === undefined ? undefined : { vendor }
  }
  switch (kind) {
    case "openAI":
      return { vendor: { _tag: "OpenAi" } }
    case "anthropic":
      return { vendor: { _tag: "Anthropic" } }
    case "gemini":
      return { vendor: { _tag: "Gemini" } }
    case "copilot":
      return { vendor: { _tag: "Copilot" } }
    case "echo":
      return { vendor: { _tag: "Echo" } }
    case "vertex":
      return {
        vendor: {
          _tag: "Vertex",
          projectId: needed(params, "vertexProject", kind, path, to),
          ...present({ region: params.vertexRegion }),
        },
      }
    case "bedrock":
      return { vendor: { _tag: "Bedrock", region: needed(params, "awsRegion", kind, path, to) } }
    case "azure":
      if (params.azureResourceType === undefined) needed(params, "azureResourceType", kind, path, to)
      return {
        vendor: {
          _tag: "Azure",
          resourceName: needed(params, "azureResourceName", kind, path, to),
          resourceType: params.azureResourceType ?? "openAI",
          ...present({ apiVersion: params.azureApiVersion, projectName: params.azureProjectName }),
        },
      }
    default: {
      const { baseUrl, formats } = presetTable[kind]
      return { vendor: { _tag: "Custom", name: kind, formats }, baseUrl }
    }
  }
}

/** The guardrails a model has besides those of all models: its own, or shared ones by their name. */
const guardsOf = ({ guardrails }: Model, llm: Llm, path: Path, to: Mapping): Exclude<Model["guardrails"], string> => {
  if (typeof guardrails !== "string") return guardrails
  const shared = llm.guardrails ?? {}
  if (Object.hasOwn(shared, guardrails)) return shared[guardrails]
  to.fail(
    [...path, "guardrails"],
    `no guardrails are called \`${guardrails}\``,
    chooseFrom(guardrails, Object.keys(shared)) || "Add them to `llm.guardrails`.",
  )
  return undefined
}

const policiesOf = (
  model: Model,
  { params, shared }: Whole,
  address: Address | undefined,
  llm: Llm,
  path: Path,
  to: Mapping,
): ReadonlyArray<BackendPolicy> => {
  const policies: Array<BackendPolicy> = []
  const tls = shared.tls ?? shared.backendTLS
  if (tls !== undefined) {
    const made = backendTls(tls, [...path, "tls"], to)
    if (made !== undefined) policies.push(made)
  } else if (address?.isTls === true) {
    const made = backendTls({}, path, to)
    if (made !== undefined) policies.push(made)
  }
  if (params.apiKey !== undefined && shared.auth === undefined) {
    to.refused("policies", "backendAuth", [...path, "params", "apiKey"])
    const value = secret(params.apiKey, [...path, "params", "apiKey"], to)
    if (value !== undefined) {
      policies.push({ _tag: "BackendAuth", auth: { _tag: "Key", value, location: bearer }, credentials: [] })
    }
  } else if (params.apiKey !== undefined) {
    to.fail([...path, "params", "apiKey"], "`params.apiKey` cannot be set beside `auth`", "Keep one of them.")
  }
  const named = {
    backendAuth: shared.auth,
    health: shared.health,
    backendTunnel: shared.backendTunnel,
    requestHeaderModifier: shared.requestHeaders,
    responseHeaderModifier: shared.responseHeaders,
  }
  policies.push(...backendPolicies(present(named), path, to))
  const guardrails = llm.policies?.guardrails
  const own = guardsOf(model, llm, path, to)
  const streaming = [guardrails?.streaming, own?.streaming]
  // Not to guard streams must be said, and guarding them, said in either place, wins.
  const isUnguarded = streaming.includes("Disabled") && !streaming.includes("Enabled")
  const guards =
    guardrails === undefined && own === undefined
      ? undefined
      : {
          ...(isUnguarded ? { streaming: "Disabled" as const } : {}),
          request: [...(guardrails?.request ?? []), ...(own?.request ?? [])],
          response: [...(guardrails?.response ?? []), ...(own?.response ?? [])],
        }
  const ai = present({
    defaults: shared.defaults,
    overrides: shared.overrides,
    transformations: shared.transformation,
    finalTransformations: model.finalTransformation,
    promptCaching: shared.promptCaching,
    promptGuard: guards,
  })
  if (Object.keys(ai).length > 0) policies.push(...backendPolicies({ ai }, path, to))
  return policies
}

const patterned = (name: string): boolean => name.includes("*")

const modelOf = (
  llm: Llm,
  model: Model,
  providers: ReadonlyMap<string, Provider>,
  name: string,
  path: Path,
  to: Mapping,
): IrModel | undefined => {
  const made = whole(model, providers, path, to)
  if (made === undefined) return undefined
  const kind = vendorOf(made, path, to)
  if (kind === undefined) return undefined
  const { params } = made
  const url = params.baseUrl ?? kind.baseUrl
  if (params.baseUrl !== undefined && params.hostOverride !== undefined) {
    to.fail([...path, "params", "hostOverride"], "`hostOverride` cannot be set beside `baseUrl`")
  }
  const address = url === undefined || params.hostOverride !== undefined ? undefined : addressOf(url)
  const provider: LlmProvider = {
    name,
    vendor: kind.vendor,
    tokenize: params.tokenize ?? false,
    ...present({
      model: params.model,
      target: params.hostOverride ?? address?.target,
      pathOverride: params.pathOverride,
      pathPrefix: params.pathPrefix ?? address?.pathPrefix,
      idleMillis: params.idleTimeout,
    }),
    policies: policiesOf(model, made, address, llm, path, to),
  }
  return {
    name: model.name,
    visibility: model.visibility ?? "public",
    matches: (model.matches ?? []).map(({ headers = [] }, i) =>
      headers.map((one, j) => ({
        name: one.name.toLowerCase(),
        value: valueMatch(one.value, [...path, "matches", i, "headers", j, "value"], to),
      })),
    ),
    ...present({
      authorization:
        model.authorization === undefined
          ? undefined
          : judgesOf(trafficPolicies({ authorization: model.authorization }, path, to, name)),
    }),
    passthrough: model.passthrough === "detect" ? "detect" : "passthrough",
    provider,
  }
}

const judgesOf = (policies: ReadonlyArray<TrafficPolicy>): NonNullable<IrModel["authorization"]> => {
  const found = policies.find((policy) => policy._tag === "Authorization")
  return { rules: found?.rules ?? [], ...present({ cedar: found?.cedar }) }
}

const virtualOf = (
  one: NonNullable<Llm["virtualModels"]>[number],
  models: ReadonlyArray<IrModel>,
  path: Path,
  to: Mapping,
): IrVirtualModel => {
  const at = [...path, "routing"]
  const known = (model: string, ...rest: Path): void => {
    if (models.some(({ name }) => coversModel(name, model))) return
    const names = models.map(({ name }) => name).filter((name) => !patterned(name))
    to.fail([...at, ...rest], `no model covers \`${model}\``, chooseFrom(model, names) || "Add it to `llm.models`.")
  }
  const { conditional, failover, weighted } = one.routing
  if (weighted !== undefined) {
    const [first, ...rest] = weighted.targets.map(({ model, weight = 1 }, i) => {
      known(model, "weighted", "targets", i, "model")
      return { model, weight }
    })
    if (weighted.targets.every(({ weight }) => weight === 0)) to.fail([...at, "weighted"], "every target has weight 0")
    return { name: one.name, routing: { _tag: "Weighted", targets: [first as NonNullable<typeof first>, ...rest] } }
  }
  if (failover !== undefined) {
    const [first, ...rest] = failover.targets.map(({ model, priority }, i) => {
      known(model, "failover", "targets", i, "model")
      return { model, priority }
    })
    return { name: one.name, routing: { _tag: "Failover", targets: [first as NonNullable<typeof first>, ...rest] } }
  }
  const targets = conditional?.targets ?? []
  const [first, ...rest] = targets.map(({ model, when }, i) => {
    known(model, "conditional", "targets", i, "model")
    if (when === undefined && i < targets.length - 1) {
      to.fail([...at, "conditional", "targets", i], "only the last target may lack `when`: those after it never match")
    }
    return { model, ...present({ when }) }
  })
  return { name: one.name, routing: { _tag: "Conditional", targets: [first as NonNullable<typeof first>, ...rest] } }
}

/** The listener of a section with a port of its own. */
const ownListener = (draft: Draft.Draft, llm: Llm): Listener => {
  const port = llm.port ?? defaultPort
  Draft.claim(draft, port, "llm", llm.port === undefined ? ["llm"] : ["llm", "port"])
  const bind = `bind/${port}` as BindKey
  const tls = llm.tls === undefined ? undefined : serverTls(llm.tls, ["llm", "tls"], draft.to)
  const listener: Listener = {
    key: "gateway/llm" as ListenerKey,
    bind,
    name: { gatewayName: Draft.gateway.name, gatewayNamespace: Draft.gateway.namespace, listenerName: "llm" },
    hostname: "*",
    protocol: llm.tls === undefined ? "HTTP" : "HTTPS",
    ...present({ tls }),
  }
  draft.binds.set(bind, {
    key: bind,
    address: { _tag: "Ip", port },
    protocol: llm.tls === undefined ? "http" : "tls",
    tunnel: "direct",
  })
  draft.listeners.set(listener.key, listener)
  for (const [table, key] of [
    ["binds", bind],
    ["listeners", listener.key],
  ] as const) {
    draft.origins.set(Draft.originKey(table, key), ["llm"])
  }
  return listener
}

const isGatewayKind = (name: string): boolean => Object.hasOwn(gatewayKinds, name)

export const llmSection = (draft: Draft.Draft, llm: Llm): void => {
  const { to } = draft
  const providers = new Map<string, Provider>()
  for (const [i, one] of (llm.providers ?? []).entries()) {
    if (providers.has(one.name)) to.fail(["llm", "providers", i, "name"], `two providers are called \`${one.name}\``)
    providers.set(one.name, one)
  }
  const ids = new Set<string>()
  const models = llm.models.flatMap((model, i) => {
    const path = ["llm", "models", i]
    if (model.id !== undefined) {
      if (ids.has(model.id)) to.fail([...path, "id"], `two models have the id \`${model.id}\``)
      ids.add(model.id)
    }
    const name = model.id === undefined ? `llm:model:${model.name}:${i}` : `llm:model:${model.id}`
    const made = modelOf(llm, model, providers, name, path, to)
    return made === undefined ? [] : [made]
  })
  const names = new Set<string>()
  const virtualModels = (llm.virtualModels ?? []).map((one, i) => {
    const path = ["llm", "virtualModels", i]
    if (names.has(one.name)) to.fail([...path, "name"], `two virtual models are called \`${one.name}\``)
    names.add(one.name)
    return virtualOf(one, models, path, to)
  })
  const backend = "llm:models" as BackendKey
  to.backends.set(backend, { _tag: "Models", key: backend, policies: [], models, virtualModels })
  draft.origins.set(Draft.originKey("backends", backend), ["llm"])

  const { budgets, guardrails: _, responseCache, ...policies } = llm.policies ?? {}
  const own = {
    ...(budgets === undefined ? {} : { budgets }),
    ...(responseCache === undefined ? {} : { responseCache }),
  }
  const path = ["llm", "policies"]
  const matches = llm.matches?.map((one, i) => match(one, ["llm", "matches", i], to)) ?? [any]
  const attach = (listener: ListenerKey, own: ReadonlyArray<TrafficPolicy>): void => {
    const key = `${listener}/default/llm:request` as RouteKey
    draft.routes.set(key, {
      key,
      parent: { _tag: "Listener", listener },
      name: { name: "llm:request", namespace: Draft.gateway.namespace },
      hostnames: [],
      matches,
      backends: [{ weight: 1, backend: { _tag: "Backend", backend }, policies: [] }],
      policies: own,
    })
    draft.origins.set(Draft.originKey("routes", key), ["llm"])
  }
  const shared = (only: (name: string) => boolean): ReadonlyArray<TrafficPolicy> => [
    ...trafficPolicies(
      Object.fromEntries(Object.entries(policies).filter(([name]) => only(name))),
      path,
      to,
      "route/llm:request",
    ),
    ...(Object.keys(own).length === 0 ? [] : trafficPolicies({ ai: own }, path, to, "route/llm:request")),
  ]
  const refs = llm.gateways ?? (llm.port === undefined && llm.tls === undefined ? implicit(draft, "HTTP") : undefined)
  if (refs !== undefined) {
    for (const field of ["port", "tls"] as const) {
      if (llm[field] !== undefined) to.fail(["llm", field], `\`${field}\` cannot be set beside \`gateways\``)
    }
    const all = shared(() => true)
    for (const listener of attachedTo(draft, refs, "HTTP", ["llm", "gateways"])) attach(listener, all)
    return
  }
  const listener = ownListener(draft, llm)
  attachPolicies(
    draft,
    Object.fromEntries(Object.entries(policies).filter(([name]) => isGatewayKind(name))),
    listener,
    path,
  )
  attach(
    listener.key,
    shared((name) => !isGatewayKind(name)),
  )
}
