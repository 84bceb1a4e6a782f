/** Whether a connection may stay, asked of another service once it is known who is at its other end. */
import * as Effect from "effect/Effect"
import type { NetworkExtAuthz } from "../../ir/policy/NetworkExtAuthz.ts"
import { Headers } from "../../protocols/http/headers.ts"
import { compileAsk, compileKept } from "../5-policy/extAuthz.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import * as Body from "../Body.ts"
import type { Secured } from "../Connection.ts"
import { Exchange, Request } from "../Exchange.ts"
import type { Plan } from "../Plan.ts"
import { rejected } from "../Rejected.ts"

export type Permission = (secured: Secured) => Effect.Effect<boolean>

export const notPermitted = rejected("networkExtAuthz", "external authorization failed")

/** Stands for the connection: nothing was asked for yet. */
const synthetic = (): Request =>
  new Request("GET", "http", "", "", "/", undefined, "1.1", new Headers(), Body.empty, undefined)

/** `planOf` is asked only once there are connections. */
export const compile = (
  policy: NetworkExtAuthz | undefined,
  ports: PolicyPorts,
  planOf: () => Plan | undefined,
): Permission | undefined => {
  if (policy === undefined) return undefined
  const { clock } = ports
  const { ask } = compileAsk(policy, ports, "networkExtAuthz")
  const cache = policy.cache === undefined ? undefined : compileKept(policy.cache, ports, "networkExtAuthz")
  const otherwise = policy.failure._tag === "Allow"
  return (secured) =>
    Effect.suspend(() => {
      const plan = planOf()
      if (plan === undefined) return Effect.succeed(otherwise)
      const bound = { secured, listener: undefined }
      const exchange = new Exchange(plan, bound, synthetic(), clock.nowMillis(), undefined, undefined)
      const key = cache?.keyOf(exchange)
      const known = key === undefined ? undefined : cache?.kept.get(key, clock.wallMillis())
      if (known !== undefined) return Effect.succeed(known._tag === "Allowed")
      return Effect.matchEffect(ask(exchange, undefined), {
        onFailure: (reason) => {
          if (key !== undefined) cache?.kept.unanswered(key)
          return Effect.as(Effect.logDebug("external authorization of a connection failed", reason), otherwise)
        },
        onSuccess: (decision) => {
          // Nobody reads what the service says to a client.
          if (decision._tag === "Denied") Body.discard(decision.body)
          if (cache !== undefined && key !== undefined) {
            const now = clock.wallMillis()
            const kept = decision._tag === "Denied" ? { ...decision, body: Body.empty } : decision
            cache.kept.put(key, kept, now, cache.untilMillis(exchange, now))
          }
          return Effect.succeed(decision._tag === "Allowed")
        },
      })
    })
}
