/** What many of something leave behind: the second half of them shows it, since what is made once has been made by then. */
import { expect } from "vitest"
import { settled } from "../node/comingAndGoing.ts"

/** A page here and there moves while nothing is kept. */
const NOISE_BYTES = 192 * 1_024
const RESIDENT_BYTES_MAX = 24 * 1_024 * 1_024

/** Lives through all of them, and shows that the second half of them added nothing. */
export const twoHalves = async (
  name: string,
  cycles: number,
  keptBytesMax: number,
  some: (count: number) => Promise<void>,
  /** Connections that are kept for a while come and go; what is kept for each cycle would be thousands. */
  descriptorsMore = 2,
): Promise<void> => {
  const half = Math.ceil(cycles / 2)
  await some(Math.min(half, 1_000))
  const before = await settled()
  await some(half)
  const middle = await settled()
  await some(half)
  const after = await settled()
  const kept = (after.heldBytes - middle.heldBytes) / half
  console.log(JSON.stringify({ name, cycles, before, middle, after, keptBytesPerCycle: Math.round(kept * 10) / 10 }))
  expect(after.children).toBeLessThanOrEqual(before.children)
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + descriptorsMore)
  expect(after.heldBytes - middle.heldBytes).toBeLessThan(NOISE_BYTES + keptBytesMax * half)
  expect(after.residentBytes - middle.residentBytes).toBeLessThan(RESIDENT_BYTES_MAX)
}
