import type { Issue } from "../Issue.ts"
import type { Match, ValueMatch } from "../Match.ts"
import type { Route } from "../Route.ts"
import type { Snapshot } from "../Snapshot.ts"
import { issue } from "./Found.ts"

/** Of two equal matches under one parent the route with the smaller key wins, always. */
export function* sameMatches(snapshot: Snapshot): Iterable<Issue> {
  const owners = new Map<string, Route>()
  for (const route of snapshot.routes.values()) {
    for (const places of competes(route)) {
      for (const place of places) {
        const owner = owners.get(place)
        if (owner === undefined || route.key < owner.key) owners.set(place, route)
      }
    }
  }
  for (const route of snapshot.routes.values()) {
    const lost = competes(route).map((places) => {
      const winners = places.map((place) => owners.get(place))
      return winners.every((winner) => winner !== route) ? winners[0] : undefined
    })
    const dead = lost.length > 0 && lost.every((winner) => winner !== undefined)
    for (const [i, winner] of lost.entries()) {
      if (winner === undefined) continue
      yield issue("routes", route.key, {
        severity: dead ? "error" : "warning",
        code: "unreachable",
        path: ["matches", i],
        message: `route ${winner.key} has the same match and is asked first`,
        remedy: "make the match more specific, or remove one of the two",
      })
      if (dead) break
    }
  }
}

/** Where a route competes: for each of its matches, one text for every host name. */
const competes = (route: Route): ReadonlyArray<ReadonlyArray<string>> => {
  const known = competesIn.get(route)
  if (known !== undefined) return known
  const under = JSON.stringify(route.parent)
  const hostnames = route.hostnames.length === 0 ? [""] : route.hostnames
  const places = route.matches.map((match) => {
    const what = canonical(match)
    return hostnames.map((hostname) => [under, hostname, what].join("\0"))
  })
  competesIn.set(route, places)
  return places
}

/** Routes outlive snapshots: one that did not change is not looked at again. */
const competesIn = new WeakMap<Route, ReadonlyArray<ReadonlyArray<string>>>()

/** Equal texts mean equal matches, whatever the order of their conditions. */
const canonical = ({ headers, method, path, query }: Match): string => {
  const values = (list: ReadonlyArray<{ readonly name: string; readonly value: ValueMatch }>) =>
    list.map(({ name, value }) => JSON.stringify([name, ...Object.values(value)])).toSorted()
  const where = path._tag === "Prefix" ? ["Prefix", path.path.replace(/\/+$/, "")] : Object.values(path)
  return JSON.stringify([where, method ?? null, values(headers), values(query)])
}
