/** Answers without asking anyone. */
import * as Effect from "effect/Effect"
import { toBody, toStatus } from "../../ir/cel/toJson.ts"
import { headerUse } from "../../ir/expressions.ts"
import type { DirectResponse } from "../../ir/policy/DirectResponse.ts"
import { Headers } from "../../protocols/http/headers.ts"
import * as Body from "../Body.ts"
import type { Reply, Subject } from "../Exchange.ts"
import type { Refusal } from "../Refusal.ts"
import { readsRequestBody } from "./expression/Expressions.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import { headerValue } from "./expression/headerValue.ts"
import { Facts } from "./expression/Facts.ts"
import * as HeaderEdits from "./headerEdits.ts"
import type { Layer } from "./order.ts"
import { answer, type Step, unusable, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

/** Statuses whose replies have no body (RFC 9110 §6.4.1). */
const isBodiless = (status: number): boolean => status === 204 || status === 205 || status === 304

/** Why the answer cannot have such a header. */
export const complaintAbout = (name: string): string | undefined =>
  name === ":status" ? undefined : HeaderEdits.complaintAbout(name)

/** Why there can be no such answer. */
export const complaintOf = ({ headers, status }: DirectResponse): string | undefined => {
  if (status < 200 || status > 599) return `${status} is not the status of a final reply`
  for (const { name } of headers) {
    const problem = complaintAbout(name)
    if (problem !== undefined) return problem
  }
  return undefined
}

const failed: Effect.Effect<Verdict, Refusal> = Effect.fail({
  _tag: "FilterFailed",
  detail: "the body of the response could not be computed",
})

export const compile = (policy: DirectResponse, ports: PolicyPorts, layer: Layer): Step<Subject> => {
  const problem = complaintOf(policy)
  if (problem !== undefined) return unusable("DirectResponse", problem)
  const { body, status } = policy
  const fixed = body?._tag === "Text" && !isBodiless(status) ? Body.text(body.text) : Body.empty
  const fresh = (content: Body.Body): Reply => ({ status, headers: new Headers([]), body: content, origin: "gateway" })
  // Made for each exchange anew, because edits change it in place.
  if (policy.headers.length === 0 && body?._tag !== "Computed") {
    return { kind: "DirectResponse", run: () => answer(fresh(fixed)) }
  }
  const expressions = expressionsOf(ports)
  const { around } = expressions
  const computed = body?._tag === "Computed" ? expressions.compile(body.expression, layer, "directResponse") : undefined
  const headers = policy.headers.map(({ expression, name }) => ({
    name,
    expression: expressions.compile(expression, layer, headerUse(name)),
  }))
  return {
    kind: "DirectResponse",
    readsBody: readsRequestBody(computed) || headers.some(({ expression }) => readsRequestBody(expression)),
    run: (subject) => {
      const facts = Facts.of(around, subject)
      const content = computed?.as(facts, toBody)
      if (computed !== undefined && content === undefined) return failed
      const reply = fresh(content === undefined || isBodiless(status) ? fixed : Body.bytes(content))
      for (const { expression, name } of headers) {
        if (name === ":status") {
          const computedStatus = expression.as(facts, toStatus)
          if (computedStatus !== undefined && computedStatus >= 200) reply.status = computedStatus
          continue
        }
        const value = expression.as(facts, headerValue)
        if (value !== undefined) reply.headers.append(name, value)
      }
      return answer(reply)
    },
  }
}
