/**
 * The body of a request or a reply. A flow that is only passed on stays a chain of direct calls from its source to its
 * sink, with back-pressure; whoever must see the bytes collects, taps or copies it here.
 */
import * as Effect from "effect/Effect"
import { join } from "../protocols/bytes.ts"
import type { Headers } from "../protocols/http/headers.ts"

/** Why a flow ended before its end. */
export interface FlowFailure {
  readonly _tag: "FlowFailure"
  /** `stalled`: whoever had to go on with it did not in time. */
  readonly reason: "gone" | "stalled" | "malformed" | "tooLarge" | "cancelled"
  readonly message: string
}

export const flowFailure = (reason: FlowFailure["reason"], message: string): FlowFailure => ({
  _tag: "FlowFailure",
  reason,
  message,
})

/** Takes the bytes of a flow. After `end` or `fail` nothing more comes. */
export interface Sink {
  /** False asks the source to hold back until `resume` is called. */
  write(chunk: Uint8Array): boolean
  end(trailers: Headers | undefined): void
  fail(failure: FlowFailure): void
}

/** The other end of an opened flow. */
export interface Source {
  resume(): void
  /** Nobody wants the rest: whatever produces it is told to stop. */
  cancel(): void
}

/** Bytes still to come. It is opened once; a source may write before `open` returns. */
export interface Flow {
  readonly _tag: "Flow"
  /** As declared by the sender. */
  readonly length: number | undefined
  open(sink: Sink): Source
}

export interface Empty {
  readonly _tag: "Empty"
}

export interface Bytes {
  readonly _tag: "Bytes"
  readonly bytes: Uint8Array
}

export type Body = Empty | Bytes | Flow

export const empty: Empty = { _tag: "Empty" }

export const bytes = (content: Uint8Array): Body =>
  content.byteLength === 0 ? empty : { _tag: "Bytes", bytes: content }

const encoder = new TextEncoder()

export const text = (content: string): Body => bytes(encoder.encode(content))

/** A body that came in one piece, or was over before it could be looked at, flows as any other. */
export const flowing = (body: Body): Flow => {
  if (body._tag === "Flow") return body
  const held = new HeldFlow(lengthOf(body))
  if (body._tag === "Bytes") held.write(body.bytes)
  held.end(undefined)
  return held
}

/** Bytes that are at hand in pieces, and sent as they are: putting them into one would copy them for every reply. */
export const pieces = (parts: ReadonlyArray<Uint8Array>): Body => {
  const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
  return length === 0 ? empty : { _tag: "Flow", length, open: (sink) => writeAll(parts, sink) }
}

/** Holding back would save nothing: whatever is not taken yet is in memory all the same. */
const writeAll = (parts: ReadonlyArray<Uint8Array>, sink: Sink): Source => {
  for (const part of parts) sink.write(part)
  sink.end(undefined)
  return exhausted
}

const exhausted: Source = { resume: () => {}, cancel: () => {} }

/** What the body declares to be its length. */
export const lengthOf = (body: Body): number | undefined =>
  body._tag === "Empty" ? 0 : body._tag === "Bytes" ? body.bytes.byteLength : body.length

/** Lets go of a body that nobody will read. */
export const discard = (body: Body): void => {
  if (body._tag === "Flow") body.open(ignoring).cancel()
}

const ignoring: Sink = { write: () => true, end: () => {}, fail: () => {} }

export { join }

/** The result of reading at most so many bytes. */
export type Collected =
  | { readonly _tag: "Whole"; readonly bytes: Uint8Array; readonly trailers: Headers | undefined }
  /** More than the limit: what was read, and the body as it was, beginning included. */
  | { readonly _tag: "Partial"; readonly prefix: Uint8Array; readonly body: Body }

