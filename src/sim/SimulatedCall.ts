/** One call to a simulated server, from looking up its name to the last byte of its reply. */
import * as Effect from "effect/Effect"
import { Headers } from "../../protocols/http/headers.ts"
import { type Body, empty, type Flow, flowFailure, lengthOf, type Sink, type Source } from "../../stages/Body.ts"
import type { Reply, Request } from "../../stages/Exchange.ts"
import type { EndpointSpec, SendOptions, UpstreamFailure } from "../../stages/ports/Upstream.ts"
import { payload, Verifier } from "./payload.ts"
import type { Recorder } from "./Recorder.ts"
import type { Scheduler } from "./Scheduler.ts"
import { type CallEnd, callIdHeader, type CallRecord, planHeader, requestIdHeader } from "./Trace.ts"
import type { Answer } from "./World.ts"

/** A server as a call meets it. */
export interface Met {
  readonly latencyMillis: number
  readonly isDown: boolean
  readonly answer: Answer
}

export interface CallPorts {
  readonly scheduler: Scheduler
  readonly recorder: Recorder
  /** Undefined: nobody has that name. */
  readonly meet: () => Met | undefined
  readonly ended: (call: SimulatedCall) => void
}

/** How much of a reply a server sends ahead of its reader. */
const serverWindowBytes = 8192

const nameOf = (failure: UpstreamFailure): CallEnd => `failed ${failure._tag}`

export class SimulatedCall implements Flow, Source {
  readonly _tag = "Flow"
  length: number | undefined
  readonly record: CallRecord
  private readonly ports: CallPorts
  private readonly spec: EndpointSpec
  private readonly request: Request
  private readonly options: SendOptions
  private readonly settle: (effect: Effect.Effect<Reply, UpstreamFailure>) => void
  private readonly cancels: Array<() => void> = []
  private cancelReplyTimeout: (() => void) | undefined
  private met: Met | undefined
  private sent = false
  private headGiven = false
  private over = false
  // the request's body on its way to the server
  private upload: Source | undefined
  private uploadOver = false
  private uploadHeld = false
  private cancelUnread: (() => void) | undefined
  // the reply's body on its way back
  private sink: Sink | undefined
  private held = false
  private readonly queue: Array<Uint8Array> = []
  private queuedBytes = 0
  private producing = false
  private produced = 0
  private complete = false
  private broken: string | undefined

  constructor(
    ports: CallPorts,
    spec: EndpointSpec,
    request: Request,
    options: SendOptions,
    record: CallRecord,
    settle: (effect: Effect.Effect<Reply, UpstreamFailure>) => void,
  ) {
    this.ports = ports
    this.spec = spec
    this.request = request
    this.options = options
    this.record = record
    this.settle = settle
  }

  /** The time that it may take begins here, whether or not there is a connection for it yet. */
  begin(): void {
    const { replyTimeoutMillis } = this.options
    if (replyTimeoutMillis !== undefined) {
      this.cancelReplyTimeout = this.ports.scheduler.after(replyTimeoutMillis, () =>
        this.fail({ _tag: "ReplyTimeout", message: `no reply within ${replyTimeoutMillis} ms` }),
      )
    }
  }

  start(): void {
    if (this.over) return
    const met = this.ports.meet()
    if (met === undefined) return this.later(1, () => this.fail({ _tag: "ResolutionFailed", message: "no such name" }))
    this.met = met
    const { answer, isDown, latencyMillis } = met
    const fault = answer.fault?._tag
    if (fault === "NoSuchName") {
      return this.later(1, () => this.fail({ _tag: "ResolutionFailed", message: "no such name" }))
    }
    if (isDown || fault === "Refused") {
      return this.later(latencyMillis, () => this.fail({ _tag: "ConnectFailed", message: "connection refused" }))
    }
    if (fault === "Unreachable") {
      return this.later(this.spec.connectTimeoutMillis, () =>
        this.fail({ _tag: "ConnectTimeout", message: "connecting took too long" }),
      )
    }
    this.later(latencyMillis, () => this.transmit(answer))
  }

  private later(millis: number, task: () => void): void {
    this.cancels.push(
      this.ports.scheduler.after(millis, () => {
        if (!this.over) task()
      }),
    )
  }

