/** A plan compiled from a snapshot, over upstreams that answer as the test says and a clock it moves. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Backend } from "../../../ir/Backend.ts"
import type { BackendRef } from "../../../ir/BackendRef.ts"
import { BackendKey, type ListenerKey, ServiceKey, WorkloadKey } from "../../../ir/Key.ts"
import type { BackendPolicy, TrafficPolicy } from "../../../ir/Policy.ts"
import type { Route, WeightedBackend } from "../../../ir/Route.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import type { Service, Workload } from "../../../ir/Workload.ts"
import { Endpoints } from "../../../stages/6-dispatch/Endpoints.ts"
import { everyProtocol } from "../../../stages/6-dispatch/everyProtocol.ts"
import * as Mirrors from "../../../stages/6-dispatch/Mirrors.ts"
import type { Whereabouts } from "../../../stages/6-dispatch/Whereabouts.ts"
import { compile, type CompilePorts } from "../../../stages/compile.ts"
import type { Reply, Request, Routed } from "../../../stages/Exchange.ts"
import type { Plan } from "../../../stages/Plan.ts"
import type { Endpoint, EndpointSpec, SendOptions, UpstreamFailure } from "../../../stages/ports/Upstream.ts"
import type { Refusal } from "../../../stages/Refusal.ts"
import type { Socket } from "../../../stages/ports/Network.ts"
import * as snapshots from "../../ir/snapshots.ts"
import { FakeClock, makeExchange, makeReply, type Told } from "../exchange.ts"

/** What an upstream was asked. */
export interface Call {
  /** `host:port`. */
  readonly to: string
  readonly spec: EndpointSpec
  readonly request: Request
  /** As it stood when it was sent. */
  readonly authority: string
  readonly headers: ReadonlyMap<string, string>
  readonly options: SendOptions
}

export type Answer = Reply | UpstreamFailure | Effect.Effect<Reply, UpstreamFailure>

const labelOf = ({ target }: EndpointSpec): string =>
  target._tag === "Host" ? `${target.host}:${target.port}` : `unix:${target.path}`

const toEffect = (answer: Answer): Effect.Effect<Reply, UpstreamFailure> =>
  Effect.isEffect(answer)
    ? answer
    : "status" in answer && "body" in answer
      ? Effect.succeed(answer)
      : Effect.fail(answer as UpstreamFailure)

export class World {
  readonly clock = new FakeClock()
  readonly calls: Array<Call> = []
  readonly dialled: Array<EndpointSpec> = []
  readonly closed: Array<string> = []
  /** The routes that were compiled, in order. */
  readonly compiled: Array<string> = []
  answer: (call: Call, index: number) => Answer = () => makeReply()
  dial: (spec: EndpointSpec) => Effect.Effect<Socket, UpstreamFailure> = () =>
    Effect.fail({ _tag: "ConnectFailed", message: "refused" })
  readonly endpoints = new Endpoints((spec) => this.open(spec))
  plan: Plan | undefined
  readonly scope = Scope.makeUnsafe()
  readonly mirrors = Effect.runSync(Scope.provide(Mirrors.make, this.scope))
  whereabouts: Whereabouts | undefined

  private open(spec: EndpointSpec): Endpoint {
    return {
      spec,
      label: labelOf(spec),
      send: (request, options) =>
        Effect.suspend(() => {
          const call: Call = {
            to: labelOf(spec),
            spec,
            request,
            authority: request.authority,
            headers: new Map(request.headers),
            options,
          }
          this.calls.push(call)
          return toEffect(this.answer(call, this.calls.length - 1))
        }),
      dial: Effect.suspend(() => {
        this.dialled.push(spec)
        return this.dial(spec)
      }),
      close: () => void this.closed.push(labelOf(spec)),
    }
  }

  get ports(): CompilePorts {
    return {
      dispatch: {
        endpoints: this.endpoints,
        clock: this.clock,
        mirrors: this.mirrors,
        protocols: everyProtocol,
        ...(this.whereabouts === undefined ? {} : { whereabouts: this.whereabouts }),
        defaults: {
          connectTimeoutMillis: 10_000,
          poolIdleMillis: 90_000,
          poolSizeMax: undefined,
          keepAlive: { enabled: true, timeMillis: 180_000, intervalMillis: 180_000, retries: 9 },
        } as CompilePorts["dispatch"]["defaults"],
      },
      tlsContext: (source) => Effect.succeed({ _tag: "TlsContext", source }),
      limits: {
        headBytesMax: 1,
        headTimeoutMillis: 1,
        bodyIdleTimeoutMillis: 1,
        writeStallTimeoutMillis: 1,
        http2StreamsMax: 1,
      } as CompilePorts["limits"],
      compiled: (route) => void this.compiled.push(route.key),
    }
  }

