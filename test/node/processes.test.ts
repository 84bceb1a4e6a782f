import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { Worker } from "node:worker_threads"
import { afterAll, describe, expect, it } from "vitest"
import { environmentOf, make } from "../../src/node/processes.ts"
import type { ProcessSpec, RunningProcess } from "../../stages/ports/Processes.ts"

const processes = make()

const node = (program: string, more: Partial<ProcessSpec> = {}): ProcessSpec => ({
  command: process.execPath,
  args: ["--input-type=module", "-e", program],
  env: {},
  inherit: "basics",
  ...more,
})

const echo = "process.stdin.pipe(process.stdout)"
const deaf = "process.on('SIGTERM', () => {}); process.stdin.resume(); setInterval(() => {}, 1000); console.log('up')"

interface Started {
  readonly running: RunningProcess
  readonly output: () => string
  readonly errors: () => string
  readonly exited: Promise<string>
  /** Resolves when the output holds the text. */
  readonly says: (text: string) => Promise<void>
}

const start = async (spec: ProcessSpec): Promise<Started> => {
  let output = ""
  let errors = ""
  let tell: (how: string) => void = () => {}
  const exited = new Promise<string>((resolve) => (tell = resolve))
  let check = (): void => {}
  const running = await Effect.runPromise(
    processes.start(spec, {
      output: (chunk) => {
        output += Buffer.from(chunk).toString()
        check()
      },
      errorOutput: (chunk) => (errors += Buffer.from(chunk).toString()),
      exited: tell,
    }),
  )
  const says = (text: string) =>
    new Promise<void>((resolve) => {
      check = () => void (output.includes(text) && resolve())
      check()
    })
  return { running, output: () => output, errors: () => errors, exited, says }
}

const write = ({ running }: Started, text: string) => Effect.runPromise(running.write(text))
const failureOf = (spec: ProcessSpec) =>
  Effect.runPromise(Effect.flip(processes.start(spec, { output: () => {}, errorOutput: () => {}, exited: () => {} })))

/** A zombie nobody has collected yet is no longer running. */
const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

