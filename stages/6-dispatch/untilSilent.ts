/** Replies that have begun and fall silent: they are given up, and with them what they hold. */
import * as Effect from "effect/Effect"
import type { Headers } from "../../protocols/http/headers.ts"
import { type Flow, type FlowFailure, flowFailure, type Sink, type Source } from "../Body.ts"
import type { Reply } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import { Silence } from "./Silence.ts"
import type { Attempting } from "./Target.ts"

class UntilSilent implements Flow, Sink, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly flow: Flow
  private readonly silence: Silence
  private sink: Sink | undefined
  private source: Source | undefined
  private isOver = false

  constructor(flow: Flow, millis: number, clock: Clock) {
    this.flow = flow
    this.length = flow.length
    this.silence = new Silence(clock, millis, () => {
      this.fail(flowFailure("stalled", `the upstream sent nothing for ${millis} ms`))
      this.source?.cancel()
    })
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.silence.begin()
    this.source = this.flow.open(this)
    return this
  }

  write(chunk: Uint8Array): boolean {
    if (this.isOver) return true
    const takesMore = this.sink?.write(chunk) ?? true
    this.silence.heard(takesMore)
    return takesMore
  }

  end(trailers: Headers | undefined): void {
    if (this.isOver) return
    this.close()
    this.sink?.end(trailers)
  }

  fail(failure: FlowFailure): void {
    if (this.isOver) return
    this.close()
    this.sink?.fail(failure)
  }

  resume(): void {
    if (this.isOver) return
    this.silence.heard(true)
    this.source?.resume()
  }

  cancel(): void {
    if (this.isOver) return
    this.close()
    this.source?.cancel()
  }

  private close(): void {
    this.isOver = true
    this.silence.end()
  }
}

/** What is behind a switch of protocols may be silent as long as both sides like. */
export const untilSilent = (attempting: Attempting, millis: number | undefined, clock: Clock): Attempting => {
  if (millis === undefined) return attempting
  const bound = (reply: Reply): Reply => {
    if (reply.body._tag === "Flow" && reply.tunnel === undefined)
      reply.body = new UntilSilent(reply.body, millis, clock)
    return reply
  }
  return (attempt) => Effect.map(attempting(attempt), bound)
}
