/** Ten thousand processes begun and ended: nothing of them is left, in the system or in memory. */
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { make as makeProcesses } from "../../src/node/processes.ts"

const processes = makeProcesses()
const cycles = Number(process.env["STDIO_CYCLES"] ?? 10_000)
const atOnce = 8

const spec = { command: "cat", args: [], env: {}, inherit: "basics" as const }

/** A whole life: it is started, says what it was told, and is stopped. */
const cycle = Effect.callback<void>((resume) => {
  let running: { readonly stop: () => void } | undefined
  const events = {
    output: () => running?.stop(),
    errorOutput: () => {},
    exited: () => resume(Effect.void),
  }
  Effect.runFork(
    Effect.flatMap(processes.start(spec, events), (started) => {
      running = started
      return started.write("{}\n")
    }),
  )
})

const children = (): number =>
  readdirSync("/proc").filter((name) => {
    try {
      const [, rest = ""] = readFileSync(`/proc/${name}/stat`, "utf8").split(") ")
      return rest.split(" ")[1] === String(process.pid)
    } catch {
      return false
    }
  }).length

const measure = () => {
  globalThis.gc?.()
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    children: children(),
    heapMegabytes: Math.round(process.memoryUsage().heapUsed / 2 ** 20),
    residentMegabytes: Math.round(process.memoryUsage().rss / 2 ** 20),
  }
}

describe.runIf(process.platform === "linux")("processes that come and go", () => {
  it(`leave nothing behind after ${cycles} of them`, { timeout: 900_000 }, async () => {
    const some = (count: number) =>
      Effect.runPromise(
        Effect.forEach(Array.from({ length: count }), () => cycle, { concurrency: atOnce, discard: true }),
      )
    await some(500)
    const before = measure()
    await some(cycles)
    const after = measure()
    console.log(JSON.stringify({ cycles, before, after }))
    expect(processes.count()).toBe(0)
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2)
    expect(after.children).toBeLessThanOrEqual(before.children)
    expect(after.heapMegabytes).toBeLessThan(before.heapMegabytes + 16)
    expect(after.residentMegabytes).toBeLessThan(before.residentMegabytes + 64)
  })
})
