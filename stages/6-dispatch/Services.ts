/** The endpoints of every service. A change makes another index that shares all it did not touch. */
import type { Changes } from "../../ir/diff.ts"
import type { ServiceKey, WorkloadKey } from "../../ir/Key.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Service, Workload } from "../../ir/Workload.ts"
import { type EndpointSet, type Member, endpointsOf, type OwnLocality } from "./balance.ts"
import { isOwn, placeOf, type Whereabouts } from "./Whereabouts.ts"

type Workloads = ReadonlyMap<WorkloadKey, Workload>

const none: Workloads = new Map()

export class Services {
  private readonly whereabouts: Whereabouts
  private readonly own: OwnLocality | undefined
  private readonly workloads: ReadonlyMap<ServiceKey, Workloads>
  /** By service, then by port; made when first asked for. */
  private readonly sets: Map<ServiceKey, Map<number, EndpointSet>>

  private constructor(
    whereabouts: Whereabouts,
    own: OwnLocality | undefined,
    workloads: ReadonlyMap<ServiceKey, Workloads>,
    sets: Map<ServiceKey, Map<number, EndpointSet>>,
  ) {
    this.whereabouts = whereabouts
    this.own = own
    this.workloads = workloads
    this.sets = sets
  }

  /** The endpoints of every service that somebody has asked for. */
  *known(): Generator<{ readonly service: ServiceKey; readonly port: number; readonly member: Member }> {
    for (const [service, ports] of this.sets) {
      for (const [port, { buckets }] of ports) {
        for (const { members } of buckets) for (const member of members) yield { service, port, member }
      }
    }
  }

  static empty(whereabouts: Whereabouts = {}): Services {
    return new Services(whereabouts, placeOf(whereabouts, []), new Map(), new Map())
  }

  /** The same object for as long as nothing about that service changes. */
  endpoints(service: Service, port: number): EndpointSet {
    let ports = this.sets.get(service.key)
    if (ports === undefined) this.sets.set(service.key, (ports = new Map()))
    let set = ports.get(port)
    if (set === undefined) ports.set(port, (set = this.build(service, port, undefined)))
    return set
  }

  /** The index of the next snapshot; what is known of an endpoint goes over to it. */
  next(snapshot: Snapshot, { services, workloads }: Changes): Services {
    const touched = new Map<ServiceKey, Map<WorkloadKey, Workload>>()
    const at = (key: ServiceKey): Map<WorkloadKey, Workload> => {
      let members = touched.get(key)
      if (members === undefined) touched.set(key, (members = new Map(this.workloads.get(key))))
      return members
    }
    const gone = (workload: Workload): void => {
      for (const key of Object.keys(workload.services)) at(key as ServiceKey).delete(workload.key)
    }
    const come = (workload: Workload): void => {
      for (const key of Object.keys(workload.services)) at(key as ServiceKey).set(workload.key, workload)
    }
    for (const workload of workloads.removed.values()) gone(workload)
    for (const { before } of workloads.changed.values()) gone(before)
    for (const { after } of workloads.changed.values()) come(after)
    for (const workload of workloads.added.values()) come(workload)
    for (const key of services.added.keys()) at(key)
    for (const key of services.changed.keys()) at(key)
    for (const key of services.removed.keys()) at(key)
    const own = this.placeIn(snapshot, workloads)
    // Where everything is near or far from has changed, so what is known is put in order anew.
    if (own !== this.own) for (const key of this.sets.keys()) at(key)
    if (touched.size === 0 && own === this.own) return this

    const index = new Map(this.workloads)
    const sets = new Map(this.sets)
    const next = new Services(this.whereabouts, own, index, sets)
    for (const [key, members] of touched) {
      if (members.size === 0) index.delete(key)
      else index.set(key, members)
      const service = snapshot.services.get(key)
      const before = this.sets.get(key)
      sets.delete(key)
      if (service === undefined || before === undefined) continue
      const ports = new Map<number, EndpointSet>()
      for (const [port, set] of before) ports.set(port, next.build(service, port, set))
      sets.set(key, ports)
    }
    return next
  }

  /** The same object as long as it means the same. */
  private placeIn(snapshot: Snapshot, { added, changed, removed }: Changes["workloads"]): OwnLocality | undefined {
    const { whereabouts } = this
    const isMoved =
      [...added.values(), ...removed.values()].some((one) => isOwn(whereabouts, one)) ||
      [...changed.values()].some(({ after, before }) => isOwn(whereabouts, before) || isOwn(whereabouts, after))
    if (!isMoved) return this.own
    const place = placeOf(whereabouts, snapshot.workloads.values())
    return JSON.stringify(place) === JSON.stringify(this.own) ? this.own : place
  }

  private build(service: Service, port: number, before: EndpointSet | undefined): EndpointSet {
    return endpointsOf(service, port, (this.workloads.get(service.key) ?? none).values(), this.own, before)
  }
}
