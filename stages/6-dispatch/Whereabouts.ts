/** Where this gateway stands, by which it can tell near endpoints from far ones. */
import type { Workload } from "../../ir/Workload.ts"
import type { OwnLocality } from "./balance.ts"

export interface Whereabouts {
  /** What was said of it; nothing is known that is not in it. */
  readonly said?: OwnLocality
  /** It is one of the workloads itself, and stands where that is said to; the cluster decides between several of that name. */
  readonly workload?: { readonly name: string; readonly namespace: string; readonly clusterId: string }
}

/** Whether the place of the gateway may change with that workload. */
export const isOwn = ({ workload: own }: Whereabouts, { name, namespace }: Workload): boolean =>
  own !== undefined && own.name === name && own.namespace === namespace

/** A place at which nothing is known is none. */
const known = (place: OwnLocality): OwnLocality | undefined =>
  Object.values(place).some((value) => value !== undefined && value !== "") ? place : undefined

/** The workload that the gateway is, if it is there, says more than what was said of it. */
export const placeOf = (whereabouts: Whereabouts, workloads: Iterable<Workload>): OwnLocality | undefined => {
  const { said, workload: own } = whereabouts
  let found: Workload | undefined
  if (own !== undefined) {
    for (const workload of workloads) {
      if (!isOwn(whereabouts, workload)) continue
      if (found === undefined || (workload.clusterId === own.clusterId && found.clusterId !== own.clusterId)) {
        found = workload
      }
    }
  }
  if (found === undefined) return said === undefined ? undefined : known(said)
  const { clusterId, locality, network, node } = found
  return known({
    Region: locality?.region ?? said?.Region ?? "",
    Zone: locality?.zone ?? said?.Zone ?? "",
    Subzone: locality?.subzone ?? said?.Subzone ?? "",
    Node: node || (said?.Node ?? ""),
    Cluster: clusterId || (said?.Cluster ?? ""),
    Network: network || (said?.Network ?? ""),
  })
}
