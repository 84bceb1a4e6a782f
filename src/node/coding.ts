/** Content codings, undone as the bytes pass (RFC 9110 §8.4). The libraries of Node do it off the event loop. */
import type { Transform } from "node:stream"
import type { Headers } from "../../protocols/http/headers.ts"
import { type Flow, type FlowFailure, flowFailure, type Sink, type Source } from "../../stages/Body.ts"
import type { Coding } from "../../stages/ports/Coding.ts"
import { zlib } from "./onDemand.ts"

/** Nobody codes a body more often for a good reason. */
const CODINGS_MAX = 2

/** By the first byte of what is coded. */
type Decoder = (first: number) => Transform

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: () => zlib().createGunzip(),
  "x-gzip": () => zlib().createGunzip(),
  // Some send the bare stream under this name; its beginning is not that of the one with a head.
  deflate: (first) => ((first & 0x0f) === 8 ? zlib().createInflate() : zlib().createInflateRaw()),
  br: () => zlib().createBrotliDecompress(),
  zstd: () => zlib().createZstdDecompress(),
}

class DecodedFlow implements Flow, Sink, Source {
  readonly _tag = "Flow"
  readonly length = undefined
  private readonly flow: Flow
  private readonly make: Decoder
  private decoder: Transform | undefined
  private sink: Sink | undefined
  private source: Source | undefined
  private trailers: Headers | undefined
  private isOver = false

  constructor(flow: Flow, make: Decoder) {
    this.flow = flow
    this.make = make
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.source = this.flow.open(this)
    if (this.isOver) this.source.cancel()
    return this
  }

  private begin(first: number): Transform {
    const decoder = this.make(first)
    this.decoder = decoder
    decoder.on("data", (chunk: Uint8Array) => {
      if (!this.isOver && this.sink?.write(chunk) === false) decoder.pause()
    })
    decoder.on("drain", () => this.source?.resume())
    decoder.once("end", () => this.complete())
    decoder.once("error", (error: Error) => {
      this.stop(flowFailure("malformed", `the body is not coded as its head says: ${error.message}`))
      this.source?.cancel()
    })
    return decoder
  }

  private complete(): void {
    if (this.isOver) return
    this.isOver = true
    this.sink?.end(this.trailers)
  }

  private stop(failure: FlowFailure): void {
    if (this.isOver) return
    this.isOver = true
    this.decoder?.destroy()
    this.sink?.fail(failure)
  }

  write(chunk: Uint8Array): boolean {
    if (this.isOver || chunk.byteLength === 0) return true
    return (this.decoder ?? this.begin(chunk[0] as number)).write(chunk)
  }

  end(trailers: Headers | undefined): void {
    if (this.isOver) return
    this.trailers = trailers
    if (this.decoder === undefined) this.complete()
    else this.decoder.end()
  }

  fail(failure: FlowFailure): void {
    this.stop(failure)
  }

  resume(): void {
    if (!this.isOver) this.decoder?.resume()
  }

  cancel(): void {
    if (this.isOver) return
    this.isOver = true
    this.decoder?.destroy()
    this.source?.cancel()
  }
}

export const coding: Coding = {
  decoded: (encoding, flow) => {
    const names = encoding
      .toLowerCase()
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "" && name !== "identity")
    if (names.length > CODINGS_MAX || names.some((name) => !Object.hasOwn(decoders, name))) return undefined
    // The last that was done is the first to be undone.
    return names.reduceRight<Flow>((coded, name) => new DecodedFlow(coded, decoders[name] as Decoder), flow)
  },
}
