/** Child processes that are only imagined: a script for each, and everything that happened to them. */
import * as Effect from "effect/Effect"
import type { ProcessEvents, Processes } from "../../../../../stages/ports/Processes.ts"

export interface Actor {
  readonly say: (line: string) => void
  readonly complain: (text: string) => void
  readonly end: (how: string) => void
}

export interface Script {
  /** What it does when it runs. */
  readonly begin?: (actor: Actor) => void
  /** What it does about a line it is sent. */
  readonly line?: (text: string, actor: Actor) => void
}

export class ScriptedProcesses implements Processes {
  /** How many were started, and of those how many still run. */
  started = 0
  running = 0
  mostRunning = 0
  /** No process comes to be while this says why. */
  refusal: string | undefined
  private readonly script: () => Script

  constructor(script: () => Script) {
    this.script = script
  }

  readonly count = (): number => this.running
  readonly stopAll = Effect.void

  readonly start: Processes["start"] = (_spec, events) =>
    Effect.suspend(() => {
      if (this.refusal !== undefined) return Effect.fail({ _tag: "ProcessFailure", message: this.refusal })
      this.started++
      this.mostRunning = Math.max(this.mostRunning, ++this.running)
      const script = this.script()
      let isOver = false
      const end = (how: string): void => {
        if (isOver) return
        isOver = true
        this.running--
        events.exited(how)
      }
      const actor: Actor = {
        say: (line) => write(events, `${line}\n`),
        complain: (text) => events.errorOutput(new TextEncoder().encode(text)),
        end,
      }
      queueMicrotask(() => script.begin?.(actor))
      return Effect.succeed({
        write: (text: string) =>
          Effect.suspend(() => {
            if (isOver) return Effect.fail({ _tag: "ProcessFailure" as const, message: "it is gone" })
            queueMicrotask(() => {
              for (const line of text.split("\n")) if (line !== "" && !isOver) script.line?.(line, actor)
            })
            return Effect.void
          }),
        stop: () => queueMicrotask(() => end("stopped")),
      })
    })
}

const write = (events: ProcessEvents, text: string): void => events.output(new TextEncoder().encode(text))
