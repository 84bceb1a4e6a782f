/** `concurrencyLimit`: how many exchanges may be under way at once. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { Concurrency, ConcurrencyLimit as IrConcurrencyLimit } from "../../../../ir/policy/ConcurrencyLimit.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Cel, Count, Millis, opt, req } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { entryOrder } from "./conditional.ts"

const concurrencyFields = {
  maxConcurrent: req(Count, "How many exchanges may be under way at once."),
  key: opt(Cel, "Whose limit it is: each value of the expression is counted for itself."),
  queue: opt(
    Schema.Struct({
      maxWaiting: req(Count, "How many may wait for their turn."),
      timeout: opt(Millis, "How long each may wait; 5s unless set."),
    }),
    "Absent: whoever finds no room is refused at once.",
  ),
  status: opt(Schema.Literals([429, 503]), "503 unless set."),
  retryAfter: opt(Millis, "What is said in `Retry-After`; 1s unless set."),
}
const concurrencyLimitShape = Schema.Union([
  Schema.Array(Schema.Struct(concurrencyFields)),
  Schema.Struct({
    conditional: Schema.NonEmptyArray(Schema.Struct({ ...concurrencyFields, condition: opt(Cel) })).check(entryOrder),
  }),
]).annotate({ identifier: "ConcurrencyLimit" })
export interface ConcurrencyLimitSchema extends Named<typeof concurrencyLimitShape> {}
export const ConcurrencyLimit: ConcurrencyLimitSchema = concurrencyLimitShape
export type ConcurrencyLimit = typeof ConcurrencyLimit.Type

type ConcurrencyEntry = Extract<ConcurrencyLimit, { readonly conditional: unknown }>["conditional"][number]

const concurrency = (one: ConcurrencyEntry, path: Path, to: Mapping): Concurrency => {
  const { condition, key, maxConcurrent, queue, retryAfter, status } = one
  if (maxConcurrent === 0) to.warn([...path, "maxConcurrent"], "no request ever passes")
  if (queue?.timeout === 0) to.fail([...path, "queue", "timeout"], "whoever waits gives up at once")
  if (queue?.maxWaiting === 0) to.warn([...path, "queue", "maxWaiting"], "nobody can wait", "Leave out `queue`.")
  return {
    maxConcurrent,
    status: status ?? defaults.concurrencyStatus,
    retryAfterMillis: retryAfter ?? defaults.retryAfterMillis,
    ...present({
      condition,
      key,
      queue:
        queue === undefined
          ? undefined
          : { maxWaiting: queue.maxWaiting, timeoutMillis: queue.timeout ?? defaults.queueTimeoutMillis },
    }),
  }
}

export const concurrencyLimit = (
  policy: ConcurrencyLimit,
  path: Path,
  to: Mapping,
  owner: string,
): IrConcurrencyLimit =>
  "conditional" in policy
    ? {
        _tag: "ConcurrencyLimit",
        id: owner,
        limits: policy.conditional.map((one, i) => concurrency(one, [...path, "conditional", i], to)),
        onlyFirst: true,
      }
    : {
        _tag: "ConcurrencyLimit",
        id: owner,
        limits: policy.map((one, i) => concurrency(one, [...path, i], to)),
      }
