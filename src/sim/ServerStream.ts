/** One request on a simulated connection, on the gateway's side: its body coming in, its reply going out. */
import * as Effect from "effect/Effect"
import { relayRequest } from "../../protocols/http/hopByHop.ts"
import { type Body, discard, empty, type Flow, flowFailure, type FlowFailure } from "../../stages/Body.ts"
import type { Sink, Source } from "../../stages/Body.ts"
import type { Reply } from "../../stages/Exchange.ts"
import type { Delivered, HttpSettings, Incoming } from "../../stages/ports/Network.ts"
import type { Recorder } from "./Recorder.ts"
import type { Scheduler } from "./Scheduler.ts"
import { callIdHeader, planHeader, requestIdHeader, type RequestRecord } from "./Trace.ts"
import type { Request } from "./World.ts"

/** How the gateway's side of a connection reaches the client; everything arrives later. */
export interface Outward {
  readonly head: (stream: number, status: number, call: string | undefined) => void
  readonly chunk: (stream: number, bytes: Uint8Array) => void
  readonly end: (stream: number) => void
  readonly aborted: (stream: number) => void
  readonly inform: (stream: number) => void
  /** The gateway took so many bytes of an upload. */
  readonly credit: (stream: number, bytes: number) => void
}

/** What a stream needs from its connection. */
export interface Surroundings {
  readonly scheduler: Scheduler
  readonly recorder: Recorder
  readonly outward: Outward
  readonly settings: HttpSettings
  readonly windowBytes: number
  readonly version: "1.1" | "2"
  readonly serverName: string | undefined
  /** The stream is over; `reusable` says whether the connection can carry another. */
  readonly over: (stream: ServerStream, reusable: boolean) => void
  /** The client does not take what it is sent. */
  readonly stalled: (stream: ServerStream) => void
}

const lengthOf = (value: string | undefined): number | undefined => (value === undefined ? undefined : Number(value))

export class ServerStream implements Flow, Source {
  readonly _tag = "Flow"
  readonly length: number | undefined
  readonly id: number
  readonly record: RequestRecord
  private readonly request: Request
  private readonly around: Surroundings
  private readonly goneListeners: Array<() => void> = []
  // the body coming in
  private readonly arrived: Array<Uint8Array> = []
  private uploadEnded = false
  private uploadFailure: FlowFailure | undefined
  private uploadSink: Sink | undefined
  private uploadHeld = false
  private uploadOver = false
  private cancelIdle: (() => void) | undefined
  // the reply going out
  private replying = false
  private finished = false
  private lost = false
  private unackedBytes = 0
  private sentBytes = 0
  private replyHeld = false
  private replyEnded = false
  private replySource: Source | undefined
  private finish: ((delivered: Delivered) => void) | undefined
  private cancelStall: (() => void) | undefined

  constructor(id: number, request: Request, record: RequestRecord, around: Surroundings) {
    this.id = id
    this.request = request
    this.record = record
    this.around = around
    const { upload } = request
    this.length =
      upload === undefined || !upload.declared ? undefined : upload.chunks.reduce((sum, bytes) => sum + bytes, 0)
    if (upload === undefined || this.length === 0) this.uploadEnded = true
  }

  incoming(): Incoming {
    const { request } = this
    const { serverName, version } = this.around
    const flat: Array<string> = []
    if (version === "1.1") flat.push("Host", request.authority)
    flat.push(requestIdHeader, this.record.id)
    for (const [name, value] of request.headers) flat.push(name, value)
    if (request.upload !== undefined) {
      if (this.length !== undefined) flat.push("content-length", String(this.length))
      else if (version === "1.1") flat.push("transfer-encoding", "chunked")
    }
    return {
      method: request.method,
      target: request.path,
      version,
      flat,
      fields: relayRequest(flat, version === "2" ? "2.0" : version),
      authority: version === "2" ? request.authority : undefined,
      scheme: version === "2" ? (serverName === undefined ? "http" : "https") : undefined,
      protocol: undefined,
      body: this.body(),
      respond: (reply) => this.respond(reply),
      inform: () => {
        if (this.replying || this.lost) return
        this.around.outward.inform(this.id)
      },
      gone: (listener) => {
        if (this.lost && !this.replying) listener()
        else this.goneListeners.push(listener)
      },
    }
  }

