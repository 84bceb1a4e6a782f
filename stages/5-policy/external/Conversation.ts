/**
 * One conversation with `envoy.service.ext_proc.v3.ExternalProcessor`, about one request and then about its reply.
 * Loaded only where there is one. What comes from the processor is sorted by the side it is about; a side that is
 * streamed holds the processor back when its reader does.
 */
import { create, type JsonObject } from "@bufbuild/protobuf"
import * as Effect from "effect/Effect"
import {
  type CommonResponse,
  CommonResponse_ResponseStatus as ResponseStatus,
  ExternalProcessor,
  type HeaderMutation,
  type ImmediateResponse,
  type ProcessingMode,
  ProcessingMode_BodySendMode as BodySendMode,
  ProcessingMode_HeaderSendMode as HeadSendMode,
  type ProcessingRequest,
  ProcessingRequestSchema,
  type ProcessingResponse,
} from "../../../protocols/grpc/generated/envoy_ext_proc_pb.ts"
import { methodOf } from "../../../protocols/grpc/method.ts"
import { Code } from "../../../protocols/grpc/status.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import * as Body from "../../Body.ts"
import { type Duplex, type Event, open } from "../../grpc/duplex.ts"
import { describe, type Metadata, type Transport } from "../../grpc/Transport.ts"
import type { Clock } from "../../ports/Timer.ts"
import { whole } from "../buffer.ts"
import { changesOf, headerMap, notesOf } from "./envoy.ts"
import { complaintOf, type Mutation } from "./mutation.ts"
import type { CelValue } from "../../../ir/cel/CelValue.ts"

export type BodyMode = "none" | "buffered" | "bufferedPartial" | "fullDuplexStreamed"

/** What of one side is shown. */
export interface Shown {
  readonly headers: boolean
  readonly body: BodyMode
  readonly trailers: boolean
}

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

/** A request or a reply, as the processor may change it. */
export interface Subject {
  readonly pseudo: ReadonlyArray<readonly [name: string, value: string]>
  readonly headers: Headers
  body: Body.Body
  /** There is nothing to show of a body: a tunnel, or a reply that has none. */
  readonly isBodiless: boolean
  readonly change: (mutation: Mutation) => void
}

/** What goes along with the first message about a side. */
export interface Context {
  readonly attributes: JsonObject | undefined
  readonly metadata: Readonly<Record<string, JsonObject>>
}

/** What became of a side. Fails with a reason in words. */
export type Outcome =
  | { readonly _tag: "Continue" }
  | { readonly _tag: "Immediate"; readonly response: ImmediateResponse }

type Said =
  | {
      readonly _tag: "Response"
      readonly response: ProcessingResponse["response"]
      readonly mode: ProcessingMode | undefined
    }
  | { readonly _tag: "Immediate"; readonly response: ImmediateResponse }
  /** The processor has nothing more to say, and no objection. */
  | { readonly _tag: "Closed" }
  | { readonly _tag: "Failed"; readonly reason: string }

type SideName = "request" | "response"

/** So many pieces of a body before anybody can take one are a mistake. */
const WAITING_MAX = 64

const unasked = "it answers what it was not asked"
const afterItsEnd = "it answers a body that has ended"

/**
 * What a side keeps of a streamed body that its reader does not take. Before that its source is held back, so there is
 * more only where a processor sends more than it was sent, or all of it at once: then it is held back itself, and with
 * it what it says of the other side.
 */
export const HELD_BYTES_MAX = 1024 * 1024

const proceed: Outcome = { _tag: "Continue" }

const method = methodOf(ExternalProcessor.method.process)

/** Answers about one side, for whoever waits for them. */
class Side {
  readonly name: SideName
  shown: Shown
  /** Where the body goes that the processor sends back piece by piece. */
  stream: Body.HeldFlow | undefined
  /** Bytes that the reader of the streamed body has not asked for yet. */
  heldBytes = 0
  /** Why a body was broken off that the other side had begun to receive. */
  broken: string | undefined
  /** When something of the streamed body last went either way. */
  movedMillis = 0
  /** Called when the streamed body is over, whichever way it ended. */
  onOver: (() => void) | undefined
  /** Questions without an answer so far. */
  private readonly asked = new Set<string>()
  /** Whether the body is streamed, which is answered in as many pieces as the processor likes, and who ended that. */
  private streaming: "no" | "open" | "ended" | "dropped" = "no"
  private readonly queue: Array<Said> = []
  private waiting: ((said: Said) => void) | undefined
  private verdict: Said | undefined
  private trailers: Headers | undefined

