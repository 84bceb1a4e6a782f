/**
 * Child processes on Node. Each leads a process group of its own, so that what it starts ends with it; a guard beside the
 * gateway ends them all when the gateway itself is killed.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type ChildProcessByStdio, spawn } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import type {
  ProcessEvents,
  Processes,
  ProcessFailure,
  ProcessSpec,
  RunningProcess,
} from "../../stages/ports/Processes.ts"
import { Guard } from "./guard.ts"

/** How long a process may take to end once its input is closed, and again once it is asked to. */
const closingMillis = 2_000
const termMillis = 2_000
/** How long the output of a process that is gone is waited for: something it started may hold it open. */
const outputMillis = 500

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/** What any program needs, and nothing that is secret. */
const basics: ReadonlyArray<string> =
  process.platform === "win32"
    ? [
        "APPDATA",
        "COMSPEC",
        "HOMEDRIVE",
        "HOMEPATH",
        "LOCALAPPDATA",
        "PATH",
        "PATHEXT",
        "PROCESSOR_ARCHITECTURE",
        "PROGRAMFILES",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "USERNAME",
        "USERPROFILE",
      ]
    : ["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"]

export const environmentOf = (
  { env, inherit }: Pick<ProcessSpec, "env" | "inherit">,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> => {
  const made: Record<string, string> = {}
  const names = inherit === "everything" ? Object.keys(own) : inherit === "basics" ? basics : []
  for (const name of names) {
    const value = own[name]
    // A shell would run an exported function.
    if (value !== undefined && !(inherit === "basics" && value.startsWith("()"))) made[name] = value
  }
  for (const [name, value] of Object.entries(env)) made[name] = Redacted.value(value)
  return made
}

const failure = (message: string): ProcessFailure => ({ _tag: "ProcessFailure", message })

/** The phrases of the system name paths and arguments, so only the code is said. */
const startFailure = (cause: Error): ProcessFailure => {
  const code = "code" in cause ? String(cause.code) : cause.name
  switch (code) {
    case "ENOENT":
      return failure("the command, or the folder it is to run in, does not exist")
    case "EACCES":
      return failure("the command may not be executed")
    default:
      return failure(`the process could not be started (${code})`)
  }
}

const signalGroup = (child: Child, signal: "SIGTERM" | "SIGKILL"): void => {
  const { pid } = child
  if (pid === undefined) return
  try {
    if (process.platform === "win32") child.kill(signal)
    else process.kill(-pid, signal)
  } catch {
    // Nobody of the group is left.
  }
}

class Running implements RunningProcess {
  private readonly child: Child
  private readonly timers: Array<NodeJS.Timeout> = []
  private isStopping = false
  private isOver = false
  private why: string | undefined
  private readonly watchers: Array<() => void> = []

  constructor(child: Child, events: ProcessEvents, gone: () => void) {
    this.child = child
    const over = (): void => {
      if (this.isOver) return
      this.isOver = true
      for (const timer of this.timers) clearTimeout(timer)
      child.stdout.destroy()
      child.stderr.destroy()
      child.stdin.destroy()
      gone()
      events.exited(this.why ?? "the process is gone")
      for (const watcher of this.watchers) watcher()
    }
    child.stdout.on("data", events.output)
    child.stderr.on("data", events.errorOutput)
    // Said by whoever writes, or by the exit.
    child.stdin.on("error", () => {})
    child.on("exit", (code, signal) => {
      this.why = signal === null ? `the process ended with status ${code}` : `the process was ended by ${signal}`
      // What it started must not stay behind.
      signalGroup(child, "SIGKILL")
      this.timers.push(setTimeout(over, outputMillis))
    })
    child.on("close", over)
  }

  readonly write = (text: string): Effect.Effect<void, ProcessFailure> =>
    Effect.callback((resume) => {
      if (this.isStopping || this.why !== undefined) {
        return resume(Effect.fail(failure(this.why ?? "the process is being stopped")))
      }
      this.child.stdin.write(text, (cause) =>
        resume(
          cause === null || cause === undefined
            ? Effect.void
            : Effect.fail(failure(this.why ?? "the process no longer reads what it is sent")),
        ),
      )
    })

  readonly stop = (): void => {
    if (this.isStopping || this.isOver) return
    this.isStopping = true
    const { child } = this
    child.stdin.end()
    this.timers.push(
      setTimeout(() => signalGroup(child, "SIGTERM"), closingMillis),
      setTimeout(() => signalGroup(child, "SIGKILL"), closingMillis + termMillis),
    )
  }

  kill(): void {
    signalGroup(this.child, "SIGKILL")
  }

  readonly gone: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.isOver) resume(Effect.void)
    else this.watchers.push(() => resume(Effect.void))
  })
}

/** Of every gateway in this thread: they share what watches over their children. */
const everybody = new Set<Running>()
const guard = new Guard()

/** An ordinary end of the gateway leaves nobody behind either, even one that comes without notice. */
const killAll = (): void => {
  for (const running of everybody) running.kill()
}
let isWatchingExit = false

const start = (
  all: Set<Running>,
  spec: ProcessSpec,
  events: ProcessEvents,
): Effect.Effect<RunningProcess, ProcessFailure> =>
  Effect.callback((resume) => {
    if (!isWatchingExit) process.on("exit", killAll)
    isWatchingExit = true
    let child: Child
    try {
      child = spawn(spec.command, [...spec.args], {
        cwd: spec.workingDirectory,
        env: environmentOf(spec, process.env),
        detached: process.platform !== "win32",
        shell: false,
        windowsHide: true,
        stdio: ["pipe", "pipe", "pipe"],
      })
    } catch (cause) {
      return resume(Effect.fail(startFailure(cause as Error)))
    }
    const { pid } = child
    const failed = (cause: Error): void => resume(Effect.fail(startFailure(cause)))
    child.once("error", failed)
    if (pid === undefined) return undefined
    guard.watch(pid)
    const running: Running = new Running(child, events, () => {
      all.delete(running)
      everybody.delete(running)
      guard.forget(pid)
    })
    all.add(running)
    everybody.add(running)
    child.once("spawn", () => {
      child.off("error", failed)
      // Signals that could not be delivered are of no interest.
      child.on("error", () => {})
      resume(Effect.succeed(running))
    })
    return Effect.sync(running.stop)
  })

export const make = (): Processes => {
  const all = new Set<Running>()
  return {
    start: (spec, events) => start(all, spec, events),
    count: () => all.size,
    stopAll: Effect.suspend(() => {
      for (const running of all) running.stop()
      return Effect.asVoid(Effect.forEach([...all], ({ gone }) => gone, { concurrency: "unbounded" }))
    }),
  }
}
