/**
 * A stream of an agent as the client's binding has it. Nothing is kept but the event at hand: a client that reads slowly
 * holds the agent back.
 */
import * as Effect from "effect/Effect"
import { type Answer, failed } from "../../../protocols/a2a/Answer.ts"
import { isInterrupted, isTerminal } from "../../../protocols/a2a/dialect/words.ts"
import { type Fault, fault } from "../../../protocols/a2a/Fault.ts"
import { type Fields, fieldsOf, isFields, listOf, textOf } from "../../../protocols/a2a/Fields.ts"
import type { Operation } from "../../../protocols/a2a/operation.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Events, Voice } from "./Speech.ts"

/** How long the head of a stream waits for the first event, which may turn out to be a refusal. */
const FIRST_EVENT_MILLIS = 1_000

/** How long a stream may be silent before a sign of life is sent. */
const IDLE_MILLIS = 15_000

/** How often in a row a stream is taken up again that then says nothing new, and how long before the first time. */
const RESUMES_MAX = 3
const RESUME_MILLIS = 250
/** Pieces of work that are told apart; of more it is not known whether all were told. */
const ARTIFACTS_MAX = 1_024

/** What came before anything else was said, or the stream. */
export type Begun =
  | { readonly _tag: "Refused"; readonly fault: Fault }
  /** The agent is gone; what it has done by then nobody knows. */
  | { readonly _tag: "Broken"; readonly failure: Body.FlowFailure }
  | { readonly _tag: "Stream"; readonly body: Body.Body }

/** Something that goes on by itself until it is over or told to stop. */
export type Run = (effect: Effect.Effect<void>) => { readonly interruptUnsafe: () => void }

/** How the stream of a task is taken up again after it broke. */
export interface Resumption {
  readonly run: Run
  readonly subscribe: (
    taskId: string,
  ) => Effect.Effect<{ readonly flow: Body.Flow; readonly events: Events } | { readonly answer: Answer }>
  readonly get: (taskId: string) => Effect.Effect<Answer>
}

export interface Streaming {
  /** Absent: a stream that breaks is over. */
  readonly resumption?: Resumption | undefined
  readonly operation: Operation
  readonly events: Events
  readonly voice: Voice
  readonly clock: Clock
  /** Told of every event. */
  readonly told: (answer: Answer) => void
  /** Told why, where the agent broke off and is not asked again. */
  readonly broke: (failure: Body.FlowFailure) => void
}

class Interpreter implements Body.Sink {
  readonly out = new Body.HeldFlow(undefined)
  source: Body.Source | undefined
  private readonly given: Streaming
  private readonly begun: (begun: Begun) => void
  private readonly cancelGrace: () => void
  private hasBegun = false
  private isOver = false
  private isFlowing = true
  private cancelIdle: (() => void) | undefined
  private events: Events
  private readonly progress = new Progress()
  private resumes = 0
  /** What comes next says where the task stands by now. */
  private isSnapshot = false
  private cancelResume: (() => void) | undefined
  /** Why it broke the last time. */
  private failure: Body.FlowFailure | undefined

  constructor(given: Streaming, begun: (begun: Begun) => void) {
    this.given = given
    this.events = given.events
    this.begun = begun
    this.cancelGrace = given.clock.after(FIRST_EVENT_MILLIS, () => this.begin())
    this.out.source = { resume: () => this.resume(), cancel: () => this.cancel() }
  }

  write(chunk: Uint8Array): boolean {
    if (this.isOver) return true
    this.isFlowing = true
    const goesOn = this.events.push(chunk, this.take)
    if (!goesOn) {
      this.source?.cancel()
      this.finish(undefined)
      return true
    }
    this.stayAlive()
    return this.isFlowing
  }

  end(trailers: Headers | undefined): void {
    if (this.isOver) return
    this.events.end(trailers, this.take)
    // Events may have asked for something else by then.
    if (this.cancelResume === undefined) this.finish(undefined)
  }

