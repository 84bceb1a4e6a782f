import type { Issue } from "../Issue.ts"
import type { RouteGroupKey } from "../Key.ts"
import type { Route } from "../Route.ts"
import type { Snapshot } from "../Snapshot.ts"
import { issue } from "./Found.ts"

/** A group that can be reached from itself. */
export function* groupCycles(snapshot: Snapshot, part: Snapshot): Iterable<Issue> {
  // A circle that a change closes goes through what it brings.
  if (![...part.routes.values()].some(leadsOn)) return
  const next = new Map<RouteGroupKey, Array<{ readonly route: Route; readonly backend: number; to: RouteGroupKey }>>()
  for (const route of snapshot.routes.values()) {
    if (route.parent._tag !== "Group") continue
    for (const [backend, { backend: ref }] of route.backends.entries()) {
      if (ref._tag !== "Group") continue
      const edges = next.get(route.parent.group) ?? []
      edges.push({ route, backend, to: ref.group })
      next.set(route.parent.group, edges)
    }
  }
  const done = new Set<RouteGroupKey>()
  for (const start of next.keys()) {
    if (done.has(start)) continue
    // Iterative, so that a long chain of groups cannot exhaust the stack.
    const stack = [{ group: start, edge: 0 }]
    const onStack = new Set([start])
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const edge = next.get(top.group)?.[top.edge++]
      if (edge === undefined) {
        done.add(top.group)
        onStack.delete(top.group)
        stack.pop()
      } else if (onStack.has(edge.to)) {
        yield issue("routes", edge.route.key, {
          code: "cycle",
          path: ["backends", edge.backend, "backend", "group"],
          message: `route group ${edge.to} leads back to itself`,
          remedy: "delegate to another group, or to a backend",
        })
      } else if (!done.has(edge.to)) {
        stack.push({ group: edge.to, edge: 0 })
        onStack.add(edge.to)
      }
    }
  }
}

/** From a group to a group. */
const leadsOn = ({ backends, parent }: Route): boolean =>
  parent._tag === "Group" && backends.some(({ backend }) => backend._tag === "Group")
