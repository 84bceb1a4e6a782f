/** Services and workloads to the snapshot's. */
import { isIP } from "node:net"
import type { ServiceKey, WorkloadKey } from "../../../ir/Key.ts"
import type { Path } from "../ConfigIssue.ts"
import { chooseFrom } from "../suggest.ts"
import type { PortMap, Service, Workload } from "./discovery.ts"
import * as Draft from "./Draft.ts"
import { present } from "./present.ts"
import { port } from "../target.ts"

const ports = (draft: Draft.Draft, map: PortMap, path: Path): void => {
  for (const key of Object.keys(map)) {
    if (port(key) === undefined) draft.to.fail([...path, key], `\`${key}\` is not a port number`)
  }
}

export const service = (draft: Draft.Draft, one: Service, path: Path): void => {
  const { to } = draft
  const key = `${one.namespace}/${one.hostname}` as ServiceKey
  if (draft.services.has(key)) to.fail(path, `two services are \`${key}\``)
  for (const field of ["waypoint", "weightedWaypoints", "ingressUseWaypoint"] as const) {
    if (one[field] !== undefined) to.refused("fields", `services.${field}`, [...path, field])
  }
  ports(draft, one.ports, [...path, "ports"])
  for (const served of Object.keys(one.appProtocols ?? {})) {
    if (!Object.hasOwn(one.ports, served)) {
      to.fail([...path, "appProtocols", served], `the service has no port ${served}`)
    }
  }
  for (const [i, vip] of one.vips.entries()) {
    if (isIP(vip.slice(vip.indexOf("/") + 1)) === 0) {
      to.fail([...path, "vips", i], `${JSON.stringify(vip)} is not an address`, "Write `network/ip`, or `/ip`.")
    }
  }
  draft.services.set(key, {
    key,
    name: one.name,
    namespace: one.namespace,
    hostname: one.hostname,
    vips: one.vips,
    ports: one.ports,
    appProtocols: one.appProtocols ?? {},
    subjectAltNames: one.subjectAltNames ?? [],
    ...present({ labels: one.labels, loadBalancer: one.loadBalancer, ipFamilies: one.ipFamilies }),
  })
  draft.origins.set(Draft.originKey("services", key), path)
}

export const workload = (draft: Draft.Draft, one: Workload, path: Path): void => {
  const { to } = draft
  let key = (one.uid ?? `${one.namespace}/${one.name}`) as WorkloadKey
  if (draft.workloads.has(key)) {
    if (one.uid !== undefined) to.fail([...path, "uid"], `two workloads are \`${key}\``)
    else key = `${key}/${draft.workloads.size}` as WorkloadKey
  }
  for (const field of ["waypoint", "networkGateway", "hboneMtlsPort"] as const) {
    if (one[field] !== undefined) to.refused("fields", `workloads.${field}`, [...path, field])
  }
  const protocol = one.protocol ?? "TCP"
  to.refused("fields", `workloads.protocol: ${protocol}`, [...path, "protocol"])
  for (const [i, address] of one.workloadIps.entries()) {
    if (isIP(address) === 0) to.fail([...path, "workloadIps", i], `${JSON.stringify(address)} is not an address`)
  }
  for (const [name, map] of Object.entries(one.services ?? {})) {
    const at = [...path, "services", name]
    const known = draft.services.get(name as ServiceKey)
    if (known === undefined && !to.names.services.has(name) && !to.names.unread.has("services")) {
      to.fail(
        at,
        `unknown service \`${name}\``,
        chooseFrom(name, [...draft.services.keys()]) || "Add it to `services`.",
      )
    }
    ports(draft, map, at)
  }
  draft.workloads.set(key, {
    key,
    name: one.name,
    namespace: one.namespace,
    addresses: one.workloadIps,
    hostname: one.hostname ?? "",
    protocol,
    network: one.network ?? "",
    trustDomain: one.trustDomain ?? "",
    serviceAccount: one.serviceAccount ?? "",
    node: one.node ?? "",
    clusterId: one.clusterId ?? "",
    ...present({
      locality:
        one.locality === undefined
          ? undefined
          : {
              region: one.locality.region ?? "",
              zone: one.locality.zone ?? "",
              subzone: one.locality.subzone ?? "",
            },
    }),
    healthy: one.status !== "Unhealthy",
    capacity: one.capacity ?? 1,
    services: one.services ?? {},
  })
  draft.origins.set(Draft.originKey("workloads", key), path)
}
