/** Policies of requests, wherever they are written. */
import { retriesMax } from "../defaults.ts"
import { type Destination, futileOnRoute } from "../futile.ts"
import type { Issue } from "../Issue.ts"
import type { TrafficPolicy } from "../Policy.ts"
import type { Path } from "../references.ts"
import { type At, noEffect } from "./Found.ts"

export function* trafficValues(policy: TrafficPolicy, path: Path, at: At): Iterable<Issue> {
  switch (policy._tag) {
    case "Conditional":
      for (const [i, entry] of policy.entries.entries()) {
        yield* trafficValues(entry.policy, [...path, "entries", i, "policy"], at)
      }
      return
    case "LocalRateLimit":
      for (const [i, limit] of policy.limits.entries()) {
        if (limit.tokensPerFill > limit.maxTokens) {
          yield at({
            code: "value",
            path: [...path, "limits", i, "tokensPerFill"],
            message: "more tokens are added at once than the bucket holds",
            remedy: "raise maxTokens, or lower tokensPerFill",
          })
        }
        if (limit.maxTokens > 4_294_967_295) {
          yield at({
            code: "value",
            path: [...path, "limits", i, "maxTokens"],
            message: "more tokens than a bucket can hold",
            remedy: "use at most 4294967295",
          })
        }
        if (limit.fillIntervalMillis === 0) {
          yield at({
            code: "value",
            path: [...path, "limits", i, "fillIntervalMillis"],
            message: "a bucket cannot be filled all the time",
            remedy: "use an interval above 0",
          })
        }
      }
      return
    case "ConcurrencyLimit":
      for (const [i, { queue }] of policy.limits.entries()) {
        if (queue !== undefined && queue.maxWaiting > 0 && queue.timeoutMillis === 0) {
          yield at({
            code: "value",
            path: [...path, "limits", i, "queue", "timeoutMillis"],
            message: "whoever waits gives up at once",
            remedy: "use a time above 0, or no queue",
          })
        }
      }
      return
    case "Retry":
      if (policy.attempts > retriesMax) {
        yield at({
          code: "value",
          path: [...path, "attempts"],
          message: `${policy.attempts} further attempts are more than the ${retriesMax} that may be made`,
          remedy: `use at most ${retriesMax}`,
        })
      }
      return
    case "DirectResponse":
    case "RequestRedirect":
      if (policy.status < 200 || policy.status > 599) {
        yield at({
          code: "value",
          path: [...path, "status"],
          message: `${policy.status} is not the status of a reply`,
          remedy: "use a status from 200 to 599",
        })
      }
  }
}

/** What acts on models only, where there are none. */
export function* idle(
  policy: TrafficPolicy,
  destinations: ReadonlyArray<Destination | undefined>,
  path: Path,
  at: At,
): Iterable<Issue> {
  if (policy._tag === "Conditional") {
    for (const [i, entry] of policy.entries.entries()) {
      yield* idle(entry.policy, destinations, [...path, "entries", i, "policy"], at)
    }
    return
  }
  const futile = futileOnRoute(policy, destinations)
  if (futile !== undefined) yield at(noEffect(futile, path))
}
