/** What the `ai` policies make of a request, in the client's terms and then in the provider's. */
import type { CelValue } from "../../../ir/cel/CelValue.ts"
import { toJson } from "../../../ir/cel/toJson.ts"
import type { Ai } from "../../../ir/policy/Ai.ts"
import type { JsonObject } from "../../../protocols/llm/Json.ts"
import type { Format } from "../../../protocols/llm/Translation.ts"
import type { Expression } from "../../5-policy/expression/Expressions.ts"
import { expressionsOf } from "../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../5-policy/steps.ts"
import type { Try } from "../Target.ts"
import { aliasing } from "./aliases.ts"
import { type Prompts, withPrompts } from "./prompts.ts"

/** A JSON body and what of it differs from the bytes that came; `undefined` stands for a member that is gone. */
export interface Shaped {
  readonly json: JsonObject
  readonly edits: ReadonlyMap<string, unknown>
}

const noEdits: Shaped["edits"] = new Map()

export const unchanged = (json: JsonObject): Shaped => ({ json, edits: noEdits })

/** The same with members set, or taken out where they are `undefined`. */
export const edited = (shaped: Shaped, members: Iterable<readonly [string, unknown]>): Shaped => {
  let json: Record<string, unknown> | undefined
  let edits: Map<string, unknown> | undefined
  for (const [name, value] of members) {
    json ??= { ...shaped.json }
    edits ??= new Map(shaped.edits)
    edits.set(name, value)
    if (value === undefined) delete json[name]
    else json[name] = value
  }
  return json === undefined || edits === undefined ? shaped : { json, edits }
}

export interface Shape {
  readonly alias: (model: string) => string
  /** Overrides, computed members and defaults. */
  readonly before: (attempt: Try, shaped: Shaped) => Shaped
  readonly prompts: (format: Format | undefined, shaped: Shaped) => Shaped
  readonly after: (attempt: Try, shaped: Shaped) => Shaped
}

type Computed = ReadonlyArray<readonly [name: string, expression: Expression]>

const jsonOf = (value: CelValue): unknown => toJson(value)

export const compile = (ai: Ai | undefined, ports: PolicyPorts): Shape => {
  const expressions = expressionsOf(ports)
  const compiled = (map: Ai["transformations"]): Computed =>
    Object.entries(map ?? {}).map(([name, source]) => [name, expressions.compile(source, "llm", "llmField")])
  const transformations = compiled(ai?.transformations)
  const finals = compiled(ai?.finalTransformations)
  const overrides = Object.entries(ai?.overrides ?? {})
  const defaults = Object.entries(ai?.defaults ?? {})
  const prompts: Prompts = ai?.prompts ?? { prepend: [], append: [] }
  const hasPrompts = prompts.prepend.length + prompts.append.length > 0

  /** A failing expression takes its member out: better nothing than a value that nobody meant. */
  const evaluate = (computed: Computed, attempt: Try, json: JsonObject): ReadonlyArray<readonly [string, unknown]> => {
    const facts = Facts.of(expressions.around, attempt)
    facts.llmRequest = json as CelValue
    return computed.map(([name, expression]) => [name, expression.as(facts, jsonOf)])
  }

  return {
    alias: aliasing(ai?.modelAliases),
    before: (attempt, shaped) => {
      if (transformations.length + overrides.length + defaults.length === 0) return shaped
      const computed = transformations.length === 0 ? [] : evaluate(transformations, attempt, shaped.json)
      const set = edited(edited(shaped, overrides), computed)
      return edited(
        set,
        defaults.filter(([name]) => !Object.hasOwn(set.json, name)),
      )
    },
    prompts: (format, shaped) =>
      hasPrompts ? edited(shaped, Object.entries(withPrompts(format, shaped.json, prompts))) : shaped,
    after: (attempt, shaped) => (finals.length === 0 ? shaped : edited(shaped, evaluate(finals, attempt, shaped.json))),
  }
}
