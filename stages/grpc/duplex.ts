/**
 * A call in which both sides send messages whenever they like. It lives in a fiber of its own below the one that opened
 * it, and ends with that one at the latest: at once where messages were still to be sent, else when the server has said
 * its status or its time for that is up. Neither side is sent more than it takes.
 */
import * as Effect from "effect/Effect"
import { describe as describeMisframed, Deframer, frame, MESSAGE_BYTES_MAX } from "../../protocols/grpc/framing.ts"
import type { Method } from "../../protocols/grpc/method.ts"
import { Code, type Status, statusIn } from "../../protocols/grpc/status.ts"
import * as Body from "../Body.ts"
import type { Reply } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import { type Metadata, refusedBy, requestFor, type Transport } from "./Transport.ts"

/**
 * How long a server may take to say its status once it has been told that nothing more comes. Resetting the stream
 * instead would look like an attack to servers that count resets.
 */
export const FAREWELL_MILLIS = 2_000

export interface DuplexOptions {
  readonly clock: Clock
  readonly metadata?: Metadata
  readonly authority?: string
  readonly messageBytesMax?: number
}

/** What comes from the server: messages, and in the end a status, whichever way it ended. */
export type Event<O> =
  | { readonly _tag: "Message"; readonly message: O }
  | { readonly _tag: "End"; readonly status: Status }

type Receive<O> = (event: Event<O>) => void

export class Duplex<I, O> {
  /** Ends the fiber that the call lives in. */
  abort: (() => void) | undefined = undefined
  /** Called when `send` had asked to hold back and more is taken again. */
  onDrain: (() => void) | undefined = undefined
  /** Whether more may be sent: false once the call has ended or was ended. */
  isOpen = true
  private readonly method: Method<I, O>
  private readonly clock: Clock
  private readonly outgoing = new Body.HeldFlow(undefined)
  private readonly deframer: Deframer
  private incoming: Array<O> = []
  private status: Status | undefined
  private receive: Receive<O> | undefined
  private source: Body.Source | undefined
  private isPaused = false
  private isForgotten = false
  private onEnd: (() => void) | undefined

  constructor(method: Method<I, O>, clock: Clock, messageBytesMax: number) {
    this.method = method
    this.clock = clock
    this.deframer = new Deframer(messageBytesMax)
    this.outgoing.source = {
      resume: () => this.onDrain?.(),
      cancel: () => {
        this.isOpen = false
      },
    }
  }

  get body(): Body.Flow {
    return this.outgoing
  }

  /** Why the call is over; undefined while it is not, and while messages are left to be taken. */
  get ended(): Status | undefined {
    return this.incoming.length > 0 ? undefined : this.status
  }

  /** Whether nothing more comes from the server, taken or not. */
  get isOver(): boolean {
    return this.status !== undefined
  }

  /** False asks to hold back until `onDrain`. */
  send(message: I): boolean {
    return this.isOpen ? this.outgoing.write(frame(this.method.encode(message))) : true
  }

  /** Nothing more will be sent; what the server still says can be taken. */
  end(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.outgoing.end(undefined)
  }

  /** Ends it in both directions, whatever is under way. */
  cancel(): void {
    this.finish({ code: Code.CANCELLED, message: "cancelled by the gateway" })
    this.source?.cancel()
    this.abort?.()
  }

  /** The next event, once; at most one may be waited for. The result stops the waiting. */
  take(receive: Receive<O>): () => void {
    const message = this.incoming.shift()
    if (message !== undefined) {
      receive({ _tag: "Message", message })
      return () => {}
    }
    if (this.status !== undefined) {
      receive({ _tag: "End", status: this.status })
      return () => {}
    }
    this.receive = receive
    if (this.isPaused) {
      this.isPaused = false
      this.source?.resume()
    }
    return () => {
      if (this.receive === receive) this.receive = undefined
    }
  }