  // — the request —

  private transmit(answer: Answer): void {
    this.sent = true
    const { body } = this.request
    const isDeaf = answer.fault?._tag === "Deaf"
    if (isDeaf) this.later(answer.delayMillis, () => this.reply(answer))
    this.read(body, isDeaf, () => {
      this.record.requestComplete = true
      if (isDeaf) return
      if (answer.fault?._tag === "ResetBeforeHead") return this.later(answer.delayMillis, () => this.reset())
      if (answer.fault?._tag === "StallBeforeHead") return
      this.later(answer.delayMillis, () => this.reply(answer))
    })
  }

  private read(body: Body, isDeaf: boolean, done: () => void): void {
    const { record } = this
    const verifier = new Verifier(record.request ?? "")
    const take = (chunk: Uint8Array) => {
      verifier.take(chunk)
      record.receivedBytes = verifier.bytes
      record.receivedIntact = verifier.intact
    }
    if (body._tag !== "Flow") {
      this.uploadOver = true
      if (body._tag === "Bytes") take(body.bytes)
      return done()
    }
    const declared = body.length
    const source = body.open({
      write: (chunk) => {
        if (this.uploadOver) return true
        take(chunk)
        if (isDeaf) this.holdUpload()
        this.listen()
        return !isDeaf
      },
      end: () => {
        if (this.uploadOver) return
        this.uploadOver = true
        this.listen()
        if (declared !== undefined && verifier.bytes !== declared) {
          this.ports.recorder.breach(`call ${record.id} sent ${verifier.bytes} of the ${declared} bytes it declared`)
        }
        done()
      },
      fail: (failure) => {
        if (this.uploadOver) return
        this.uploadOver = true
        if (!this.headGiven)
          this.fail({
            _tag: "RequestAborted",
            message: failure.message,
            reason: failure.reason,
          })
        else this.breakReply("the request broke off")
      },
    })
    if (this.uploadOver) return
    if (this.over) source.cancel()
    else this.upload = source
  }

  /** More of the request is there than the server takes. */
  private holdUpload(): void {
    const { idleMillis } = this.options
    if (this.uploadHeld) return
    this.uploadHeld = true
    this.record.unreadSince = this.ports.recorder.now()
    if (idleMillis === undefined || this.headGiven) return
    this.cancelUnread = this.ports.scheduler.after(idleMillis, () =>
      this.fail({ _tag: "RequestUnread", message: `nothing of the request was taken for ${idleMillis} ms` }),
    )
  }

  private endUpload(): void {
    if (this.uploadOver) return
    this.uploadOver = true
    this.upload?.cancel()
  }

  // — the reply —

  private reply(answer: Answer): void {
    const { options, record, request } = this
    if (answer.fault?._tag === "Malformed") return this.fail({ _tag: "MalformedReply", message: "not HTTP" })
    this.cancelReplyTimeout?.()
    this.cancelUnread?.()
    this.headGiven = true
    record.head = this.ports.recorder.now()
    record.status = answer.status
    const hasBody = request.method !== "HEAD" && answer.status !== 204 && answer.status !== 304
    const chunks = hasBody ? answer.chunks : []
    record.replyBytes = chunks.reduce((sum, bytes) => sum + bytes, 0)
    options.inform?.(103, ["link", "</style.css>; rel=preload"])
    const headers = new Headers(["content-type", "application/octet-stream", callIdHeader, record.id])
    if (record.plan !== undefined) headers.append(planHeader, record.plan)
    if (answer.declared && hasBody) {
      this.length = record.replyBytes
      headers.append("content-length", String(record.replyBytes))
    }
    if (hasBody) this.produce(answer, chunks)
    else this.finish("complete")
    this.settle(
      Effect.succeed({
        status: answer.status,
        headers,
        body: hasBody ? this : empty,
        origin: "upstream",
      } satisfies Reply),
    )
  }