  constructor(name: SideName, shown: Shown) {
    this.name = name
    this.shown = shown
  }

  /** Why nothing more can be learned about it; known before it is shown where the processor failed earlier. */
  get failure(): string | undefined {
    return this.verdict?._tag === "Failed" ? this.verdict.reason : undefined
  }

  ask(kind: string): void {
    if (this.streaming === "no" || !kind.endsWith("Body")) this.asked.add(kind)
  }

  /** Counts an answer against what was asked; a text says why it cannot have been meant. */
  settle(kind: string): string | undefined {
    if (this.asked.delete(kind)) return undefined
    if (kind.endsWith("Headers") || this.streaming === "no") return unasked
    return this.streaming === "ended" ? afterItsEnd : undefined
  }

  startStreaming(): void {
    this.streaming = "open"
  }

  /** Nobody wants the streamed body any more, of which the processor cannot know yet. */
  drop(): void {
    if (this.streaming === "open") this.streaming = "dropped"
  }

  give(said: Said): string | undefined {
    if (said._tag !== "Response") {
      this.verdict ??= said
      this.breakOff(said)
    }
    const { waiting } = this
    if (waiting !== undefined) {
      this.waiting = undefined
      waiting(said)
      return undefined
    }
    if (said._tag === "Response") {
      if (this.stream !== undefined) return this.flow(said, this.stream)
      if (this.streaming === "ended" || this.streaming === "dropped") return undefined
    }
    this.queue.push(said)
    return this.queue.length > WAITING_MAX ? "it sends a body before it was let through" : undefined
  }

  take(receive: (said: Said) => void): () => void {
    const said = this.queue.shift() ?? this.verdict
    if (said !== undefined) receive(said)
    else this.waiting = receive
    return () => {
      if (this.waiting === receive) this.waiting = undefined
    }
  }

  /** A body that is on its way ends before its end. */
  private breakOff(said: Said): void {
    const { stream } = this
    if (stream === undefined) return
    this.stream = undefined
    this.onOver?.()
    this.broken =
      said._tag === "Failed" ? said.reason : said._tag === "Closed" ? "it ended in the middle of a body" : undefined
    stream.fail(Body.flowFailure("gone", "the external processor ended it"))
  }

  /** From now on answers are pieces of a body. */
  begin(stream: Body.HeldFlow, trailers: () => Headers | undefined): string | undefined {
    this.stream = stream
    this.trailersOf = trailers
    for (;;) {
      const said = this.queue.shift()
      if (said === undefined) return undefined
      if (said._tag !== "Response") this.breakOff(said)
      else if (this.stream === undefined) {
        if (said.response.case?.endsWith("Body") === true) return afterItsEnd
      } else {
        const problem = this.flow(said, this.stream)
        if (problem !== undefined) return problem
      }
    }
  }

  private trailersOf: () => Headers | undefined = () => this.trailers

  private flow({ response }: Said & { readonly _tag: "Response" }, stream: Body.HeldFlow): string | undefined {
    switch (response.case) {
      case "requestBody":
      case "responseBody": {
        const { mutation } = response.value.response?.bodyMutation ?? {}
        if (mutation?.case !== "streamedResponse") return "it answers a streamed body with something else"
        const { body, endOfStream } = mutation.value
        if (body.byteLength > 0 && !stream.write(body)) this.heldBytes += body.byteLength
        if (endOfStream) this.finish(stream, undefined)
        return undefined
      }
      case "requestTrailers":
      case "responseTrailers": {
        const trailers = this.trailersOf() ?? new Headers()
        const mutation = mutationOf(response.value.headerMutation)
        if (typeof mutation === "string") return mutation
        changeTrailers(trailers, mutation)
        this.finish(stream, trailers)
        return undefined
      }
      default:
        return "it answers a streamed body with headers"
    }
  }

  private finish(stream: Body.HeldFlow, trailers: Headers | undefined): void {
    this.stream = undefined
    this.streaming = "ended"
    this.onOver?.()
    stream.end(trailers)
  }
}

