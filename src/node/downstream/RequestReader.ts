/** Requests of one connection over HTTP/1. */
import { type RelayedRequest, relayRequest } from "../../../protocols/http/hopByHop.ts"
import { parseRequestHead, type RequestHead, wrongFromTheStart } from "../../../protocols/http/requestHead.ts"
import { MessageReader } from "../http1/MessageReader.ts"

/** Who is told. */
export interface RequestEvents {
  /** `body` is set where all of it came together with the head. After a request that ends the reading nothing follows. */
  request(head: RequestHead, fields: RelayedRequest, body: Uint8Array | undefined): void
  data(chunk: Uint8Array): void
  end(trailers: Array<string> | undefined): void
  malformed(status: number, message: string): void
}

export class RequestReader extends MessageReader {
  private readonly events: RequestEvents
  private readonly headersMax: number

  constructor(events: RequestEvents, headBytesMax: number, headersMax: number) {
    super(headBytesMax)
    this.events = events
    this.headersMax = headersMax
    this.expectHead()
  }

  /** Reads to the end of the chunk or of the request; where it stopped, or -1 where nothing that follows can be read. */
  read(chunk: Buffer, at: number): number {
    const next = this.advance(chunk, at)
    if (this.ended) this.expectHead()
    return next
  }

  protected wrongSoFar(text: string) {
    return wrongFromTheStart(text)
  }

  protected head(text: string, chunk: Buffer, at: number): number {
    const head = parseRequestHead(text)
    if ("status" in head) return this.refuse(head.message, head.status)
    const { flat, method, version } = head
    if (flat.length > this.headersMax * 2) return this.refuse("too many fields", 431)
    const fields = relayRequest(flat, version)
    const { chunked, contentLength = 0, malformed, upgrade } = fields
    const hasBody = chunked || contentLength > 0
    if (malformed === undefined && method === "CONNECT" && hasBody) return this.refuse("CONNECT with a body")
    // Where a malformed request ends is anybody's guess, and what follows one for another protocol may belong to that.
    if (malformed !== undefined || method === "CONNECT" || (upgrade !== undefined && !hasBody)) {
      this.stop()
      this.events.request(head, fields, undefined)
      return at
    }
    if (!chunked && hasBody && contentLength <= chunk.byteLength - at) {
      this.begin("none")
      this.events.request(head, fields, chunk.subarray(at, at + contentLength))
      return at + contentLength
    }
    this.begin(chunked ? "chunks" : contentLength)
    this.events.request(head, fields, undefined)
    return at
  }

  protected data(chunk: Buffer): void {
    this.events.data(chunk)
  }

  protected end(trailers: Array<string> | undefined): void {
    this.events.end(trailers)
  }

  protected malformed(status: number, message: string): void {
    if (status === 431) this.events.malformed(status, "request header fields too large")
    else this.events.malformed(status, status === 413 ? `request body too large: ${message}` : message)
  }
}
