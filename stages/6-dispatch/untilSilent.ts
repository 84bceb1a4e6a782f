/** Replies that have begun and fall silent: they are given up, and with them what they hold. */
import type { Headers } from "../../protocols/http/headers.ts"
import { type Flow, type FlowFailure, flowFailure, type Sink, type Source } from "../Body.ts"
import type { Reply, Request } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import { Silence } from "./Silence.ts"

class UntilSilent implements Flow, Sink, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  private readonly flow: Flow
  private readonly silence: Silence
  private readonly sending: Sending | undefined
  private sink: Sink | undefined
  private source: Source | undefined
  private isOver = false

  constructor(flow: Flow, millis: number, clock: Clock, sending: Sending | undefined) {
    this.flow = flow
    this.length = flow.length
    this.sending = sending
    const tooLong = (): void => {
      this.fail(flowFailure("stalled", `the upstream sent nothing for ${millis} ms`))
      this.source?.cancel()
    }
    this.silence = new Silence(clock, millis, tooLong, () => sending?.waitsForClient === true)
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.silence.begin()
    if (this.sending !== undefined) this.sending.silence = this.silence
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

/** The body of a request whose reply is waited for: as long as its client has not sent all of it, the upstream may well wait. */
export class Sending implements Flow, Sink, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  /** Of the reply, once that has begun. */
  silence: Silence | undefined
  private readonly flow: Flow
  private sink: Sink | undefined
  private source: Source | undefined
  private isOver = false
  private isHeld = false

  constructor(flow: Flow) {
    // Every attempt has its own, around the one body.
    this.flow = flow instanceof Sending ? flow.flow : flow
    this.length = flow.length
  }

  get waitsForClient(): boolean {
    return !this.isOver && !this.isHeld
  }

  open(sink: Sink): Source {
    this.sink = sink
    this.source = this.flow.open(this)
    return this
  }

  write(chunk: Uint8Array): boolean {
    const takesMore = this.sink?.write(chunk) ?? true
    this.isHeld = !takesMore
    this.silence?.stirred()
    return takesMore
  }

  end(trailers: Headers | undefined): void {
    this.close()
    this.sink?.end(trailers)
  }

  fail(failure: FlowFailure): void {
    this.close()
    this.sink?.fail(failure)
  }

  resume(): void {
    this.isHeld = false
    this.silence?.stirred()
    this.source?.resume()
  }

  cancel(): void {
    this.close()
    this.source?.cancel()
  }

  private close(): void {
    this.isOver = true
    this.silence?.stirred()
  }
}

/** Undefined: all of the request is there. */
export const sendingOf = (request: Request): Sending | undefined => {
  if (request.body._tag !== "Flow") return undefined
  const sending = new Sending(request.body)
  request.body = sending
  return sending
}

/** What is behind a switch of protocols may be silent as long as both sides like. */
export const untilSilent = (reply: Reply, millis: number, clock: Clock, sending: Sending | undefined): Reply => {
  if (reply.body._tag === "Flow" && reply.tunnel === undefined) {
    reply.body = new UntilSilent(reply.body, millis, clock, sending)
  }
  return reply
}
