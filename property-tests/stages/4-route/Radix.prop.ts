import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"
import * as Radix from "../../../stages/4-route/Radix.ts"
import { oneOf } from "./requests.ts"

const key = oneOf(
  "",
  "a",
  "ab",
  "abc",
  "abd",
  "b",
  "ba",
  "!",
  "m",
  "mz",
  "z",
  "\x7f",
  "\x80",
  "a\x80",
  "é",
  "\u{1f600}",
  "\u{1f601}",
  "abcdef",
)
const value = Arbitrary.schema(Schema.Literals([0, 0, 1, 2])).pipe(
  Arbitrary.map((value): number | undefined => (value === 0 ? undefined : value)),
)
const steps = Arbitrary.array(Arbitrary.all({ key, value }), { maxLength: 30 })

it.prop(
  "a persistent map holds what a plain one holds, in every version of it",
  { steps },
  ({ steps }) => {
    const versions: Array<readonly [Radix.Radix<number>, ReadonlyMap<string, number>]> = [[Radix.empty, new Map()]]
    for (const { key, value } of steps) {
      const [root, plain] = versions.at(-1) as (typeof versions)[number]
      const next = new Map(plain)
      if (value === undefined) next.delete(key)
      else next.set(key, value)
      versions.push([Radix.update(root, key, () => value), next])
    }
    const keys = new Set(steps.map((step) => step.key))
    for (const [root, plain] of versions) {
      for (const key of keys) assert.strictEqual(Radix.get(root, key), plain.get(key))
      assert.deepStrictEqual(new Map(listed(root)), plain)
      assert.strictEqual(Radix.isEmpty(root), plain.size === 0)
      isTight(root, true)
    }
  },
  { arbitrary: { runs: 1000, size: 30 } },
)

it.prop(
  "a change shares every branch that its key does not pass through",
  { steps, key },
  ({ steps, key }) => {
    let before: Radix.Radix<number> = Radix.empty
    for (const step of steps) before = Radix.update(before, step.key, () => step.value)
    const after = Radix.update(before, key, () => 3)
    for (const child of Radix.children(before)) {
      const unit = child.label.charCodeAt(0)
      if (unit !== key.charCodeAt(0)) assert.strictEqual(Radix.child(after, unit), child)
    }
    assert.strictEqual(
      Radix.update(after, key, (value) => value),
      after,
    )
  },
  { arbitrary: { runs: 300, size: 30 } },
)

const listed = (node: Radix.Radix<number>, above = ""): ReadonlyArray<readonly [string, number]> => {
  const key = above + node.label
  const below = Radix.children(node).flatMap((child) => listed(child, key))
  return node.value === undefined ? below : [[key, node.value], ...below]
}

/** No node but the root is without value and without a choice of ways. */
const isTight = (node: Radix.Radix<number>, isRoot: boolean): void => {
  const children = Radix.children(node)
  assert.isTrue(isRoot || node.value !== undefined || children.length > 1)
  if (node.plain.length > 0) assert.isTrue(node.plain[0] !== undefined && node.plain.at(-1) !== undefined)
  assert.notStrictEqual(node.wide?.size, 0)
  for (const child of children) {
    assert.strictEqual(Radix.child(node, child.label.charCodeAt(0)), child)
    assert.strictEqual(child.length, child.label.length)
    isTight(child, false)
  }
}
