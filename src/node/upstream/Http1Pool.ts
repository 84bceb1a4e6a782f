/**
 * Connections that speak HTTP/1.1, one request at a time each. An undici client stands for a connection; which one a
 * request takes, and how many stay open without work, is decided here.
 */
import type { EventEmitter } from "node:events"
import type * as net from "node:net"
import type * as undici from "undici"
import Client from "undici/lib/dispatcher/client.js"
import type { EndpointSpec } from "../../../stages/ports/Upstream.ts"
import { labelOf, type Connector, type Purpose } from "./connect.ts"
import { OtherVersion } from "./failure.ts"

/** Upper bound for the head of a reply. */
export const REPLY_HEAD_BYTES_MAX = 65_536

/** A server that announces when it will close is believed a little early. */
const KEEP_ALIVE_MARGIN_MILLIS = 500

const ignore = (): void => {}

export class Http1Connection {
  readonly client: undici.Client
  private readonly pool: Http1Pool
  private cancel: (() => void) | undefined
  /** Requests written to the socket in use; more than one means that the server may have closed it meanwhile. */
  served = 0
  address: string | undefined
  /** What broke the socket; undici may report only the consequence. */
  error: Error | undefined
  idle = false
  newer: Http1Connection | undefined
  older: Http1Connection | undefined

  constructor(pool: Http1Pool, origin: string, idleMillis: number, purpose: Purpose, first: string | undefined) {
    this.pool = pool
    this.client = new Client(origin, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleMillis,
      keepAliveMaxTimeout: idleMillis,
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MILLIS,
      maxHeaderSize: REPLY_HEAD_BYTES_MAX,
      connect: (_options: undici.buildConnector.Options, connected: undici.buildConnector.Callback) => {
        this.served = 0
        this.error = undefined
        this.cancel = pool.connect(purpose, first, (error, socket, address) => {
          this.cancel = undefined
          this.address = address
          if (socket === undefined) connected(error ?? new Error("no socket"), null)
          else {
            socket.once("error", (reason: Error) => (this.error = reason))
            connected(null, socket)
          }
        })
      },
    })
    this.client.on("disconnect", () => pool.lost(this))
    const emitter: EventEmitter = this.client
    emitter.on("error", ignore)
  }

  /** Whatever it does, it is given up. */
  destroy(): void {
    this.cancel?.()
    this.cancel = undefined
    this.client.destroy().catch(ignore)
  }

  /** Closed as soon as it has nothing to do. */
  close(): void {
    this.client.close().catch(ignore)
  }

  /** Back to the pool, once its reply has come to its end. */
  release(): void {
    this.pool.release(this)
  }
}

export class Http1Pool {
  readonly spec: EndpointSpec
  private readonly connector: Connector
  private readonly origin: string
  private readonly purpose: Purpose
  private readonly idleMax: number
  private readonly otherVersion: (socket: net.Socket, address: string | undefined) => void
  private newest: Http1Connection | undefined
  private idleCount = 0
  private closed = false

  constructor(
    connector: Connector,
    purpose: Purpose,
    otherVersion: (socket: net.Socket, address: string | undefined) => void,
  ) {
    this.connector = connector
    this.spec = connector.spec
    this.purpose = purpose
    this.otherVersion = otherVersion
    this.idleMax = this.spec.poolSizeMax ?? Infinity
    // Undici only names it in errors; the connector knows where to go.
    this.origin = "http://upstream"
  }

  get idle(): number {
    return this.idleCount
  }

  get label(): string {
    return labelOf(this.spec.target)
  }

  /**
   * The connection used last, since the others are nearer to their idle timeout and may yet be let go. Where a name
   * stands for addresses, one to the address whose turn it is: connections live too long to do the spreading.
   */
  acquire(): Http1Connection {
    const address = this.connector.next()
    let connection = this.newest
    if (address !== undefined) {
      while (connection !== undefined && connection.address !== address) connection = connection.older
    }
    if (connection === undefined) return this.fresh(this.purpose, address)
    this.unlink(connection)
    return connection
  }

  fresh(purpose: Purpose = this.purpose, first: string | undefined = this.connector.next()): Http1Connection {
    return new Http1Connection(this, this.origin, this.spec.poolIdleMillis, purpose, first)
  }

  release(connection: Http1Connection): void {
    if (this.closed || this.idleCount >= this.idleMax) return connection.close()
    connection.idle = true
    connection.older = this.newest
    if (this.newest !== undefined) this.newest.newer = connection
    this.newest = connection
    this.idleCount++
  }

  lost(connection: Http1Connection): void {
    if (!connection.idle) return
    this.unlink(connection)
    connection.close()
  }

  close(): void {
    this.closed = true
    for (let connection = this.newest; connection !== undefined; connection = this.newest) {
      this.unlink(connection)
      connection.close()
    }
  }

  connect(
    purpose: Purpose,
    first: string | undefined,
    done: (error: Error | undefined, socket: net.Socket | undefined, address: string | undefined) => void,
  ): () => void {
    return this.connector.connect(purpose, first, (failed, socket, address) => {
      if (socket === undefined) return done(failed, undefined, undefined)
      if ((socket as { alpnProtocol?: unknown }).alpnProtocol !== "h2") return done(undefined, socket, address)
      this.otherVersion(socket, address)
      done(new OtherVersion(), undefined, undefined)
    })
  }

  private unlink(connection: Http1Connection): void {
    const { newer, older } = connection
    if (newer === undefined) this.newest = older
    else newer.older = older
    if (older !== undefined) older.newer = newer
    connection.newer = undefined
    connection.older = undefined
    connection.idle = false
    this.idleCount--
  }
}
