/**
 * Routes that lead to the same hosts in the same way are served by one service. Thousands of them then cost the memory of one,
 * and requests that take one after the other find it in the caches of the machine.
 */
import type { Routed, Service } from "../Exchange.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import { type Destinations, sameDestinations } from "./dispatch.ts"
import { addressOf } from "./Endpoints.ts"

interface Known {
  readonly where: Destinations
  readonly service: WeakRef<Service<Routed>>
}

/** Kept as long as some route is served by them. */
class Shelf {
  private readonly known = new Map<string, Known>()
  private readonly gone = new FinalizationRegistry<readonly [key: string, known: Known]>(([key, known]) => {
    if (this.known.get(key) === known) this.known.delete(key)
  })

  get(key: string, where: Destinations): Service<Routed> | undefined {
    const known = this.known.get(key)
    return known !== undefined && sameDestinations(known.where, where) ? known.service.deref() : undefined
  }

  set(key: string, where: Destinations, service: Service<Routed>): void {
    const known = { where, service: new WeakRef(service) }
    this.known.set(key, known)
    this.gone.register(service, [key, known])
  }
}

const byPorts = new WeakMap<PolicyPorts, Shelf>()

/** Undefined for what remembers anything of its own, which no two routes may share. */
const keyOf = ({ backends, mirrors }: Destinations): string | undefined => {
  if (mirrors.length > 0) return undefined
  const keys: Array<string> = []
  for (const { backend, weight } of backends) {
    const { mirrors, name, policies, where } = backend
    if (where._tag !== "Host" || mirrors.length > 0 || Object.keys(policies).length > 0) return undefined
    keys.push(`${weight} ${addressOf(where.target)} ${name}`)
  }
  return keys.join("\n")
}

/** The service of routes that lead there; the one that is made unless there is one already. */
export const alike = (ports: PolicyPorts, where: Destinations, make: () => Service<Routed>): Service<Routed> => {
  const key = keyOf(where)
  if (key === undefined) return make()
  let shelf = byPorts.get(ports)
  if (shelf === undefined) byPorts.set(ports, (shelf = new Shelf()))
  const known = shelf.get(key, where)
  if (known !== undefined) return known
  const service = make()
  shelf.set(key, where, service)
  return service
}
