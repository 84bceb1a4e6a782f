/** A simulated connection on the gateway's side: first some bytes, perhaps a handshake, then whole requests. */
import * as Effect from "effect/Effect"
import type { Address } from "../../stages/Connection.ts"
import type {
  HandshakeFailed,
  HttpConnection,
  HttpEvents,
  HttpSettings,
  SecuredSocket,
  Socket,
  SocketClosed,
  TlsContext,
} from "../../stages/ports/Network.ts"
import type { Link } from "./Link.ts"
import type { Recorder } from "./Recorder.ts"
import type { Scheduler } from "./Scheduler.ts"
import { type Outward, ServerStream, type Surroundings } from "./ServerStream.ts"
import type { RequestRecord } from "./Trace.ts"
import type { Request } from "./World.ts"

/** What the client hears besides replies. */
export interface Peer extends Outward {
  readonly secured: () => void
  /** No new requests on this connection, please. */
  readonly goaway: () => void
  readonly refused: (stream: number) => void
  readonly closed: () => void
}

export interface Opening {
  readonly scheduler: Scheduler
  readonly recorder: Recorder
  /** From the gateway to the client. */
  readonly down: Link
  readonly client: Peer
  readonly peer: Address
  readonly local: Address
  readonly latencyMillis: number
  readonly windowBytes: number
  readonly version: "1.1" | "2"
  readonly serverName: string | undefined
  readonly onClosed: (socket: ServerSocket) => void
}

interface Peeking {
  readonly known: number
  readonly resume: (effect: Effect.Effect<Uint8Array, SocketClosed>) => void
  readonly cancel: () => void
}

const closedBy = (reason: SocketClosed["reason"], message: string): Effect.Effect<never, SocketClosed> =>
  Effect.fail({ _tag: "SocketClosed", reason, message })

const noBytes = new Uint8Array(0)

export class ServerSocket implements Socket, HttpConnection {
  readonly peer: Address
  readonly local: Address
  private readonly opening: Opening
  private seen: Uint8Array = noBytes
  private peeking: Peeking | undefined
  private isClosed = false
  private readonly closeListeners = new Set<() => void>()
  private events: HttpEvents | undefined
  private around: Surroundings | undefined
  private readonly streams = new Map<number, ServerStream>()
  private readonly early: Array<() => void> = []
  private isServing = false
  private draining = false
  private idleMillis = Infinity
  private cancelIdle: (() => void) | undefined

  constructor(opening: Opening) {
    this.opening = opening
    this.peer = opening.peer
    this.local = opening.local
  }

  // — what the client sends —

  bytes(chunk: Uint8Array): void {
    if (this.isClosed) return
    const joined = new Uint8Array(this.seen.byteLength + chunk.byteLength)
    joined.set(this.seen)
    joined.set(chunk, this.seen.byteLength)
    this.seen = joined
    this.look()
  }

  /** Whole requests stand for bytes that nobody here has to parse. */
  request(id: number, request: Request, record: RequestRecord): void {
    this.whenServing(() => {
      const { around, events } = this
      if (around === undefined || events === undefined) return
      if (around.version === "2" && this.streams.size >= around.settings.http2.streamsMax) {
        return this.opening.down.send(() => this.opening.client.refused(id))
      }
      this.disarmIdle()
      const stream = new ServerStream(id, request, record, around)
      this.streams.set(id, stream)
      record.arrived = this.opening.recorder.now()
      events.request(stream.incoming())
    })
  }

  /** Bytes that are not HTTP. */
  garbage(): void {
    this.whenServing(() => {
      this.events?.malformed(400, "malformed request")
      this.destroy()
    })
  }

  uploadChunk(id: number, chunk: Uint8Array): void {
    this.whenServing(() => this.streams.get(id)?.uploadChunk(chunk))
  }

  uploadEnd(id: number): void {
    this.whenServing(() => this.streams.get(id)?.uploadEnd())
  }

  ack(id: number, bytes: number): void {
    this.streams.get(id)?.ack(bytes)
  }

  reset(id: number): void {
    this.whenServing(() => this.streams.get(id)?.lose())
  }

  /** The client closed the connection. */
  hangUp(): void {
    this.close()
  }

  private whenServing(event: () => void): void {
    if (this.isClosed) return
    if (!this.isServing) this.early.push(event)
    else event()
  }

  // — what the gateway does —

  peek(known: number, timeoutMillis: number): Effect.Effect<Uint8Array, SocketClosed> {
    return Effect.callback<Uint8Array, SocketClosed>((resume) => {
      const cancel = this.opening.scheduler.after(timeoutMillis, () => {
        this.peeking = undefined
        resume(closedBy("timeout", "nothing came in time"))
      })
      this.peeking = { known, resume, cancel }
      this.look()
      return Effect.sync(() => {
        cancel()
        this.peeking = undefined
      })
    })
  }

