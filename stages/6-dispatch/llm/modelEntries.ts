/** The models of a backend as one that is asked for is looked up: by name, by headers, and by who may use it. */
import * as Result from "effect/Result"
import type { Model } from "../../../ir/backend/Llm.ts"
import { coversModel, specificity } from "../../../ir/backend/modelNames.ts"
import type { HeaderMatch } from "../../../ir/Match.ts"
import * as Regex from "../../4-route/Regex.ts"
import { compileJudges, compileRules, decide } from "../../5-policy/authorization.ts"
import { expressionsOf } from "../../5-policy/expression/expressionsOf.ts"
import type { Facts } from "../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Try } from "../Target.ts"
import type { Asked } from "./Asked.ts"
import type { Part } from "./Part.ts"

type HeadersOf = (attempt: Try) => boolean

const headerMatch = ({ name, value }: HeaderMatch): HeadersOf => {
  const of = ({ request }: Try): string | undefined => {
    switch (name) {
      case ":method":
        return request.method
      case ":path":
        return request.target
      case ":authority":
        return request.authority
      case ":scheme":
        return request.scheme
      default:
        return request.headers.get(name)
    }
  }
  if (value._tag === "Exact") return (attempt) => of(attempt) === value.value
  const regex = Result.getOrElse(Regex.compile(value.pattern), () => Regex.never(value.pattern))
  return (attempt) => {
    const text = of(attempt)
    return text !== undefined && regex.test(text)
  }
}

export interface Entry {
  readonly model: Model
  readonly part: Part
  readonly matches: HeadersOf
  readonly isAuthorized: (attempt: Try, asked: Asked | undefined, name: string) => boolean
}

/** What expressions about a model may look at. */
export type FactsOf = (attempt: Try, asked: Asked | undefined) => Facts

/** The most specific names first. */
export const entriesOf = (parts: ReadonlyArray<Part>, ports: PolicyPorts, factsOf: FactsOf): ReadonlyArray<Entry> => {
  const expressions = expressionsOf(ports)
  return parts
    .flatMap((part): ReadonlyArray<Entry> => {
      const { model } = part
      if (model === undefined) return []
      const conditions = model.matches.map((headers) => headers.map(headerMatch))
      const rules =
        model.authorization === undefined
          ? undefined
          : compileRules([model.authorization], expressions, "llm", "authorization")
      const judges = model.authorization === undefined ? [] : compileJudges([model.authorization], ports, "llm")
      return [
        {
          model,
          part,
          matches: (attempt) =>
            conditions.length === 0 || conditions.some((all) => all.every((holds) => holds(attempt))),
          isAuthorized: (attempt, asked, name) => {
            if (rules === undefined) return true
            const facts = factsOf(attempt, asked)
            const { bound, identity } = attempt.exchange
            const caller = { identity, client: bound.secured.tls?.client, model: name }
            return decide(rules, (rule) => rule.holds(facts)) && judges.every((one) => one(facts, caller))
          },
        },
      ]
    })
    .sort((a, b) => specificity(b.model.name) - specificity(a.model.name))
}

export type Chosen = Entry | "forbidden" | "unknown"

/** The first of those meant by a name that whoever asks may use. */
export const choose = (
  entries: ReadonlyArray<Entry>,
  attempt: Try,
  asked: Asked,
  name: string,
  includesInternal: boolean,
): Chosen => {
  let isForbidden = false
  for (const entry of entries) {
    const { model } = entry
    if (!includesInternal && model.visibility === "internal") continue
    if (!coversModel(model.name, name) || !entry.matches(attempt)) continue
    if (entry.isAuthorized(attempt, asked, name)) return entry
    isForbidden = true
  }
  return isForbidden ? "forbidden" : "unknown"
}
