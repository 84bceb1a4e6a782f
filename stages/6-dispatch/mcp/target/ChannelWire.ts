/** Requests and answers over a channel: told apart by their numbers alone. */
import * as Effect from "effect/Effect"
import type { Json } from "../../../../protocols/mcp/json.ts"
import { parse, type RpcAnswer, type RpcMessage } from "../../../../protocols/mcp/jsonrpc.ts"
import type { Exchange } from "../../../Exchange.ts"
import type { Clock } from "../../../ports/Timer.ts"
import { type Broken, broken, type Channel, type OpenChannel } from "./Channel.ts"
import type { Wire, WireRequest } from "./Wire.ts"

interface Waiting {
  readonly resume: (answer: Effect.Effect<RpcAnswer, Broken>) => void
}

export class ChannelWire implements Wire {
  readonly attributes = false
  private readonly clock: Clock
  private readonly unrelated: (message: RpcMessage) => void
  private readonly waiting = new Map<number, Waiting>()
  /** Nobody waits for these answers any more, but the server still works on them. */
  private readonly abandoned = new Set<number>()
  private channel: Channel | undefined = undefined
  private closedBecause: string | undefined = undefined
  private seenMillis = 0
  private listeners: Array<() => void> = []

  private constructor(clock: Clock, unrelated: (message: RpcMessage) => void) {
    this.clock = clock
    this.unrelated = unrelated
  }

  static open(
    open: OpenChannel,
    exchange: Exchange,
    clock: Clock,
    unrelated: (message: RpcMessage) => void,
  ): Effect.Effect<ChannelWire, Broken> {
    const wire = new ChannelWire(clock, unrelated)
    return Effect.map(
      open({ message: (text) => wire.receive(text), closed: (why) => wire.closed(why) }, exchange),
      (channel) => {
        wire.channel = channel
        return wire
      },
    )
  }

  get isClosed(): boolean {
    return this.closedBecause !== undefined
  }

  get isBusy(): boolean {
    return this.abandoned.size > 0
  }

  agreed(): void {}

  held(): undefined {
    return undefined
  }

  private receive(text: string): void {
    this.seenMillis = this.clock.nowMillis()
    const message = parse(text)
    if (message._tag === "Malformed") return
    if (message._tag !== "Answer") return this.unrelated(message)
    const id = Number(message.id?.replaceAll('"', ""))
    this.abandoned.delete(id)
    const waiting = this.waiting.get(id)
    if (waiting === undefined) return
    this.waiting.delete(id)
    waiting.resume(Effect.succeed(message))
  }

  private closed(why: string): void {
    if (this.closedBecause !== undefined) return
    this.closedBecause = why
    this.abandoned.clear()
    for (const { resume } of this.waiting.values()) resume(Effect.fail(broken(why, true)))
    this.waiting.clear()
    for (const listener of this.listeners.splice(0)) listener()
  }

  private hand(message: Json, exchange: Exchange): Effect.Effect<void, Broken> {
    return Effect.suspend(() =>
      this.closedBecause !== undefined || this.channel === undefined
        ? Effect.fail(broken(this.closedBecause ?? "it is not open", false))
        : this.channel.send(message, exchange),
    )
  }

  readonly request = ({ exchange, id, idleMillis, isHeld, message }: WireRequest): Effect.Effect<RpcAnswer, Broken> =>
    Effect.suspend(() => {
      let early: Effect.Effect<RpcAnswer, Broken> | undefined
      // The answer may be faster than the confirmation that the question was handed over.
      this.waiting.set(id, { resume: (answer) => (early = answer) })
      const awaited = Effect.callback<RpcAnswer, Broken>((resume) => {
        if (early !== undefined) return resume(early)
        let since = this.clock.nowMillis()
        let disarm: (() => void) | undefined
        const arm = (millis: number): void => {
          disarm = this.clock.after(millis, () => {
            if (isHeld?.() === true) since = this.clock.nowMillis()
            const left = Math.max(since, this.seenMillis) + idleMillis - this.clock.nowMillis()
            if (left > 0) return arm(left)
            this.waiting.delete(id)
            this.abandoned.add(id)
            resume(Effect.fail(broken("the server fell silent", true)))
          })
        }
        if (idleMillis < Infinity) arm(idleMillis)
        this.waiting.set(id, {
          resume: (answer) => {
            disarm?.()
            resume(answer)
          },
        })
        return Effect.sync(() => {
          disarm?.()
          if (this.waiting.delete(id)) this.abandoned.add(id)
        })
      })
      return Effect.onExit(Effect.andThen(this.hand(message, exchange), awaited), () =>
        Effect.sync(() => {
          this.waiting.delete(id)
        }),
      )
    })

  readonly send = (message: Json, exchange: Exchange): Effect.Effect<void, Broken> => this.hand(message, exchange)

  /** The channel carries everything there is, for as long as it is open. */
  readonly listen = (_exchange: Exchange, opened: () => void): Effect.Effect<boolean, Broken> =>
    Effect.callback((resume) => {
      const done = (): void => resume(Effect.fail(broken(this.closedBecause ?? "closed", true)))
      if (this.closedBecause !== undefined) return done()
      opened()
      this.listeners.push(done)
      return Effect.sync(() => {
        this.listeners = this.listeners.filter((one) => one !== done)
      })
    })

  readonly close = (): Effect.Effect<void> =>
    Effect.sync(() => {
      this.channel?.close()
      this.closed("closed by the gateway")
    })
}