  fail(failure: Body.FlowFailure): void {
    this.failure = failure
    if (this.isOver || this.takeUp(failure.message)) return
    if (!this.hasBegun) {
      this.hasBegun = true
      this.stop()
      return this.begun({ _tag: "Broken", failure })
    }
    this.breakOff(failure.message)
  }

  private breakOff(message: string): void {
    if (this.failure !== undefined) this.given.broke(this.failure)
    this.take(failed(fault("Unavailable", `the agent broke off: ${message}`)))
    this.finish(undefined)
  }

  /** The client may be ready while the chunk that made it begin is still being taken. */
  private resume(): void {
    this.isFlowing = true
    this.source?.resume()
  }

  cancel(): void {
    this.stop()
    this.source?.cancel()
  }

  /** Asks for the task again, which does it no harm; false where that is not to be tried. */
  private takeUp(message: string): boolean {
    const { clock, resumption } = this.given
    const { taskId } = this.progress
    if (resumption === undefined || taskId === undefined || this.progress.isEnded || this.resumes >= RESUMES_MAX) {
      return false
    }
    this.source = undefined
    const begin = (): void => {
      const fiber = resumption.run(
        Effect.flatMap(resumption.subscribe(taskId), (one) =>
          "flow" in one
            ? Effect.sync(() => this.takenUp(one))
            : isOverBy(one.answer)
              ? Effect.map(resumption.get(taskId), (answer) => this.isOverWith(answer, message))
              : Effect.sync(() => this.notTakenUp(message)),
        ),
      )
      this.cancelResume = () => fiber.interruptUnsafe()
    }
    this.cancelResume = clock.after(RESUME_MILLIS * 2 ** this.resumes++, begin)
    return true
  }

  private takenUp({ events, flow }: { readonly flow: Body.Flow; readonly events: Events }): void {
    this.cancelResume = undefined
    if (this.isOver) return Body.discard(flow)
    this.events = events
    this.isSnapshot = true
    this.source = flow.open(this)
  }

  private notTakenUp(message: string): void {
    this.cancelResume = undefined
    if (!this.isOver && !this.takeUp(message)) this.breakOff(message)
  }

  /** The task ended while nobody listened. */
  private isOverWith(answer: Answer, message: string): void {
    this.cancelResume = undefined
    if (this.isOver) return
    const task = answer._tag === "Result" ? fieldsOf(answer.result) : undefined
    if (task === undefined) return this.notTakenUp(message)
    for (const event of this.progress.since(task)) this.say({ _tag: "Result", result: event })
    this.finish(undefined)
  }

  private readonly take = (answer: Answer): void => {
    if (this.isOver) return
    if (!this.isSnapshot) {
      // Whatever says something new shows that taking it up again was worth it.
      if (answer._tag === "Result") this.resumes = 0
      return this.say(answer)
    }
    this.isSnapshot = false
    if (answer._tag === "Fault") {
      this.source?.cancel()
      if (isOverBy(answer)) this.resumes = Math.min(this.resumes, RESUMES_MAX - 1)
      if (!this.takeUp(answer.fault.message)) this.say(answer)
      return
    }
    const { task } = fieldsOf(answer.result)
    if (!isFields(task)) return this.say(answer)
    for (const event of this.progress.since(task)) this.say({ _tag: "Result", result: event })
    if (this.progress.isEnded) {
      this.source?.cancel()
      this.finish(undefined)
    }
  }

  private say(answer: Answer): void {
    if (this.isOver) return
    const { operation, told, voice } = this.given
    told(answer)
    if (answer._tag === "Result") this.progress.note(answer.result)
    if (answer._tag === "Fault" && !this.hasBegun) {
      this.hasBegun = true
      this.stop()
      this.source?.cancel()
      return this.begun({ _tag: "Refused", fault: answer.fault })
    }
    const bytes = voice.event(operation, answer)
    if (bytes !== undefined) this.isFlowing = this.out.write(bytes) && this.isFlowing
    this.begin()
    if (answer._tag === "Fault") {
      this.source?.cancel()
      this.finish(answer.fault)
    } else if (bytes === undefined) {
      this.source?.cancel()
      this.finish(fault("InvalidAgentResponse"))
    }
  }

