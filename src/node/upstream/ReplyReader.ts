/** Replies of one connection over HTTP/1. */
import { type Relayed, relayReply } from "../../../protocols/http/hopByHop.ts"
import { parseReplyHead } from "../../../protocols/http/replyHead.ts"
import { MessageReader } from "../http1/MessageReader.ts"

/** Upper bound for the head of a reply, and for the trailers behind its body. */
export const REPLY_HEAD_BYTES_MAX = 65_536

/** Who is told. Any of these may stop the reader. */
export interface ReplyEvents {
  /** An interim reply, other than a switch of protocols. */
  interim(status: number, head: Relayed, flat: Array<string>): void
  head(status: number, head: Relayed, flat: Array<string>): void
  data(chunk: Uint8Array): void
  /** `over` says that bytes follow which belong to no reply that was asked for. */
  end(trailers: Array<string> | undefined, over: boolean): void
  /** The connection belongs to another protocol from here on. */
  switched(status: number, head: Relayed, rest: Uint8Array): void
  malformed(message: string): void
}

const CR = 0x0d
const LF = 0x0a

const start = "HTTP/1."
const other = { status: 502, message: "not HTTP/1.1" }

export class ReplyReader extends MessageReader {
  private readonly events: ReplyEvents
  private method = ""

  constructor(events: ReplyEvents) {
    super(REPLY_HEAD_BYTES_MAX)
    this.events = events
  }

  /** A reply to such a request is next. */
  expect(method: string): void {
    this.method = method
    this.expectHead()
  }

  read(chunk: Buffer): void {
    if (this.ended) this.unasked(chunk)
    else this.advance(chunk, 0)
  }

  /** What was left of an earlier line end is no harm. */
  private unasked(chunk: Buffer): void {
    for (const byte of chunk) if (byte !== CR && byte !== LF) return void this.refuse("a reply that nobody asked for")
  }

  protected wrongSoFar(text: string) {
    return start.startsWith(text.slice(0, start.length)) ? undefined : other
  }

  protected head(text: string, chunk: Buffer, at: number): number {
    const parsed = parseReplyHead(text)
    if (typeof parsed === "string") return this.refuse(parsed)
    const { flat, status, version } = parsed
    const head = relayReply(flat, version)
    if (head.malformed !== undefined) return this.refuse(head.malformed)
    const { events, method } = this
    if (status === 101 || (method === "CONNECT" && status >= 200 && status < 300)) {
      this.stop()
      events.switched(status, head, chunk.subarray(at))
      return -1
    }
    if (status < 200) {
      events.interim(status, head, flat)
      return this.stopped ? -1 : at
    }
    const bodiless = method === "HEAD" || status === 204 || status === 304
    this.begin(bodiless ? "none" : head.chunked ? "chunks" : (head.contentLength ?? "untilClose"))
    events.head(status, head, flat)
    if (this.stopped) return -1
    if (this.ended) events.end(undefined, at < chunk.byteLength)
    return at
  }

  protected data(chunk: Buffer): void {
    this.events.data(chunk)
  }

  protected end(trailers: Array<string> | undefined, over: boolean): void {
    this.events.end(trailers, over)
  }

  protected malformed(_status: number, message: string): void {
    this.events.malformed(message)
  }
}
