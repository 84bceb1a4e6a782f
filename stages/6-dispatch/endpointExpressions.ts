/** What expressions say of endpoints: with which one a client stays, and whose reply is that of an unhealthy one. */
import * as Effect from "effect/Effect"
import type { CelValue } from "../../ir/cel/CelValue.ts"
import { toBase64, toText } from "../../ir/cel/toJson.ts"
import type { BackendPolicies } from "../../ir/effective.ts"
import { captureReply, captureRequest } from "../5-policy/expression/capture.ts"
import { readsReplyBody, readsRequestBody } from "../5-policy/expression/Expressions.ts"
import { expressionsOf } from "../5-policy/expression/expressionsOf.ts"
import { Facts } from "../5-policy/expression/Facts.ts"
import type { Step } from "../5-policy/Step.ts"
import type { PolicyPorts } from "../5-policy/steps.ts"
import type { Reply } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import type { Judgement } from "./health.ts"
import type { Resolved } from "./resolve.ts"
import type { Try } from "./Target.ts"

/** What keeps a client with one endpoint; undefined where nothing does, or for this request nothing can be computed. */
export const affinityOf = (
  { SessionAffinity: policy }: BackendPolicies,
  ports: PolicyPorts,
): ((attempt: Try) => string | undefined) | undefined => {
  if (policy === undefined) return undefined
  const expressions = expressionsOf(ports)
  const source = expressions.compile(policy.source, "backend", "sessionAffinity")
  return (attempt) => {
    const key = source.as(Facts.of(expressions.around, attempt), toKey)
    return key === "" ? undefined : key
  }
}

const toKey = (value: CelValue): string | undefined => (value instanceof Uint8Array ? toBase64(value) : toText(value))

/** What a policy says of replies in its own words; a failing expression calls nobody unhealthy. */
export const healthOf = ({ Health: policy }: BackendPolicies, ports: PolicyPorts) => {
  if (policy?.unhealthyExpression === undefined) return undefined
  const expressions = expressionsOf(ports)
  const unhealthy = expressions.compile(policy.unhealthyExpression, "attempt", "health")
  const readsBody = readsReplyBody(unhealthy)
  return {
    judge: (attempt: Try, reply: Reply): Judgement =>
      unhealthy.holds(Facts.of(expressions.around, attempt, reply)) === true ? "unhealthy" : "healthy",
    /** What has to be read for it, read while the exchange can still be given up. */
    prepared: (attempt: Try, sent: Effect.Effect<Reply, Refusal>): Effect.Effect<Reply, Refusal> =>
      readsBody
        ? Effect.flatMap(sent, (reply) => {
            const waiting = captureReply(reply, ports.maxBufferBytes, attempt.request.method === "HEAD")
            return waiting === undefined ? Effect.succeed(reply) : Effect.as(waiting, reply)
          })
        : sent,
  }
}

/** What chooses an endpoint, or judges its reply, may look at the body of the request. */
export const bodySteps = (ports: PolicyPorts, { policies, where }: Resolved): ReadonlyArray<Step<Try>> => {
  const expressions = expressionsOf(ports)
  const affinity = policies.SessionAffinity?.source
  const unhealthy = policies.Health?.unhealthyExpression
  const target = where._tag === "Dynamic" ? where.target : undefined
  const reads =
    (affinity !== undefined && readsRequestBody(expressions.compile(affinity, "backend", "sessionAffinity"))) ||
    (unhealthy !== undefined && readsRequestBody(expressions.compile(unhealthy, "attempt", "health"))) ||
    (target !== undefined && readsRequestBody(expressions.compile(target, "backend", "target")))
  return reads ? [captureRequest(ports)] : []
}
