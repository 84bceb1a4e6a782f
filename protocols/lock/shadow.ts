/** Names that would be taken for one another, under whatever letters, case and dashes they hide. */
import { foldName } from "./fold.ts"

export interface Named {
  readonly server: string
  readonly name: string
}

export interface Shadow {
  /** Who comes later, and is not to be seen. */
  readonly later: Named
  readonly first: Named
}

/** In the order in which servers are configured: whoever comes first keeps the name. */
export const shadows = (all: Iterable<Named>): ReadonlyArray<Shadow> => {
  const owners = new Map<string, Named>()
  const found: Array<Shadow> = []
  for (const one of all) {
    const key = foldName(one.name)
    const first = owners.get(key)
    if (first === undefined) owners.set(key, one)
    else if (first.server !== one.server || first.name !== one.name) found.push({ later: one, first })
  }
  return found
}
