import { assert, it } from "@effect/vitest"
import { Proofs } from "../../../stages/5-policy/Proofs.ts"

it("holds as long as it was said to hold", () => {
  const proofs = new Proofs<string>(2)
  proofs.put("a", "x", 10)
  assert.strictEqual(proofs.get("a", 9), "x")
  assert.isUndefined(proofs.get("a", 10))
  assert.strictEqual(proofs.size, 0)
})

it("keeps so many, and lets the oldest go", () => {
  const proofs = new Proofs<number>(2)
  for (const [i, name] of ["a", "b", "a", "c"].entries()) proofs.put(name, i, Infinity)
  assert.deepStrictEqual(
    ["a", "b", "c"].map((name) => proofs.get(name, 0)),
    [2, undefined, 3],
  )
  assert.strictEqual(proofs.size, 2)
})

it("proves once for all who ask at once, and again after a failure", async () => {
  const proofs = new Proofs<number>(1)
  let calls = 0
  const prove = async () => {
    calls++
    await Promise.resolve()
    if (calls === 1) throw new Error("failed")
    return calls
  }
  const first = await Promise.allSettled([proofs.once("a", prove), proofs.once("a", prove)])
  assert.deepStrictEqual(
    first.map(({ status }) => status),
    ["rejected", "rejected"],
  )
  assert.deepStrictEqual(await Promise.all([proofs.once("a", prove), proofs.once("a", prove)]), [2, 2])
})

it("what was being proved when everything was forgotten is proved anew", async () => {
  const proofs = new Proofs<string>(1)
  const before = proofs.once("a", () => Promise.resolve("before"))
  proofs.clear()
  const after = proofs.once("a", () => Promise.resolve("after"))
  assert.deepStrictEqual(await Promise.all([before, after]), ["before", "after"])
})
