/** The gateway as people run it: a child process, its words, its signals, its end. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as http from "node:http"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** Nothing of the machine the tests run on reaches the gateway; its own interfaces take ports that are free. */
const plainEnv = (): Record<string, string | undefined> => ({
  PATH: process.env["PATH"],
  HOME: os.tmpdir(),
  ADMIN_ADDR: "127.0.0.1:0",
  STATS_ADDR: "127.0.0.1:0",
  READINESS_ADDR: "127.0.0.1:0",
  WORKER_THREADS: "1",
  CONNECTION_TERMINATION_DEADLINE: "3s",
})

/** A directory of its own for a test, gone afterwards. */
export const makeDirectory = (): string => fs.mkdtempSync(path.join(os.tmpdir(), "sluice-test-"))

export interface Words {
  /** The gateway from its sources, unless another one is meant. */
  readonly program?: string
  readonly args?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string | undefined>>
  /** For the process itself, ahead of the program. */
  readonly node?: ReadonlyArray<string>
  readonly input?: string | Uint8Array
  /** Whether it can be sent messages. */
  readonly hasChannel?: boolean
  readonly cwd?: string
}

export class Standalone {
  readonly child: ChildProcess
  out = ""
  error = ""
  /** The code, or the signal that ended it. */
  readonly ended: Promise<number | string>

  constructor({ args = [], cwd, env = {}, hasChannel = false, input, node = [], program = main }: Words) {
    this.child = spawn(process.execPath, [...node, program, ...args], {
      env: { ...plainEnv(), ...env } as NodeJS.ProcessEnv,
      stdio: ["pipe", "pipe", "pipe", ...(hasChannel ? (["ipc"] as const) : [])],
      ...(cwd === undefined ? {} : { cwd }),
    })
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => void (this.out += text))
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => void (this.error += text))
    this.child.stdin?.on("error", () => {})
    this.child.stdin?.end(input)
    this.ended = once(this.child, "close").then(([code, signal]) => (code ?? signal) as number | string)
  }

  /** Waits until the output says it; fails with everything that was said when the process ends first. */
  async says(pattern: RegExp | string): Promise<void> {
    await until(
      () => (typeof pattern === "string" ? this.out.includes(pattern) : pattern.test(this.out)),
      () => `waiting for ${String(pattern)}\n${this.out}\n${this.error}`,
      () => this.child.exitCode !== null || this.child.signalCode !== null,
    )
  }

  async serving(): Promise<this> {
    await this.says(/readiness +\S+\n/)
    return this
  }

  private own(name: string): string {
    const found = new RegExp(`^ +${name} +(http\\S+)$`, "m").exec(this.out)?.[1]
    if (found === undefined) throw new Error(`no ${name} in ${this.out}`)
    return found
  }

  async metrics(): Promise<string> {
    return (await get(this.own("metrics"))).body
  }

  /** The sum of all series of a metric whose labels contain what is given. */
  async metric(name: string, labels = ""): Promise<number> {
    const lines = (await this.metrics()).split("\n").filter((line) => line.startsWith(`agentgateway_${name}`))
    return lines
      .filter((line) => /^[a-z_]+(?:\{| )/.test(line) && line.includes(labels))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0)
  }

  async readiness(): Promise<Got> {
    return get(this.own("readiness"))
  }

  async dump(): Promise<{ readonly version: number; readonly problems: ReadonlyArray<string> }> {
    return JSON.parse((await get(`${this.own("admin")}/config_dump`)).body)
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Ends it as an orchestrator does. */
  async stop(): Promise<number | string> {
    this.kill("SIGTERM")
    return this.ended
  }
}

/** One command, to its end. */
export const command = async (
  args: ReadonlyArray<string>,
  words: Omit<Words, "args"> = {},
): Promise<{ readonly code: number | string; readonly out: string; readonly error: string }> => {
  const child = new Standalone({ ...words, args })
  const code = await child.ended
  return { code, out: child.out, error: child.error }
}

/** Looks until it is so; what happens in between is not timed, only that it happens. */
export const until = async (
  isSo: () => boolean | Promise<boolean>,
  describe: () => string = () => "it never came",
  isHopeless: () => boolean = () => false,
): Promise<void> => {
  const giveUpAt = performance.now() + 30_000
  while (!(await isSo())) {
    if (isHopeless() || performance.now() > giveUpAt) {
      if (await isSo()) return
      throw new Error(describe())
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export interface Got {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

export const get = (url: string, options: http.RequestOptions = {}): Promise<Got> =>
  new Promise((resolve, reject) => {
    const request = http.request(url, { agent: false, ...options }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (text: string) => (body += text))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.on("error", reject)
    })
    request.on("error", reject)
    request.end()
  })
