/** A real Redis on a port of its own, where one is installed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { createClient } from "redis"

export const isRedisThere = spawnSync("redis-server", ["--version"], { stdio: "ignore" }).error === undefined

export class Redis {
  readonly port: number
  private child: ChildProcess | undefined

  constructor(port: number) {
    this.port = port
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const words = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    const child = spawn("redis-server", words, { stdio: ["ignore", "pipe", "ignore"] })
    this.child = child
    await new Promise<void>((resolve, reject) => {
      child.once("exit", () => reject(new Error("redis-server ended")))
      child.stdout?.on("data", (text: Buffer) => {
        if (text.toString().includes("Ready to accept connections")) resolve()
      })
    })
  }

  async stop(): Promise<void> {
    const { child } = this
    if (child === undefined) return
    this.child = undefined
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGKILL")
    await gone
  }

  async command(...words: ReadonlyArray<string>): Promise<string> {
    const client = await createClient({ url: this.url }).connect()
    try {
      return String(await client.sendCommand(words))
    } finally {
      client.destroy()
    }
  }
}
