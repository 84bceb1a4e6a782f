/**
 * Asks providers of models by itself how they are, at intervals: one that is down is found out before a client asks it,
 * and stays away for as long as it is down, where an eviction ends with its time.
 */
import * as Effect from "effect/Effect"
import { Headers } from "../../../protocols/http/headers.ts"
import { hostOf } from "../../../protocols/http/authority.ts"
import type { Backend } from "../../../ir/Backend.ts"
import type { LlmProvider } from "../../../ir/backend/Llm.ts"
import type { BackendPolicy } from "../../../ir/Policy.ts"
import type { ActiveHealth } from "../../../ir/policy/Health.ts"
import type { Route } from "../../../ir/Route.ts"
import type { Snapshot } from "../../../ir/Snapshot.ts"
import * as Body from "../../Body.ts"
import { Request } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import { authorityOf } from "../authority.ts"
import type { EndpointHandle } from "../Endpoints.ts"
import type { Vitals } from "../health.ts"
import { templateOf } from "../template.ts"
import type { DispatchPorts } from "../ports.ts"
import { type Place, resolve } from "../resolve.ts"
import { traitsOf } from "./vendor/traitsOf.ts"

export interface Probe {
  /** As the choice among providers knows it. */
  readonly id: string
  readonly handle: EndpointHandle
  readonly scheme: "http" | "https"
  readonly authority: string
  readonly active: ActiveHealth
}

/** No answer about health is longer; what is, is not read. */
const REPLY_BYTES_MAX = 65_536

const asks = (policies: ReadonlyArray<BackendPolicy>): boolean =>
  policies.some((policy) => policy._tag === "Health" && policy.active !== undefined)

export const isAttached = ({ attachments }: Pick<Snapshot, "attachments">): boolean => {
  for (const { policy } of attachments.values()) if (policy._tag === "Backend" && asks([policy.policy])) return true
  return false
}

type Models = Extract<Backend, { readonly _tag: "Llm" | "Models" }>

const providersOf = (backend: Models): ReadonlyArray<LlmProvider> =>
  backend._tag === "Models" ? backend.models.map(({ provider }) => provider) : backend.groups.flat()

export const isModels = (backend: Backend | undefined): backend is Models =>
  backend?._tag === "Llm" || backend?._tag === "Models"

/** What a route has probed; nothing where it does not lead to models. `anywhere`: a policy that is attached may ask. */
export const probesOf = (
  ports: DispatchPorts,
  surroundings: Place,
  { backends }: Pick<Route, "backends">,
  anywhere: boolean,
): ReadonlyArray<Probe> | undefined => {
  let probes: Array<Probe> | undefined
  for (const { backend: ref, policies } of backends) {
    const backend = ref._tag === "Backend" ? surroundings.snapshot.backends.get(ref.backend) : undefined
    if (!isModels(backend)) continue
    probes ??= []
    if (
      !anywhere &&
      !asks(policies) &&
      !asks(backend.policies) &&
      !providersOf(backend).some((one) => asks(one.policies))
    ) {
      continue
    }
    const { where } = resolve(surroundings, [], ref, policies)
    if (where._tag !== "Llm") continue
    for (const part of where.parts) {
      const active = part.policies.Health?.active
      if (active === undefined) continue
      const scheme = part.policies.BackendTls === undefined ? "http" : "https"
      const target = part.provider.target ?? traitsOf(part.provider.vendor).address(undefined)
      const template = templateOf(ports, { ...part, where })
      const authority = target === undefined ? undefined : authorityOf(target, scheme)
      if (target === undefined || typeof template === "string") continue
      const handle = ports.endpoints.family(template).to(target)
      const id = `${backend.key} ${part.provider.name}`
      probes.push({ id, handle, scheme, authority: authority ?? "localhost", active })
    }
  }
  return probes
}

const isExpected = (status: number, { expectedStatuses }: ActiveHealth): boolean =>
  expectedStatuses.length === 0 ? status >= 200 && status < 300 : expectedStatuses.includes(status)

/** One question; whatever goes wrong means that it is not well. */
const ask = ({ active, authority, handle, scheme }: Probe): Effect.Effect<boolean> => {
  const [path = "/", query] = active.path.split("?", 2)
  const answered = Effect.suspend(() => {
    const headers = new Headers(["accept", "*/*", "user-agent", "sluice-health"])
    const host = hostOf(authority)
    const request = new Request("GET", scheme, authority, host, path, query, "1.1", headers, Body.empty, undefined)
    return handle.get().send(request, { version: "1.1", replyTimeoutMillis: active.timeoutMillis, inform: undefined })
  })
  return answered.pipe(
    Effect.flatMap(({ body, status }) =>
      Effect.map(Body.collect(body, REPLY_BYTES_MAX), (collected) => {
        if (collected._tag === "Partial") Body.discard(collected.body)
        return isExpected(status, active)
      }),
    ),
    Effect.timeoutOrElse({ duration: active.timeoutMillis, orElse: () => Effect.succeed(false) }),
    Effect.catch(() => Effect.succeed(false)),
  )
}

/** Up to a tenth sooner, so that what was started together is not asked together for ever. */
const JITTER = 0.1

/** Runs until it is interrupted. */
export const watch = (probe: Probe, vitals: Vitals, clock: Clock, asking = ask): Effect.Effect<never> => {
  const { healthyThreshold, intervalMillis, unhealthyThreshold } = probe.active
  let inARow = 0
  let wasWell = true
  const heard = (isWell: boolean): void => {
    inARow = isWell === wasWell ? inARow + 1 : 1
    wasWell = isWell
    if (!isWell && inARow >= unhealthyThreshold) vitals.isDown = true
    if (isWell && vitals.isDown && inARow >= healthyThreshold) vitals.returned()
  }
  const once = Effect.suspend(() => Effect.map(asking(probe), heard))
  const pause = Effect.suspend(() => Effect.sleep(intervalMillis * (1 - JITTER * clock.random())))
  return Effect.onExit(Effect.forever(Effect.andThen(once, pause)), () => {
    // Nobody looks after it any more, so it must not stay away for good.
    if (vitals.isDown) vitals.returned()
    return Effect.void
  })
}