  load(snapshot: Snapshot): Plan {
    return (this.plan = Effect.runSync(compile(this.ports, snapshot, this.plan)))
  }

  serve(exchange: Routed, key: ListenerKey = snapshots.listener.key): Effect.Effect<Reply, Refusal> {
    const listener = this.plan?.listeners.get(key)
    if (listener === undefined) throw new Error("nothing is loaded")
    return listener.serve(exchange)
  }

  /** Sends a request through the plan and waits for what comes back at once. */
  ask(told: Told = {}): Reply | Refusal {
    return this.answered(makeExchange(told))
  }

  answered(exchange: Routed, key: ListenerKey = snapshots.listener.key): Reply | Refusal {
    const result = Effect.runSync(Effect.result(this.serve(exchange, key)))
    return result._tag === "Success" ? result.success : result.failure
  }

  /** An exchange under way; the test moves the clock. */
  start(exchange: Routed): Fiber.Fiber<Reply, Refusal> {
    return Effect.runFork(this.serve(exchange))
  }

  /** The only call, or the first. */
  get call(): Call {
    const first = this.calls[0]
    if (first === undefined) throw new Error("nothing was sent")
    return first
  }

  get targets(): ReadonlyArray<string> {
    return this.calls.map(({ to }) => to)
  }
}

export const world = (snapshot: Snapshot): World => {
  const made = new World()
  made.load(snapshot)
  return made
}

export const isReply = (answer: Reply | Refusal): answer is Reply => "status" in answer

export const statusOf = (answer: Reply | Refusal): number => (isReply(answer) ? answer.status : -1)

/** The tag of a refusal, or `answered`. */
export const refusalOf = (answer: Reply | Refusal): string => (isReply(answer) ? "answered" : answer._tag)

export const host = (name: string, policies: ReadonlyArray<BackendPolicy> = [], port = 80): Backend => ({
  _tag: "Host",
  key: BackendKey.make(`/${name}`),
  target: { _tag: "Host", host: name, port },
  policies,
})

export const toBackend = (
  name: string,
  more: { readonly weight?: number; readonly policies?: ReadonlyArray<BackendPolicy> } = {},
): WeightedBackend => ({
  weight: more.weight ?? 1,
  backend: { _tag: "Backend", backend: BackendKey.make(`/${name}`) },
  policies: more.policies ?? [],
})

export const to = (backend: BackendRef, policies: ReadonlyArray<BackendPolicy> = []): WeightedBackend => ({
  weight: 1,
  backend,
  policies,
})

export const routeTo = (
  backends: ReadonlyArray<WeightedBackend>,
  policies: ReadonlyArray<TrafficPolicy> = [],
): Route => ({ ...snapshots.route, backends, policies })

/** One route to these backends. */
export const routing = (
  backends: ReadonlyArray<WeightedBackend>,
  policies: ReadonlyArray<TrafficPolicy> = [],
  more: Partial<Snapshot> = {},
): Snapshot => snapshots.snapshot({ routes: snapshots.table(routeTo(backends, policies)), ...more })

export const serviceKey = ServiceKey.make("shop/cart.shop.svc")

export const service = (more: Partial<Service> = {}): Service => ({
  key: serviceKey,
  name: "cart",
  namespace: "shop",
  hostname: "cart.shop.svc",
  vips: [],
  ports: { 80: 8080 },
  appProtocols: {},
  subjectAltNames: [],
  ...more,
})

export const workload = (name: string, address: string, more: Partial<Workload> = {}): Workload => ({
  key: WorkloadKey.make(name),
  name,
  namespace: "shop",
  addresses: [address],
  hostname: "",
  protocol: "TCP",
  network: "",
  trustDomain: "",
  serviceAccount: "",
  node: "",
  clusterId: "",
  healthy: true,
  capacity: 1,
  services: { [serviceKey]: {} },
  ...more,
})

export const toService = (policies: ReadonlyArray<BackendPolicy> = [], port = 80): WeightedBackend =>
  to({ _tag: "Service", service: serviceKey, port }, policies)

/** One route to one service. */
export const balancing = (
  workloads: ReadonlyArray<Workload>,
  more: {
    readonly service?: Partial<Service>
    readonly policies?: ReadonlyArray<TrafficPolicy>
    readonly backendPolicies?: ReadonlyArray<BackendPolicy>
  } = {},
): Snapshot =>
  routing([toService(more.backendPolicies)], more.policies, {
    services: snapshots.table(service(more.service)),
    workloads: snapshots.table(...workloads),
  })
