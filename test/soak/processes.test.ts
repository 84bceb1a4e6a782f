/** Ten thousand processes begun and ended: nothing of them is left, in the system or in memory. */
import { describe, expect, it } from "vitest"
import { make as makeProcesses } from "../../src/node/processes.ts"
import { cycles as live, measure } from "../node/comingAndGoing.ts"

const processes = makeProcesses()
const cycles = Number(process.env["STDIO_CYCLES"] ?? 10_000)

describe.runIf(process.platform === "linux")("processes that come and go", () => {
  it(`leave nothing behind after ${cycles} of them`, { timeout: 900_000 }, async () => {
    await live(processes, 500)
    const before = measure()
    await live(processes, cycles)
    const after = measure()
    console.log(JSON.stringify({ cycles, before, after }))
    expect(processes.count()).toBe(0)
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2)
    expect(after.children).toBeLessThanOrEqual(before.children)
    expect(after.heapMegabytes).toBeLessThan(before.heapMegabytes + 16)
    expect(after.residentMegabytes).toBeLessThan(before.residentMegabytes + 64)
  })
})
