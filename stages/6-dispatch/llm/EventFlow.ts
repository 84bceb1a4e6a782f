/** A stream of events that is read, and perhaps rewritten, on its way; it ends well-formed however the upstream ends. */
import type { LlmError } from "../../../protocols/llm/LlmError.ts"
import type { Flow, FlowFailure, Sink, Source } from "../../Body.ts"

export interface EventWork {
  /** What goes to the client for these bytes. */
  readonly feed: (chunk: Uint8Array) => ReadonlyArray<Uint8Array>
  readonly end: () => ReadonlyArray<Uint8Array>
  readonly fail: (error: LlmError) => ReadonlyArray<Uint8Array>
  /** Nothing more comes; told once, whichever way it ended. */
  readonly over: (how: "ended" | "failed" | "left") => void
}

/** What a client is told of a provider that broke off. */
export const brokenOff = ({ message, reason }: FlowFailure): LlmError => ({
  ...(reason === "stalled" ? { kind: "timeout", status: 504 } : { kind: "unavailable", status: 502 }),
  message: `the provider broke off its reply: ${message}`,
})

export class EventFlow implements Flow, Sink, Source {
  readonly _tag = "Flow"
  readonly length = undefined
  private readonly flow: Flow
  private readonly work: EventWork
  private readonly broke: (failure: FlowFailure) => void
  private sink: Sink | undefined
  private source: Source | undefined
  private isOver = false

  /** `broke` is told why, since the client only reads of it in the words of its protocol. */
  constructor(flow: Flow, work: EventWork, broke: (failure: FlowFailure) => void) {
    this.flow = flow
    this.work = work
    this.broke = broke
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.source = this.flow.open(this)
    if (this.isOver) this.source.cancel()
    return this
  }

  write(chunk: Uint8Array): boolean {
    const { sink } = this
    if (this.isOver || sink === undefined) return true
    let takesMore = true
    for (const bytes of this.work.feed(chunk)) if (!sink.write(bytes)) takesMore = false
    return takesMore
  }

  end(): void {
    if (!this.isOver) this.finish("ended", this.work.end())
  }

  fail(failure: FlowFailure): void {
    if (this.isOver) return
    this.broke(failure)
    this.finish("failed", this.work.fail(brokenOff(failure)))
  }

  private finish(how: "ended" | "failed", last: ReadonlyArray<Uint8Array>): void {
    const { sink } = this
    this.close(how)
    for (const bytes of last) if (bytes.byteLength > 0) sink?.write(bytes)
    sink?.end(undefined)
  }

  private close(how: "ended" | "failed" | "left"): void {
    this.isOver = true
    this.work.over(how)
  }

  resume(): void {
    if (this.isOver) return
    this.source?.resume()
  }

  cancel(): void {
    if (this.isOver) return
    this.close("left")
    this.source?.cancel()
  }
}

/** A body that is passed on as it is and read once it is whole. */
export class ReadFlow implements Flow {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly flow: Flow
  private readonly bytesMax: number
  private over: ((chunks: ReadonlyArray<Uint8Array> | undefined) => void) | undefined

  /** Told once: all of it, or nothing where it broke off or was too long. */
  constructor(flow: Flow, bytesMax: number, over: (chunks: ReadonlyArray<Uint8Array> | undefined) => void) {
    this.flow = flow
    this.length = flow.length
    this.bytesMax = bytesMax
    this.over = over
  }

  private tell(chunks: ReadonlyArray<Uint8Array> | undefined): void {
    const { over } = this
    this.over = undefined
    over?.(chunks)
  }

  open(sink: Sink): Source {
    let chunks: Array<Uint8Array> | undefined = []
    let length = 0
    const source = this.flow.open({
      write: (chunk) => {
        length += chunk.byteLength
        if (length > this.bytesMax) chunks = undefined
        else chunks?.push(chunk)
        return sink.write(chunk)
      },
      end: (trailers) => {
        this.tell(chunks)
        sink.end(trailers)
      },
      fail: (failure) => {
        this.tell(undefined)
        sink.fail(failure)
      },
    })
    return {
      resume: () => source.resume(),
      cancel: () => {
        this.tell(undefined)
        source.cancel()
      },
    }
  }
}
