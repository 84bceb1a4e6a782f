/** Binds and gateways to the snapshot's binds and listeners. */
import * as Defaults from "../../../ir/defaults.ts"
import type { BindProtocol, ListenAddress } from "../../../ir/Bind.ts"
import type { BindKey, ListenerKey } from "../../../ir/Key.ts"
import type { Listener as IrListener } from "../../../ir/Listener.ts"
import type { ServerTls as IrServerTls } from "../../../ir/Tls.ts"
import type { Path } from "../ConfigIssue.ts"
import * as Draft from "./Draft.ts"
import type { Bind, Gateway, GatewayListener, Listener } from "./gateways.ts"
import * as Hostname from "./hostname.ts"
import type { Mapping } from "./Mapping.ts"
import { type GatewayPolicies, gatewayPolicies, trafficPolicies } from "./policies.ts"
import { present } from "./present.ts"
import { identity, roots, type ServerTls } from "./tls.ts"
import { route, tcpRoute } from "./toRoutes.ts"

type Protocol = IrListener["protocol"]

export const serverTls = (tls: ServerTls, path: Path, to: Mapping): IrServerTls | undefined => {
  const { cert, cipherSuites = [], key, keyExchangeGroups = [], mode = "static", root } = tls
  const minVersion = tls.minTLSVersion ?? tls.minTlsVersion ?? Defaults.defaults.minTlsVersion
  const maxVersion = tls.maxTLSVersion ?? tls.maxTlsVersion ?? Defaults.defaults.maxTlsVersion
  if (tls.spiffe !== undefined) {
    for (const other of Object.keys(tls)) {
      if (other !== "spiffe") to.fail([...path, other], `\`${other}\` cannot be combined with \`spiffe\``)
    }
    to.refused("fields", "tls.spiffe", [...path, "spiffe"])
    return undefined
  }
  if (minVersion === "TLSv1.3" && maxVersion === "TLSv1.2") to.fail(path, "invalid TLS version range")
  if (mode === "dynamicCa") {
    to.refused("fields", "tls.mode: dynamicCa", [...path, "mode"])
    if (root !== undefined) to.fail([...path, "root"], "`root` cannot be combined with `mode: dynamicCa`")
  }
  if (cert === undefined) return to.fail(path, "tls requires 'cert' (or 'spiffe')")
  if (key === undefined) return to.fail(path, "tls requires 'key'")
  const own = identity({ cert, key }, path, to)
  if (tls.clientCertificates !== undefined && root === undefined) {
    to.fail([...path, "clientCertificates"], "client certificates are checked against `root`, which is not set")
  }
  const rootsPem = root === undefined ? undefined : roots(root, [...path, "root"], to)
  if (own === undefined || (root !== undefined && rootsPem === undefined)) return undefined
  return {
    identity: own,
    mintsLeaves: mode === "dynamicCa",
    ...present({
      clientCertificates:
        rootsPem === undefined ? undefined : { rootsPem, required: tls.clientCertificates !== "optional" },
    }),
    minVersion,
    maxVersion,
    cipherSuites,
    keyExchangeGroups,
  }
}

const hostname = (text: string | undefined, path: Path, to: Mapping): string =>
  text === undefined ? "*" : (to.accept(Hostname.parse(text), path) ?? "*")

const bindProtocol = (protocols: ReadonlyArray<Protocol>): BindProtocol =>
  protocols.some((one) => one === "HTTPS" || one === "TLS") ? "tls" : protocols.includes("TCP") ? "tcp" : "http"

const policyKeys = Object.keys(gatewayPolicies)

export const attachPolicies = (
  draft: Draft.Draft,
  policies: GatewayPolicies,
  listener: IrListener,
  path: Path,
): void => {
  let i = 0
  for (const key of policyKeys) {
    const policy = policies[key as keyof GatewayPolicies]
    if (policy === undefined) continue
    const attachment = `listener/${listener.key}/${i++}`
    for (const mapped of trafficPolicies({ [key]: policy }, path, draft.to, `policy/${attachment}`)) {
      Draft.attach(
        draft,
        attachment,
        { _tag: "Gateway", ...Draft.gateway, listener: listener.name.listenerName },
        { _tag: "Traffic", phase: "gateway", policy: mapped },
        [...path, key],
      )
    }
  }
}

/** MCP and A2A listeners are HTTP listeners whose backends are taken to speak that. */
const spoken = (
  protocol: Exclude<Listener["protocol"], undefined>,
  tls: boolean,
): { readonly protocol: Protocol; readonly backendProtocol: "mcp" | "a2a" | undefined } => {
  switch (protocol) {
    case "MCP":
      return { protocol: tls ? "HTTPS" : "HTTP", backendProtocol: "mcp" }
    case "A2A":
      return { protocol: tls ? "HTTPS" : "HTTP", backendProtocol: "a2a" }
    default:
      return { protocol, backendProtocol: undefined }
  }
}

