/** How what answers one request gets to its client: in one piece as long as nothing comes before it, else as a stream. */
import * as Effect from "effect/Effect"
import { encodeSse } from "../../../../protocols/http/sse.ts"
import type { Json } from "../../../../protocols/mcp/json.ts"
import type { Body } from "../../../Body.ts"
import type { Reply } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { limits } from "../limits.ts"
import { EventStream, streamReply } from "./EventStream.ts"
import type { Forms } from "./forms.ts"
import { accepted, jsonReply } from "./replies.ts"

export interface Delivery {
  /** Whether anything can come before the answer. */
  readonly canSpeak: boolean
  /** A message that comes before the answer. */
  readonly push: (message: Json) => void
  /** The answer; whatever comes after it is lost. `status` counts where nothing has been sent yet; so does what it was encoded to before. */
  readonly finish: (message: Json, status: number, more?: ReadonlyArray<string>, encoded?: Body) => void
  /** There is no answer, because its client has given it up. */
  readonly abandon: () => void
}

/** Where the messages of a stream go before they are written. */
export interface Channel {
  readonly message: (text: Json) => void
  readonly end: () => void
  /** The reply that carries the stream. */
  readonly reply: () => Reply
}

/** A stream that cannot be taken up again: without event ids. */
export const plainChannel = (clock: Clock, left: () => void): Channel => {
  const stream = new EventStream(clock, left)
  return {
    message: (text) => stream.write(encodeSse({ event: "message", data: text })),
    end: () => stream.end(),
    reply: () => streamReply(stream),
  }
}

export class HttpDelivery implements Delivery {
  readonly canSpeak: boolean
  private readonly open: () => Channel
  private channel: Channel | undefined = undefined
  private resume: ((reply: Effect.Effect<Reply>) => void) | undefined = undefined
  private ready: Reply | undefined = undefined
  private isFinished = false
  private disarm: (() => void) | undefined = undefined
  private readonly clock: Clock

  constructor(clock: Clock, forms: Forms, open: () => Channel) {
    this.open = open
    this.clock = clock
    this.canSpeak = forms.events
  }

  get hasBegun(): boolean {
    return this.channel !== undefined
  }

  /** Completes with the head of the reply; interrupting it says that nobody waits any more. */
  readonly reply: Effect.Effect<Reply> = Effect.callback((resume) => {
    if (this.ready !== undefined) return resume(Effect.succeed(this.ready))
    this.resume = resume
    if (this.canSpeak) this.disarm = this.clock.after(limits.patienceMillis, () => this.begin())
    return Effect.sync(() => {
      this.resume = undefined
      this.disarm?.()
    })
  })

  private give(reply: Reply): void {
    this.disarm?.()
    this.ready = reply
    this.resume?.(Effect.succeed(reply))
  }

  private begin(): Channel {
    if (this.channel === undefined) {
      this.channel = this.open()
      this.give(this.channel.reply())
    }
    return this.channel
  }

  push(message: Json): void {
    if (!this.isFinished && this.canSpeak) this.begin().message(message)
  }

  finish(message: Json, status: number, more: ReadonlyArray<string> = [], encoded?: Body): void {
    if (this.isFinished) return
    this.isFinished = true
    const { channel } = this
    if (channel === undefined) return this.give(jsonReply(status, encoded ?? message, more))
    channel.message(message)
    channel.end()
  }

  abandon(): void {
    if (this.isFinished) return
    this.isFinished = true
    if (this.canSpeak) this.begin().end()
    else this.give(accepted())
  }
}
