/**
 * JSON Schema and the subset of OpenAPI's that Gemini takes. Towards Gemini, references are put in place, unions are
 * flattened and what it would refuse is left out; from it, types get their lower-case names back.
 */
import { isObject, type JsonObject, listOf, objectOf, textOf } from "../../Json.ts"

/** Deeper schemas describe any value. */
const DEPTH_MAX = 32
/** A schema that refers to itself again and again would grow without end. */
const NODES_MAX = 10_000

const kept = new Set([
  "type",
  "format",
  "description",
  "title",
  "nullable",
  "enum",
  "items",
  "properties",
  "required",
  "anyOf",
  "default",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "pattern",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "propertyOrdering",
])

const merge = (schemas: ReadonlyArray<JsonObject>): JsonObject => {
  let merged: JsonObject = {}
  for (const one of schemas) {
    const properties = { ...objectOf(one["properties"]), ...objectOf(merged["properties"]) }
    const required = [...new Set([...listOf(merged["required"]), ...listOf(one["required"])])]
    merged = {
      ...one,
      ...merged,
      ...(Object.keys(properties).length > 0 ? { properties } : {}),
      ...(required.length > 0 ? { required } : {}),
    }
  }
  return merged
}

const isNull = (schema: unknown): boolean => isObject(schema) && schema["type"] === "null"

class Normalizer {
  private readonly definitions: JsonObject
  private nodes = 0
  constructor(root: JsonObject) {
    this.definitions = { ...objectOf(root["definitions"]), ...objectOf(root["$defs"]) }
  }

  private resolve(schema: JsonObject, within: ReadonlySet<string>): readonly [JsonObject, ReadonlySet<string>] {
    const reference = textOf(schema["$ref"])
    if (reference === undefined) return [schema, within]
    const name = /^#\/(?:\$defs|definitions)\/([^]+)$/.exec(reference)?.[1]
    const { $ref: _, ...beside } = schema
    const target = name === undefined || within.has(name) ? undefined : objectOf(this.definitions[name])
    // What refers to itself ends as any object.
    if (name === undefined || target === undefined) return [{ type: "object", ...beside }, within]
    const inner = new Set([...within, name])
    return this.resolve({ ...target, ...beside }, inner)
  }

  normalize(input: unknown, depth = 0, within: ReadonlySet<string> = new Set()): JsonObject {
    if (!isObject(input) || depth > DEPTH_MAX || ++this.nodes > NODES_MAX) return { type: "object" }
    const [resolved, inside] = this.resolve(input, within)
    let schema: JsonObject = resolved
    const all = listOf(schema["allOf"]).filter(isObject)
    if (all.length > 0) {
      const { allOf: _, ...rest } = schema
      schema = merge([rest, ...all.map((one) => this.resolve(one, inside)[0])])
    }
    const out: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(schema)) if (kept.has(name)) out[name] = value
    if (schema["const"] !== undefined) out["enum"] = [schema["const"]]
    const next = (one: unknown): JsonObject => this.normalize(one, depth + 1, inside)

    const union = [...listOf(schema["anyOf"]), ...listOf(schema["oneOf"])]
    delete out["anyOf"]
    if (union.length > 0) {
      const rest = union.filter((one) => !isNull(one))
      if (rest.length < union.length) out["nullable"] = true
      if (rest.length === 1) {
        const { description } = out
        Object.assign(out, next(rest[0]))
        if (description !== undefined) out["description"] = description
      } else if (rest.length > 1) {
        out["anyOf"] = rest.map(next)
        delete out["type"]
      }
    }
    const types = schema["type"]
    if (Array.isArray(types)) {
      const named = types.filter((one) => one !== "null")
      if (named.length < types.length) out["nullable"] = true
      delete out["type"]
      if (named.length === 1) out["type"] = named[0]
      else if (named.length > 1 && out["anyOf"] === undefined) out["anyOf"] = named.map((type) => ({ type }))
    }
    if (isObject(schema["properties"]))
      out["properties"] = Object.fromEntries(
        Object.entries(schema["properties"]).map(([name, property]) => [name, next(property)]),
      )
    if (schema["items"] !== undefined) out["items"] = next(schema["items"])
    const values = listOf(out["enum"])
    if (values.length > 0) {
      const texts = values.filter((one) => typeof one === "string")
      if (texts.length === values.length) out["type"] = "string"
      else if (values.includes(null) && texts.length === values.length - 1) {
        out["enum"] = texts
        out["type"] = "string"
        out["nullable"] = true
      } else {
        delete out["enum"]
        out["type"] ??= typeof values[0] === "number" ? "number" : typeof values[0] === "boolean" ? "boolean" : "object"
      }
    }
    if (out["format"] !== undefined && out["format"] !== "enum" && out["format"] !== "date-time") delete out["format"]
    if (out["type"] === undefined && out["anyOf"] === undefined)
      out["type"] = out["items"] === undefined ? "object" : "array"
    if (out["type"] === "array" && out["items"] === undefined) out["items"] = { type: "object" }
    const required = listOf(out["required"])
    const properties = objectOf(out["properties"])
    // A field that is demanded and not described is an error there.
    if (required.length > 0)
      out["required"] = required.filter(
        (one) => typeof one === "string" && properties !== undefined && Object.hasOwn(properties, one),
      )
    if (listOf(out["required"]).length === 0) delete out["required"]
    return out
  }
}

export const toGeminiSchema = (schema: JsonObject): JsonObject => new Normalizer(schema).normalize(schema)

export const fromGeminiSchema = (schema: unknown, depth = 0): JsonObject => {
  if (!isObject(schema) || depth > DEPTH_MAX) return {}
  const out: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(schema)) {
    if (name === "type" && typeof value === "string") {
      if (value !== "TYPE_UNSPECIFIED") out["type"] = value.toLowerCase()
    } else if (name === "properties" && isObject(value))
      out["properties"] = Object.fromEntries(
        Object.entries(value).map(([key, property]) => [key, fromGeminiSchema(property, depth + 1)]),
      )
    else if (name === "items") out["items"] = fromGeminiSchema(value, depth + 1)
    else if ((name === "anyOf" || name === "any_of") && Array.isArray(value))
      out["anyOf"] = value.map((one) => fromGeminiSchema(one, depth + 1))
    else if (name !== "nullable" && name !== "propertyOrdering" && name !== "property_ordering" && name !== "example")
      // Bounds are written as texts, the way 64-bit numbers are.
      out[name] = /^(?:min|max)/.test(name) && typeof value === "string" && value !== "" ? Number(value) : value
  }
  if (schema["nullable"] === true && typeof out["type"] === "string") out["type"] = [out["type"], "null"]
  return out
}
