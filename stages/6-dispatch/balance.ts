/** Chooses among the endpoints of a service: by nearness first, then by how they are doing. */
import type { HostTarget } from "../../ir/Backend.ts"
import type { LocalityScope, Service, Workload } from "../../ir/Workload.ts"
import { isIpv6 } from "../../protocols/net/ip.ts"
import { rendezvous } from "./affinity.ts"
import { Vitals } from "./health.ts"

/** Where this gateway itself stands; what is not known is absent. */
export type OwnLocality = { readonly [Scope in LocalityScope]?: string }

export interface Member {
  /** The same for the same endpoint before and after a reload. */
  readonly id: string
  readonly target: HostTarget
  /** Its share of the draws; never 0. */
  readonly weight: number
  readonly vitals: Vitals
}

interface Bucket {
  readonly members: ReadonlyArray<Member>
  /** Running sums of the weights; absent where all are alike. */
  readonly sums: ReadonlyArray<number> | undefined
}

/** The endpoints of one port of a service, nearest first. */
export interface EndpointSet {
  readonly buckets: ReadonlyArray<Bucket>
  readonly size: number
}

const bucketOf = (members: ReadonlyArray<Member>): Bucket => {
  if (members.every(({ weight }) => weight === 1)) return { members, sums: undefined }
  let sum = 0
  return { members, sums: members.map(({ weight }) => (sum += weight)) }
}

/** The first bucket comes first; an endpoint of weight 0 is drained and never chosen. */
export const makeSet = (buckets: ReadonlyArray<ReadonlyArray<Member>>): EndpointSet => {
  const filled = buckets
    .map((members) => members.filter(({ weight }) => weight > 0))
    .filter((members) => members.length > 0)
  return { buckets: filled.map(bucketOf), size: filled.reduce((sum, members) => sum + members.length, 0) }
}

const draw = ({ members, sums }: Bucket, random: () => number): Member => {
  if (sums === undefined) return members[Math.floor(random() * members.length)] as Member
  const drawn = random() * (sums[sums.length - 1] as number)
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (drawn < (sums[middle] as number)) high = middle
    else low = middle + 1
  }
  return members[low] as Member
}

const better = (a: Member, b: Member): Member => (b.vitals.score > a.vitals.score ? b : a)

/** The better of two that are drawn; whoever may not be taken is drawn for again among those who may. */
const ofTwo = (bucket: Bucket, random: () => number, mayTake: (member: Member) => boolean): Member | undefined => {
  const first = draw(bucket, random)
  const second = draw(bucket, random)
  if (mayTake(first) && mayTake(second)) return better(first, second)
  const left = bucket.members.filter(mayTake)
  if (left.length === 0) return undefined
  const smaller = bucketOf(left)
  return better(draw(smaller, random), draw(smaller, random))
}

/**
 * An active endpoint of the first bucket that has one; without any, the best of those that were put aside.
 * Endpoints in `tried` are left out as long as there are others.
 */
export const choose = (
  { buckets, size }: EndpointSet,
  nowMillis: number,
  random: () => number,
  tried: ReadonlyArray<Member> | undefined,
): Member | undefined => {
  if (size === 0) return undefined
  const isActive = ({ vitals }: Member): boolean => vitals.isActive(nowMillis)
  if (size === 1) return buckets[0]?.members[0]
  if (tried !== undefined && tried.length > 0) {
    const isFresh = (member: Member): boolean => isActive(member) && !tried.includes(member)
    for (const bucket of buckets) {
      const found = ofTwo(bucket, random, isFresh)
      if (found !== undefined) return found
    }
  }
  for (const bucket of buckets) {
    const found = ofTwo(bucket, random, isActive)
    if (found !== undefined) return found
  }
  let best: Member | undefined
  for (const { members } of buckets) {
    for (const member of members) best = best === undefined ? member : better(best, member)
  }
  return best
}

/** The endpoint that belongs to a key, in the first bucket with an active one. */
export const chooseFor = (key: string, { buckets }: EndpointSet, nowMillis: number): Member | undefined => {
  for (const { members } of buckets) {
    const found = rendezvous(
      key,
      members.filter(({ vitals }) => vitals.isActive(nowMillis)),
    )
    if (found !== undefined) return found
  }
  return undefined
}

const valueOf = (workload: Workload, scope: LocalityScope): string | undefined => {
  switch (scope) {
    case "Region":
      return workload.locality?.region
    case "Zone":
      return workload.locality?.zone
    case "Subzone":
      return workload.locality?.subzone
    case "Node":
      return workload.node
    case "Cluster":
      return workload.clusterId
    case "Network":
      return workload.network
  }
}

/** 0 is nearest; undefined: not to be used at all. */
export const bucketIndex = (
  { loadBalancer }: Pick<Service, "loadBalancer">,
  workload: Workload,
  own: OwnLocality | undefined,
): number | undefined => {
  if (loadBalancer === undefined || own === undefined) return 0
  const { mode, routingPreferences } = loadBalancer
  if (mode !== "Failover" && mode !== "Strict") return 0
  const first = routingPreferences.findIndex((scope) => {
    const mine = own[scope]
    return mine === undefined || mine === "" || valueOf(workload, scope) !== mine
  })
  const rank = first < 0 ? routingPreferences.length : first
  if (mode === "Strict" && rank < routingPreferences.length) return undefined
  return routingPreferences.length - rank
}

const addressOf = (workload: Workload, families: Service["ipFamilies"]): string | undefined => {
  if (workload.addresses.length === 0) return workload.hostname === "" ? undefined : workload.hostname
  return families === "IPv4" || families === "IPv6"
    ? workload.addresses.find((address) => isIpv6(address) === (families === "IPv6"))
    : workload.addresses[0]
}

const portIn = (map: Readonly<Record<string, number>> | undefined, port: number): number | undefined =>
  map !== undefined && Object.hasOwn(map, port) ? map[port] : undefined

const byKey = (a: Workload, b: Workload): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

/**
 * The endpoints of a service's port; who was there before keeps what is known of it. Their order never shows in which
 * order they became known.
 */
export const endpointsOf = (
  service: Service,
  port: number,
  workloads: Iterable<Workload>,
  own: OwnLocality | undefined,
  before: EndpointSet | undefined,
): EndpointSet => {
  const known = new Map<string, Vitals>()
  for (const { members } of before?.buckets ?? []) for (const { id, vitals } of members) known.set(id, vitals)
  const buckets: Array<Array<Member>> = []
  for (const workload of [...workloads].sort(byKey)) {
    if (!workload.healthy && service.loadBalancer?.healthPolicy !== "AllowAll") continue
    const host = addressOf(workload, service.ipFamilies)
    const targetPort = portIn(workload.services[service.key], port) ?? portIn(service.ports, port)
    const index = bucketIndex(service, workload, own)
    if (host === undefined || targetPort === undefined || index === undefined) continue
    const id = `${workload.key} ${host} ${targetPort}`
    while (buckets.length <= index) buckets.push([])
    buckets[index]?.push({
      id,
      target: { _tag: "Host", host, port: targetPort },
      weight: workload.capacity,
      vitals: known.get(id) ?? new Vitals(),
    })
  }
  return makeSet(buckets)
}

/** One endpoint by its name, unless it has failed already. */
export const memberNamed = (
  id: string,
  { buckets }: EndpointSet,
  tried: ReadonlyArray<Member> | undefined,
): Member | undefined => {
  for (const { members } of buckets)
    for (const member of members) if (member.id === id) return tried?.includes(member) ? undefined : member
  return undefined
}