const eventually = async (holds: () => boolean, millis = 10_000): Promise<boolean> => {
  for (const end = performance.now() + millis; performance.now() < end;) {
    if (holds()) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return holds()
}

afterAll(() => Effect.runPromise(processes.stopAll))

describe("a child process", () => {
  it("is written to and read from, and ends when its input does", async () => {
    const started = await start(node(echo))
    await write(started, "one\n")
    await started.says("one\n")
    started.running.stop()
    started.running.stop()
    expect(await started.exited).toBe("the process ended with status 0")
    expect(await Effect.runPromise(Effect.flip(started.running.write("two")))).toMatchObject({ _tag: "ProcessFailure" })
  })

  it("says everything before it counts as gone", async () => {
    const started = await start(node("process.stdout.write('x'.repeat(1_000_000)); console.error('why')"))
    await started.exited
    expect(started.output().length).toBe(1_000_000)
    expect(started.errors()).toBe("why\n")
  })

  it("takes what it started with it", async () => {
    const child = `const { spawn } = await import('node:child_process')
      const one = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
      console.log('pid ' + one.pid)
      process.stdin.resume()
      process.stdin.on('end', () => process.exit(3))`
    const started = await start(node(child))
    await started.says("\n")
    const pid = Number(/pid (\d+)/.exec(started.output())?.[1])
    expect(isAlive(pid)).toBe(true)
    started.running.stop()
    expect(await started.exited).toBe("the process ended with status 3")
    expect(await eventually(() => !isAlive(pid))).toBe(true)
  })

  it("that cannot be started is said so, without its name", async () => {
    expect(await failureOf({ ...node(""), command: "/no/such/command" })).toEqual({
      _tag: "ProcessFailure",
      message: "the command, or the folder it is to run in, does not exist",
    })
    expect((await failureOf({ ...node(""), command: "/etc" })).message).toBe("the command may not be executed")
    expect((await failureOf(node(echo, { workingDirectory: "/no/such/folder" }))).message).toContain("does not exist")
  })

  it("is not given to a shell", async () => {
    const started = await start({ ...node(""), args: ["-p", "process.argv[1]", "--", "$(id); `id` && id > /tmp/x"] })
    await started.exited
    expect(started.output()).toBe("$(id); `id` && id > /tmp/x\n")
  })

  it("that is not wanted any more before it runs is stopped", async () => {
    const before = processes.count()
    const fiber = Effect.runFork(
      processes.start(node(echo), { output: () => {}, errorOutput: () => {}, exited: () => {} }),
    )
    fiber.interruptUnsafe()
    expect(await eventually(() => processes.count() === before)).toBe(true)
  })
})

describe("the environment of a child", () => {
  const own = { PATH: "/bin", HOME: "/root", API_KEY: "secret", LANG: "() { evil; }" }
  const env = { TOKEN: Redacted.make("t") }
  it("is what programs need and what is configured for it", () => {
    expect(environmentOf({ env, inherit: "basics" }, own)).toEqual({ PATH: "/bin", HOME: "/root", TOKEN: "t" })
  })
  it("is nothing but what is configured, where it is cleared", () => {
    expect(environmentOf({ env, inherit: "nothing" }, own)).toEqual({ TOKEN: "t" })
  })
  it("is ours only where that is asked for", () => {
    expect(environmentOf({ env, inherit: "everything" }, own)).toEqual({ ...own, TOKEN: "t" })
  })
})

const host = new URL("./processHost.ts", import.meta.url)

// Most of the time they wait, so they wait together.
describe.runIf(process.platform === "linux").concurrent("nobody is left behind", () => {
  it("who ignores both its input and the signal", { timeout: 20_000 }, async () => {
    const started = await start(node(deaf))
    await started.says("up")
    started.running.stop()
    expect(await started.exited).toBe("the process was ended by SIGKILL")
  })

  const pidIn = (text: string) => Number(/pid (\d+)/.exec(text)?.[1])

  it("when the gateway is killed", { timeout: 30_000 }, async () => {
    const gateway = spawn(process.execPath, [host.pathname], { stdio: ["ignore", "pipe", "inherit"] })
    let text = ""
    for await (const chunk of gateway.stdout) {
      text += String(chunk)
      if (text.includes("\n")) break
    }
    const pid = pidIn(text)
    expect(isAlive(pid)).toBe(true)
    gateway.kill("SIGKILL")
    await once(gateway, "exit")
    expect(await eventually(() => !isAlive(pid))).toBe(true)
  })

  it("when the guard was killed before", { timeout: 30_000 }, async () => {
    const gateway = spawn(process.execPath, [host.pathname], { stdio: ["ignore", "pipe", "inherit"] })
    let text = ""
    for await (const chunk of gateway.stdout) {
      text += String(chunk)
      if (text.includes("\n")) break
    }
    const guardsOf = () =>
      readdirSync("/proc").filter((name) => {
        try {
          const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1]
          return (
            parent === String(gateway.pid) &&
            isAlive(Number(name)) &&
            readFileSync(`/proc/${name}/cmdline`, "utf8").includes("guardProcess")
          )
        } catch {
          return false
        }
      })
    const [first] = guardsOf()
    process.kill(Number(first), "SIGKILL")
    expect(await eventually(() => guardsOf().length === 1 && guardsOf()[0] !== first)).toBe(true)
    // The new guard is told of everybody with its first words.
    await new Promise((resolve) => setTimeout(resolve, 300))
    gateway.kill("SIGKILL")
    expect(await eventually(() => !isAlive(pidIn(text)))).toBe(true)
  })

  it("when a worker thread is ended", { timeout: 30_000 }, async () => {
    const worker = new Worker(host)
    const [text] = (await once(worker, "message")) as [string]
    expect(isAlive(pidIn(text))).toBe(true)
    await worker.terminate()
    expect(await eventually(() => !isAlive(pidIn(text)))).toBe(true)
  })
})
