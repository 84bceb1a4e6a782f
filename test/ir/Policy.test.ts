import { assert, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Expression } from "../../ir/Expression.ts"
import { BackendPolicy, Conditional, conditionalEntriesMax, TrafficPolicy } from "../../ir/Policy.ts"
import { trafficKind } from "../../ir/trafficKind.ts"
import type { ConditionalPolicy } from "../../ir/Policy.ts"

const decode = Schema.decodeUnknownResult(Conditional)
const csrf: ConditionalPolicy = { _tag: "Csrf", additionalOrigins: [] }
const condition = Expression.make("true")
const accepts = (entries: ReadonlyArray<unknown>) => Result.isSuccess(decode({ _tag: "Conditional", entries }))

it("only the last entry may lack a condition", () => {
  assert.isTrue(accepts([{ condition, policy: csrf }, { policy: csrf }]))
  assert.isTrue(accepts([{ condition, policy: csrf }]))
  assert.isFalse(accepts([{ policy: csrf }, { condition, policy: csrf }]))
})

it("entries are of one kind, at least one, and not too many", () => {
  assert.isFalse(accepts([{ condition, policy: csrf }, { policy: { _tag: "Buffer" } }]))
  assert.isFalse(accepts([]))
  const many = (length: number) => Array.from({ length }, () => ({ condition, policy: csrf }))
  assert.isTrue(accepts(many(conditionalEntriesMax)))
  assert.isFalse(accepts(many(conditionalEntriesMax + 1)))
})

it("a kind that does not depend on conditions cannot be made to", () =>
  assert.isFalse(accepts([{ policy: { _tag: "Timeout" } }])))

it("a conditional policy is of the kind of its contents", () => {
  assert.strictEqual(trafficKind({ _tag: "Conditional", entries: [{ policy: csrf }] }), "Csrf")
  assert.strictEqual(trafficKind(csrf), "Csrf")
})

it("the unions know their cases by name", () => {
  assert.isTrue(TrafficPolicy.guards.Csrf(csrf))
  assert.isTrue(BackendPolicy.guards.A2a(BackendPolicy.cases.A2a.make({})))
})

it("secrets do not show when a policy is printed", () => {
  const policy = BackendPolicy.cases.BackendAuth.make({
    auth: { _tag: "Key", value: Redacted.make("hush"), location: { _tag: "Query", name: "key" } },
    credentials: [],
  })
  assert.notInclude(JSON.stringify(policy), "hush")
})
