import { assert, it } from "@effect/vitest"
import * as Attachments from "../../ir/attachments.ts"
import type { Attachment } from "../../ir/Attachment.ts"
import * as effective from "../../ir/effective.ts"
import { AttachmentKey } from "../../ir/Key.ts"
import { backend, listener, route } from "./snapshots.ts"

const csrf = (origin: string) => ({ _tag: "Csrf", additionalOrigins: [origin] }) as const
const on = (key: string, more: Partial<Attachment>): Attachment => ({
  key: AttachmentKey.make(key),
  target: { _tag: "Gateway", name: "g", namespace: "n" },
  inheritance: "default",
  policy: { _tag: "Traffic", phase: "route", policy: csrf(key) },
  ...more,
})
const place = { listener, port: 80, routes: [route] }

it("places without policies share one empty answer", () => {
  const index = Attachments.make([])
  assert.deepStrictEqual(effective.routePolicies(index, place), {})
  assert.strictEqual(effective.routePolicies(index, place), effective.gatewayPolicies(index, place))
})

it("policies themselves are handed on, not copied", () => {
  const policy = csrf("a")
  const index = Attachments.make([on("a", { policy: { _tag: "Traffic", phase: "route", policy } })])
  assert.strictEqual(effective.routePolicies(index, place).Csrf, policy)
  const ai = { _tag: "Ai", defaults: {} } as const
  const found = effective.backendPolicies(index, { listener, routes: [], backend, refPolicies: [ai] })
  assert.strictEqual(found.Ai, ai)
})

it("an override and a default on one target: the override wins, whatever the keys", () => {
  const index = Attachments.make([on("a", {}), on("b", { inheritance: "override" })])
  assert.deepStrictEqual(effective.routePolicies(index, place), { Csrf: csrf("b") })
})

it("answers with the same policies are recognised as the same", () => {
  const index = Attachments.make([on("a", {})])
  const unrelated = Attachments.update(index, [], [on("z", { target: { _tag: "Route", name: "x", namespace: "n" } })])
  assert.isTrue(effective.same(effective.routePolicies(index, place), effective.routePolicies(unrelated, place)))
  const changed = Attachments.update(index, [on("a", {})], [on("b", {})])
  assert.isFalse(effective.same(effective.routePolicies(index, place), effective.routePolicies(changed, place)))
  assert.isFalse(effective.same(effective.routePolicies(index, place), {}))
})

it("an index with nothing to change is itself", () => {
  const index = Attachments.make([on("a", {})])
  assert.strictEqual(Attachments.update(index, [], []), index)
})

it("names that run into each other stay apart", () => {
  assert.notStrictEqual(
    Attachments.targetKey({ _tag: "Route", namespace: "a", name: "b", ruleName: "c" }),
    Attachments.targetKey({ _tag: "Route", namespace: "a", name: "b", kind: "c" }),
  )
})