  private body(): Body {
    return this.request.upload === undefined || this.length === 0 ? empty : this
  }

  // — the request's body —

  uploadChunk(chunk: Uint8Array): void {
    if (this.uploadOver || this.lost) return
    this.arrived.push(chunk)
    this.pump()
  }

  uploadEnd(): void {
    this.uploadEnded = true
    this.pump()
  }

  open(sink: Sink): Source {
    this.record.bodyOpened++
    if (this.record.bodyOpened > 1) {
      this.around.recorder.breach(`the body of request ${this.record.id} was opened twice`)
      this.around.scheduler.post(() => sink.fail(flowFailure("malformed", "a body can be read only once")))
      return { resume: () => {}, cancel: () => {} }
    }
    this.uploadSink = sink
    this.around.scheduler.post(() => this.pump())
    return this
  }

  resume(): void {
    if (!this.uploadHeld) return
    this.uploadHeld = false
    this.pump()
  }

  cancel(): void {
    this.endUpload()
    this.arrived.length = 0
  }

  private pump(): void {
    const sink = this.uploadSink
    if (sink === undefined) return
    while (!this.uploadOver && !this.uploadHeld) {
      const chunk = this.arrived.shift()
      if (chunk === undefined) break
      this.around.outward.credit(this.id, chunk.byteLength)
      if (!sink.write(chunk)) this.uploadHeld = true
    }
    if (this.uploadOver || this.uploadHeld) return this.disarmIdle()
    if (this.uploadFailure !== undefined) {
      this.endUpload()
      sink.fail(this.uploadFailure)
    } else if (this.uploadEnded) {
      this.endUpload()
      sink.end(undefined)
    } else this.armIdle()
  }

  private endUpload(): void {
    this.uploadOver = true
    this.disarmIdle()
  }

  private armIdle(): void {
    this.disarmIdle()
    this.cancelIdle = this.around.scheduler.after(this.around.settings.bodyIdleTimeoutMillis, () => {
      this.uploadFailure = flowFailure("stalled", "the client stopped sending its body")
      this.pump()
    })
  }

  private disarmIdle(): void {
    this.cancelIdle?.()
    this.cancelIdle = undefined
  }

  // — the reply —

  private respond(reply: Reply): Effect.Effect<Delivered> {
    return Effect.callback<Delivered>((resume) => {
      const { record } = this
      const call = reply.headers.get(callIdHeader)
      record.responded.push({
        ...this.around.recorder.now(),
        status: reply.status,
        origin: reply.origin,
        call,
        plan: reply.headers.get(planHeader),
        declaredBytes: lengthOf(reply.headers.get("content-length")),
      })
      if (this.replying) {
        this.around.recorder.breach(`request ${record.id} was answered twice`)
        discard(reply.body)
        return resume(Effect.succeed({ outcome: "clientGone", bytes: 0, failure: undefined }))
      }
      this.replying = true
      if (this.lost) {
        discard(reply.body)
        return resume(Effect.succeed({ outcome: "clientGone", bytes: 0, failure: undefined }))
      }
      this.finish = (delivered) => {
        this.finish = undefined
        this.disarmStall()
        resume(Effect.succeed(delivered))
      }
      this.send(reply, call)
      return Effect.sync(() => this.breakOff())
    })
  }

  private send(reply: Reply, call: string | undefined): void {
    const { outward } = this.around
    outward.head(this.id, reply.status, call)
    const { body } = reply
    if (body._tag === "Flow") {
      if (!this.mayHaveBody(reply.status)) {
        discard(body)
        return this.endReply()
      }
      const declared = body.length
      const source = body.open({
        write: (chunk) => this.write(chunk, declared),
        end: () => {
          if (declared !== undefined && this.sentBytes !== declared && !this.replyEnded) {
            this.around.recorder.breach(
              `the reply to ${this.record.id} declared ${declared} bytes and ended after ${this.sentBytes}`,
            )
          }
          this.endReply()
        },
        fail: (failure) => this.failReply(failure),
      })
      this.replySource = source
      if (this.finished) source.cancel()
      return
    }
    if (body._tag === "Bytes" && this.mayHaveBody(reply.status)) this.write(body.bytes, undefined)
    this.endReply()
  }