  private begin(): void {
    if (this.hasBegun) return
    this.hasBegun = true
    this.cancelGrace()
    this.stayAlive()
    this.begun({ _tag: "Stream", body: this.out })
  }

  private finish(ended: Fault | undefined): void {
    if (this.isOver) return
    this.begin()
    this.stop()
    const trailers = this.given.voice.trailers(ended)
    this.out.end(trailers === undefined ? undefined : new Headers([...trailers]))
  }

  private stop(): void {
    this.isOver = true
    this.cancelGrace()
    this.cancelIdle?.()
    this.cancelIdle = undefined
    this.cancelResume?.()
    this.cancelResume = undefined
  }

  private stayAlive(): void {
    const { clock, voice } = this.given
    const { idle } = voice
    if (idle === undefined || this.isOver || !this.hasBegun) return
    this.cancelIdle?.()
    this.cancelIdle = clock.after(IDLE_MILLIS, () => {
      // A client that does not even take what there is needs no sign of life.
      if (this.isFlowing) this.isFlowing = this.out.write(idle)
      this.stayAlive()
    })
  }
}

/** Said of tasks that nobody can subscribe to any more. */
const isOverBy = (answer: Answer): boolean => answer._tag === "Fault" && answer.fault.name === "UnsupportedOperation"

/** How far the client has been told of its task. */
class Progress {
  taskId: string | undefined
  isEnded = false
  private status = ""
  private readonly artifacts = new Set<string>()

  note(event: unknown): void {
    const { artifactUpdate, statusUpdate, task } = fieldsOf(event)
    if (isFields(task)) {
      this.taskId ??= textOf(task["id"])
      this.noteStatus(task["status"])
      for (const artifact of listOf(task["artifacts"])) this.noteArtifact(artifact)
    } else if (isFields(statusUpdate)) {
      this.taskId ??= textOf(statusUpdate["taskId"])
      this.noteStatus(statusUpdate["status"])
    } else if (isFields(artifactUpdate)) {
      this.taskId ??= textOf(artifactUpdate["taskId"])
      this.noteArtifact(artifactUpdate["artifact"])
    }
  }

  /** What the client has to hear to be where the task is; nothing, where nothing was missed. */
  since(task: Fields): ReadonlyArray<Fields> {
    const { status } = task
    const known = listOf(task["artifacts"]).every((one) =>
      this.artifacts.has(textOf(fieldsOf(one)["artifactId"]) ?? ""),
    )
    if (known && JSON.stringify(status) === this.status) return []
    const isOver = isTerminal(fieldsOf(status)["state"]) || isInterrupted(fieldsOf(status)["state"])
    // The end is said by itself as well: readers of 0.3 wait for an event that calls itself final.
    const ending = { taskId: task["id"], contextId: task["contextId"], status }
    return isOver ? [{ task }, { statusUpdate: ending }] : [{ task }]
  }

  private noteStatus(status: unknown): void {
    this.status = JSON.stringify(status)
    const { state } = fieldsOf(status)
    this.isEnded = isTerminal(state) || isInterrupted(state)
  }

  private noteArtifact(artifact: unknown): void {
    const id = textOf(fieldsOf(artifact)["artifactId"])
    if (id !== undefined && this.artifacts.size < ARTIFACTS_MAX) this.artifacts.add(id)
  }
}

export const interpret = (flow: Body.Flow, given: Streaming): Effect.Effect<Begun> =>
  Effect.callback<Begun>((resume) => {
    const interpreter = new Interpreter(given, (begun) => resume(Effect.succeed(begun)))
    interpreter.source = flow.open(interpreter)
    return Effect.sync(() => interpreter.cancel())
  })
