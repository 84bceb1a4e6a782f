/** `responseCache`: answers of models that are given again. */
import * as Schema from "effect/Schema"
import { defaults } from "../../../../ir/defaults.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { ResponseCache as IrResponseCache } from "../../../../ir/policy/ResponseCache.ts"
import type { Path } from "../../ConfigIssue.ts"
import { anyCase, Cel, Count, Millis, opt, req } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { callee, calleeFields } from "./Callee.ts"

const responseCacheShape = Schema.Struct({
  key: opt(Cel, "Who shares answers; each caller has its own unless set."),
  ttl: opt(Millis, "10 minutes unless set."),
  store: opt(anyCase(["memory", "redis"]), "`memory` unless set; `redis` is the one that `config.redis` names."),
  maxEntryBytes: opt(Count, "1048576 unless set."),
  cadence: opt(anyCase(["instant", "recorded"]), "Whether a stream comes again at once (unless set) or as it came."),
  semantic: opt(
    Schema.Struct({
      ...calleeFields,
      model: req(Schema.NonEmptyString, "The model of embeddings."),
      path: opt(Schema.NonEmptyString, "`/v1/embeddings` unless set."),
      threshold: opt(
        Schema.Finite.check(
          Schema.isBetween({ minimum: 0, maximum: 1 }, { message: "expected a number between 0 and 1" }),
        ),
        "The least cosine of what counts as the same; 0.95 unless set.",
      ),
      maxEntries: opt(Count, "1000 unless set."),
      timeout: opt(Millis, "2 seconds unless set."),
    }),
  ),
}).annotate({ identifier: "ResponseCache" })
export interface ResponseCacheSchema extends Named<typeof responseCacheShape> {}
export const ResponseCache: ResponseCacheSchema = responseCacheShape
export type ResponseCache = typeof ResponseCache.Type

export const responseCache = (policy: ResponseCache, path: Path, to: Mapping): IrResponseCache | undefined => {
  const { semantic } = policy
  const store = policy.store ?? "memory"
  if (store === "redis" && !to.names.hasRedis) {
    to.fail([...path, "store"], "no Redis is configured", "Set `config.redis.url`, or leave out `store`.")
  }
  if (policy.ttl === 0) to.fail([...path, "ttl"], "nothing is kept for no time")
  if (policy.maxEntryBytes === 0) to.fail([...path, "maxEntryBytes"], "no answer is that small")
  if (semantic?.maxEntries === 0) to.fail([...path, "semantic", "maxEntries"], "nothing is found among nothing")
  if (semantic?.path !== undefined && !semantic.path.startsWith("/")) {
    to.fail([...path, "semantic", "path"], "a path begins with `/`")
  }
  const called = semantic === undefined ? undefined : callee(semantic, [...path, "semantic"], to)
  if (semantic !== undefined && called === undefined) return undefined
  return {
    ...present({ key: policy.key }),
    ttlMillis: Math.max(1, policy.ttl ?? defaults.responseCacheTtlMillis),
    store,
    entryBytesMax: Math.max(1, policy.maxEntryBytes ?? defaults.responseCacheEntryBytesMax),
    keepsCadence: policy.cadence === "recorded",
    ...present({
      semantic:
        semantic === undefined || called === undefined
          ? undefined
          : {
              callee: called,
              path: semantic.path ?? "/v1/embeddings",
              model: semantic.model,
              threshold: semantic.threshold ?? defaults.semanticThreshold,
              entriesMax: Math.max(1, semantic.maxEntries ?? defaults.semanticEntriesMax),
              timeoutMillis: semantic.timeout ?? defaults.semanticTimeoutMillis,
            },
    }),
  }
}
