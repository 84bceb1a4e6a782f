/**
 * What a JSON Schema lets a caller send or demands of it, as cues: whatever widens it or asks for more adds one. A bound
 * that is gone is a cue as well ("no maximum here"), so that comparing sets is enough.
 */
import { isObject } from "../json/object.ts"
import type { Cues } from "./Cues.ts"

/** Words for people and models; their texts are looked at elsewhere. */
const spoken: ReadonlySet<string> = new Set(["title", "description", "$comment", "examples", "deprecated"])

const bounds = [
  "maximum",
  "minimum",
  "exclusiveMaximum",
  "exclusiveMinimum",
  "maxLength",
  "minLength",
  "maxItems",
  "minItems",
  "maxProperties",
  "minProperties",
  "multipleOf",
  "pattern",
  "format",
  "uniqueItems",
  "contentEncoding",
  "contentMediaType",
] as const

const byName: ReadonlySet<string> = new Set([
  "properties",
  "patternProperties",
  "$defs",
  "definitions",
  "dependentSchemas",
])
const single: ReadonlySet<string> = new Set([
  "items",
  "contains",
  "not",
  "if",
  "then",
  "else",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
  "additionalItems",
])
const several: ReadonlySet<string> = new Set(["anyOf", "oneOf", "allOf", "prefixItems"])

const handled: ReadonlySet<string> = new Set([
  ...bounds,
  ...byName,
  ...single,
  ...several,
  ...spoken,
  "type",
  "enum",
  "const",
  "required",
  "additionalProperties",
])

const nodesMax = 20_000

export const schemaCues = (schema: unknown, at: string, cues: Cues): void => {
  let nodes = 0
  const walk = (value: unknown, path: string): void => {
    if (++nodes > nodesMax) {
      cues.add("oversize", `${at} has more than ${nodesMax} parts`)
      return
    }
    if (!isObject(value)) {
      if (value !== undefined) cues.add("schema", `${path} is ${JSON.stringify(value)}`)
      return
    }
    const { additionalProperties, enum: values, required, type } = value
    if (typeof type === "string") cues.add("schema", `${path} takes ${type}`)
    else if (Array.isArray(type)) for (const one of type) cues.add("schema", `${path} takes ${String(one)}`)
    else cues.add("schema", `${path} takes any type`)
    if (Array.isArray(values)) {
      for (const one of values) cues.add("schema", `${path} takes the value ${JSON.stringify(one)}`)
    } else if (Object.hasOwn(value, "const"))
      cues.add("schema", `${path} takes the value ${JSON.stringify(value["const"])}`)
    else cues.add("schema", `${path} takes values that are not listed`)
    if (Array.isArray(required)) for (const name of required) cues.add("schema", `${path}/${String(name)} is required`)
    for (const bound of bounds) {
      cues.add(
        "schema",
        Object.hasOwn(value, bound) ? `${path} ${bound} ${JSON.stringify(value[bound])}` : `${path} has no ${bound}`,
      )
    }
    if (isObject(additionalProperties)) walk(additionalProperties, `${path}/*`)
    else cues.add("schema", `${path} ${additionalProperties === false ? "is closed" : "takes other properties"}`)
    for (const [keyword, inner] of Object.entries(value)) {
      if (byName.has(keyword) && isObject(inner)) {
        for (const [name, one] of Object.entries(inner)) {
          const below = keyword === "properties" ? `${path}/${name}` : `${path}/${keyword}/${name}`
          if (keyword === "properties") cues.add("schema", `${below} may be given`)
          walk(one, below)
        }
      } else if (single.has(keyword)) walk(inner, `${path}/${keyword}`)
      else if (several.has(keyword) && Array.isArray(inner)) {
        for (const [i, one] of inner.entries()) walk(one, `${path}/${keyword}/${i}`)
      } else if (!handled.has(keyword)) cues.add("schema", `${path} ${keyword} ${JSON.stringify(inner)}`)
    }
  }
  if (schema !== undefined) walk(schema, at)
}
