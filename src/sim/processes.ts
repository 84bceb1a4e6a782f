/** Child processes that are only imagined, as programs in the simulated world: they take their time, and things go wrong. */
import * as Effect from "effect/Effect"
import type { ProcessEvents, Processes } from "../../stages/ports/Processes.ts"
import type { Random } from "./Random.ts"
import type { Scheduler } from "./Scheduler.ts"

/** What a program can do. */
export interface Stage {
  /** Writes a line after so long. */
  readonly say: (line: string, afterMillis?: number) => void
  /** Ends, after so long. */
  readonly exit: (how: string, afterMillis?: number) => void
  readonly random: Random
}

export interface Running {
  /** A line arrived. */
  readonly line: (text: string) => void
  /** It is over, however that came. */
  readonly over?: () => void
}

/** What runs under a command; undefined: there is no such command. */
export type Programs = (command: string) => ((stage: Stage) => Running) | undefined

/** How long the system takes to start one. */
const startMillisMax = 400
/** How long one takes to notice that its input has ended. */
const endMillisMax = 50

export class SimulatedProcesses implements Processes {
  started = 0
  mostAtOnce = 0
  private running = 0
  private readonly programs: Programs
  private readonly scheduler: Scheduler
  private readonly random: Random

  constructor(programs: Programs, scheduler: Scheduler, random: Random) {
    this.programs = programs
    this.scheduler = scheduler
    this.random = random
  }

  readonly count = (): number => this.running

  /** Whoever waits for that has to let time pass. */
  readonly stopAll: Effect.Effect<void> = Effect.callback((resume) => {
    const look = (): void => {
      if (this.running === 0) resume(Effect.void)
      else this.scheduler.after(1, look)
    }
    look()
  })

  readonly start: Processes["start"] = (spec, events) =>
    Effect.callback((resume) => {
      const program = this.programs(spec.command)
      const cancel = this.scheduler.after(this.random.below(startMillisMax), () => {
        if (program === undefined) {
          return resume(Effect.fail({ _tag: "ProcessFailure", message: "the command does not exist" }))
        }
        resume(Effect.succeed(this.begin(program, events)))
      })
      return Effect.sync(cancel)
    })

  private begin(program: (stage: Stage) => Running, events: ProcessEvents) {
    const { random, scheduler } = this
    this.started++
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.running)
    const encoder = new TextEncoder()
    let isOver = false
    let isStopping = false
    const exit = (how: string): void => {
      if (isOver) return
      isOver = true
      this.running--
      running.over?.()
      events.exited(how)
    }
    /** Lines arrive late, but in the order in which they were written. */
    const lines: Array<string> = []
    const arrive = (): void => {
      const line = lines.shift()
      if (line !== undefined && !isOver) running.line(line)
    }
    const running = program({
      random,
      say: (line, afterMillis = 0) =>
        void scheduler.after(afterMillis, () => {
          if (isOver) return
          // A pipe may cut what goes through it wherever it likes.
          const bytes = encoder.encode(`${line}\n`)
          const cut = random.below(bytes.byteLength)
          events.output(bytes.subarray(0, cut))
          events.output(bytes.subarray(cut))
        }),
      exit: (how, afterMillis = 0) => void scheduler.after(afterMillis, () => exit(how)),
    })
    return {
      write: (text: string) =>
        Effect.suspend(() => {
          if (isOver || isStopping) return Effect.fail({ _tag: "ProcessFailure" as const, message: "it is gone" })
          for (const line of text.split("\n")) {
            if (line === "") continue
            lines.push(line)
            scheduler.post(arrive)
          }
          return Effect.void
        }),
      stop: (): void => {
        if (isStopping || isOver) return
        isStopping = true
        scheduler.after(random.below(endMillisMax), () => exit("stopped"))
      },
    }
  }
}
