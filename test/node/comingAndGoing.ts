/** Processes that live a whole life, many times, and what is left of them. */
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import type { Processes } from "../../stages/ports/Processes.ts"

const spec = { command: "cat", args: [], env: {}, inherit: "basics" as const }

/** It is started, says what it was told, and is stopped. */
const cycle = (processes: Processes): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
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

export const cycles = (processes: Processes, count: number, atOnce = 8): Promise<void> =>
  Effect.runPromise(
    Effect.forEach(Array.from({ length: count }), () => cycle(processes), { concurrency: atOnce, discard: true }),
  )

const children = (): number =>
  readdirSync("/proc").filter((name) => {
    try {
      const [, rest = ""] = readFileSync(`/proc/${name}/stat`, "utf8").split(") ")
      return rest.split(" ")[1] === String(process.pid)
    } catch {
      return false
    }
  }).length

export const measure = () => {
  globalThis.gc?.()
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    children: children(),
    heapMegabytes: Math.round(process.memoryUsage().heapUsed / 2 ** 20),
    residentMegabytes: Math.round(process.memoryUsage().rss / 2 ** 20),
  }
}
