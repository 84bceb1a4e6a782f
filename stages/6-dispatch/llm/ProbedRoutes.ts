/**
 * Who is to be probed, kept from one configuration to the next: a change is looked at where it is, and at the routes that
 * lead to models where it may concern them; all other routes, of which there may be thousands, are not looked at again.
 */
import { type Changes, size } from "../../../ir/diff.ts"
import type { RouteKey } from "../../../ir/Key.ts"
import type { Route } from "../../../ir/Route.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { DispatchPorts } from "../ports.ts"
import type { Place } from "../resolve.ts"
import { isAttached, isModels, type Probe, probesOf } from "./probes.ts"

/** What led from the snapshot before to this one. */
export interface Step {
  readonly from: Snapshot
  readonly changes: Changes
}

type WholePlace = Place & { readonly snapshot: Snapshot }

/** A backend of this name led elsewhere, or nowhere, so nobody knows which routes name it. */
const bringsModels = ({ backends }: Changes): boolean => {
  for (const backend of backends.added.values()) if (isModels(backend)) return true
  for (const { after, before } of backends.changed.values()) if (isModels(after) && !isModels(before)) return true
  return false
}

export class ProbedRoutes {
  /** Of the routes that lead to models. */
  private readonly byRoute = new Map<RouteKey, ReadonlyArray<Probe>>()
  private seen: WholePlace | undefined
  private anywhere = false

  /** Everything that is to be probed, once each. */
  next(ports: DispatchPorts, place: WholePlace, step: Step | undefined): ReadonlyMap<string, Probe> {
    const { seen } = this
    const { snapshot } = place
    if (seen === undefined || seen.snapshot.attachments !== snapshot.attachments) this.anywhere = isAttached(snapshot)
    this.seen = place
    const look = (key: RouteKey, route: Route): void => {
      const probes = probesOf(ports, place, route, this.anywhere)
      if (probes === undefined) this.byRoute.delete(key)
      else this.byRoute.set(key, probes)
    }
    if (step === undefined || seen === undefined || seen.snapshot !== step.from || bringsModels(step.changes)) {
      this.byRoute.clear()
      for (const [key, route] of snapshot.routes) look(key, route)
      return this.all()
    }
    const { backends, routes } = step.changes
    for (const key of routes.removed.keys()) this.byRoute.delete(key)
    if (seen.attachments !== place.attachments || seen.services !== place.services || size(backends) > 0) {
      for (const key of this.byRoute.keys()) {
        const route = snapshot.routes.get(key)
        if (route !== undefined) look(key, route)
      }
    }
    for (const [key, route] of routes.added) look(key, route)
    for (const [key, { after }] of routes.changed) look(key, after)
    return this.all()
  }

  /** Where two routes ask the same provider differently, it is always the same one that is heard. */
  private all(): ReadonlyMap<string, Probe> {
    const all = new Map<string, { readonly key: RouteKey; readonly probe: Probe }>()
    for (const [key, probes] of this.byRoute) {
      for (const probe of probes) {
        const known = all.get(probe.id)
        if (known === undefined || key < known.key) all.set(probe.id, { key, probe })
      }
    }
    return new Map(Array.from(all, ([id, { probe }]) => [id, probe]))
  }
}
