/**
 * The endpoints in use. A handle opens its endpoint when it is first needed and the sweep closes it when nothing used it
 * for a while, so neither a reload nor a thousand one-time hosts leave pools behind.
 */
import type { Endpoint, EndpointSpec } from "../ports/Upstream.ts"

export interface EndpointHandle {
  readonly spec: EndpointSpec
  readonly get: () => Endpoint
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
  /** Whoever holds a handle may use it again after a sweep, so what is open is known apart from what is named. */
  private readonly opened = new Set<Handle>()

  constructor(open: (spec: EndpointSpec) => Endpoint) {
    this.openEndpoint = open
  }

  /** One handle for everything that makes connections alike. */
  handle(spec: EndpointSpec): EndpointHandle {
    const key = keyOf(spec)
    let handle = this.handles.get(key)
    if (handle === undefined) {
      handle = new Handle(spec, (self) => {
        this.opened.add(self)
        return this.openEndpoint(spec)
      })
      this.handles.set(key, handle)
    }
    return handle
  }

  /** To be called at intervals longer than the idle time of the pools. */
  sweep(): void {
    for (const handle of this.opened) if (handle.sweep()) this.opened.delete(handle)
    for (const [key, handle] of this.handles) if (!this.opened.has(handle)) this.handles.delete(key)
  }

  close(): void {
    for (const handle of this.opened) handle.close()
    this.opened.clear()
    this.handles.clear()
  }

  /** How many endpoints are open. */
  get size(): number {
    return this.opened.size
  }
}

/** Secrets take part by identity, so that they stay out of the key. */
const secrets = new WeakMap<object, number>()
let secretCount = 0

const keyOf = (spec: EndpointSpec): string => {
  const identity = spec.tls?.identity
  let number = 0
  if (identity !== undefined) {
    number = secrets.get(identity) ?? ++secretCount
    secrets.set(identity, number)
  }
  return JSON.stringify([spec, number], (key, value: unknown) => (key === "keyPem" ? undefined : value))
}
