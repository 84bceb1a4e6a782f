/** Processes that live a whole life, many times, and what is left of them. */
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import * as v8 from "node:v8"
import * as vm from "node:vm"
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

/** The collector, which a worker of the test runner was not started with. */
const collector = (): (() => void) => {
  v8.setFlagsFromString("--expose-gc")
  const found = vm.runInNewContext("gc") as () => void
  v8.setFlagsFromString("--no-expose-gc")
  return found
}
const collect = collector()

/** What is left once everything that can be collected was: what the first collection finalized goes with the next ones. */
export const settled = async () => {
  for (let i = 0; i < 4; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { external, heapUsed, rss } = process.memoryUsage()
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    children: children(),
    heldBytes: heapUsed + external,
    residentBytes: rss,
  }
}
