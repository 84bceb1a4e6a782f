/** The body of a request over HTTP/2 on its way out. */
import type { ClientHttp2Stream } from "node:http2"
import type { Headers } from "../../../protocols/http/headers.ts"
import type { Flow, FlowFailure, Sink, Source } from "../../../stages/Body.ts"
import { fieldsOf } from "../fieldsOf.ts"

/** So much of a body may be with Node whose upstream is watched: what it has taken of one write, nobody can see. */
export const WATCHED_BYTES = 16_384
/** … and so much may wait behind it before its sender is held back. */
const WAITING_BYTES_MAX = 65_536

export class Upload implements Sink {
  protected readonly stream: ClientHttp2Stream
  protected source: Source | undefined
  private readonly failed: (failure: FlowFailure) => void
  private trailers: Headers | undefined
  protected over = false

  constructor(stream: ClientHttp2Stream, failed: (failure: FlowFailure) => void) {
    this.stream = stream
    this.failed = failed
  }

  begin(flow: Flow): void {
    this.stream.on("drain", () => this.drained())
    this.stream.on("wantTrailers", () => {
      // Until the end was seen this is the stream being torn down, and trailers would make it look whole.
      if (this.isWritten && !this.stream.closed) this.stream.sendTrailers(fieldsOf(this.trailers?.flat ?? []))
    })
    this.source = flow.open(this)
    if (this.over) this.source.cancel()
  }

  protected get isWritten(): boolean {
    return this.over
  }

  protected drained(): void {
    if (!this.over) this.source?.resume()
  }

  write(chunk: Uint8Array): boolean {
    const { stream } = this
    // A server may have reset it behind its whole reply, which an error of writing would take from its reader.
    if (this.over || stream.closed || stream.destroyed) return true
    return stream.write(chunk)
  }

  end(trailers: Headers | undefined): void {
    if (this.over) return
    this.over = true
    this.trailers = trailers
    this.finish()
  }

  protected finish(): void {
    this.stream.end()
  }

  fail(failure: FlowFailure): void {
    if (this.over) return
    this.over = true
    this.failed(failure)
  }

  stop(): void {
    if (this.over) return
    this.over = true
    this.source?.cancel()
  }
}

/** One of which it is known how much the upstream has taken. */
export class WatchedUpload extends Upload {
  private readonly waiting: Array<Uint8Array> = []
  private waitingBytes = 0
  private writtenBytes = 0
  private takenBytes = 0
  private isHeld = false
  private isWhole = false

  protected override get isWritten(): boolean {
    return this.isWhole && this.waiting.length === 0
  }

  protected override drained(): void {}

  /** Grows as the upstream takes what there is; undefined while there is nothing. */
  get taken(): number | undefined {
    return this.waitingBytes === 0 && this.writtenBytes === this.takenBytes ? undefined : this.takenBytes
  }

  override write(chunk: Uint8Array): boolean {
    if (this.over || this.stream.destroyed) return true
    for (let at = 0; at < chunk.byteLength; at += WATCHED_BYTES)
      this.waiting.push(chunk.subarray(at, at + WATCHED_BYTES))
    this.waitingBytes += chunk.byteLength
    this.goOn()
    this.isHeld = this.waitingBytes >= WAITING_BYTES_MAX
    return !this.isHeld
  }

  private goOn(): void {
    const { stream, waiting } = this
    let next = waiting[0]
    while (next !== undefined) {
      if (stream.destroyed || stream.closed || (this.over && !this.isWhole)) return
      const { byteLength } = next
      const under = this.writtenBytes - this.takenBytes
      if (under > 0 && under + byteLength > WATCHED_BYTES) return
      waiting.shift()
      this.waitingBytes -= byteLength
      this.writtenBytes += byteLength
      stream.write(next, () => this.took(byteLength))
      next = waiting[0]
    }
    if (this.isWhole && !stream.destroyed) stream.end()
  }

  private took(bytes: number): void {
    this.takenBytes += bytes
    this.goOn()
    if (this.over || !this.isHeld || this.waitingBytes >= WAITING_BYTES_MAX) return
    this.isHeld = false
    this.source?.resume()
  }

  protected override finish(): void {
    this.isWhole = true
    this.goOn()
  }
}
