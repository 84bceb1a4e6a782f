/**
 * One conversation with `envoy.service.ext_proc.v3.ExternalProcessor`, about one request and then about its reply.
 * Loaded only where there is one.
 */
import { create, type JsonObject } from "@bufbuild/protobuf"
import * as Effect from "effect/Effect"
import {
  type CommonResponse,
  CommonResponse_ResponseStatus as ResponseStatus,
  type ImmediateResponse,
  type ProcessingMode,
  ProcessingRequestSchema,
} from "../../../../protocols/grpc/generated/envoy_ext_proc_pb.ts"
import type { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import type { Transport } from "../../../grpc/Transport.ts"
import { whole } from "../../buffer.ts"
import {
  bodyMessage,
  headersMessage,
  mutationOf,
  replacementOf,
  type Send,
  type SideName,
  trailersMessage,
} from "./messages.ts"
import { bodyModeOf, headModeOf } from "./modes.ts"
import { passTrailers } from "./passTrailers.ts"
import { openCall, type Options, type ProcessorCall } from "./ProcessorCall.ts"
import { type Answer, changeAsAnswered, type Said, type Side } from "./Side.ts"
import { streamBody } from "./streamBody.ts"
import { afterPrefix, type Outcome, proceed, replaceBody, type Subject } from "./Subject.ts"

export { mutationOf } from "./messages.ts"

/** What goes along with the first message about a side. */
export interface Context {
  readonly attributes: JsonObject | undefined
  readonly metadata: Readonly<Record<string, JsonObject>>
}

/** What follows the headers of a side: its body is shown, or nothing more is. */
type Next = "body" | "done" | (Outcome & { readonly _tag: "Immediate" })

export class Conversation {
  private readonly call: ProcessorCall

  constructor(call: ProcessorCall) {
    this.call = call
  }

  /** The processor's own reply, once it has given one. */
  get immediate(): ImmediateResponse | undefined {
    return this.call.immediate
  }

  /** Whether anything of the reply would be shown. */
  get hasResponseSide(): boolean {
    const { body, headers, trailers } = this.call.response.shown
    return headers || body !== "none" || trailers
  }

  /** Why the request's body was broken off on its way to the upstream. */
  get broken(): string | undefined {
    return this.call.request.broken
  }

  /** Why the processor cannot be shown the reply, where that is known before it comes. */
  get failedBeforeReply(): string | undefined {
    return this.hasResponseSide ? this.call.response.failure : undefined
  }

  /** Nothing more will be asked. */
  finish(): void {
    this.call.finish()
  }

  cancel(): void {
    this.call.cancel()
  }

  /** Shows one side, as far as it is to be shown, and changes it as the processor says. */
  run(name: SideName, subject: Subject, context: Context): Effect.Effect<Outcome, string> {
    return Effect.suspend(() => {
      const { immediate } = this
      const side = this.call[name]
      const { body, headers, trailers } = side.shown
      if (immediate !== undefined) return Effect.succeed<Outcome>({ _tag: "Immediate", response: immediate })
      if (!headers && body === "none" && !trailers) return Effect.succeed(proceed)
      const send = this.sender(side, context)
      const isBodiless = subject.isBodiless || subject.body._tag === "Empty"
      if (headers) send(headersMessage(name, subject, isBodiless))
      if (body === "fullDuplexStreamed" && !isBodiless) {
        return headers ? this.headersAndStream(side, subject, send) : streamBody(this.call, side, subject, send).goOn()
      }
      const begun = headers
        ? Effect.flatMap(this.call.onlyAnswer(side), (said) => this.onHeaders(side, said, subject))
        : Effect.succeed<Next>("body")
      return Effect.flatMap(begun, (next) => {
        if (next === "body") return isBodiless ? Effect.succeed(proceed) : this.body(side, subject, send)
        return Effect.succeed(next === "done" ? proceed : next)
      })
    })
  }

  /** Sends what is about one side, the context with the first of it. */
  private sender(side: Side, { attributes, metadata }: Context): Send {
    let isContextSent = false
    return (request) => {
      const message = create(ProcessingRequestSchema, { request })
      if (!isContextSent) {
        isContextSent = true
        if (attributes !== undefined) message.attributes = { "envoy.filters.http.ext_proc": attributes }
        if (Object.keys(metadata).length > 0) {
          message.metadataContext = { $typeName: "envoy.config.core.v3.Metadata", filterMetadata: { ...metadata } }
        }
      }
      if (request.case !== undefined) side.ask(request.case)
      return this.call.send(message)
    }
  }

  private onHeaders(side: Side, said: Said, subject: Subject): Effect.Effect<Next, string> {
    if (said._tag === "Closed") return Effect.succeed("done")
    if (said._tag === "Failed") return Effect.fail(said.reason)
    if (said._tag === "Immediate") return Effect.succeed(said)
    const { mode, response } = said
    if (response.case !== `${side.name}Headers`) return Effect.fail("it answers headers with something else")
    const common = (response.value as { readonly response?: CommonResponse }).response
    const problem = this.override(side, mode) ?? change(subject, common)
    if (problem !== undefined) return Effect.fail(problem)
    if (common?.status !== ResponseStatus.CONTINUE_AND_REPLACE) return Effect.succeed("body")
    const replaced = replacementOf(common)
    if (typeof replaced === "string") return Effect.fail(replaced)
    if (replaced !== undefined) replaceBody(subject, replaced, undefined)
    return Effect.succeed("done")
  }

  /** What is shown from here on, where the processor may have a say in it. */
  private override(side: Side, mode: ProcessingMode | undefined): string | undefined {
    const { options, request, response } = this.call
    if (mode === undefined || !options.mayOverride) return undefined
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

  /** Does not wait for what the processor says of the headers before it sends the body. */
  private headersAndStream(side: Side, subject: Subject, send: Send): Effect.Effect<Outcome, string> {
    const streamed = streamBody(this.call, side, subject, send)
    const stop = Effect.sync(streamed.stop)
    return Effect.flatMap(this.call.answer(side), (said) => {
      // What was sent is gone: only a processor that streams it back can let it go on.
      if (said._tag === "Closed") return Effect.fail("it ended in the middle of a streamed body")
      return Effect.flatMap(this.onHeaders(side, said, subject), (next): Effect.Effect<Outcome, string> => {
        if (next === "body") return streamed.goOn()
        streamed.stop()
        side.drop()
        return Effect.succeed(next === "done" ? proceed : next)
      })
    }).pipe(
      Effect.tapError(() => stop),
      Effect.onInterrupt(() => stop),
    )
  }

  private body(side: Side, subject: Subject, send: Send): Effect.Effect<Outcome, string> {
    const { body, trailers } = side.shown
    if (body === "fullDuplexStreamed") return streamBody(this.call, side, subject, send).goOn()
    if (body === "none") {
      if (trailers && subject.body._tag === "Flow") subject.body = passTrailers(this.call, side, subject.body, send)
      return Effect.succeed(proceed)
    }
    const { bodyBytesMax } = this.call.options
    const taken = subject.body
    // Whoever reads a body takes it along, so that an interrupted exchange does not let go of it a second time.
    subject.body = Body.empty
    return Effect.flatMap(
      Effect.mapError(Body.collect(taken, bodyBytesMax), ({ message }) => message),
      (collected): Effect.Effect<Outcome, string> => {
        if (collected._tag === "Whole") {
          subject.body = whole(collected)
          return this.wholeBody(side, subject, collected, send)
        }
        subject.body = collected.body
        return body === "buffered"
          ? Effect.fail(`the body is longer than ${bodyBytesMax} bytes`)
          : this.beginning(side, subject, collected, send)
      },
    )
  }

  private wholeBody(
    side: Side,
    subject: Subject,
    { bytes, trailers }: Whole,
    send: Send,
  ): Effect.Effect<Outcome, string> {
    const shown = side.shown.trailers ? trailers : undefined
    send(bodyMessage(side.name, bytes, shown === undefined))
    return this.answered(side, (answer) => {
      const replaced = replacementIn(answer, side, subject)
      if (typeof replaced === "string") return Effect.fail(replaced)
      if (replaced !== undefined) replaceBody(subject, replaced, trailers)
      return shown === undefined
        ? Effect.succeed(proceed)
        : this.trailers(side, subject, replaced ?? bytes, shown, send)
    })
  }

  /** Of a body that is too long to be shown. */
  private beginning(side: Side, subject: Subject, partial: Partial, send: Send): Effect.Effect<Outcome, string> {
    send(bodyMessage(side.name, partial.prefix, false))
    return this.answered(side, (answer) => {
      const replaced = replacementIn(answer, side, subject)
      if (typeof replaced === "string") return Effect.fail(replaced)
      if (replaced !== undefined) {
        subject.body = afterPrefix(partial, replaced)
        subject.headers.remove("content-length")
      }
      return Effect.succeed(proceed)
    })
  }

  private trailers(
    side: Side,
    subject: Subject,
    bytes: Uint8Array,
    trailers: Headers,
    send: Send,
  ): Effect.Effect<Outcome, string> {
    send(trailersMessage(side.name, trailers))
    return this.answered(side, (answer) => {
      const problem = changeAsAnswered(side, answer, trailers)
      if (problem !== undefined) return Effect.fail(problem)
      subject.body = whole({ _tag: "Whole", bytes, trailers })
      return Effect.succeed(proceed)
    })
  }

  /** What follows from the next answer; a processor that has nothing more to say has no objection. */
  private answered(
    side: Side,
    follow: (answer: Answer) => Effect.Effect<Outcome, string>,
  ): Effect.Effect<Outcome, string> {
    return Effect.flatMap(this.call.onlyAnswer(side), (said): Effect.Effect<Outcome, string> => {
      switch (said._tag) {
        case "Closed":
          return Effect.succeed(proceed)
        case "Failed":
          return Effect.fail(said.reason)
        case "Immediate":
          return Effect.succeed(said)
        case "Response":
          return follow(said)
      }
    })
  }
}

type Whole = Extract<Body.Collected, { readonly _tag: "Whole" }>
type Partial = Extract<Body.Collected, { readonly _tag: "Partial" }>

/** Undefined: done. */
const change = (subject: Subject, common: CommonResponse | undefined): string | undefined => {
  const mutation = mutationOf(common?.headerMutation)
  if (typeof mutation === "string") return mutation
  subject.change(mutation)
  return undefined
}

/** Changes the head as an answer about its body says; a text says why it cannot, undefined leaves the body. */
const replacementIn = ({ response }: Answer, side: Side, subject: Subject): Uint8Array | string | undefined => {
  if (response.case !== `${side.name}Body`) return "it answers a body with something else"
  const common = (response.value as { readonly response?: CommonResponse }).response
  const problem = change(subject, common)
  if (problem !== undefined) return problem
  return common === undefined ? undefined : replacementOf(common)
}

/** Begins a conversation below the fiber that runs this. */
export const converse = (transport: Transport, options: Options): Effect.Effect<Conversation> =>
  Effect.map(openCall(transport, options), (call) => new Conversation(call))
