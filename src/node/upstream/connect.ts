/**
 * One connection to an endpoint, by whatever it takes: a name looked up, addresses tried, a proxy asked for a tunnel,
 * a TLS handshake. All of it within one deadline.
 */
import { type Connected as Made, connects } from "./connects.ts"
import * as net from "node:net"
import type { HostTarget } from "../../../ir/Backend.ts"
import type { EndpointSpec } from "../../../stages/ports/Upstream.ts"
import { isPublic } from "../../../protocols/net/special.ts"
import type { Found, Resolver } from "../resolver.ts"
import { connectFailed, Failed } from "./failure.ts"
import { Securer } from "./secure.ts"
import { requestTunnel } from "./tunnel.ts"
import { probeMillis, PROBES_MAX, timerMillis } from "../timerMillis.ts"

/** The address is one of those that the name of the first hop stands for. */
export type Connected = (
  failed: Failed | undefined,
  socket: net.Socket | undefined,
  address: string | undefined,
) => void

export interface Purpose {
  readonly alpn: ReadonlyArray<string>
  /** Whether one direction may end before the other. */
  readonly halfOpen: boolean
  /** False only for plaintext HTTP, which a proxy takes in absolute form. */
  readonly throughTunnel: boolean
}

/** After how long the next address gets its chance beside the one that has not answered (RFC 8305 §5). */
const STAGGER_MILLIS = 250

const ignore = (): void => {}

const bracketed = (host: string): string => (net.isIPv6(host) ? `[${host}]` : host)

export const authorityOf = (target: { readonly host: string; readonly port: number }): string =>
  `${bracketed(target.host)}:${target.port}`

export const labelOf = (target: HostTarget): string =>
  target._tag === "Host" ? authorityOf(target) : `unix:${target.path}`

export class Connector {
  readonly spec: EndpointSpec
  private readonly resolver: Resolver
  private readonly securer: Securer | undefined
  /** What stands for addresses that may change. */
  private readonly name: string | undefined

  constructor(spec: EndpointSpec, resolver: Resolver) {
    this.spec = spec
    this.resolver = resolver
    const { target, tls } = spec
    const first = spec.tunnel === undefined ? target : spec.tunnel.proxy
    if (first._tag === "Host" && net.isIP(first.host) === 0) this.name = first.host.toLowerCase()
    this.securer = tls === undefined ? undefined : new Securer(tls, target._tag === "Host" ? target.host : "localhost")
  }

  /** The address that the next request should go to; undefined when any will do. */
  next(): string | undefined {
    return this.name === undefined ? undefined : this.resolver.next(this.name)
  }

  /** The result cancels; the callback is called once, and never after that. */
  connect(purpose: Purpose, first: string | undefined, connected: Connected): () => void {
    const attempt = new Attempt(this.spec, this.resolver, this.securer, purpose, first, connected)
    attempt.start()
    return () => attempt.cancel()
  }
}

class Attempt {
  private readonly spec: EndpointSpec
  private readonly resolver: Resolver
  private readonly securer: Securer | undefined
  private readonly purpose: Purpose
  private readonly first: string | undefined
  private readonly connected: Connected
  private address: string | undefined
  private readonly startedMillis = performance.now()
  private readonly sockets = new Set<net.Socket>()
  private over = false
  private deadline: NodeJS.Timeout | undefined
  private stagger: NodeJS.Timeout | undefined
  private forget: (() => void) | undefined

  constructor(
    spec: EndpointSpec,
    resolver: Resolver,
    securer: Securer | undefined,
    purpose: Purpose,
    first: string | undefined,
    connected: Connected,
  ) {
    this.spec = spec
    this.resolver = resolver
    this.securer = securer
    this.purpose = purpose
    this.first = first
    this.connected = connected
  }

  start(): void {
    const { connectTimeoutMillis, tunnel, target } = this.spec
    this.deadline = setTimeout(() => {
      const message = `no connection within ${connectTimeoutMillis} ms`
      this.fail(new Failed({ _tag: "ConnectTimeout", message }))
    }, timerMillis(connectTimeoutMillis))
    const first = tunnel === undefined ? target : tunnel.proxy
    if (first._tag === "Unix") return this.tryPath(first.path)
    const { host, port } = first
    const found: Found = (unresolved, addresses) => {
      if (this.over) return
      if (unresolved === undefined) {
        const allowed = this.spec.publicOnly === true ? addresses.filter(isPublic) : addresses
        if (allowed.length > 0 || addresses.length === 0) return this.tryAddresses(allowed, host, port)
        queueMicrotask(() =>
          this.fail(new Failed({ _tag: "ConnectFailed", message: "the address is not a public one" })),
        )
        return
      }
      // A callback that comes at once would find its caller unprepared.
      const message = `name cannot be resolved (${unresolved.code})`
      queueMicrotask(() => this.fail(new Failed({ _tag: "ResolutionFailed", message })))
    }
    this.forget = this.resolver.lookup(host, found, this.first)
  }

