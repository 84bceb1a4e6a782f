/** The body of a request on its way to a socket, framed as HTTP/1.1 wants it. */
import type { Socket } from "node:net"
import type { Headers } from "../../../protocols/http/headers.ts"
import { type Flow, flowFailure, type FlowFailure, type Sink, type Source } from "../../../stages/Body.ts"
import { Gathered, writeBetween } from "../http1/pieces.ts"
import { trailerLines } from "./requestHead.ts"

/** A head and a body of known length, in one write. */
export const writeWhole = (socket: Socket, head: string, body: Uint8Array): void =>
  void writeBetween(socket, `${head}content-length: ${body.byteLength}\r\n\r\n`, body, "")

const flushHead = (body: RequestBody): void => body.flush()

export class RequestBody implements Sink {
  private readonly flow: Flow
  private readonly socket: Socket
  private readonly gathered: Gathered
  private readonly broke: (failure: FlowFailure) => void
  private readonly expected: boolean
  /** What is still to be written in front of the next bytes. */
  private head: string
  private source: Source | undefined
  private left: number
  private readonly chunked: boolean
  private begun = false
  /** Whether everything was written, or nothing more will be. */
  over = false

  /** `head` is complete but for what frames the body; `expected` is whether the method makes a body expected. */
  constructor(flow: Flow, socket: Socket, head: string, expected: boolean, broke: (failure: FlowFailure) => void) {
    this.flow = flow
    this.socket = socket
    this.gathered = new Gathered(socket)
    this.head = head
    this.expected = expected
    this.broke = broke
    this.chunked = flow.length === undefined
    this.left = flow.length ?? Infinity
  }

  open(): void {
    this.source = this.flow.open(this)
    // The server may want to answer before the first byte comes.
    if (this.over) this.source.cancel()
    else if (!this.begun) process.nextTick(flushHead, this)
  }

  flush(): void {
    if (this.over || this.begun || this.socket.destroyed) return
    this.gathered.end(this.start())
  }

  private start(): string {
    const { head } = this
    if (this.begun) return ""
    this.begun = true
    this.head = ""
    return this.chunked ? `${head}transfer-encoding: chunked\r\n\r\n` : `${head}content-length: ${this.left}\r\n\r\n`
  }

  write(chunk: Uint8Array): boolean {
    const { byteLength } = chunk
    if (this.over || byteLength === 0) return true
    const { chunked } = this
    if (byteLength > this.left) {
      this.fail(flowFailure("malformed", "request longer than its content-length"))
      return false
    }
    const before = chunked ? `${this.start()}${byteLength.toString(16)}\r\n` : this.start()
    const after = chunked ? "\r\n" : ""
    this.left -= byteLength
    return this.gathered.write(before, chunk, after)
  }

  end(trailers: Headers | undefined): void {
    if (this.over) return
    if (!this.chunked && this.left > 0) {
      return this.fail(flowFailure("malformed", "request shorter than its content-length"))
    }
    this.over = true
    const { gathered } = this
    const lines = trailers === undefined ? "" : trailerLines(trailers.flat)
    if (!this.begun && (!this.chunked || lines === "")) {
      this.begun = true
      gathered.end(this.head + (this.expected ? "content-length: 0\r\n\r\n" : "\r\n"))
    } else gathered.end(this.chunked ? `${this.start()}0\r\n${lines}\r\n` : "")
  }

  fail(failure: FlowFailure): void {
    if (this.over) return
    this.over = true
    this.gathered.drop()
    this.broke(failure)
  }

  drained(): void {
    if (!this.over) this.source?.resume()
  }

  /** The rest is of no use: the client is told so. */
  cancel(): void {
    if (this.over) return
    this.over = true
    this.gathered.drop()
    this.source?.cancel()
  }
}
