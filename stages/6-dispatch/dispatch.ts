/** From a routed exchange to a reply: which backend, how often, and for how long. */
import * as Effect from "effect/Effect"
import type { Backend } from "../../ir/Backend.ts"
import type { WeightedBackend } from "../../ir/Route.ts"
import type { Snapshot } from "../../ir/Snapshot.ts"
import type { Attempt, Routed, Service } from "../Exchange.ts"
import type { Clock } from "../ports/Timer.ts"
import type { EndpointSpec, SendOptions } from "../ports/Upstream.ts"
import type { Refusal } from "../Refusal.ts"
import { chooser } from "./choose.ts"
import type { Endpoints } from "./Endpoints.ts"
import { send } from "./http.ts"
import type { Target } from "./Target.ts"

/** What dispatch takes from around it. */
export interface DispatchPorts {
  readonly endpoints: Endpoints
  readonly clock: Clock
  readonly defaults: Pick<EndpointSpec, "connectTimeoutMillis" | "poolIdleMillis" | "poolSizeMax" | "keepAlive">
}

const failing = (name: string, refusal: Refusal): Target => {
  const failed = Effect.fail(refusal)
  return { name, edits: false, attempt: () => failed }
}

const noValidBackends: Refusal = { _tag: "NoValidBackends" }

const versionFor = (attempt: Attempt): SendOptions["version"] => (attempt.request.version === "2" ? "2" : "1.1")

const toBackend = (ports: DispatchPorts, backend: Backend): Target => {
  if (backend._tag !== "Host") return failing(backend.key, { _tag: "BackendNotFound" })
  const handle = ports.endpoints.handle({
    ...ports.defaults,
    target: backend.target,
    tls: undefined,
    tunnel: undefined,
  })
  return {
    name: backend.key,
    edits: false,
    attempt: (attempt) => send(attempt, handle.get(), versionFor(attempt), undefined, ports.clock),
  }
}

const targetOf = (ports: DispatchPorts, snapshot: Snapshot, { backend: ref }: WeightedBackend): Target => {
  if (ref._tag !== "Backend") return failing(ref._tag, { _tag: "BackendNotFound" })
  const backend = snapshot.backends.get(ref.backend)
  return backend === undefined ? failing(ref.backend, { _tag: "ServiceNotFound" }) : toBackend(ports, backend)
}

/** Sends routed exchanges to the backends of a route. */
export const dispatch = (
  ports: DispatchPorts,
  snapshot: Snapshot,
  backends: ReadonlyArray<WeightedBackend>,
): Service<Routed> => {
  const choose = chooser(
    backends.map((one) => ({ weight: one.weight, value: targetOf(ports, snapshot, one) })),
    ports.clock.random,
  )
  if (choose === undefined) {
    const failed = Effect.fail(noValidBackends)
    return () => failed
  }
  return (exchange) => {
    const target = choose()
    exchange.trail.backend = target.name
    return target.attempt({ exchange, request: exchange.request, number: 0 })
  }
}
