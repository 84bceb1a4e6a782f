/** Which model a request is for, and who provides it. */
import * as Result from "effect/Result"
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import type { Model, VirtualModel } from "../../../ir/backend/Llm.ts"
import { coversModel, specificity } from "../../../ir/backend/modelNames.ts"
import type { Backend } from "../../../ir/Backend.ts"
import type { HeaderMatch } from "../../../ir/Match.ts"
import type { LlmError } from "../../../protocols/llm/LlmError.ts"
import { compileJudges, compileRules, decide } from "../../5-policy/authorization.ts"
import { expressionsOf } from "../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Reply } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import * as Regex from "../../4-route/Regex.ts"
import type { Try } from "../Target.ts"
import type { Asked } from "./Asked.ts"
import { type Candidate, type Candidates, candidates } from "./failover.ts"
import { list, listingPath, mayUse, missing, one, visible, wantsNative } from "./listing.ts"
import type { Part } from "./Part.ts"

type ModelsBackend = Extract<Backend, { readonly _tag: "Models" }>

export type Found =
  | { readonly _tag: "Found"; readonly candidates: Candidates; readonly passthrough: Model["passthrough"] }
  | { readonly _tag: "Refused"; readonly error: LlmError }

export interface Models {
  /** The list of models, where that is what is asked for. */
  readonly listing: (attempt: Try) => Reply | undefined
  readonly find: (attempt: Try, asked: Asked) => Found
}

const refused = (status: number, kind: LlmError["kind"], message: string, code: string): Found => ({
  _tag: "Refused",
  error: { status, kind, message, code },
})

const notFound = (model: string): Found =>
  refused(404, "notFound", `the model ${JSON.stringify(model)} does not exist`, "model_not_found")

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

interface Entry {
  readonly model: Model
  readonly part: Part
  readonly matches: HeadersOf
  readonly isAuthorized: (attempt: Try, asked: Asked | undefined, name: string) => boolean
}

type Chosen = { readonly entries: ReadonlyArray<Entry> } | "forbidden" | "unknown"

type Virtual = (attempt: Try, asked: Asked) => Found

export const modelsOf = (
  backend: ModelsBackend,
  parts: ReadonlyArray<Part>,
  ports: PolicyPorts,
  clock: Clock,
  candidate: (part: Part, pinned?: string, group?: number) => Candidate,
): Models => {
  const expressions = expressionsOf(ports)
  const createdSeconds = Math.floor(clock.wallMillis() / 1000)
  const factsOf = (attempt: Try, asked: Asked | undefined): Facts => {
    const facts = Facts.of(expressions.around, attempt)
    facts.llmRequest = (asked?.json ?? {}) as CelValue
    return facts
  }

  const entries: ReadonlyArray<Entry> = parts
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

  const choose = (attempt: Try, asked: Asked, name: string, includesInternal: boolean): Chosen => {
    let isForbidden = false
    for (const entry of entries) {
      const { model } = entry
      if (!includesInternal && model.visibility === "internal") continue
      if (!coversModel(model.name, name) || !entry.matches(attempt)) continue
      if (entry.isAuthorized(attempt, asked, name)) return { entries: [entry] }
      isForbidden = true
    }
    return isForbidden ? "forbidden" : "unknown"
  }

  const forbidden = (name: string): Found =>
    refused(403, "permission", `the model ${JSON.stringify(name)} may not be used`, "model_authorization_denied")

  const single = new Map<Entry, Map<string | undefined, Candidates>>()
  /** What is reached by one name only; names that clients make up are not remembered. */
  const alone = (entry: Entry, pinned: string | undefined): Candidates => {
    const known = single.get(entry)?.get(pinned)
    if (known !== undefined) return known
    const made = candidates([candidate(entry.part, pinned)])
    let byName = single.get(entry)
    if (byName === undefined) single.set(entry, (byName = new Map()))
    byName.set(pinned, made)
    return made
  }

  const found = (chosen: Chosen, name: string, pinned: string | undefined): Found => {
    if (chosen === "unknown") return notFound(name)
    if (chosen === "forbidden") return forbidden(name)
    const [entry] = chosen.entries
    if (entry === undefined) return notFound(name)
    return {
      _tag: "Found",
      candidates: alone(entry, entry.part.provider.model ?? pinned),
      passthrough: entry.model.passthrough,
    }
  }

  const towards = (attempt: Try, asked: Asked, target: string): Found => {
    const chosen = choose(attempt, asked, target, true)
    if (chosen === "unknown") {
      return refused(
        404,
        "notFound",
        `the target ${JSON.stringify(target)} does not exist`,
        "virtual_model_target_not_found",
      )
    }
    return found(chosen, target, target)
  }

  const virtual = ({ name, routing }: VirtualModel): Virtual => {
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
            const chosen = choose(attempt, asked, model, true)
            if (chosen === "forbidden") isForbidden = true
            if (typeof chosen === "string") continue
            for (const entry of chosen.entries) usable.push([entry, model, priorities.indexOf(priority)])
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

  const virtuals = new Map(backend.virtualModels.map((one) => [one.name, virtual(one)]))

  return {
    listing: (attempt) => {
      const { method, path } = attempt.request
      const asked = method === "GET" || method === "HEAD" ? listingPath(path) : undefined
      if (asked === undefined) return undefined
      const allowed = attempt.exchange.identity?.apiKey?.allowedModels
      const names = new Set<string>()
      for (const { isAuthorized, model } of entries) {
        if (model.visibility === "internal" || !isAuthorized(attempt, undefined, model.name)) continue
        for (const name of visible(model.name, allowed)) names.add(name)
      }
      for (const { name } of backend.virtualModels) if (mayUse(allowed, name)) names.add(name)
      const { id } = asked
      const isNative = wantsNative(attempt.request)
      if (id === undefined) return list(isNative, [...names], createdSeconds)
      return [...names].some((name) => coversModel(name, id)) && mayUse(allowed, id)
        ? one(isNative, id, createdSeconds)
        : missing(isNative, id)
    },
    find: (attempt, asked) => {
      const { model } = asked
      if (model === undefined || model === "") {
        const isJsonKind = asked.json === undefined && asked.bytes.byteLength > 0 && asked.kind !== "passthrough"
        return isJsonKind
          ? refused(400, "invalidRequest", "the body of the request is not a JSON object", "invalid_request_body")
          : refused(400, "invalidRequest", "the request names no model", "missing_model")
      }
      if (!mayUse(attempt.exchange.identity?.apiKey?.allowedModels, model)) {
        return refused(
          403,
          "permission",
          `this key is not good for the model ${JSON.stringify(model)}`,
          "model_not_allowed",
        )
      }
      const special = virtuals.get(model)
      return special === undefined
        ? found(choose(attempt, asked, model, false), model, undefined)
        : special(attempt, asked)
    },
  }
}
