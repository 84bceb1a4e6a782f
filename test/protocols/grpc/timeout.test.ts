import { assert, describe, it } from "@effect/vitest"
import { formatTimeout, parseTimeout } from "../../../protocols/grpc/timeout.ts"

describe("grpc-timeout", () => {
  it("is written in the finest unit that eight digits can say", () => {
    assert.deepStrictEqual([0, 0.2, 250, 99_999_999, 100_000_000, 1e13].map(formatTimeout), [
      "0m",
      "1m",
      "250m",
      "99999999m",
      "100000S",
      "2777778H",
    ])
  })

  it("is read in every unit", () => {
    const read = ["5n", "5u", "5m", "5S", "5M", "5H", "", "5", "m", "123456789m", "5s", "-5m", "5 m"].map(parseTimeout)
    assert.deepStrictEqual(read, [
      5 * 1e-6,
      5e-3,
      5,
      5_000,
      300_000,
      18_000_000,
      ...Array<undefined>(7).fill(undefined),
    ])
  })
})