/** A protocol and the presence of TLS must say the same. */
const agree = (protocol: Protocol, tls: boolean, path: Path, to: Mapping): void => {
  if (tls && (protocol === "HTTP" || protocol === "TCP")) {
    const other = protocol === "HTTP" ? "HTTPS" : "TLS"
    to.fail([...path, "tls"], `protocol ${protocol} cannot have 'tls'`, `Use protocol ${other}, or remove \`tls\`.`)
  }
  if (!tls && protocol === "HTTPS") to.fail(path, "protocol HTTPS requires 'tls'")
}

/** Names of listeners in binds; one that several binds use is told apart by the port. */
const ambiguous = (binds: ReadonlyArray<Bind>): ReadonlySet<string> => {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const bind of binds) {
    for (const [i, one] of bind.listeners.entries()) {
      const name = one.name ?? `listener${i}`
      if (seen.has(name)) twice.add(name)
      seen.add(name)
    }
  }
  return twice
}

export const binds = (draft: Draft.Draft, all: ReadonlyArray<Bind>): void => {
  const { to } = draft
  const twice = ambiguous(all)
  for (const [i, bind] of all.entries()) {
    const path = ["binds", i]
    const internal = bind.mode === "internal"
    if (!internal && bind.port === undefined) {
      to.fail(path, "a bind without a port must set mode: internal", "Set `port`.")
    }
    const port = internal && bind.port === 0 ? undefined : bind.port
    const key = `bind/${port ?? "wildcard"}` as BindKey
    if (port !== undefined) Draft.claim(draft, port, `binds[${i}]`, [...path, "port"])
    else if (internal && draft.binds.has(key)) to.fail(path, "only one bind may be internal without a port")
    const tunnel = bind.tunnelProtocol ?? "direct"
    to.refused("tunnels", tunnel, [...path, "tunnelProtocol"])
    const address: ListenAddress =
      port !== undefined && !internal ? { _tag: "Ip", port } : { _tag: "Internal", ...present({ port }) }
    if (bind.listeners.length === 0) to.warn([...path, "listeners"], "a bind without listeners serves nothing")
    const names = new Set<string>()
    const protocols = bind.listeners.map((one, j) => {
      const at = [...path, "listeners", j]
      const name = one.name ?? `listener${j}`
      if (names.has(name)) to.fail([...at, "name"], `two listeners of the bind are called \`${name}\``)
      names.add(name)
      const listenerName = twice.has(name) ? `${key}/${name}` : name
      return bindListener(draft, one, { bind: key, name, listenerName }, at)
    })
    draft.binds.set(key, { key, address, protocol: bindProtocol(protocols), tunnel })
    draft.origins.set(Draft.originKey("binds", key), path)
  }
}

const bindListener = (
  draft: Draft.Draft,
  one: Listener,
  is: { readonly bind: BindKey; readonly name: string; readonly listenerName: string },
  path: Path,
): Protocol => {
  const { to } = draft
  const { protocol, backendProtocol } = spoken(one.protocol ?? "HTTP", one.tls !== undefined)
  const key = `${Draft.gateway.namespace}/${Draft.gateway.name}/${is.bind}/${is.name}` as ListenerKey
  to.refused("protocols", protocol, [...path, "protocol"])
  const tls = one.tls === undefined ? undefined : serverTls(one.tls, [...path, "tls"], to)
  if (protocol !== "HBONE") agree(protocol, one.tls !== undefined, path, to)
  if (one.routes !== undefined && one.tcpRoutes !== undefined) {
    to.fail(path, "only 'routes' or 'tcpRoutes' may be set")
  } else if (protocol === "HTTP" || protocol === "HTTPS") {
    if (one.routes === undefined) to.fail(path, `protocol ${protocol} requires 'routes'`)
  } else if (protocol !== "HBONE" && one.tcpRoutes === undefined) {
    to.fail(path, `protocol ${protocol} requires 'tcpRoutes'`)
  }
  const listener: IrListener = {
    key,
    bind: is.bind,
    name: { gatewayName: Draft.gateway.name, gatewayNamespace: Draft.gateway.namespace, listenerName: is.listenerName },
    hostname: hostname(one.hostname, [...path, "hostname"], to),
    protocol,
    ...present({ tls, backendProtocol }),
  }
  draft.listeners.set(key, listener)
  draft.origins.set(Draft.originKey("listeners", key), path)
  if (one.policies !== undefined) attachPolicies(draft, one.policies, listener, [...path, "policies"])
  if (one.routes !== undefined && Draft.kindOf(protocol) === "HTTP") {
    for (const [i, each] of one.routes.entries()) {
      route(draft, each, { _tag: "Listener", listener: key }, key, [...path, "routes", i])
    }
  }
  if (one.tcpRoutes !== undefined && Draft.kindOf(protocol) === "TCP") {
    for (const [i, each] of one.tcpRoutes.entries()) tcpRoute(draft, each, key, [...path, "tcpRoutes", i])
  }
  return protocol
}

