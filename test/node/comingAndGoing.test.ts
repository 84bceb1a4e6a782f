import { describe, expect, it } from "vitest"
import { make as makeProcesses } from "../../src/node/processes.ts"
import { cycles, settled } from "./comingAndGoing.ts"

describe.runIf(process.platform === "linux")("processes that come and go", () => {
  // `npm run soak` does it ten thousand times.
  it("leave nothing behind", { timeout: 120_000 }, async () => {
    const processes = makeProcesses()
    await cycles(processes, 50)
    const before = await settled()
    await cycles(processes, 250)
    const after = await settled()
    expect(processes.count()).toBe(0)
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2)
    expect(after.children).toBeLessThanOrEqual(before.children)
  })
})
