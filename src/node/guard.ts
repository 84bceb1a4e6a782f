/**
 * Tells a small process beside us which process groups are ours. It reads from a pipe that breaks when we die, in whatever
 * way, and ends those groups then.
 */
import { type ChildProcess, spawn } from "node:child_process"
import type { Socket } from "node:net"
import { fileURLToPath } from "node:url"

const program = new URL(import.meta.url.endsWith(".ts") ? "./guardProcess.ts" : "./guardProcess.js", import.meta.url)

/** A guard that dies is replaced, but not one that dies at once each time. */
const replacementsMax = 16

export class Guard {
  private readonly groups = new Set<number>()
  private process: ChildProcess | undefined
  private replacements = 0

  watch(group: number): void {
    this.groups.add(group)
    if (this.process === undefined) this.start()
    else this.tell(`+${group}\n`)
  }

  forget(group: number): void {
    this.groups.delete(group)
    this.tell(`-${group}\n`)
  }

  private tell(line: string): void {
    this.process?.stdin?.write(line)
  }

  private start(): void {
    // Windows has no process groups; there, processes end with their input.
    if (process.platform === "win32") return
    const started = spawn(process.execPath, [fileURLToPath(program)], {
      detached: true,
      env: {},
      stdio: ["pipe", "ignore", "ignore"],
    })
    this.process = started
    started.on("error", () => {})
    started.stdin.on("error", () => {})
    started.on("exit", () => {
      if (this.process !== started) return
      this.process = undefined
      if (this.groups.size > 0 && this.replacements++ < replacementsMax) this.start()
    })
    // Neither the guard nor the pipe to it keeps us alive.
    started.unref()
    const pipe = started.stdin as unknown as Socket
    pipe.unref()
    started.stdin.write([...this.groups].map((group) => `+${group}\n`).join(""))
  }
}
