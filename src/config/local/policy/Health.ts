/** `health`: when a backend counts as unhealthy, and for how long. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { ActiveHealth, Health as IrHealth } from "../../../../ir/policy/Health.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Cel, Count, Fraction, Millis, opt, Status } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"

export const Health = Schema.Struct({
  unhealthyExpression: opt(Cel),
  eviction: opt(
    Schema.Struct({
      duration: opt(Millis),
      restoreHealth: opt(Fraction),
      consecutiveFailures: opt(Count),
      healthThreshold: opt(Fraction),
    }),
  ),
  active: opt(
    Schema.Struct({
      path: opt(Schema.NonEmptyString, "`/health` unless set."),
      interval: opt(Millis, "10s unless set."),
      timeout: opt(Millis, "3s unless set."),
      unhealthyThreshold: opt(Count, "Bad answers in a row that put it aside; 3 unless set."),
      healthyThreshold: opt(Count, "Good answers in a row that bring it back; 1 unless set."),
      expectedStatuses: opt(Schema.Array(Status), "Any 2xx unless set."),
    }),
    "Asks providers of models how they are.",
  ),
}).annotate({ identifier: "Health" })
export type Health = typeof Health.Type

const activeHealth = (one: NonNullable<Health["active"]>, path: Path, to: Mapping): ActiveHealth => {
  const active: ActiveHealth = {
    path: one.path ?? defaults.probePath,
    intervalMillis: one.interval ?? defaults.probeIntervalMillis,
    timeoutMillis: one.timeout ?? defaults.probeTimeoutMillis,
    unhealthyThreshold: one.unhealthyThreshold ?? defaults.probeUnhealthyThreshold,
    healthyThreshold: one.healthyThreshold ?? 1,
    expectedStatuses: one.expectedStatuses ?? [],
  }
  if (!active.path.startsWith("/")) to.fail([...path, "path"], "a path begins with `/`")
  if (active.intervalMillis < probeIntervalMillisMin) {
    to.fail([...path, "interval"], "that is no pause", "Ask every tenth of a second at most.")
  }
  if (active.timeoutMillis === 0) to.fail([...path, "timeout"], "nobody answers in no time")
  for (const field of ["unhealthyThreshold", "healthyThreshold"] as const) {
    if (active[field] === 0) to.fail([...path, field], "one answer is needed at least")
  }
  return active
}

const probeIntervalMillisMin = 100

export const health = (policy: Health, path: Path, to: Mapping): IrHealth => {
  const { active, eviction, unhealthyExpression } = policy
  return {
    _tag: "Health",
    ...present({
      active: active === undefined ? undefined : activeHealth(active, [...path, "active"], to),
      unhealthyExpression,
      eviction:
        eviction === undefined
          ? undefined
          : present({
              durationMillis: eviction.duration,
              restoreHealth: eviction.restoreHealth,
              consecutiveFailures: eviction.consecutiveFailures,
              healthThreshold: eviction.healthThreshold,
            }),
    }),
  }
}