  cancel(): void {
    if (this.over) return
    this.release()
    for (const socket of this.sockets) socket.destroy()
  }

  private release(): void {
    this.over = true
    clearTimeout(this.deadline)
    clearTimeout(this.stagger)
    this.forget?.()
  }

  private fail(failed: Failed): void {
    if (this.over) return
    this.cancel()
    this.connected(failed, undefined, undefined)
  }

  private options(): net.SocketConstructorOpts & {
    keepAlive: boolean
    keepAliveInitialDelay: number
    noDelay: boolean
  } {
    const { enabled, intervalMillis, timeMillis } = this.spec.keepAlive
    return {
      allowHalfOpen: this.purpose.halfOpen,
      noDelay: true,
      keepAlive: enabled && intervalMillis === undefined,
      keepAliveInitialDelay: probeMillis(timeMillis),
    }
  }

  private tryPath(path: string): void {
    const socket = net.connect({ ...this.options(), path })
    this.sockets.add(socket)
    const failed = (error: Error): void => this.fail(connectFailed(error))
    socket.once("error", failed)
    socket.once("connect", () => {
      socket.off("error", failed)
      this.reached(socket)
    })
    socket.on("error", ignore)
  }

  /** The next address starts when the one before failed or was slow; the first to answer wins. */
  private tryAddresses(addresses: ReadonlyArray<string>, host: string, port: number): void {
    let next = 0
    let trying = 0
    let last: Error | undefined
    const tryNext = (): void => {
      clearTimeout(this.stagger)
      const address = addresses[next++]
      if (this.over) return
      if (address === undefined) {
        if (trying === 0) this.fail(connectFailed(last ?? new Error("no address")))
        return
      }
      trying++
      const socket = net.connect({ ...this.options(), host: address, port, family: net.isIP(address) })
      this.sockets.add(socket)
      const failed = (error: Error): void => {
        last = error
        trying--
        this.resolver.avoid(host, address)
        this.sockets.delete(socket)
        tryNext()
      }
      socket.once("error", failed)
      socket.once("connect", () => {
        if (this.over) return
        socket.off("error", failed)
        clearTimeout(this.stagger)
        this.address = address
        this.sockets.delete(socket)
        for (const loser of this.sockets) {
          loser.removeAllListeners("connect")
          loser.removeAllListeners("error")
          loser.on("error", ignore)
          loser.destroy()
        }
        this.sockets.clear()
        this.sockets.add(socket)
        this.reached(socket)
      })
      socket.on("error", ignore)
      if (next < addresses.length) this.stagger = setTimeout(tryNext, STAGGER_MILLIS)
    }
    tryNext()
  }

  /** A socket to the target, or to the proxy in front of it. */
  private reached(socket: net.Socket): void {
    const { keepAlive, tunnel, target } = this.spec
    // The options of a connection cannot say how often to probe.
    if (keepAlive.enabled && keepAlive.intervalMillis !== undefined) {
      const { intervalMillis, retries = PROBES_MAX, timeMillis } = keepAlive
      socket.setKeepAlive(true, probeMillis(timeMillis), probeMillis(intervalMillis), Math.min(retries, PROBES_MAX))
    }
    if (tunnel === undefined || !this.purpose.throughTunnel) return this.secure(socket)
    if (target._tag === "Unix") {
      return this.fail(new Failed({ _tag: "TunnelRefused", message: "no tunnel to a unix socket", status: 0 }))
    }
    requestTunnel(socket, authorityOf(target), tunnel.authorization, (failed) => {
      if (this.over) return
      if (failed === undefined) this.secure(socket)
      else this.fail(failed)
    })
  }

  private secure(socket: net.Socket): void {
    if (this.securer === undefined) return this.finish(socket)
    this.securer.secure(socket, this.purpose.alpn, this.purpose.halfOpen, (failed, secured) => {
      if (this.over) return void secured?.destroy()
      if (secured !== undefined) this.finish(secured)
      else this.fail(failed ?? new Failed({ _tag: "TlsFailed", message: "TLS handshake failed" }))
    })
  }

  private finish(socket: net.Socket): void {
    if (this.over) return void socket.destroy()
    this.release()
    if (connects.hasSubscribers) {
      const transport = this.securer === undefined ? "plaintext" : "tls"
      connects.publish({ transport, millis: performance.now() - this.startedMillis } satisfies Made)
    }
    this.connected(undefined, socket, this.address)
  }
}