  private look(): void {
    const { peeking } = this
    if (peeking === undefined) return
    if (!this.isClosed && this.seen.byteLength <= peeking.known) return
    this.peeking = undefined
    peeking.cancel()
    peeking.resume(this.isClosed ? closedBy("ended", "closed by the peer") : Effect.succeed(this.seen))
  }

  skip(bytes: number): void {
    this.seen = this.seen.subarray(bytes)
  }

  secure(
    context: TlsContext,
    alpn: ReadonlyArray<string>,
    timeoutMillis: number,
  ): Effect.Effect<SecuredSocket, HandshakeFailed> {
    void context
    const { client, down, latencyMillis, scheduler, serverName, version } = this.opening
    return Effect.callback<SecuredSocket, HandshakeFailed>((resume) => {
      const fail = (reason: HandshakeFailed["reason"], message: string) =>
        resume(Effect.fail({ _tag: "HandshakeFailed", reason, message }))
      const closed = () => {
        cancel()
        fail("closed", "closed by the peer")
      }
      const cancel = scheduler.after(Math.min(2 * latencyMillis, timeoutMillis), () => {
        this.closeListeners.delete(closed)
        if (2 * latencyMillis > timeoutMillis) return fail("timeout", "the handshake took too long")
        const wanted = version === "2" ? "h2" : "http/1.1"
        const agreed = alpn.includes(wanted) ? wanted : undefined
        if (version === "2" && agreed === undefined) return fail("protocol", "no protocol in common")
        this.seen = noBytes
        down.send(client.secured)
        resume(
          Effect.succeed({
            socket: this,
            tls: { serverName: serverName ?? "", alpn: agreed, version: "TLSv1.3", client: undefined },
          }),
        )
      })
      if (this.isClosed) return closed()
      this.closeListeners.add(closed)
      return Effect.sync(() => {
        cancel()
        this.closeListeners.delete(closed)
      })
    })
  }

  http(version: "1" | "2", settings: HttpSettings, events: HttpEvents): HttpConnection {
    const { client, down, recorder, scheduler, serverName, windowBytes } = this.opening
    this.events = events
    this.around = {
      scheduler,
      recorder,
      settings,
      windowBytes,
      version: version === "2" ? "2" : "1.1",
      serverName,
      outward: {
        head: (id, status, call) => down.send(() => client.head(id, status, call)),
        chunk: (id, chunk) => down.send(() => client.chunk(id, chunk)),
        end: (id) => down.send(() => client.end(id)),
        aborted: (id) => down.send(() => client.aborted(id)),
        inform: (id) => down.send(() => client.inform(id)),
        credit: (id, bytes) => down.send(() => client.credit(id, bytes)),
      },
      over: (stream, reusable) => this.over(stream, reusable),
      stalled: () => this.close(),
    }
    this.idleMillis = settings.idleTimeoutMillis
    this.armIdle()
    scheduler.post(() => {
      this.isServing = true
      for (const event of this.early.splice(0)) this.whenServing(event)
    })
    return this
  }

  private over(stream: ServerStream, reusable: boolean): void {
    // A late acknowledgement still finds its stream gone, which is all it has to find.
    this.streams.delete(stream.id)
    if (this.isClosed) return
    const isHttp2 = this.around?.version === "2"
    if (!isHttp2 && !reusable) return this.close()
    if (this.streams.size > 0) return
    if (this.draining) return this.close()
    this.armIdle()
  }

  private armIdle(): void {
    this.disarmIdle()
    this.cancelIdle = this.opening.scheduler.after(this.idleMillis, () => this.close())
  }

  private disarmIdle(): void {
    this.cancelIdle?.()
    this.cancelIdle = undefined
  }

  drain(): void {
    if (this.draining || this.isClosed) return
    this.draining = true
    if (this.around?.version === "2") this.opening.down.send(this.opening.client.goaway)
    if (this.streams.size === 0) this.close()
  }

  relay(): Effect.Effect<never> {
    return Effect.die(new Error("raw connections are not simulated"))
  }

  keepAlive(): void {}

  get closed(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.isClosed) return resume(Effect.void)
      const listener = () => resume(Effect.void)
      this.closeListeners.add(listener)
      return Effect.sync(() => this.closeListeners.delete(listener))
    })
  }

  destroy(): void {
    this.close()
  }

  private close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.disarmIdle()
    this.early.length = 0
    const streams = [...this.streams.values()]
    for (const stream of streams) stream.lose()
    this.opening.down.send(this.opening.client.closed)
    this.look()
    this.opening.onClosed(this)
    const listeners = [...this.closeListeners]
    this.closeListeners.clear()
    for (const listener of listeners) listener()
  }
}
