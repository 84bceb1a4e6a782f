/** Request bodies as flows. */
import type { Readable } from "node:stream"
import { relayTrailers } from "../../protocols/http/hopByHop.ts"
import { onceEnded } from "./ended.ts"
import { type Flow, flowFailure, type FlowFailure, type Sink, type Source } from "../../stages/Body.ts"

/** A stream of a connection as a flow. It never destroys the stream: that is for whoever owns the connection. */
export class ReadableFlow implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly readable: Readable
  private readonly onOpen: (() => void) | undefined
  private sink: Sink | undefined
  /** Bytes so far. */
  received = 0
  /** Names and values, when they have come. */
  trailers: ReadonlyArray<string> = []
  private held = false
  private over = false
  private failure: FlowFailure | undefined

  constructor(readable: Readable, length: number | undefined, onOpen?: () => void) {
    this.readable = readable
    this.length = length
    this.onOpen = onOpen
  }

  /** Whether somebody reads it and waits for the sender. */
  get waiting(): boolean {
    return this.sink !== undefined && !this.over && !this.held
  }

  /** Whether it ended before its end, and the rest is worth nothing. */
  get failed(): boolean {
    return this.failure !== undefined
  }

  open(sink: Sink): Source {
    this.sink = sink
    if (this.failure !== undefined) {
      const failure = this.failure
      this.over = true
      queueMicrotask(() => sink.fail(failure))
      return this
    }
    this.onOpen?.()
    const { readable } = this
    readable.on("data", (chunk: Uint8Array) => {
      this.received += chunk.byteLength
      if (this.over || sink.write(chunk) || this.over) return
      this.held = true
      readable.pause()
    })
    onceEnded(readable, () => {
      if (this.over) return
      this.over = true
      sink.end(this.trailers.length > 0 ? relayTrailers(this.trailers) : undefined)
    })
    readable.once("error", (error: Error) => this.broken(error.message))
    readable.once("close", () => this.broken("the sender went away"))
    if (readable.destroyed) queueMicrotask(() => this.broken("the sender went away"))
    return this
  }

  resume(): void {
    if (this.over || !this.held) return
    this.held = false
    this.readable.resume()
  }

  /** Reads no further; whoever owns the connection decides what becomes of the rest. */
  cancel(): void {
    this.over = true
    this.readable.pause()
  }

  /** Ends it from the side of the sender, before its end. */
  abandon(failure: FlowFailure): void {
    if (this.over) return
    this.failure = failure
    if (this.sink === undefined) return
    this.over = true
    this.sink.fail(failure)
  }

  private broken(message: string): void {
    if (!this.over) this.abandon(flowFailure("gone", message))
  }
}
