/** How connections to a backend are made, and what stands in the way. */
import * as Redacted from "effect/Redacted"
import type { BackendPolicies } from "../../ir/effective.ts"
import { isForProxy } from "../../ir/isForProxy.ts"
import type { BackendKind } from "../../ir/Policy.ts"
import type { ClientTls } from "../../ir/Tls.ts"
import type { EndpointSpec } from "../ports/Upstream.ts"
import type { EndpointTemplate } from "./Endpoints.ts"
import type { DispatchPorts } from "./ports.ts"
import { positive } from "./positive.ts"
import type { Resolved, Where } from "./resolve.ts"

/** Policies that only other kinds of backends can carry out: none may be passed over in silence. */
const elsewhere: ReadonlyArray<BackendKind> = ["InferenceRouting", "Ai", "McpAuthorization", "McpGuardrails"]

/** Why these policies cannot be carried out. */
export const obstacle = (policies: BackendPolicies): string | undefined => obstacleAmong(elsewhere, policies)

export const llmObstacle = (policies: BackendPolicies): string | undefined =>
  obstacleAmong(
    elsewhere.filter((kind) => kind !== "Ai"),
    policies,
  )

const obstacleAmong = (kinds: ReadonlyArray<BackendKind>, policies: BackendPolicies): string | undefined => {
  for (const kind of kinds) if (policies[kind] !== undefined) return `${kind} cannot be applied to this backend`
  if (policies.BackendTls?.spiffe === true) return "identities from the Workload API are not built"
  return undefined
}

const proxyOf = ({
  policies,
  proxy,
}: Pick<Resolved, "policies" | "proxy">):
  | { readonly tunnel: EndpointSpec["tunnel"] }
  | { readonly problem: string } => {
  const policy = policies.BackendTunnel
  if (policy === undefined) return { tunnel: undefined }
  if (proxy?._tag !== "Host") return { problem: "the proxy of a tunnel must be a host" }
  if (policy.tls !== undefined) return { problem: "a proxy that is spoken to over TLS is not built" }
  const { auth } = policy
  if (auth === undefined) return { tunnel: { proxy: proxy.target, authorization: undefined } }
  const { location } = auth
  if (!isForProxy(location)) {
    return { problem: "a proxy takes its credential in the authorization header only" }
  }
  return {
    tunnel: { proxy: proxy.target, authorization: `${location.prefix ?? ""}${Redacted.value(auth.value)}` },
  }
}

/** How connections to a backend are made, except where they lead. A text says why they cannot be. */
export const templateOf = (
  ports: DispatchPorts,
  resolved: Pick<Resolved, "policies" | "proxy" | "where">,
): EndpointTemplate | string => {
  const { policies, where } = resolved
  const proxied = proxyOf(resolved)
  if ("problem" in proxied) return proxied.problem
  const { BackendTls: tls, BackendTunnel: tunnel } = policies
  // With a proxy in between, the connection that is made is the one to the proxy.
  const tcp = tunnel?.tcp ?? policies.BackendTcp
  return {
    ...ports.defaults,
    tls: tls === undefined ? undefined : tlsFor(tls.tls, where),
    tunnel: proxied.tunnel,
    connectTimeoutMillis: positive(tcp?.connectTimeoutMillis) ?? ports.defaults.connectTimeoutMillis,
    keepAlive: tcp?.keepalive ?? ports.defaults.keepAlive,
  }
}

/** The endpoints of a service are addresses, but its certificate is for its name. */
const tlsFor = (tls: ClientTls, where: Where): ClientTls =>
  where._tag === "Service" && tls.hostname === undefined ? { ...tls, hostname: where.service.hostname } : tls