  private mayHaveBody(status: number): boolean {
    return this.request.method !== "HEAD" && status !== 204 && status !== 304
  }

  private write(chunk: Uint8Array, declared: number | undefined): boolean {
    if (this.finished) return true
    if (this.replyEnded) {
      this.around.recorder.breach(`the reply to ${this.record.id} went on after its end`)
      return true
    }
    this.sentBytes += chunk.byteLength
    if (declared !== undefined && this.sentBytes > declared) {
      this.around.recorder.breach(`the reply to ${this.record.id} is longer than the ${declared} bytes it declared`)
    }
    this.unackedBytes += chunk.byteLength
    this.around.outward.chunk(this.id, chunk)
    if (this.unackedBytes < this.around.windowBytes) return true
    this.replyHeld = true
    this.armStall()
    return false
  }

  /** The client took so many bytes. */
  ack(bytes: number): void {
    this.unackedBytes -= bytes
    if (this.finished) return
    this.disarmStall()
    if (this.unackedBytes >= this.around.windowBytes) return this.armStall()
    if (this.replyEnded) return this.complete()
    if (!this.replyHeld) return
    this.replyHeld = false
    this.replySource?.resume()
  }

  private endReply(): void {
    if (this.replyEnded || this.finished) return
    this.replyEnded = true
    this.around.outward.end(this.id)
    if (this.unackedBytes < this.around.windowBytes) this.complete()
    else this.armStall()
  }

  private complete(): void {
    const unread = !this.uploadEnded || this.arrived.length > 0
    this.settle({ outcome: "complete", bytes: this.sentBytes, failure: undefined })
    this.loseUpload("the reply was complete before the request")
    this.around.over(this, !unread)
  }

  private failReply(failure: FlowFailure): void {
    if (this.finished) return
    this.around.outward.aborted(this.id)
    this.settle({ outcome: "upstreamFailed", bytes: this.sentBytes, failure })
    this.loseUpload("the reply broke off")
    this.around.over(this, false)
  }

  /** The gateway changed its mind. */
  private breakOff(): void {
    if (this.finished) return
    this.record.brokenOff = true
    this.replySource?.cancel()
    this.around.outward.aborted(this.id)
    this.finish = undefined
    this.finished = true
    this.disarmStall()
    this.loseUpload("the exchange was interrupted")
    this.around.over(this, false)
  }

  private settle(delivered: Delivered): void {
    this.finished = true
    this.finish?.(delivered)
  }

  private loseUpload(message: string): void {
    if (this.uploadOver || this.uploadFailure !== undefined) return
    if (this.uploadEnded && this.uploadSink !== undefined) return
    this.uploadFailure = flowFailure("gone", message)
    this.arrived.length = 0
    this.uploadHeld = false
    this.pump()
  }

  private armStall(): void {
    this.disarmStall()
    this.cancelStall = this.around.scheduler.after(this.around.settings.writeStallTimeoutMillis, () =>
      this.around.stalled(this),
    )
  }

  private disarmStall(): void {
    this.cancelStall?.()
    this.cancelStall = undefined
  }

  /** The client is gone, or as good as gone. Who is told first is left to the seed. */
  lose(): void {
    if (this.lost || this.finished) return
    this.lost = true
    this.record.lost = this.around.recorder.now()
    const { post } = this.around.scheduler
    post(() => this.loseUpload("the client went away"))
    if (!this.replying) {
      post(() => {
        for (const listener of this.goneListeners) listener()
      })
    } else {
      this.disarmStall()
      this.replySource?.cancel()
      this.settle({ outcome: "clientGone", bytes: this.sentBytes, failure: undefined })
    }
    this.around.over(this, false)
  }
}