/** Reads a body into memory as long as it stays within the limit. */
export const collect = (body: Body, bytesMax: number): Effect.Effect<Collected, FlowFailure> => {
  if (body._tag === "Empty") return Effect.succeed({ _tag: "Whole", bytes: new Uint8Array(0), trailers: undefined })
  if (body._tag === "Bytes") {
    return Effect.succeed(
      body.bytes.byteLength <= bytesMax
        ? { _tag: "Whole", bytes: body.bytes, trailers: undefined }
        : { _tag: "Partial", prefix: body.bytes.subarray(0, bytesMax), body },
    )
  }
  return Effect.callback<Collected, FlowFailure>((resume) => {
    const chunks: Array<Uint8Array> = []
    let length = 0
    let settled = false
    const held = new HeldFlow(body.length)
    const source = body.open({
      write(chunk) {
        if (settled) return held.write(chunk)
        chunks.push(chunk)
        length += chunk.byteLength
        if (length <= bytesMax) return true
        settled = true
        const prefix = join(chunks, length)
        held.write(prefix)
        resume(Effect.succeed({ _tag: "Partial", prefix: prefix.subarray(0, bytesMax), body: held }))
        // Whoever waited may have opened the rest already, and asked for more: holding back now would be for ever.
        return held.isAwaited
      },
      end(trailers) {
        if (settled) return held.end(trailers)
        settled = true
        resume(Effect.succeed({ _tag: "Whole", bytes: join(chunks, length), trailers }))
      },
      fail(failure) {
        if (settled) return held.fail(failure)
        settled = true
        resume(Effect.fail(failure))
      },
    })
    held.source = source
    return Effect.sync(() => source.cancel())
  })
}

/**
 * A flow whose beginning has already arrived: keeps what comes until somebody opens it.
 * Sources are paused while it holds more than nothing, so it keeps one chunk or two, not a whole body.
 */
export class HeldFlow implements Flow, Sink, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  source: Source | undefined
  /** Whether somebody took all that was here, and asked the source for more. */
  isAwaited = false
  private sink: Sink | undefined
  private waiting: Array<Uint8Array> = []
  private ended = false
  private cancelled = false
  private trailers: Headers | undefined
  private failure: FlowFailure | undefined

  constructor(length: number | undefined) {
    this.length = length
  }

  write(chunk: Uint8Array): boolean {
    if (this.sink !== undefined && this.waiting.length === 0) return this.sink.write(chunk)
    this.waiting.push(chunk)
    return false
  }

  end(trailers: Headers | undefined): void {
    if (this.sink !== undefined && this.waiting.length === 0) return this.sink.end(trailers)
    this.ended = true
    this.trailers = trailers
  }

  fail(failure: FlowFailure): void {
    if (this.sink !== undefined && this.waiting.length === 0) return this.sink.fail(failure)
    this.failure = failure
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.flush()
    return this
  }

  resume(): void {
    this.flush()
  }

  cancel(): void {
    if (this.cancelled) return
    this.cancelled = true
    this.waiting = []
    this.source?.cancel()
  }

  private flush(): void {
    const sink = this.sink
    if (sink === undefined || this.cancelled) return
    while (this.waiting.length > 0) {
      const chunk = this.waiting.shift() as Uint8Array
      if (!sink.write(chunk)) return
    }
    if (this.failure !== undefined) {
      const failure = this.failure
      this.failure = undefined
      sink.fail(failure)
    } else if (this.ended) {
      this.ended = false
      sink.end(this.trailers)
    } else if (this.source !== undefined) {
      this.isAwaited = true
      this.source.resume()
    }
  }
}

/** Shows every chunk to an observer on its way; the flow itself is unchanged. */
export const tap = (
  flow: Flow,
  observer: { readonly chunk: (chunk: Uint8Array) => void; readonly end?: () => void },
): Flow => ({
  _tag: "Flow",
  length: flow.length,
  open: (sink) =>
    flow.open({
      write(chunk) {
        observer.chunk(chunk)
        return sink.write(chunk)
      },
      end(trailers) {
        observer.end?.()
        sink.end(trailers)
      },
      fail: (failure) => sink.fail(failure),
    }),
})
