/** Flows over Node streams, in both directions. */
import { Readable } from "node:stream"
import { Headers } from "../../protocols/http/headers.ts"
import { type Flow, flowFailure, type Sink, type Source } from "../../stages/Body.ts"

/** What a readable has in common with the messages of the HTTP parsers. */
export interface Message extends Readable {
  readonly rawTrailers?: ReadonlyArray<string>
  readonly complete?: boolean
}

const lowerCased = (flat: ReadonlyArray<string>): Headers => {
  const copy = flat.slice()
  for (let i = 0; i < copy.length; i += 2) copy[i] = (copy[i] as string).toLowerCase()
  return new Headers(copy)
}

/** A Node readable as a flow; a writer that takes Node streams may use the readable itself. */
export class ReadableFlow implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  readonly readable: Message
  private readonly onOpen: (() => void) | undefined
  private ended = false

  constructor(readable: Message, length: number | undefined, onOpen?: () => void) {
    this.readable = readable
    this.length = length
    this.onOpen = onOpen
  }

  /** The readable, for somebody who consumes it as such. */
  take(): Message {
    this.onOpen?.()
    return this.readable
  }

  open(sink: Sink): Source {
    const readable = this.take()
    readable.on("data", (chunk: Uint8Array) => {
      if (!sink.write(chunk)) readable.pause()
    })
    readable.once("end", () => {
      if (this.ended) return
      this.ended = true
      const trailers = readable.rawTrailers
      sink.end(trailers !== undefined && trailers.length > 0 ? lowerCased(trailers) : undefined)
    })
    const broken = (error?: Error): void => {
      if (this.ended) return
      this.ended = true
      sink.fail(flowFailure("gone", error?.message ?? "the sender went away"))
    }
    readable.once("error", broken)
    readable.once("close", () => broken())
    if (readable.destroyed) queueMicrotask(broken)
    return this
  }

  resume(): void {
    this.readable.resume()
  }

  cancel(): void {
    this.ended = true
    this.readable.resume()
  }
}

/** A flow as a Node readable, for consumers that take nothing else. */
export const toReadable = (flow: Flow): Readable => {
  if (flow instanceof ReadableFlow) return flow.take()
  let source: Source | undefined
  let trailers: Headers | undefined
  return new Readable({
    read() {
      if (source !== undefined) return source.resume()
      source = flow.open({
        write: (chunk) => this.push(chunk),
        end: (last) => {
          trailers = last
          Object.defineProperty(this, "rawTrailers", { value: trailers?.flat ?? [] })
          this.push(null)
        },
        fail: (failure) => {
          this.destroy(new Error(failure.message))
        },
      })
    },
    destroy(error, done) {
      source?.cancel()
      done(error)
    },
  })
}
