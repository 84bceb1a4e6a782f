/**
 * The endpoints in use. A handle opens its endpoint when it is first needed and the sweep closes it when nothing used it
 * for a while, so neither a reload nor a thousand one-time hosts leave pools behind.
 */
import type { HostTarget } from "../../ir/Backend.ts"
import type { Endpoint, EndpointSpec } from "../ports/Upstream.ts"

/** How many endpoints that clients named themselves may be open; beyond, the one unused for longest is let go. */
export const DYNAMIC_ENDPOINTS_MAX = 1024

export interface EndpointHandle {
  readonly spec: EndpointSpec
  readonly get: () => Endpoint
}

/** Everything about a connection but where it leads. */
export type EndpointTemplate = Omit<EndpointSpec, "target">

/** Endpoints that differ in nothing but where they are. */
export interface EndpointFamily {
  readonly to: (target: HostTarget) => EndpointHandle
  /** For targets that clients name: only so many of them are kept. */
  readonly toNamed: (host: string, port: number) => EndpointHandle
}

class Handle implements EndpointHandle {
  readonly spec: EndpointSpec
  private readonly open: (handle: Handle) => Endpoint
  private endpoint: Endpoint | undefined
  private used = false

  constructor(spec: EndpointSpec, open: (handle: Handle) => Endpoint) {
    this.spec = spec
    this.open = open
  }

  readonly get = (): Endpoint => {
    this.used = true
    return this.endpoint ?? (this.endpoint = this.open(this))
  }

  /** Closes the endpoint unless it was used since the last sweep; says whether it did. */
  sweep(): boolean {
    const idle = !this.used
    this.used = false
    if (idle) this.close()
    return idle
  }

  close(): void {
    this.endpoint?.close()
    this.endpoint = undefined
  }
}

export class Endpoints {
  private readonly openEndpoint: (spec: EndpointSpec) => Endpoint
  private readonly handles = new Map<string, Handle>()
  /** Those that clients named, the one used last at the end. */
  private readonly named = new Map<string, Handle>()
  /** Whoever holds a handle may use it again after a sweep, so what is open is known apart from what is named. */
  private readonly opened = new Set<Handle>()

  constructor(open: (spec: EndpointSpec) => Endpoint) {
    this.openEndpoint = open
  }

  /** One handle for everything that makes connections alike. */
  handle(spec: EndpointSpec): EndpointHandle {
    return this.at(keyOf(spec), spec)
  }

  family(template: EndpointTemplate): EndpointFamily {
    const shared = keyOf(template)
    return {
      to: (target) => this.at(`${shared} ${addressOf(target)}`, { ...template, target }),
      toNamed: (host, port) => {
        const key = `${shared} ${host}:${port}`
        const known = this.named.get(key)
        const handle = known ?? this.make({ ...template, target: { _tag: "Host", host, port } })
        if (known !== undefined) this.named.delete(key)
        this.named.set(key, handle)
        if (this.named.size > DYNAMIC_ENDPOINTS_MAX) this.forgetOldest()
        return handle
      },
    }
  }

  private at(key: string, spec: EndpointSpec): EndpointHandle {
    let handle = this.handles.get(key)
    if (handle === undefined) this.handles.set(key, (handle = this.make(spec)))
    return handle
  }

  private make(spec: EndpointSpec): Handle {
    return new Handle(spec, (self) => {
      this.opened.add(self)
      return this.openEndpoint(spec)
    })
  }

  private forgetOldest(): void {
    for (const [key, handle] of this.named) {
      this.named.delete(key)
      this.opened.delete(handle)
      handle.close()
      return
    }
  }

  /** To be called at intervals longer than the idle time of the pools. */
  sweep(): void {
    for (const handle of this.opened) if (handle.sweep()) this.opened.delete(handle)
    for (const [key, handle] of this.handles) if (!this.opened.has(handle)) this.handles.delete(key)
    for (const [key, handle] of this.named) if (!this.opened.has(handle)) this.named.delete(key)
  }

  /** Lets go of the connections to those; whoever uses one next opens it anew. Says how many they were. */
  reopen(wanted: (spec: EndpointSpec) => boolean): number {
    let count = 0
    for (const handle of this.opened) {
      if (!wanted(handle.spec)) continue
      handle.close()
      this.opened.delete(handle)
      count++
    }
    return count
  }

  close(): void {
    for (const handle of this.opened) handle.close()
    this.opened.clear()
    this.handles.clear()
    this.named.clear()
  }

  /** How many endpoints are open. */
  /** Where connections are held or may be made at once. */
  list(): ReadonlyArray<EndpointSpec> {
    return [...this.opened].map(({ spec }) => spec)
  }

  get size(): number {
    return this.opened.size
  }
}

export const addressOf = (target: HostTarget): string =>
  target._tag === "Host" ? `${target.host}:${target.port}` : `unix:${target.path}`

/** Secrets take part by identity, so that they stay out of the key. */
const secrets = new WeakMap<object, number>()
let secretCount = 0

const keyOf = (spec: EndpointTemplate): string => {
  const identity = spec.tls?.identity
  let number = 0
  if (identity !== undefined) {
    number = secrets.get(identity) ?? ++secretCount
    secrets.set(identity, number)
  }
  return JSON.stringify([spec, number], (key, value: unknown) => (key === "keyPem" ? undefined : value))
}
