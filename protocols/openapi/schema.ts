/**
 * Schemas of a document as JSON Schema 2020-12 that stands on its own. References are replaced by what they lead to,
 * because many models do badly with them, but not without end: what contains itself, and what would grow too large, is
 * kept once, under `$defs`.
 */
import { isList, isMap, type Json, type JsonMap, textAt } from "./json.ts"
import { resolvePointer, Unusable } from "./reference.ts"

/** How many values may be written out in place of references, for one tool. */
const INLINED_MAX = 2_000
/** How many values one tool's schemas may have at all. */
const VALUES_MAX = 50_000
const DEPTH_MAX = 96

/** Which side looks: some properties are only sent, some only received. */
export type Side = "request" | "response"

const maps = new Set(["properties", "patternProperties", "dependentSchemas"])
const lists = new Set(["allOf", "anyOf", "oneOf", "prefixItems"])
const schemas = new Set([
  "items",
  "additionalItems",
  "additionalProperties",
  "not",
  "if",
  "then",
  "else",
  "contains",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
])
/** Of no use to whoever fills in arguments, or no keyword of JSON Schema. */
const dropped = new Set(["discriminator", "xml", "externalDocs", "$defs", "definitions", "$id", "$schema", "$anchor"])

export class SchemaWriter {
  private readonly document: Json
  private readonly is30: boolean
  private readonly side: Side
  private readonly names = new Map<string, string>()
  private readonly written = new Map<string, Json>()
  private inlined = 0
  private values = 0

  constructor(document: Json, side: Side) {
    this.document = document
    this.is30 = textAt(document, "openapi")?.startsWith("3.0") === true
    this.side = side
  }

  /** The schema, in which `#/$defs/` stands for `defs`. */
  write(schema: Json | undefined): Json {
    return schema === undefined ? {} : this.schema(schema, [], 0)
  }

  get defs(): JsonMap {
    return Object.fromEntries(this.written)
  }

  private schema(schema: Json, within: ReadonlyArray<string>, depth: number): Json {
    if (++this.values > VALUES_MAX || depth > DEPTH_MAX) throw new Unusable("its schemas are too large")
    if (typeof schema === "boolean") return schema
    if (!isMap(schema)) return {}
    const reference = textAt(schema, "$ref")
    return reference === undefined
      ? this.keywords(schema, within, depth)
      : this.referred(reference, schema, within, depth)
  }

  private referred(reference: string, schema: JsonMap, within: ReadonlyArray<string>, depth: number): Json {
    const target = resolvePointer(this.document, reference)
    const isApart = within.includes(reference) || this.names.has(reference) || this.inlined > INLINED_MAX
    let found: Json
    if (isApart) found = { $ref: `#/$defs/${this.define(reference, target)}` }
    else {
      const before = this.values
      found = this.schema(target, [...within, reference], depth + 1)
      this.inlined += this.values - before
    }
    // Keywords beside a reference count since 3.1; before, they were to be ignored.
    const { $ref: _, ...beside } = schema
    if (this.is30 || Object.keys(beside).length === 0) return found
    const own = this.keywords(beside, within, depth)
    if (!isMap(own) || Object.keys(own).length === 0) return found
    const onlyWords = Object.keys(own).every((key) => key === "description" || key === "title" || key === "examples")
    return onlyWords && isMap(found) ? { ...found, ...own } : { allOf: [found], ...own }
  }

  private define(reference: string, target: Json): string {
    const known = this.names.get(reference)
    if (known !== undefined) return known
    const taken = new Set(this.names.values())
    const base = (reference.split("/").at(-1) ?? "").replaceAll(/[^A-Za-z0-9_.-]/g, "_") || "Schema"
    let name = base
    for (let i = 2; taken.has(name); i++) name = `${base}_${i}`
    this.names.set(reference, name)
    this.written.set(name, {})
    this.written.set(name, this.schema(target, [reference], 1))
    return name
  }

  private keywords(schema: JsonMap, within: ReadonlyArray<string>, depth: number): Json {
    const out: Record<string, Json> = {}
    const hidden = new Set<string>()
    for (const [keyword, value] of Object.entries(schema)) {
      if (keyword === "__proto__" || dropped.has(keyword) || keyword.startsWith("x-")) continue
      if (maps.has(keyword) && isMap(value)) {
        out[keyword] = this.members(keyword, value, hidden, within, depth)
      } else if (lists.has(keyword) && isList(value)) {
        out[keyword] = value.map((one) => this.schema(one, within, depth + 1))
      } else if (schemas.has(keyword) && (isMap(value) || typeof value === "boolean")) {
        out[keyword] = this.schema(value, within, depth + 1)
      } else if (keyword === "example") {
        out["examples"] ??= [value]
      } else {
        this.values++
        out[keyword] = value
      }
    }
    const { required } = out
    if (hidden.size > 0 && isList(required)) {
      out["required"] = required.filter((name) => typeof name !== "string" || !hidden.has(name))
    }
    return this.is30 ? modern(out) : out
  }

  private members(
    keyword: string,
    value: JsonMap,
    hidden: Set<string>,
    within: ReadonlyArray<string>,
    depth: number,
  ): JsonMap {
    const members: Record<string, Json> = {}
    for (const [name, one] of Object.entries(value)) {
      if (name === "__proto__") continue
      const isHidden = isMap(one) && one[this.side === "request" ? "readOnly" : "writeOnly"] === true
      if (isHidden && keyword === "properties") hidden.add(name)
      else members[name] = this.schema(one, within, depth + 1)
    }
    return members
  }
}

/** Keywords of OpenAPI 3.0 that mean something else, or nothing, in JSON Schema. */
const modern = (schema: Record<string, Json>): Json => {
  const { exclusiveMaximum, exclusiveMinimum, nullable, ...rest } = schema
  const out: Record<string, Json> = rest
  for (const [exclusive, bound, flag] of [
    ["exclusiveMinimum", "minimum", exclusiveMinimum],
    ["exclusiveMaximum", "maximum", exclusiveMaximum],
  ] as const) {
    if (flag === undefined || flag === false) continue
    const limit = out[bound]
    if (flag !== true) out[exclusive] = flag
    else if (limit !== undefined) {
      out[exclusive] = limit
      delete out[bound]
    }
  }
  if (nullable !== true) return out
  const { enum: words, type } = out
  if (typeof type === "string") {
    out["type"] = [type, "null"]
    if (isList(words) && !words.includes(null)) out["enum"] = [...words, null]
    return out
  }
  return Object.keys(out).length === 0 ? out : { anyOf: [out, { type: "null" }] }
}
