/** Names that stand for several models: one of them by weight, by a condition, or by who answers. */
import type { VirtualModel } from "../../../ir/backend/Llm.ts"
import type { Expressions } from "../../5-policy/expression/Expressions.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Try } from "../Target.ts"
import type { Asked } from "./Asked.ts"
import { type Candidate, type Candidates, candidates } from "./failover.ts"
import { forbidden, type Found, notFound, refused } from "./found.ts"
import type { Chosen, Entry, FactsOf } from "./modelEntries.ts"
import type { Part } from "./Part.ts"

/** Who is asked instead for a request that names it. */
type Virtual = (attempt: Try, asked: Asked) => Found

interface Surroundings {
  readonly expressions: Expressions
  readonly factsOf: FactsOf
  readonly clock: Clock
  readonly candidate: (part: Part, pinned?: string, group?: number) => Candidate
  readonly choose: (attempt: Try, asked: Asked, name: string) => Chosen
  readonly found: (chosen: Chosen, name: string, pinned: string) => Found
}

export const virtualModel = (
  { name, routing }: VirtualModel,
  { candidate, choose, clock, expressions, factsOf, found }: Surroundings,
): Virtual => {
  const towards = (attempt: Try, asked: Asked, target: string): Found => {
    const chosen = choose(attempt, asked, target)
    return chosen === "unknown"
      ? refused(
          404,
          "notFound",
          `the target ${JSON.stringify(target)} does not exist`,
          "virtual_model_target_not_found",
        )
      : found(chosen, target, target)
  }
  switch (routing._tag) {
    case "Weighted": {
      const sum = routing.targets.reduce((all, { weight }) => all + weight, 0)
      return (attempt, asked) => {
        let drawn = clock.random() * sum
        const target = routing.targets.find(({ weight }) => (drawn -= weight) < 0) ?? routing.targets[0]
        return towards(attempt, asked, target.model)
      }
    }
    case "Conditional": {
      const targets = routing.targets.map(({ model, when }) => ({
        model,
        when: when === undefined ? undefined : expressions.compile(when, "llm", "condition"),
      }))
      return (attempt, asked) => {
        const facts = factsOf(attempt, asked)
        const target = targets.find(({ when }) => when === undefined || when.holds(facts) === true)
        return target === undefined
          ? refused(
              400,
              "invalidRequest",
              `no target of ${JSON.stringify(name)} is meant for this request`,
              "virtual_model_no_matching_target",
            )
          : towards(attempt, asked, target.model)
      }
    }
    case "Failover": {
      const priorities = [...new Set(routing.targets.map(({ priority }) => priority))].sort((a, b) => a - b)
      const known = new Map<string, Candidates>()
      return (attempt, asked) => {
        const usable: Array<readonly [Entry, string, number]> = []
        let isForbidden = false
        for (const { model, priority } of routing.targets) {
          const chosen = choose(attempt, asked, model)
          if (chosen === "forbidden") isForbidden = true
          if (typeof chosen !== "string") usable.push([chosen, model, priorities.indexOf(priority)])
        }
        const [first] = usable
        if (first === undefined) return isForbidden ? forbidden(name) : notFound(name)
        const key = usable.map(([{ part }, model]) => `${part.provider.name} ${model}`).join("\n")
        let made = known.get(key)
        if (made === undefined) {
          made = candidates(
            usable.map(([{ part }, model, group]) => candidate(part, part.provider.model ?? model, group)),
          )
          known.set(key, made)
        }
        return { _tag: "Found", candidates: made, passthrough: first[0].model.passthrough }
      }
    }
  }
}
