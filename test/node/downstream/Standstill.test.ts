import { expect, it } from "vitest"
import { Standstill } from "../../../src/node/downstream/Standstill.ts"

it("a standstill lasts from the first look that saw it on, until something goes on or nobody waits for it", () => {
  const standstill = new Standstill()
  expect(standstill.millis(7, 1_000)).toBe(0)
  expect(standstill.millis(7, 1_300)).toBe(300)
  expect(standstill.millis(8, 1_400)).toBe(0)
  expect(standstill.millis(8, 1_900)).toBe(500)
  expect(standstill.millis(undefined, 2_000)).toBe(0)
  expect(standstill.millis(undefined, 3_000)).toBe(0)
  expect(standstill.millis(8, 4_000)).toBe(0)
  expect(standstill.millis(8, 4_100)).toBe(100)
  standstill.forget()
  expect(standstill.millis(8, 4_200)).toBe(0)
})
