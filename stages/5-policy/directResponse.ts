/** Answers without asking anyone. */
import type { DirectResponse } from "../../ir/policy/DirectResponse.ts"
import { Headers } from "../../protocols/http/headers.ts"
import * as Body from "../Body.ts"
import type { Reply, Subject } from "../Exchange.ts"
import { answer, broken, type Step, unusable } from "./Step.ts"

/** Statuses whose replies have no body (RFC 9110 §6.4.1). */
const isBodiless = (status: number): boolean => status === 204 || status === 205 || status === 304

/** The answer, made for each exchange anew because edits change it in place; a text says why there can be none. */
export const compileAnswer = ({ body, headers, status }: DirectResponse): (() => Reply) | string => {
  if (status < 200 || status > 599) return `${status} is not the status of a final reply`
  if (headers.length > 0 || body?._tag === "Computed") return "nothing evaluates its expressions yet"
  const content = body === undefined || isBodiless(status) ? Body.empty : Body.text(body.text)
  return () => ({ status, headers: new Headers([]), body: content, origin: "gateway" })
}

export const compile = (policy: DirectResponse): Step<Subject> => {
  const made = compileAnswer(policy)
  if (typeof made !== "string") return { kind: "DirectResponse", run: () => answer(made()) }
  return policy.headers.length > 0 || policy.body?._tag === "Computed"
    ? broken("DirectResponse", made)
    : unusable("DirectResponse", made)
}
