/** A process that is measured, and what the system says about it. */
import type { ChildProcess } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"

/** Clock ticks of `/proc/PID/stat`, fixed for programs on Linux. */
const TICK_MICROS = 10_000

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "latin1")
  } catch {
    return undefined
  }
}

export class Subject {
  readonly name: string
  readonly port: number
  readonly child: ChildProcess

  constructor(name: string, port: number, child: ChildProcess) {
    this.name = name
    this.port = port
    this.child = child
  }

  get pid(): number {
    return this.child.pid as number
  }

  /** CPU time of all its threads so far, in the kernel and outside. */
  cpuMicros(): number {
    let nanos = 0
    try {
      for (const thread of readdirSync(`/proc/${this.pid}/task`)) {
        nanos += Number(read(`/proc/${this.pid}/task/${thread}/schedstat`)?.split(" ")[0] ?? Number.NaN)
      }
    } catch {
      throw new Error(`${this.name} is gone, or this system has no /proc`)
    }
    // Exact where the scheduler keeps statistics, in ticks elsewhere.
    return nanos > 0 ? nanos / 1_000 : this.ticks() * TICK_MICROS
  }

  private ticks(): number {
    const fields =
      read(`/proc/${this.pid}/stat`)
        ?.replace(/^.*\) /, "")
        .split(" ") ?? []
    return Number(fields[11]) + Number(fields[12])
  }

  rssBytes(): number {
    const found = /VmRSS:\s+(\d+) kB/.exec(read(`/proc/${this.pid}/status`) ?? "")
    return Number(found?.[1] ?? Number.NaN) * 1024
  }

  async stop(): Promise<void> {
    const { child } = this
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    await exited
  }
}
