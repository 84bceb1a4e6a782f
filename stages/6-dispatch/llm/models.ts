/** Which model a request is for, and who provides it. */
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { coversModel } from "../../../ir/backend/modelNames.ts"
import type { Backend } from "../../../ir/Backend.ts"
import { expressionsOf } from "../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Reply } from "../../Exchange.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Try } from "../Target.ts"
import type { Asked } from "./Asked.ts"
import { type Candidate, type Candidates, candidates } from "./failover.ts"
import { forbidden, type Found, notFound, refused } from "./found.ts"
import { list, listingPath, mayUse, missing, one, visible, wantsNative } from "./listing.ts"
import { choose, type Chosen, entriesOf, type Entry, type FactsOf } from "./modelEntries.ts"
import type { Part } from "./Part.ts"
import { virtualModel } from "./virtualModels.ts"

type ModelsBackend = Extract<Backend, { readonly _tag: "Models" }>

interface Models {
  /** The list of models, where that is what is asked for. */
  readonly listing: (attempt: Try) => Reply | undefined
  readonly find: (attempt: Try, asked: Asked) => Found
}

export const modelsOf = (
  backend: ModelsBackend,
  parts: ReadonlyArray<Part>,
  ports: PolicyPorts,
  clock: Clock,
  candidate: (part: Part, pinned?: string, group?: number) => Candidate,
): Models => {
  const expressions = expressionsOf(ports)
  const createdSeconds = Math.floor(clock.wallMillis() / 1000)
  const factsOf: FactsOf = (attempt, asked) => {
    const facts = Facts.of(expressions.around, attempt)
    facts.llmRequest = (asked?.json ?? {}) as CelValue
    return facts
  }

  const entries = entriesOf(parts, ports, factsOf)
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
    return {
      _tag: "Found",
      candidates: alone(chosen, chosen.part.provider.model ?? pinned),
      passthrough: chosen.model.passthrough,
    }
  }

  const virtuals = new Map(
    backend.virtualModels.map((one) => [
      one.name,
      virtualModel(one, {
        expressions,
        factsOf,
        clock,
        candidate,
        choose: (attempt, asked, name) => choose(entries, attempt, asked, name, true),
        found,
      }),
    ]),
  )

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
        ? found(choose(entries, attempt, asked, model, false), model, undefined)
        : special(attempt, asked)
    },
  }
}
