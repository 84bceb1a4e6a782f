import type { ServerHttp2Stream } from "node:http2"
import { relayTrailers } from "../../../protocols/http/hopByHop.ts"
import { onceEnded } from "../ended.ts"
import { type Flow, flowFailure, type FlowFailure, type Sink, type Source } from "../../../stages/Body.ts"

/** What a client sends on a stream of HTTP/2, as a flow. It never destroys the stream: that is for whoever owns the connection. */
export class StreamFlow implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly stream: ServerHttp2Stream
  private readonly onOpen: (() => void) | undefined
  private sink: Sink | undefined
  /** Bytes so far. */
  received = 0
  /** Names and values, when they have come. */
  private trailers: ReadonlyArray<string> = []
  private held = false
  private over = false
  private failure: FlowFailure | undefined

  constructor(stream: ServerHttp2Stream, length: number | undefined, onOpen?: () => void) {
    this.stream = stream
    this.length = length
    this.onOpen = onOpen
    // They may come before anybody reads.
    stream.once("trailers", (_headers: unknown, _flags: unknown, raw: ReadonlyArray<string> = []) => {
      this.trailers = raw
    })
  }

  /** Whether somebody reads it and waits for the sender. */
  get waiting(): boolean {
    return this.sink !== undefined && !this.over && !this.held
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
    const { stream } = this
    stream.on("data", (chunk: Uint8Array) => {
      this.received += chunk.byteLength
      if (this.over || sink.write(chunk) || this.over) return
      this.held = true
      stream.pause()
    })
    onceEnded(stream, () => {
      if (this.over) return
      this.over = true
      sink.end(this.trailers.length > 0 ? relayTrailers(this.trailers) : undefined)
    })
    stream.once("error", (error: Error) => this.broken(error.message))
    stream.once("close", () => this.broken("the sender went away"))
    if (stream.destroyed) queueMicrotask(() => this.broken("the sender went away"))
    return this
  }

  resume(): void {
    if (this.over || !this.held) return
    this.held = false
    this.stream.resume()
  }

  /** Reads no further; whoever owns the connection decides what becomes of the rest. */
  cancel(): void {
    this.over = true
    this.stream.pause()
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
