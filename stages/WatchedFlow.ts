/** A body that tells once when nothing more comes of it, whichever way it ends. */
import type { Headers } from "../protocols/http/headers.ts"
import type { Flow, Sink, Source } from "./Body.ts"

export class WatchedFlow implements Flow {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly flow: Flow
  private over: ((trailers: Headers | undefined, isBroken: boolean) => void) | undefined

  constructor(flow: Flow, over: (trailers: Headers | undefined, isBroken: boolean) => void) {
    this.length = flow.length
    this.flow = flow
    this.over = over
  }

  open(sink: Sink): Source {
    const source = this.flow.open({
      write: (chunk) => sink.write(chunk),
      end: (trailers) => {
        this.tell(trailers, false)
        sink.end(trailers)
      },
      fail: (failure) => {
        this.tell(undefined, true)
        sink.fail(failure)
      },
    })
    return {
      resume: () => source.resume(),
      cancel: () => {
        this.tell(undefined, false)
        source.cancel()
      },
    }
  }

  private tell(trailers: Headers | undefined, isBroken: boolean): void {
    const { over } = this
    this.over = undefined
    over?.(trailers, isBroken)
  }
}
