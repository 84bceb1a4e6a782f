/**
 * A flow as undici takes a request body. It is the part of a Node stream that undici uses and no more, because the
 * stream of the client must survive what undici does to a body: it destroys it when the reply comes early.
 */
import { EventEmitter } from "node:events"
import type { Headers } from "../../../protocols/http/headers.ts"
import type { Flow, FlowFailure, Sink, Source } from "../../../stages/Body.ts"

/** Tells undici not to wait for an end before it destroys. */
const readableState = { autoDestroy: true }

export class RequestBody extends EventEmitter implements Sink {
  readonly _readableState = readableState
  private readonly flow: Flow
  private source: Source | undefined
  private opened = false
  private held = false
  private over = false
  destroyed = false
  /** Why the client's side broke off. */
  failure: FlowFailure | undefined

  constructor(flow: Flow) {
    super()
    this.flow = flow
  }

  /** Whether the flow was touched; until then another connection may carry it. */
  get started(): boolean {
    return this.opened
  }

  /** Undici asks for this to know a stream; nothing calls it. */
  pipe(): never {
    throw new Error("a request body is not piped")
  }

  pause(): void {
    this.held = true
  }

  resume(): void {
    this.held = false
    if (this.over) return
    if (this.opened) return this.source?.resume()
    this.opened = true
    this.source = this.flow.open(this)
    if (this.destroyed) this.source.cancel()
  }

  write(chunk: Uint8Array): boolean {
    if (this.over) return true
    this.emit("data", chunk)
    return !this.held
  }

  /** Trailers end here: undici does not send them over HTTP/1.1. */
  end(_trailers: Headers | undefined): void {
    if (this.over) return
    this.over = true
    this.emit("end")
  }

  fail(failure: FlowFailure): void {
    if (this.over) return
    this.over = true
    this.failure = failure
    this.emit("error", new Error(failure.message))
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    const ended = this.over
    this.over = true
    // What undici never began to send stays whole, for another connection.
    if (this.opened && !ended) this.source?.cancel()
    this.emit("close")
  }
}
