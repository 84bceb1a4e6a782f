/** Child processes of one leg, and what is to be known of them before the next step. */
import { type ChildProcess, spawn } from "node:child_process"
import * as net from "node:net"

export const finished = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode)
    else child.once("exit", (code) => resolve(code))
  })

/** Whatever is started in here is over when it is left. */
export class Started {
  private readonly children: Array<ChildProcess> = []

  node(args: ReadonlyArray<string>, cwd: string): ChildProcess {
    const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "inherit"] })
    this.children.push(child)
    return child
  }

  async end(): Promise<void> {
    for (const child of this.children) {
      child.kill("SIGTERM")
      await finished(child)
    }
  }
}

export interface Ran {
  readonly code: number | null
  readonly text: string
}

/** Runs a program of node's to its end. */
export const ran = async (
  args: ReadonlyArray<string>,
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> => {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  })
  let text = ""
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()))
  return { code: await finished(child), text }
}

export const firstLine = (child: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ""
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      const end = text.indexOf("\n")
      if (end >= 0) resolve(text.slice(0, end))
    })
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)))
  })

export const listens = async (port: number): Promise<void> => {
  const end = performance.now() + 90_000
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, "127.0.0.1")
      socket.once("connect", () => {
        socket.destroy()
        resolve(true)
      })
      socket.once("error", () => resolve(false))
    })
    if (isOpen) return
    if (performance.now() > end) throw new Error("the gateway does not listen")
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