export const mutationOf = (mutation: HeaderMutation | undefined): Mutation | string => {
  if (mutation === undefined) return { remove: [], set: [] }
  const made = {
    remove: mutation.removeHeaders.map((name) => name.toLowerCase()),
    set: changesOf(mutation.setHeaders),
  }
  return complaintOf(made) ?? made
}

const changeTrailers = (trailers: Headers, { remove, set }: Mutation): void => {
  for (const name of remove) trailers.remove(name)
  for (const { action, name, value } of set) {
    if (name.startsWith(":")) continue
    if (action === "append" || (action === "addIfAbsent" && !trailers.has(name))) trailers.append(name, value)
    else if (action === "set" || (action === "setIfPresent" && trailers.has(name))) trailers.set(name, value)
  }
}

const bodyModes: Readonly<Record<BodyMode, BodySendMode>> = {
  none: BodySendMode.NONE,
  buffered: BodySendMode.BUFFERED,
  bufferedPartial: BodySendMode.BUFFERED_PARTIAL,
  fullDuplexStreamed: BodySendMode.FULL_DUPLEX_STREAMED,
}

const bodyModeOf = (mode: number): BodyMode | undefined =>
  (Object.keys(bodyModes) as ReadonlyArray<BodyMode>).find((name) => bodyModes[name] === mode)

const headModeOf = (mode: number, otherwise: boolean): boolean =>
  mode === HeadSendMode.SEND ? true : mode === HeadSendMode.SKIP ? false : otherwise

export class Conversation {
  /** The processor's own reply, once it has given one. */
  immediate: ImmediateResponse | undefined
  private readonly call: Duplex<ProcessingRequest, ProcessingResponse>
  private readonly options: Options
  private readonly sides: { readonly request: Side; readonly response: Side }
  private readonly draining = new Set<() => void>()
  /** What the processor did wrong. */
  private complaint: string | undefined
  private isTaking = false
  private isFinishing = false
  /** Bodies that are on their way to the processor, or whose trailers will be. */
  private showing = 0
  private isFirst = true
  private sentMillis: number

  constructor(call: Duplex<ProcessingRequest, ProcessingResponse>, options: Options) {
    this.call = call
    this.options = options
    this.sides = { request: new Side("request", options.request), response: new Side("response", options.response) }
    this.sentMillis = options.clock.nowMillis()
    call.onDrain = () => {
      for (const resume of this.draining) resume()
    }
    this.pump()
  }

  /** Whether anything of the reply would be shown. */
  get hasResponseSide(): boolean {
    const { body, headers, trailers } = this.sides.response.shown
    return headers || body !== "none" || trailers
  }

  /** Why the request's body was broken off on its way to the upstream. */
  get broken(): string | undefined {
    return this.sides.request.broken
  }

  /** Why the processor cannot be shown the reply, where that is known before it comes. */
  get failedBeforeReply(): string | undefined {
    return this.hasResponseSide ? this.sides.response.failure : undefined
  }

  /** Nothing more will be asked: the processor is told as soon as it has been sent what is under way. */
  finish(): void {
    this.isFinishing = true
    if (this.showing === 0) this.call.end()
  }

  private shownOne(): void {
    this.showing--
    if (this.isFinishing && this.showing === 0) this.call.end()
  }

  cancel(): void {
    this.call.cancel()
  }

  /** Shows one side, as far as it is to be shown, and changes it as the processor says. */
  run(name: SideName, subject: Subject, context: Context): Effect.Effect<Outcome, string> {
    return Effect.suspend(() => {
      const side = this.sides[name]
      const { body, headers, trailers } = side.shown
      if (this.immediate !== undefined) return Effect.succeed<Outcome>({ _tag: "Immediate", response: this.immediate })
      if (!headers && body === "none" && !trailers) return Effect.succeed(proceed)
      let isContextSent = false
      const send = (request: ProcessingRequest["request"]): boolean => {
        const message = create(ProcessingRequestSchema, { request })
        if (!isContextSent) {
          isContextSent = true
          const { attributes, metadata } = context
          if (attributes !== undefined) message.attributes = { "envoy.filters.http.ext_proc": attributes }
          if (Object.keys(metadata).length > 0) {
            message.metadataContext = { $typeName: "envoy.config.core.v3.Metadata", filterMetadata: { ...metadata } }
          }
        }
        if (request.case !== undefined) side.ask(request.case)
        return this.send(message)
      }
      const isBodiless = subject.isBodiless || subject.body._tag === "Empty"
      if (headers) {
        send({
          case: name === "request" ? "requestHeaders" : "responseHeaders",
          value: {
            $typeName: "envoy.service.ext_proc.v3.HttpHeaders",
            headers: headerMap(subject.pseudo, subject.headers),
            endOfStream: isBodiless,
          },
        })
      }
      if (body === "fullDuplexStreamed" && !isBodiless) return this.stream(side, subject, send, headers)
      const begun = headers
        ? Effect.flatMap(this.onlyAnswer(side), (said) => this.onHeaders(side, said, subject))
        : Effect.succeed<Next>("body")
      return Effect.flatMap(begun, (next) =>
        next === "done"
          ? Effect.succeed(proceed)
          : next !== "body"
            ? Effect.succeed(next)
            : isBodiless
              ? Effect.succeed(proceed)
              : this.body(side, subject, send),
      )
    })
  }