  readonly next: Effect.Effect<Event<O>> = Effect.callback((resume) => {
    const stop = this.take((event) => resume(Effect.succeed(event)))
    return Effect.sync(stop)
  })

  /** The call itself, to be run in the fiber that it belongs to. */
  through(sent: Effect.Effect<Reply, Status>): Effect.Effect<void> {
    return Effect.matchEffect(sent, {
      onFailure: (status) => Effect.sync(() => this.finish(status)),
      onSuccess: (reply) => this.read(reply),
    })
  }

  private read(reply: Reply): Effect.Effect<void> {
    const refused = refusedBy(reply)
    const { body, headers } = reply
    if (refused !== undefined) return Effect.sync(() => this.finish(refused))
    if (body._tag !== "Flow") {
      return Effect.sync(() => {
        if (body._tag === "Bytes") this.received(body.bytes)
        this.finish(statusIn(headers) ?? withoutStatus)
      })
    }
    return Effect.callback<void>((resume) => {
      this.onEnd = () => resume(Effect.void)
      this.source = body.open({
        write: (chunk) => this.received(chunk),
        end: (trailers) =>
          this.finish(
            this.deframer.isBetween
              ? (statusIn(trailers) ?? statusIn(headers) ?? withoutStatus)
              : { code: Code.INTERNAL, message: "the answer ended inside a message" },
          ),
        fail: ({ message }) => this.finish({ code: Code.UNAVAILABLE, message }),
      })
      if (this.status !== undefined) {
        this.source.cancel()
        resume(Effect.void)
      }
      return this.farewell
    })
  }

  /** What happens to a call that its owner leaves behind. */
  private readonly farewell: Effect.Effect<void> = Effect.suspend(() => {
    if (this.status !== undefined) return Effect.void
    this.isForgotten = true
    if (this.isOpen) {
      this.cancel()
      return Effect.void
    }
    return Effect.callback<void>((resume) => {
      const cancelTimer = this.clock.after(FAREWELL_MILLIS, () => this.cancel())
      this.onEnd = () => {
        cancelTimer()
        resume(Effect.void)
      }
      this.incoming = []
      this.source?.resume()
    })
  })

  private received(chunk: Uint8Array): boolean {
    if (this.status !== undefined || this.isForgotten) return true
    const misframed = this.deframer.push(chunk, (bytes) => {
      if (this.status !== undefined) return
      try {
        this.deliver(this.method.decode(bytes))
      } catch (error) {
        this.broken(`a message cannot be read: ${String(error)}`)
      }
    })
    if (misframed !== undefined) this.broken(describeMisframed(misframed))
    this.isPaused = this.incoming.length > 0
    return !this.isPaused
  }

  private deliver(message: O): void {
    const { receive } = this
    if (receive === undefined) this.incoming.push(message)
    else {
      this.receive = undefined
      receive({ _tag: "Message", message })
    }
  }

  private broken(message: string): void {
    this.finish({ code: Code.INTERNAL, message })
    this.source?.cancel()
  }

  private finish(status: Status): void {
    if (this.status !== undefined) return
    this.status = status
    this.isOpen = false
    const { onEnd, receive } = this
    this.receive = undefined
    receive?.({ _tag: "End", status })
    onEnd?.()
  }
}

const withoutStatus: Status = { code: Code.INTERNAL, message: "the answer ended without a status" }

/** Begins a call below the fiber that runs this. */
export const open = <I, O>(
  transport: Transport,
  method: Method<I, O>,
  { authority, clock, messageBytesMax = MESSAGE_BYTES_MAX, metadata = [] }: DuplexOptions,
): Effect.Effect<Duplex<I, O>> =>
  Effect.suspend(() => {
    const duplex = new Duplex(method, clock, messageBytesMax)
    const request = requestFor(method.path, duplex.body, metadata, undefined, authority)
    return Effect.map(Effect.forkChild(duplex.through(transport(request, undefined))), (fiber) => {
      duplex.abort = () => fiber.interruptUnsafe()
      return duplex
    })
  })