export const gateways = (draft: Draft.Draft, all: Readonly<Record<string, Gateway>>): void => {
  for (const [name, gateway] of Object.entries(all)) {
    const { to } = draft
    const path = ["gateways", name]
    const key = `bind/${gateway.port}` as BindKey
    if (name.includes("/")) to.fail(path, "the name of a gateway cannot contain `/`")
    Draft.claim(draft, gateway.port, `gateways.${name}`, [...path, "port"])
    const several = gateway.listeners !== undefined && gateway.listeners.length > 0
    if (several) {
      for (const field of ["protocol", "tls", ...policyKeys] as ReadonlyArray<keyof Gateway>) {
        if (gateway[field] !== undefined) {
          to.fail(
            [...path, field],
            `\`${field}\` cannot be set beside \`listeners\``,
            "Move it to each of the listeners it is meant for.",
          )
        }
      }
    }
    const listeners = several ? (gateway.listeners ?? []) : [gateway]
    const names = new Set<string>()
    const attachable: Array<Draft.Attachable> = []
    const protocols = listeners.map((one: Gateway | GatewayListener, i) => {
      const at = several ? [...path, "listeners", i] : path
      const own = several ? ("name" in one && one.name !== undefined ? one.name : `listener${i}`) : undefined
      if (own !== undefined) {
        if (names.has(own)) to.fail([...at, "name"], `two listeners of the gateway are called \`${own}\``)
        names.add(own)
      }
      const reference = own === undefined ? name : `${name}/${own}`
      const listener = gatewayListener(draft, one, { bind: key, reference }, at)
      const entry = { key: listener.key, kind: Draft.kindOf(listener.protocol) }
      attachable.push(entry)
      if (own !== undefined) draft.attachable.set(reference, [entry])
      return listener.protocol
    })
    draft.attachable.set(name, attachable)
    mixture(protocols, path, to)
    draft.binds.set(key, {
      key,
      address: { _tag: "Ip", port: gateway.port },
      protocol: bindProtocol(protocols),
      tunnel: "direct",
    })
    draft.origins.set(Draft.originKey("binds", key), path)
  }
}

/** One port can tell TLS from TLS by the server name, but not plaintext from TLS, nor HTTP from anything else. */
const mixture = (protocols: ReadonlyArray<Protocol>, path: Path, to: Mapping): void => {
  const encrypted = protocols.filter((one) => one === "HTTPS" || one === "TLS").length
  if (encrypted > 0 && encrypted < protocols.length) {
    to.fail([...path, "listeners"], "cannot mix TLS and plaintext listeners on one gateway")
  } else if (encrypted === 0 && protocols.includes("TCP") && protocols.includes("HTTP")) {
    to.fail([...path, "listeners"], "cannot mix HTTP and TCP protocols on one gateway")
  }
}

const gatewayListener = (
  draft: Draft.Draft,
  one: Gateway | GatewayListener,
  is: { readonly bind: BindKey; readonly reference: string },
  path: Path,
): IrListener => {
  const { to } = draft
  const encrypted = one.tls !== undefined
  const { protocol, backendProtocol } = spoken(one.protocol ?? (encrypted ? "HTTPS" : "HTTP"), encrypted)
  agree(protocol, encrypted, path, to)
  const tls = one.tls === undefined ? undefined : serverTls(one.tls, [...path, "tls"], to)
  const key = `gateway/${is.reference}` as ListenerKey
  const listener: IrListener = {
    key,
    bind: is.bind,
    name: { gatewayName: Draft.gateway.name, gatewayNamespace: Draft.gateway.namespace, listenerName: is.reference },
    hostname: hostname("hostname" in one ? one.hostname : undefined, [...path, "hostname"], to),
    protocol,
    ...present({ tls, backendProtocol }),
  }
  draft.listeners.set(key, listener)
  draft.origins.set(Draft.originKey("listeners", key), path)
  attachPolicies(draft, one, listener, path)
  return listener
}
