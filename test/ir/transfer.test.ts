import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { seal, unseal } from "../../ir/transfer.ts"

const value = {
  plain: { list: [1, 2, { deep: "x" }] },
  secret: Redacted.make("s3cret"),
  table: new Map([
    ["a", { key: Redacted.make("k"), others: [Redacted.make("l"), "open"] }],
    ["b", { key: Redacted.make("m"), others: [] }],
  ]),
  bytes: new Uint8Array([1, 2, 3]),
  nothing: null,
}

describe("data on its way to another thread or process", () => {
  it("arrives as it was, secrets included", () => {
    const arrived = unseal(structuredClone(seal(value)))
    expect(Redacted.value(arrived.secret)).toBe("s3cret")
    const a = arrived.table.get("a")
    expect(a === undefined ? undefined : Redacted.value(a.key)).toBe("k")
    expect(a?.others.map((one) => (Redacted.isRedacted(one) ? Redacted.value(one) : one))).toEqual(["l", "open"])
    expect({ ...arrived, secret: 0, table: 0 }).toEqual({ ...value, secret: 0, table: 0 })
    // Closed again: nothing that prints it tells.
    expect(JSON.stringify(arrived)).not.toContain("s3cret")
  })

  it("what holds no secret is not copied, and the original stays closed", () => {
    const sealed = seal(value)
    expect(sealed.plain).toBe(value.plain)
    expect(sealed.bytes).toBe(value.bytes)
    expect(Redacted.isRedacted(value.secret)).toBe(true)
    expect(seal(value.plain)).toBe(value.plain)
  })
})
