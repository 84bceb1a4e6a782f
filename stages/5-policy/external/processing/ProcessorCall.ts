import * as Effect from "effect/Effect"
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import {
  ExternalProcessor,
  type ImmediateResponse,
  type ProcessingRequest,
  type ProcessingResponse,
} from "../../../../protocols/grpc/generated/envoy_ext_proc_pb.ts"
import { methodOf } from "../../../../protocols/grpc/method.ts"
import { Code } from "../../../../protocols/grpc/status.ts"
import { type Duplex, type Event, open } from "../../../grpc/duplex.ts"
import { describe, type Metadata, type Transport } from "../../../grpc/Transport.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { notesOf } from "../envoy.ts"
import { bodyModes, type Shown } from "./modes.ts"
import { type Said, Side } from "./Side.ts"

export interface Options {
  readonly clock: Clock
  /** How long the processor may think about what it was sent last. */
  readonly timeoutMillis: number
  readonly bodyBytesMax: number
  readonly request: Shown
  readonly response: Shown
  readonly mayOverride: boolean
  readonly metadata: Metadata
  readonly note: (said: Record<string, CelValue>) => void
}

const method = methodOf(ExternalProcessor.method.process)

/**
 * The call that both sides share. What comes back is sorted by the side it is about; a side that is streamed holds the
 * processor back when its reader does.
 */
export class ProcessorCall {
  readonly options: Options
  readonly request: Side
  readonly response: Side
  /** The processor's own reply, once it has given one. */
  immediate: ImmediateResponse | undefined
  private readonly duplex: Duplex<ProcessingRequest, ProcessingResponse>
  private readonly draining = new Set<() => void>()
  /** What the processor did wrong. */
  private complaint: string | undefined
  private isTaking = false
  private isFinishing = false
  /** Bodies that are on their way to the processor, or whose trailers will be. */
  private showing = 0
  private isFirst = true
  private sentMillis: number

  constructor(duplex: Duplex<ProcessingRequest, ProcessingResponse>, options: Options) {
    this.duplex = duplex
    this.options = options
    this.request = new Side("request", options.request)
    this.response = new Side("response", options.response)
    this.sentMillis = options.clock.nowMillis()
    duplex.onDrain = () => {
      for (const resume of this.draining) resume()
    }
    this.pump()
  }

  /** Whether the processor still takes anything. */
  get isOpen(): boolean {
    return this.duplex.isOpen
  }

  /** Whether nothing more comes from it. */
  get isOver(): boolean {
    return this.duplex.isOver
  }

  /** Whether nothing is taken from it until somebody reads a body. */
  get isHeldBack(): boolean {
    return this.request.isFull || this.response.isFull
  }

  /** Nothing more will be asked: the processor is told as soon as it has been sent what is under way. */
  finish(): void {
    this.isFinishing = true
    if (this.showing === 0) this.duplex.end()
  }

  cancel(): void {
    this.duplex.cancel()
  }

  /** A body is on its way, or its trailers will be: until the result is called, the call stays open. */
  show(onDrain?: () => void): () => void {
    this.showing++
    if (onDrain !== undefined) this.draining.add(onDrain)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      if (onDrain !== undefined) this.draining.delete(onDrain)
      this.showing--
      if (this.isFinishing && this.showing === 0) this.duplex.end()
    }
  }

  /** False asks to hold back. */
  send(message: ProcessingRequest): boolean {
    if (this.isFirst) {
      this.isFirst = false
      const { request, response } = this.options
      message.protocolConfig = {
        $typeName: "envoy.service.ext_proc.v3.ProtocolConfiguration",
        requestBodyMode: bodyModes[request.body],
        responseBodyMode: bodyModes[response.body],
        sendBodyWithoutWaitingForHeaderResponse: false,
      }
    }
    this.sentMillis = this.options.clock.nowMillis()
    return this.duplex.send(message)
  }

  /** Takes what comes, unless a side holds it back. */
  pump(): void {
    for (;;) {
      if (this.isTaking || this.isHeldBack) return
      this.isTaking = true
      let isNow = true
      this.duplex.take((event) => {
        this.isTaking = false
        const goesOn = this.receive(event)
        if (!isNow && goesOn) this.pump()
        else if (!goesOn) this.isTaking = true
      })
      isNow = false
    }
  }

  /** False: there will be nothing more. */
  private receive(event: Event<ProcessingResponse>): boolean {
    if (event._tag === "End") {
      const { status } = event
      this.tell(status.code === Code.OK ? { _tag: "Closed" } : { _tag: "Failed", reason: describe(status) })
      return false
    }
    // Its own reply was its last word.
    if (this.immediate !== undefined) return true
    const { dynamicMetadata, modeOverride, response } = event.message
    const side = response.case?.startsWith("request") === true ? this.request : this.response
    if (response.case !== undefined && response.case !== "immediateResponse") {
      const problem = side.settle(response.case)
      if (problem !== undefined) return this.fail(problem)
    }
    const said = notesOf(dynamicMetadata)
    if (said !== undefined) this.options.note(said)
    switch (response.case) {
      case undefined:
        return this.fail("it answers nothing")
      case "immediateResponse":
        this.immediate = response.value
        this.tell({ _tag: "Immediate", response: response.value })
        this.duplex.end()
        return true
      default:
        return this.give(side, { _tag: "Response", response, mode: modeOverride })
    }
  }

  private give(side: Side, said: Said): boolean {
    side.movedMillis = this.options.clock.nowMillis()
    const problem = side.give(said)
    return problem === undefined || this.fail(problem)
  }

  private tell(said: Said): void {
    this.request.give(said)
    this.response.give(said)
  }

  /** Nothing it says counts any more. */
  fail(reason: string): false {
    this.complaint ??= reason
    this.tell({ _tag: "Failed", reason })
    this.duplex.cancel()
    return false
  }

  /** The next answer about a side, in time. */
  answer(side: Side): Effect.Effect<Said> {
    const { clock, timeoutMillis } = this.options
    return Effect.callback<Said>((resume) => {
      let cancelTimer: (() => void) | undefined
      const stop = side.take((said) => {
        cancelTimer?.()
        resume(Effect.succeed(said))
      })
      // While there is still something sent, it need not have an answer ready.
      const watch = (): void => {
        const leftMillis = this.sentMillis + timeoutMillis - clock.nowMillis()
        if (leftMillis > 0) {
          cancelTimer = clock.after(leftMillis, watch)
          return
        }
        stop()
        resume(Effect.succeed({ _tag: "Failed", reason: `no answer within ${timeoutMillis} ms` }))
      }
      watch()
      return Effect.sync(() => {
        stop()
        cancelTimer?.()
      })
    })
  }

  /** The next answer, once all that came along with it was read: one that is followed by nonsense does not count. */
  onlyAnswer(side: Side): Effect.Effect<Said> {
    return Effect.flatMap(this.answer(side), (said) =>
      said._tag === "Response"
        ? Effect.map(Effect.yieldNow, (): Said =>
            this.complaint === undefined ? said : { _tag: "Failed", reason: this.complaint },
          )
        : Effect.succeed(said),
    )
  }
}

/** Opens the call below the fiber that runs this. */
export const openCall = (transport: Transport, options: Options): Effect.Effect<ProcessorCall> =>
  Effect.map(
    open(transport, method, { clock: options.clock, metadata: options.metadata }),
    (duplex) => new ProcessorCall(duplex, options),
  )
