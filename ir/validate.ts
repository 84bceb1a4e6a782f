/**
 * Everything about a snapshot that cannot work, as a list. Each resource is well formed by its schema; here they are
 * looked at together. Nothing is judged that only compiling can tell: expressions, patterns, certificates.
 */
import type { Issue } from "./Issue.ts"
import type { Snapshot } from "./Snapshot.ts"
import { attachments } from "./validate/attachments.ts"
import { backends } from "./validate/backends.ts"
import { binds } from "./validate/binds.ts"
import { issue } from "./validate/Found.ts"
import { groupCycles } from "./validate/groupCycles.ts"
import { listeners } from "./validate/listeners.ts"
import { routes } from "./validate/routes.ts"
import { sameMatches } from "./validate/sameMatches.ts"
import { tcpRoutes } from "./validate/tcpRoutes.ts"

/**
 * Issues come in a fixed order: by table, then as the resources stand in it.
 *
 * With a part only its resources are judged, at a cost that follows the part: enough for a change, except that routes
 * which other routes hide, and resources that lost what they refer to, are found by looking at everything.
 */
export const validate = (snapshot: Snapshot, part: Snapshot = snapshot): ReadonlyArray<Issue> => {
  const issues = [
    ...keys(part),
    ...binds(snapshot),
    ...listeners(snapshot),
    ...routes(snapshot, part),
    ...(part === snapshot ? sameMatches(snapshot) : []),
    ...tcpRoutes(snapshot, part),
    ...groupCycles(snapshot, part),
    ...backends(snapshot, part),
    ...attachments(snapshot, part),
  ]
  return part === snapshot
    ? issues
    : issues.filter(({ resource: { key, table } }) => {
        const judged: ReadonlyMap<string, unknown> = part[table]
        return judged.has(key)
      })
}

function* keys(snapshot: Snapshot): Iterable<Issue> {
  for (const name of Object.keys(snapshot) as ReadonlyArray<keyof Snapshot>) {
    for (const [key, resource] of snapshot[name]) {
      if (resource.key === key) continue
      yield issue(name, key, {
        code: "key",
        path: ["key"],
        message: `the resource calls itself ${resource.key}`,
        remedy: "store it under its own key",
      })
    }
  }
}