  private send(message: ProcessingRequest): boolean {
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
    return this.call.send(message)
  }

  // What comes back -------------------------------------------------------------------------------------------------

  private pump(): void {
    for (;;) {
      const { request, response } = this.sides
      if (this.isTaking || request.heldBytes > HELD_BYTES_MAX || response.heldBytes > HELD_BYTES_MAX) return
      this.isTaking = true
      let isNow = true
      this.call.take((event) => {
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
    const side = response.case?.startsWith("request") === true ? this.sides.request : this.sides.response
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
        this.call.end()
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
    this.sides.request.give(said)
    this.sides.response.give(said)
  }

  private fail(reason: string): false {
    this.complaint ??= reason
    this.tell({ _tag: "Failed", reason })
    this.call.cancel()
    return false
  }

  /** The next answer about a side, in time. */
  private answer(side: Side): Effect.Effect<Said> {
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
  private onlyAnswer(side: Side): Effect.Effect<Said> {
    return Effect.flatMap(this.answer(side), (said) =>
      said._tag === "Response"
        ? Effect.map(Effect.yieldNow, (): Said =>
            this.complaint === undefined ? said : { _tag: "Failed", reason: this.complaint },
          )
        : Effect.succeed(said),
    )
  }

  // One side --------------------------------------------------------------------------------------------------------

  private onHeaders(side: Side, said: Said, subject: Subject): Effect.Effect<Next, string> {
    if (said._tag === "Closed") return Effect.succeed("done")
    if (said._tag === "Failed") return Effect.fail(said.reason)
    if (said._tag === "Immediate") return Effect.succeed(said)
    const { mode, response } = said
    if (response.case !== `${side.name}Headers`) return Effect.fail("it answers headers with something else")
    const common = (response.value as { readonly response?: CommonResponse }).response
    const problem = this.override(side, mode) ?? applied(common, subject)
    if (problem !== undefined) return Effect.fail(problem)
    if (common?.status !== ResponseStatus.CONTINUE_AND_REPLACE) return Effect.succeed("body")
    const replaced = replacementOf(common)
    if (typeof replaced === "string") return Effect.fail(replaced)
    if (replaced !== undefined) setBody(subject, replaced, undefined)
    return Effect.succeed("done")
  }

  /** What is shown from here on, where the processor may have a say in it. */
  private override(side: Side, mode: ProcessingMode | undefined): string | undefined {
    if (mode === undefined || !this.options.mayOverride) return undefined
    const { request, response } = this.sides
    const requestBody = bodyModeOf(mode.requestBodyMode)
    const responseBody = bodyModeOf(mode.responseBodyMode)
    if (requestBody === undefined || responseBody === undefined) return "it asks for a mode that is not supported"
    if (side.name === "request") {
      request.shown = {
        headers: request.shown.headers,
        // A body that is streamed already stays so.
        body:
          request.stream === undefined && request.shown.body !== "fullDuplexStreamed"
            ? requestBody
            : request.shown.body,
        trailers: headModeOf(mode.requestTrailerMode, request.shown.trailers),
      }
    }
    response.shown = {
      headers:
        side.name === "request" ? headModeOf(mode.responseHeaderMode, response.shown.headers) : response.shown.headers,
      body:
        side.name === "request" || response.shown.body !== "fullDuplexStreamed" ? responseBody : response.shown.body,
      trailers: headModeOf(mode.responseTrailerMode, response.shown.trailers),
    }
    return undefined
  }

  private body(side: Side, subject: Subject, send: Send): Effect.Effect<Outcome, string> {
    const { body, trailers } = side.shown
    if (body === "fullDuplexStreamed") return this.stream(side, subject, send, false)
    if (body === "none") {
      if (trailers && subject.body._tag === "Flow") subject.body = this.withTrailers(side, subject.body, send)
      return Effect.succeed(proceed)
    }
    const taken = subject.body
    // Whoever reads a body takes it along, so that an interrupted exchange does not let go of it a second time.
    subject.body = Body.empty
    return Effect.flatMap(
      Effect.mapError(Body.collect(taken, this.options.bodyBytesMax), ({ message }) => message),
      (collected): Effect.Effect<Outcome, string> => {
        subject.body = collected._tag === "Partial" ? collected.body : taken
        if (collected._tag === "Partial" && body === "buffered") {
          return Effect.fail(`the body is longer than ${this.options.bodyBytesMax} bytes`)
        }
        const bytes = collected._tag === "Whole" ? collected.bytes : collected.prefix
        const rest = collected._tag === "Whole" ? collected.trailers : undefined
        const showsTrailers = trailers && rest !== undefined
        if (collected._tag === "Whole") subject.body = whole(collected)
        send(bodyMessage(side.name, bytes, collected._tag === "Whole" && !showsTrailers))
        return Effect.flatMap(this.onlyAnswer(side), (said) => {
          if (said._tag === "Closed") return Effect.succeed(proceed)
          if (said._tag === "Failed") return Effect.fail(said.reason)
          if (said._tag === "Immediate") return Effect.succeed<Outcome>(said)
          const { response } = said
          if (response.case !== `${side.name}Body`) return Effect.fail("it answers a body with something else")
          const common = (response.value as { readonly response?: CommonResponse }).response
          const problem = applied(common, subject)
          const replaced = common === undefined ? undefined : replacementOf(common)
          if (problem !== undefined) return Effect.fail(problem)
          if (typeof replaced === "string") return Effect.fail(replaced)
          if (collected._tag === "Partial") {
            if (replaced !== undefined) subject.body = afterPrefix(collected, replaced)
            if (replaced !== undefined) subject.headers.remove("content-length")
            return Effect.succeed(proceed)
          }
          if (replaced !== undefined) setBody(subject, replaced, rest)
          return showsTrailers ? this.trailers(side, subject, replaced ?? bytes, rest, send) : Effect.succeed(proceed)
        })
      },
    )
  }

  private trailers(
    side: Side,
    subject: Subject,
    bytes: Uint8Array,
    trailers: Headers,
    send: Send,
  ): Effect.Effect<Outcome, string> {
    send(trailersMessage(side.name, trailers))
    return Effect.flatMap(this.onlyAnswer(side), (said) => {
      if (said._tag === "Closed") return Effect.succeed(proceed)
      if (said._tag === "Failed") return Effect.fail(said.reason)
      if (said._tag === "Immediate") return Effect.succeed<Outcome>(said)
      const problem = changedTrailers(side, said, trailers)
      if (problem !== undefined) return Effect.fail(problem)
      subject.body = whole({ _tag: "Whole", bytes, trailers })
      return Effect.succeed(proceed)
    })
  }

  /** Lets a body pass unseen, and shows what follows it. */
  private withTrailers(side: Side, flow: Body.Flow, send: Send): Body.Flow {
    const { clock, timeoutMillis } = this.options
    this.showing++
    return {
      _tag: "Flow",
      length: flow.length,
      open: (sink) => {
        let isOver = false
        const over = (): void => {
          if (isOver) return
          isOver = true
          this.shownOne()
        }
        let cancelTimer: (() => void) | undefined
        let stop: (() => void) | undefined
        const source = flow.open({
          write: (chunk) => sink.write(chunk),
          fail: (failure) => {
            over()
            sink.fail(failure)
          },
          end: (trailers) => {
            if (trailers === undefined || !this.call.isOpen) {
              over()
              return sink.end(trailers)
            }
            const done = (problem: string | undefined): void => {
              cancelTimer?.()
              over()
              if (problem === undefined) sink.end(trailers)
              else sink.fail(Body.flowFailure("gone", problem))
            }
            send(trailersMessage(side.name, trailers))
            cancelTimer = clock.after(timeoutMillis, () => {
              stop?.()
              done(`no answer within ${timeoutMillis} ms`)
            })
            stop = side.take((said) =>
              done(
                said._tag === "Closed"
                  ? undefined
                  : said._tag === "Response"
                    ? changedTrailers(side, said, trailers)
                    : said._tag === "Failed"
                      ? said.reason
                      : "the external processor ended it",
              ),
            )
          },
        })
        return {
          resume: () => source.resume(),
          cancel: () => {
            stop?.()
            cancelTimer?.()
            over()
            source.cancel()
          },
        }
      },
    }
  }

  // Streamed bodies -------------------------------------------------------------------------------------------------

  /**
   * A processor that neither takes nor gives for as long as it may think is given up, unless it waits for others: for more
   * of the body, or for whoever reads what it gives. The result stops the watch.
   */
  private watch(side: Side, isAskedFor: () => boolean): () => void {
    const { clock, timeoutMillis } = this.options
    const isHeld = (): boolean => {
      const { request, response } = this.sides
      return side.heldBytes > 0 || request.heldBytes > HELD_BYTES_MAX || response.heldBytes > HELD_BYTES_MAX
    }
    let cancel = (): void => {}
    const look = (): void => {
      if (this.call.isOver) return
      if (!isAskedFor() || isHeld()) side.movedMillis = clock.nowMillis()
      const leftMillis = side.movedMillis + timeoutMillis - clock.nowMillis()
      if (leftMillis > 0) cancel = clock.after(leftMillis, look)
      else this.fail(`it stood still for ${timeoutMillis} ms`)
    }
    side.movedMillis = clock.nowMillis()
    look()
    return () => cancel()
  }

  /** The body goes to the processor as it comes, and what the processor sends goes on in its place. */
  private stream(side: Side, subject: Subject, send: Send, isHeadOpen: boolean): Effect.Effect<Outcome, string> {
    const { clock } = this.options
    side.startStreaming()
    const sent = subject.body
    const back = new Body.HeldFlow(undefined)
    let trailers: Headers | undefined
    let wake: (() => void) | undefined
    let isTaken = true
    let isShown = sent._tag !== "Flow"
    const show = (): (() => void) => {
      if (sent._tag === "Bytes") {
        send(bodyMessage(side.name, sent.bytes, true))
        return () => {}
      }
      if (sent._tag === "Empty") return () => {}
      let source: Body.Source | undefined
      wake = () => {
        if (side.heldBytes === 0) source?.resume()
      }
      const drained = (): void => {
        isTaken = true
        side.movedMillis = clock.nowMillis()
        wake?.()
      }
      this.showing++
      this.draining.add(drained)
      const over = (): void => {
        isShown = true
        if (this.draining.delete(drained)) this.shownOne()
      }
      source = sent.open({
        write: (chunk) => {
          if (!this.call.isOpen) return true
          isTaken = send(bodyMessage(side.name, chunk, false))
          side.movedMillis = clock.nowMillis()
          return isTaken && side.heldBytes === 0
        },
        end: (after) => {
          trailers = after
          if (this.call.isOpen) {
            send(after === undefined ? bodyMessage(side.name, nothing, true) : trailersMessage(side.name, after))
            side.movedMillis = clock.nowMillis()
          }
          over()
        },
        fail: (failure) => {
          over()
          this.call.cancel()
          back.fail(failure)
        },
      })
      return () => {
        over()
        source?.cancel()
      }
    }
    const stop = show()
    back.source = {
      resume: () => {
        side.heldBytes = 0
        side.movedMillis = clock.nowMillis()
        this.pump()
        wake?.()
      },
      cancel: () => {
        stop()
        side.drop()
        side.stream = undefined
        side.onOver?.()
        side.heldBytes = 0
        this.pump()
      },
    }
    const proceedWith = (): Effect.Effect<Outcome, string> => {
      subject.headers.remove("content-length")
      subject.body = back
      const problem = side.begin(back, () => trailers)
      if (problem !== undefined) return Effect.fail(problem)
      // What nobody comes to read any more ends with the exchange, and the watch with it.
      if (side.stream !== undefined) side.onOver = this.watch(side, () => isShown || !isTaken)
      return Effect.succeed(proceed)
    }
    if (!isHeadOpen) return proceedWith()
    return Effect.onInterrupt(
      Effect.flatMap(this.answer(side), (said) => {
        // What was sent is gone: only a processor that streams it back can let it go on.
        if (said._tag === "Closed") return Effect.fail("it ended in the middle of a streamed body")
        return Effect.flatMap(this.onHeaders(side, said, subject), (next): Effect.Effect<Outcome, string> => {
          if (next === "body") return proceedWith()
          stop()
          side.drop()
          return Effect.succeed(next === "done" ? proceed : next)
        })
      }).pipe(Effect.tapError(() => Effect.sync(stop))),
      () => Effect.sync(stop),
    )
  }
}

type Next = "body" | "done" | (Outcome & { readonly _tag: "Immediate" })
type Send = (request: ProcessingRequest["request"]) => boolean

const nothing = new Uint8Array(0)

const bodyMessage = (name: SideName, body: Uint8Array, endOfStream: boolean): ProcessingRequest["request"] => ({
  case: name === "request" ? "requestBody" : "responseBody",
  value: { $typeName: "envoy.service.ext_proc.v3.HttpBody", body, endOfStream },
})

const trailersMessage = (name: SideName, trailers: Headers): ProcessingRequest["request"] => ({
  case: name === "request" ? "requestTrailers" : "responseTrailers",
  value: { $typeName: "envoy.service.ext_proc.v3.HttpTrailers", trailers: headerMap([], trailers) },
})

const changedTrailers = (side: Side, said: Said, trailers: Headers): string | undefined => {
  if (said._tag !== "Response" || said.response.case !== `${side.name}Trailers`) {
    return "it answers trailers with something else"
  }
  const mutation = mutationOf((said.response.value as { readonly headerMutation?: HeaderMutation }).headerMutation)
  if (typeof mutation === "string") return mutation
  changeTrailers(trailers, mutation)
  return undefined
}

/** Undefined: done. */
const applied = (common: CommonResponse | undefined, subject: Subject): string | undefined => {
  const mutation = mutationOf(common?.headerMutation)
  if (typeof mutation === "string") return mutation
  subject.change(mutation)
  return undefined
}

/** Undefined: the body stays. */
const replacementOf = ({ bodyMutation }: CommonResponse): Uint8Array | string | undefined => {
  const mutation = bodyMutation?.mutation
  switch (mutation?.case) {
    case "body":
      return mutation.value
    case "clearBody":
      return mutation.value ? nothing : undefined
    case "streamedResponse":
      return "it streams a body back that was not streamed"
    default:
      return undefined
  }
}

const setBody = (subject: Subject, bytes: Uint8Array, trailers: Headers | undefined): void => {
  Body.discard(subject.body)
  subject.body = trailers === undefined ? Body.bytes(bytes) : whole({ _tag: "Whole", bytes, trailers })
  subject.headers.remove("content-length")
}

/** Another beginning in front of the rest of a body. */
const afterPrefix = (
  { body, prefix }: Extract<Body.Collected, { readonly _tag: "Partial" }>,
  beginning: Uint8Array,
): Body.Body => {
  if (body._tag === "Bytes") {
    return Body.bytes(
      Body.join(
        [beginning, body.bytes.subarray(prefix.byteLength)],
        beginning.byteLength + body.bytes.byteLength - prefix.byteLength,
      ),
    )
  }
  if (body._tag === "Empty") return Body.bytes(beginning)
  return {
    _tag: "Flow",
    length: undefined,
    open: (sink) => {
      let skip = prefix.byteLength
      if (beginning.byteLength > 0) sink.write(beginning)
      return body.open({
        write: (chunk) => {
          const skipped = Math.min(skip, chunk.byteLength)
          skip -= skipped
          return skipped === chunk.byteLength || sink.write(skipped === 0 ? chunk : chunk.subarray(skipped))
        },
        end: (trailers) => sink.end(trailers),
        fail: (failure) => sink.fail(failure),
      })
    },
  }
}

/** Begins a conversation below the fiber that runs this. */
export const converse = (transport: Transport, options: Options): Effect.Effect<Conversation> =>
  Effect.map(
    open(transport, method, { clock: options.clock, metadata: options.metadata }),
    (call) => new Conversation(call, options),
  )
