/**
 * A stream of an agent as the client's binding has it. Nothing is kept but the event at hand: a client that reads slowly
 * holds the agent back.
 */
import * as Effect from "effect/Effect"
import { type Answer, failed } from "../../../protocols/a2a/Answer.ts"
import { type Fault, fault } from "../../../protocols/a2a/Fault.ts"
import type { Operation } from "../../../protocols/a2a/operation.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Events, Voice } from "./Speech.ts"

/** How long the head of a stream waits for the first event, which may turn out to be a refusal. */
export const FIRST_EVENT_MILLIS = 1_000

/** How long a stream may be silent before a sign of life is sent. */
export const IDLE_MILLIS = 15_000

/** What came before anything else was said, or the stream. */
export type Begun =
  | { readonly _tag: "Refused"; readonly fault: Fault }
  /** The agent is gone; what it has done by then nobody knows. */
  | { readonly _tag: "Broken"; readonly message: string }
  | { readonly _tag: "Stream"; readonly body: Body.Body }

export interface Streaming {
  readonly operation: Operation
  readonly events: Events
  readonly voice: Voice
  readonly clock: Clock
  /** Told of every event. */
  readonly told: (answer: Answer) => void
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

  constructor(given: Streaming, begun: (begun: Begun) => void) {
    this.given = given
    this.begun = begun
    this.cancelGrace = given.clock.after(FIRST_EVENT_MILLIS, () => this.begin())
    this.out.source = { resume: () => this.resume(), cancel: () => this.cancel() }
  }

  write(chunk: Uint8Array): boolean {
    if (this.isOver) return true
    this.isFlowing = true
    const goesOn = this.given.events.push(chunk, this.take)
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
    this.given.events.end(trailers, this.take)
    this.finish(undefined)
  }

  fail({ message }: Body.FlowFailure): void {
    if (this.isOver) return
    const words = `the agent broke off: ${message}`
    if (!this.hasBegun) {
      this.hasBegun = true
      this.stop()
      return this.begun({ _tag: "Broken", message: words })
    }
    this.take(failed(fault("Unavailable", words)))
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

  private readonly take = (answer: Answer): void => {
    if (this.isOver) return
    const { operation, told, voice } = this.given
    told(answer)
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

export const interpret = (flow: Body.Flow, given: Streaming): Effect.Effect<Begun> =>
  Effect.callback<Begun>((resume) => {
    const interpreter = new Interpreter(given, (begun) => resume(Effect.succeed(begun)))
    interpreter.source = flow.open(interpreter)
    return Effect.sync(() => interpreter.cancel())
  })
