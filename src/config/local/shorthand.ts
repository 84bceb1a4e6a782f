/** The sections that stand for routes and backends which nobody has to write: `llm`, `mcp` and `ui`. */
import type { BackendKey, BindKey, ListenerKey, RouteKey } from "../../../ir/Key.ts"
import { any } from "../../../ir/Match.ts"
import * as Draft from "./Draft.ts"
import type { Mcp } from "./mcp.ts"
import { backendPoliciesOfRoute, trafficPolicies } from "./policies.ts"
import type { LocalConfig } from "./Schema.ts"
import { llmSection } from "./toLlm.ts"
import { mcpBackend } from "./toMcp.ts"
import { attachedTo, implicit, own } from "./toRoutes.ts"

/** Where what a section stands for is served: on listeners that exist, or on a port of its own. */
type Standing = { readonly listeners: ReadonlyArray<ListenerKey> } | { readonly port: number }

const mcpPort = 3000

/** Their ports and gateways are judged although what they stand for may not be built. */
export const shorthands = (draft: Draft.Draft, config: LocalConfig): void => {
  const { to } = draft
  if (config.llm !== undefined) llmSection(draft, config.llm)
  if (config.mcp !== undefined) {
    to.refused("sections", "mcp", ["mcp"])
    mcp(draft, config.mcp, standalone(draft, "mcp", config.mcp, mcpPort))
  }
  if (config.ui !== undefined) {
    to.refused("sections", "ui", ["ui"])
    const gateways = config.ui.gateways ?? implicit(draft, "HTTP")
    if (gateways === undefined) to.fail(["ui"], "ui.gateways must be set")
    else attachedTo(draft, gateways, "HTTP", ["ui", "gateways"])
  }
}

const standalone = (
  draft: Draft.Draft,
  section: "mcp",
  one: { readonly gateways?: string | ReadonlyArray<string>; readonly port?: number; readonly tls?: unknown },
  port: number,
): Standing => {
  if (one.gateways !== undefined) {
    for (const field of ["port", "tls"] as const) {
      if (one[field] !== undefined) draft.to.fail([section, field], `\`${field}\` cannot be set beside \`gateways\``)
    }
    return { listeners: attachedTo(draft, one.gateways, "HTTP", [section, "gateways"]) }
  }
  const gateway = one.port === undefined && one.tls === undefined ? implicit(draft, "HTTP") : undefined
  if (gateway !== undefined) return { listeners: attachedTo(draft, gateway, "HTTP", [section]) }
  const claimed = one.port ?? port
  Draft.claim(draft, claimed, section, one.port === undefined ? [section] : [section, "port"])
  return { port: claimed }
}

/** Beside the routes of a gateway only what MCP needs; alone on a port, everything. */
const besides = ["/mcp", "/sse", "/.well-known"].map((path) => ({ ...any, path: { _tag: "Prefix" as const, path } }))

const mcp = (draft: Draft.Draft, one: Mcp, standing: Standing): void => {
  const backend = mcpBackend(one, "/mcp" as BackendKey, [], ["mcp"], draft.to)
  if (draft.to.backends.has(backend.key)) draft.to.fail(["mcp"], "a backend is called `mcp` already", "Rename it.")
  const ref = own(draft, backend, ["mcp"])
  const at = ["mcp", "policies"]
  const onEach = one.policies === undefined ? [] : backendPoliciesOfRoute(one.policies, at, draft.to)
  const { listeners, matches } =
    "port" in standing
      ? { listeners: [listener(draft, standing.port)], matches: [any] }
      : { listeners: standing.listeners, matches: besides }
  for (const key of listeners) {
    const route = `${key}/internal/mcp:default` as RouteKey
    const policies = one.policies === undefined ? [] : trafficPolicies(one.policies, at, draft.to, `route/${route}`)
    draft.routes.set(route, {
      key: route,
      parent: { _tag: "Listener", listener: key },
      name: { name: "mcp:default", namespace: "internal" },
      hostnames: [],
      matches,
      backends: [{ weight: 1, backend: ref, policies: onEach }],
      policies,
    })
    draft.origins.set(Draft.originKey("routes", route), ["mcp"])
  }
}

/** A plain HTTP listener with a port of its own. */
const listener = (draft: Draft.Draft, port: number): ListenerKey => {
  const bind = `bind/${port}` as BindKey
  const key = "mcp" as ListenerKey
  draft.binds.set(bind, { key: bind, address: { _tag: "Ip", port }, protocol: "http", tunnel: "direct" })
  draft.listeners.set(key, {
    key,
    bind,
    name: { gatewayName: Draft.gateway.name, gatewayNamespace: Draft.gateway.namespace, listenerName: "mcp" },
    hostname: "*",
    protocol: "HTTP",
  })
  draft.origins.set(Draft.originKey("binds", bind), ["mcp"])
  draft.origins.set(Draft.originKey("listeners", key), ["mcp"])
  return key
}
