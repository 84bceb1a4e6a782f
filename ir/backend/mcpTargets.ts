/** The targets an MCP backend has at the moment: those it names, and the services it selects. */
import type { Backend } from "../Backend.ts"
import type { ServiceKey } from "../Key.ts"
import type { Service } from "../Workload.ts"
import type { McpSelector, McpTarget } from "./Mcp.ts"
import type { McpOauth } from "./McpOauth.ts"
import { mcpTargetName } from "./mcpTargetName.ts"

type McpBackend = Extract<Backend, { readonly _tag: "Mcp" }>

const isSelected = ({ labels, namespace }: McpSelector, service: Service): boolean =>
  (namespace === undefined || namespace === service.namespace) &&
  Object.entries(labels).every(([name, value]) => service.labels?.[name] === value)

const portOf = (selector: McpSelector, service: Service): number | undefined => {
  const ports = Object.keys(service.ports).map(Number)
  if (selector.port !== undefined) return ports.includes(selector.port) ? selector.port : undefined
  return ports.length === 0 ? undefined : Math.min(...ports)
}

/** Tells two services of one name apart, the same way every time. */
const mark = (key: ServiceKey): string => {
  let hash = 0x811c_9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x0100_0193) >>> 0
  return hash.toString(16).padStart(8, "0")
}

/** A name that a service keeps however many others come and go, except that of one that is taken already. */
const nameOf = (selector: McpSelector, service: Service, taken: ReadonlySet<string>): string | undefined => {
  const name = selector.namespace === undefined ? `${service.name}-${service.namespace}` : service.name
  const found = [name, `${name}-${mark(service.key)}`].find((one) => mcpTargetName.test(one) && !taken.has(one))
  return found
}

/** What tokens for a service are for: all that are selected, or the service by itself. */
const oauthOf = ({ oauth, path, policies }: McpSelector, { hostname }: Service, port: number): McpOauth | undefined => {
  if (oauth === undefined) return undefined
  const scheme = policies.some(({ _tag }) => _tag === "BackendTls") ? "https" : "http"
  const host = hostname.includes(":") ? `[${hostname}]` : hostname
  return { ...oauth, server: oauth.server ?? new URL(`${scheme}://${host}:${port}${path}`).href }
}

/** The account that a target is called with, where people or the gateway are granted one. */
export const oauthOfTarget = (target: McpTarget): McpOauth | undefined => ("oauth" in target ? target.oauth : undefined)

export const mcpTargets = (
  backend: McpBackend,
  services: ReadonlyMap<ServiceKey, Service>,
): ReadonlyArray<McpTarget> => {
  if (backend.selectors.length === 0) return backend.targets
  const targets = [...backend.targets]
  const taken = new Set(targets.map(({ name }) => name))
  const selected = new Set<string>()
  const inOrder = [...services.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
  for (const selector of backend.selectors) {
    for (const service of inOrder) {
      if (!isSelected(selector, service)) continue
      const port = portOf(selector, service)
      const place = `${service.key}:${port}${selector.path}`
      if (port === undefined || selected.has(place)) continue
      const name = nameOf(selector, service, taken)
      if (name === undefined) continue
      selected.add(place)
      taken.add(name)
      const { deadlines, era, lock, path, policies, tools, transport } = selector
      const callee = { backend: { _tag: "Service", service: service.key, port } as const, policies }
      const oauth = oauthOf(selector, service, port)
      const common = {
        name,
        tools,
        deadlines,
        ...(lock === undefined ? {} : { lock }),
        ...(oauth === undefined ? {} : { oauth }),
      }
      targets.push(
        transport === "Http"
          ? { _tag: "Http", ...common, callee, path, era }
          : { _tag: "Sse", ...common, callee, path },
      )
    }
  }
  return targets
}