  /** Sends the next piece when its time has come and there is room for it. */
  private produce(answer: Answer, chunks: ReadonlyArray<number>): void {
    if (this.producing || this.complete || this.over) return
    this.producing = true
    this.later(this.produced === 0 ? 0 : answer.gapMillis, () => {
      this.producing = false
      const { fault } = answer
      if (fault?._tag === "ResetAfter" && this.produced >= fault.chunks) return this.breakReply("connection reset")
      if (fault?._tag === "StallAfter" && this.produced >= fault.chunks) return
      const bytes = chunks[this.produced]
      if (bytes === undefined) {
        this.complete = true
        return this.pump()
      }
      this.produced++
      this.queue.push(payload(this.record.id, this.record.sentBytes, bytes))
      this.record.sentBytes += bytes
      this.queuedBytes += bytes
      this.pump()
      if (this.queuedBytes < serverWindowBytes) this.produce(answer, chunks)
    })
  }

  open(sink: Sink): Source {
    if (this.sink !== undefined) this.ports.recorder.breach(`the reply of call ${this.record.id} was opened twice`)
    this.sink = sink
    this.listen()
    this.pump()
    return this
  }

  resume(): void {
    this.held = false
    this.listen()
    this.pump()
  }

  /** From now on it is the server's turn to speak, or it is somebody else's. */
  private listen(): void {
    const { record } = this
    if (this.sink === undefined) return
    const now = this.ports.recorder.now()
    if (record.quietSince !== undefined) {
      record.quietMillis = Math.max(record.quietMillis, now.atMillis - record.quietSince.atMillis)
    }
    record.quietSince = this.held || (!this.uploadOver && !this.uploadHeld) ? undefined : now
  }

  cancel(): void {
    this.finish("aborted")
  }

  private pump(): void {
    const { sink } = this
    if (sink === undefined || this.over) return
    while (!this.held) {
      const chunk = this.queue.shift()
      if (chunk === undefined) break
      this.queuedBytes -= chunk.byteLength
      if (!sink.write(chunk)) this.held = true
      if (this.isOver()) return
      this.listen()
    }
    if (this.held) return
    if (this.broken !== undefined) {
      this.finish("failed Reset")
      sink.fail(flowFailure("gone", this.broken))
    } else if (this.complete) {
      this.finish("complete")
      sink.end(undefined)
    } else if (this.met !== undefined) this.produce(this.met.answer, this.met.answer.chunks)
  }

  private isOver(): boolean {
    return this.over
  }

  // — the end —

  /** The connection breaks, whatever it was doing. */
  reset(): void {
    if (this.over) return
    if (this.headGiven) this.breakReply("connection reset")
    else this.fail({ _tag: "Reset", message: "connection reset", sent: this.sent })
  }

  private breakReply(message: string): void {
    if (this.over || this.complete || this.broken !== undefined) return
    this.broken = message
    this.queue.length = 0
    this.held = false
    this.pump()
  }

  private fail(failure: UpstreamFailure): void {
    if (this.over) return
    this.finish(nameOf(failure))
    this.settle(Effect.fail(failure))
  }

  /** Nobody wants the reply any more. */
  abort(): void {
    if (!this.headGiven) this.finish("aborted")
  }

  private finish(end: CallEnd): void {
    if (this.over) return
    this.listen()
    this.over = true
    this.record.end = end
    this.record.ended = this.ports.recorder.now()
    this.cancelReplyTimeout?.()
    this.cancelUnread?.()
    for (const cancel of this.cancels) cancel()
    this.endUpload()
    this.ports.ended(this)
  }
}

/** The record of a call at its beginning. */
export const recordOf = (
  recorder: Recorder,
  server: string,
  request: Request,
  options: SendOptions,
  afterClose: boolean,
): CallRecord => {
  const record: CallRecord = {
    id: `c${recorder.calls.length}`,
    request: request.headers.get(requestIdHeader),
    server,
    method: request.method,
    plan: request.headers.get(planHeader),
    started: recorder.now(),
    replyTimeoutMillis: options.replyTimeoutMillis,
    afterClose,
    receivedBytes: 0,
    receivedIntact: true,
    requestComplete: lengthOf(request.body) === 0,
    head: undefined,
    status: undefined,
    unreadSince: undefined,
    quietSince: undefined,
    quietMillis: 0,
    sentBytes: 0,
    replyBytes: 0,
    end: undefined,
    ended: undefined,
  }
  recorder.calls.push(record)
  return record
}
