/**
 * Connections that speak HTTP/1.1, one request at a time each: which one a request takes, and how many stay open
 * without work, is decided here.
 */
import type * as net from "node:net"
import type { EndpointSpec } from "../../../stages/ports/Upstream.ts"
import { labelOf, type Connector, type Purpose } from "./connect.ts"
import { OtherVersion } from "./failure.ts"
import { Http1Connection } from "./Http1Connection.ts"

export class Http1Pool {
  readonly spec: EndpointSpec
  private readonly connector: Connector
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
    if (!connection.expired) return connection
    connection.close()
    return this.acquire()
  }

  fresh(purpose: Purpose = this.purpose, first: string | undefined = this.connector.next()): Http1Connection {
    return new Http1Connection(this, this.spec.poolIdleMillis, purpose, first)
  }

  release(connection: Http1Connection): void {
    if (this.closed || this.idleCount >= this.idleMax) return connection.close()
    connection.rest()
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
      done(new OtherVersion(true), undefined, undefined)
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
