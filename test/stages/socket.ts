/** A connection that gives its bytes in the pieces a test wants, on a clock the test moves. */
import * as Effect from "effect/Effect"
import type { Socket, SocketClosed } from "../../stages/ports/Network.ts"
import type { Clock } from "../../stages/ports/Timer.ts"

export class ScriptedSocket implements Socket {
  readonly peer = { host: "192.0.2.1", port: 1 }
  readonly local = { host: "192.0.2.2", port: 2 }
  /** How long each wait was allowed to take. */
  readonly waits: Array<number> = []
  skipped = 0
  private readonly pieces: Array<Uint8Array>
  private readonly millisEach: number
  private now = 0
  private held = new Uint8Array(0)

  constructor(pieces: ReadonlyArray<Uint8Array | string>, millisEach = 0) {
    this.pieces = pieces.map((piece) => (typeof piece === "string" ? new TextEncoder().encode(piece) : piece))
    this.millisEach = millisEach
  }

  readonly clock: Clock = {
    nowMillis: () => this.now,
    wallMillis: () => this.now,
    after: () => () => {},
    random: () => 0,
  }

  readonly peek = (known: number, timeoutMillis: number): Effect.Effect<Uint8Array, SocketClosed> => {
    this.waits.push(timeoutMillis)
    const end = this.now + timeoutMillis
    while (this.held.byteLength <= known) {
      const piece = this.pieces.shift()
      if (piece === undefined) return Effect.succeed(this.held)
      this.now += this.millisEach
      if (this.now > end) return Effect.fail({ _tag: "SocketClosed", reason: "timeout", message: "too late" })
      const both = new Uint8Array(this.held.byteLength + piece.byteLength)
      both.set(this.held)
      both.set(piece, this.held.byteLength)
      this.held = both
    }
    return Effect.succeed(this.held)
  }

  readonly skip = (bytes: number): void => {
    this.skipped += bytes
    this.held = this.held.subarray(bytes)
  }

  readonly secure = (): never => unused()
  readonly http = (): never => unused()
  readonly relay = (): never => unused()
  readonly keepAlive = (): void => {}
  readonly closed = Effect.void
  readonly destroy = (): void => {}
}

const unused = (): never => {
  throw new Error("not part of the test")
}
