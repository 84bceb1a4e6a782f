/** Starts, stops and kills upstream servers that are processes. */
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Child {
  readonly port: number
  readonly process: ChildProcess
  /** As the kernel does it: no farewell. */
  readonly kill: () => Promise<void>
  /** It no longer runs, but its sockets stand. */
  readonly freeze: () => void
  readonly close: () => Promise<void>
}

const program = fileURLToPath(new URL("upstreamProcess.ts", import.meta.url))

export const startChild = (port = 0, backlog = 511): Promise<Child> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, String(port), String(backlog)], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    const ended = new Promise<void>((done) => child.once("close", () => done()))
    const kill = (): Promise<void> => {
      child.kill("SIGKILL")
      return ended
    }
    child.once("error", reject)
    void ended.then(() => reject(new Error("the upstream process ended before it listened")))
    let said = ""
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk.toString()
      if (!said.includes("\n")) return
      resolve({ port: Number(said), process: child, kill, freeze: () => void child.kill("SIGSTOP"), close: kill })
    })
  })
