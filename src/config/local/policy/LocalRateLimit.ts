/** `localRateLimit`: buckets that the gateway keeps itself. */
import * as Schema from "effect/Schema"
import type { Named } from "../../../../ir/Named.ts"
import type { TrafficPolicy } from "../../../../ir/Policy.ts"
import type { TokenBucket } from "../../../../ir/policy/LocalRateLimit.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, Cel, Count, Millis, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { conditionally, entryOrder } from "./conditional.ts"

const bucketFields = {
  maxTokens: opt(Count),
  tokensPerFill: opt(Count),
  fillInterval: opt(Millis),
  limit: opt(Count, "How many in one `unit`; short for the three above."),
  unit: opt(
    anyCase(["seconds", "minutes", "hours", "days"], {
      second: "seconds",
      minute: "minutes",
      hour: "hours",
      day: "days",
    }),
  ),
  type: opt(anyCase(["requests", "tokens"])),
  key: opt(Cel, "Whose limit it is: each value of the expression has a bucket of its own."),
  shared: opt(Schema.Boolean, "Counted together with other gateways, in the Redis that `config.redis` names."),
}
export const Bucket = Schema.Struct(bucketFields)
const localRateLimitShape = Schema.Union([
  Schema.Array(Bucket),
  Schema.Struct({
    conditional: Schema.NonEmptyArray(Schema.Struct({ ...bucketFields, condition: opt(Cel) })).check(entryOrder),
  }),
]).annotate({ identifier: "LocalRateLimit" })
export interface LocalRateLimitSchema extends Named<typeof localRateLimitShape> {}
export const LocalRateLimit: LocalRateLimitSchema = localRateLimitShape
export type LocalRateLimit = typeof LocalRateLimit.Type

export type Bucket = Exclude<LocalRateLimit, { readonly conditional: unknown }>[number]

const unitMillis = { seconds: 1_000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 } as const

/** Either so many in a unit of time, or a bucket in all its parts. */
const filling = (
  one: Bucket,
  path: Path,
  to: Mapping,
): readonly [max: number, fill: number, intervalMillis: number] => {
  const { fillInterval, limit, maxTokens, tokensPerFill, unit } = one
  if (limit === undefined && unit === undefined) {
    if (fillInterval === undefined)
      to.fail([...path, "fillInterval"], "needed", "Say how often tokens are added: `1s`.")
    return [maxTokens ?? 0, tokensPerFill ?? 0, fillInterval ?? 1]
  }
  for (const field of ["maxTokens", "tokensPerFill", "fillInterval"] as const) {
    if (one[field] !== undefined) to.fail([...path, field], `\`${field}\` cannot be set beside \`limit\` and \`unit\``)
  }
  if (limit === undefined) to.fail([...path, "limit"], "needed beside `unit`")
  if (unit === undefined)
    to.fail([...path, "unit"], "needed beside `limit`", "Write `seconds`, `minutes`, `hours` or `days`.")
  return [limit ?? 0, limit ?? 0, unitMillis[unit ?? "seconds"]]
}

export const bucket = (one: Bucket, path: Path, to: Mapping): TokenBucket => {
  const [maxTokens, tokensPerFill, fillIntervalMillis] = filling(one, path, to)
  if (tokensPerFill > maxTokens) to.fail(path, "max tokens cannot be less than the refill amount")
  if (fillIntervalMillis <= 0) to.fail([...path, "fillInterval"], "the interval is longer than nothing")
  if (one.shared === true && !to.names.hasRedis) {
    to.fail([...path, "shared"], "no Redis is configured", "Set `config.redis.url`, or leave out `shared`.")
  }
  if (maxTokens === 0) to.warn(path, "no request ever passes", "Set `maxTokens`.")
  else if (tokensPerFill === 0) to.warn(path, "once it is empty it stays empty", "Set `tokensPerFill`.")
  return {
    maxTokens,
    tokensPerFill,
    fillIntervalMillis,
    type: one.type ?? "requests",
    ...present({ key: one.key, shared: one.shared }),
  }
}

export const localRateLimit = (
  policy: LocalRateLimit,
  path: Path,
  to: Mapping,
  owner: string,
): TrafficPolicy | undefined =>
  "conditional" in policy
    ? conditionally((one: Bucket, at) => ({
        _tag: "LocalRateLimit",
        id: `${owner}/${at[at.length - 1]}`,
        limits: [bucket(one, at, to)],
      }))(policy, path, to)
    : { _tag: "LocalRateLimit", id: owner, limits: policy.map((one, i) => bucket(one, [...path, i], to)) }
