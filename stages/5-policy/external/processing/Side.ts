import type {
  HeaderMutation,
  ImmediateResponse,
  ProcessingMode,
  ProcessingResponse,
} from "../../../../protocols/grpc/generated/envoy_ext_proc_pb.ts"
import { Headers } from "../../../../protocols/http/headers.ts"
import * as Body from "../../../Body.ts"
import { changeTrailers } from "../mutation.ts"
import { mutationOf, type SideName } from "./messages.ts"
import type { Shown } from "./modes.ts"

export interface Answer {
  readonly _tag: "Response"
  readonly response: ProcessingResponse["response"]
  readonly mode: ProcessingMode | undefined
}

export type Said =
  | Answer
  | { readonly _tag: "Immediate"; readonly response: ImmediateResponse }
  /** The processor has nothing more to say, and no objection. */
  | { readonly _tag: "Closed" }
  | { readonly _tag: "Failed"; readonly reason: string }

/** So many pieces of a body before anybody can take one are a mistake. */
const WAITING_MAX = 64

const unasked = "it answers what it was not asked"
const afterItsEnd = "it answers a body that has ended"

/**
 * What a side keeps of a streamed body that its reader does not take. Before that its source is held back, so there is
 * more only where a processor sends more than it was sent, or all of it at once: then it is held back itself, and with
 * it what it says of the other side.
 */
const HELD_BYTES_MAX = 1024 * 1024

/** Answers about one side, for whoever waits for them. */
export class Side {
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

  constructor(name: SideName, shown: Shown) {
    this.name = name
    this.shown = shown
  }

  /** It holds the processor back. */
  get isFull(): boolean {
    return this.heldBytes > HELD_BYTES_MAX
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

  private trailersOf: () => Headers | undefined = () => undefined

  private flow({ response }: Answer, stream: Body.HeldFlow): string | undefined {
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

/** Carries out what an answer says of trailers; a text says why it cannot be. */
export const changeAsAnswered = (side: Side, said: Said, trailers: Headers): string | undefined => {
  if (said._tag !== "Response" || said.response.case !== `${side.name}Trailers`) {
    return "it answers trailers with something else"
  }
  const mutation = mutationOf((said.response.value as { readonly headerMutation?: HeaderMutation }).headerMutation)
  if (typeof mutation === "string") return mutation
  changeTrailers(trailers, mutation)
  return undefined
}
