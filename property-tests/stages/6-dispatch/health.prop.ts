import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { Eviction } from "../../../ir/policy/Health.ts"
import { EVICTION_JITTER, EVICTION_MILLIS_MAX, evictionMillis, Vitals } from "../../../stages/6-dispatch/health.ts"

const unit = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 0.999_999 }))
const millis = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 86_400_000 }))

const Event = Schema.Union([
  Schema.TaggedStruct("Failed", { drawn: unit, hintMillis: Schema.optional(millis) }),
  Schema.TaggedStruct("Succeeded", {}),
  Schema.TaggedStruct("Passed", { millis }),
])

const options = { arbitrary: { runs: 1000, size: 40 } }

describe("an eviction", () => {
  it.prop(
    "is as long as what was asked for, or longer, and never longer than the limit",
    { eviction: Eviction, evictions: Schema.Natural, drawn: unit, hint: Schema.optional(millis) },
    ({ drawn, eviction, evictions, hint }) => {
      const base = eviction.durationMillis ?? hint ?? 3000
      const length = evictionMillis(eviction, evictions, {
        nowMillis: 0,
        drawn,
        hintMillis: hint,
        backoffMillis: undefined,
      })
      assert.isAtLeast(length, base * (1 - 1e-9))
      assert.isAtMost(length, Math.max(base, EVICTION_MILLIS_MAX) * (1 + EVICTION_JITTER))
    },
    options,
  )

  it.prop(
    "ends, whatever happened before, and scores stay between 0 and 1",
    { eviction: Eviction, events: Schema.Array(Event) },
    ({ eviction, events }) => {
      const vitals = new Vitals()
      let now = 0
      let longest = 0
      for (const event of events) {
        switch (event._tag) {
          case "Failed": {
            const before = vitals.evictedUntilMillis
            vitals.failed(eviction, {
              nowMillis: now,
              drawn: event.drawn,
              hintMillis: event.hintMillis,
              backoffMillis: undefined,
            })
            if (vitals.evictedUntilMillis > now && before !== vitals.evictedUntilMillis) {
              longest = Math.max(longest, vitals.evictedUntilMillis - now)
            }
            break
          }
          case "Succeeded":
            vitals.succeeded()
            assert.strictEqual(vitals.failures, 0)
            break
          case "Passed":
            now += event.millis
        }
        assert.isAtLeast(vitals.score, 0)
        assert.isAtMost(vitals.score, 1)
      }
      assert.isTrue(vitals.isActive(now + longest + 1))
    },
    options,
  )
})
