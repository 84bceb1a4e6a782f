/** The JSON Schema of the configuration file, made from the Schemas that decode it. */
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { LocalConfig } from "./Schema.ts"

type Json = Record<string, unknown>

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** Descriptions of keys live on the keys; they are put beside what each key refers to. */
const describe = (ast: SchemaAST.AST, json: unknown, definitions: Json, seen: Set<string>): void => {
  if (!isJson(json)) return
  const ref = json["$ref"]
  if (typeof ref === "string") {
    if (seen.has(ref)) return
    seen.add(ref)
    describe(ast, definitions[ref.slice(ref.lastIndexOf("/") + 1)], definitions, seen)
    return
  }
  if (ast._tag === "Objects") {
    const properties = json["properties"]
    for (const property of ast.propertySignatures) {
      const inner = isJson(properties) ? properties[String(property.name)] : undefined
      if (!isJson(inner)) continue
      describe(property.type, inner, definitions, seen)
      const description = property.type.context?.annotations?.["description"]
      if (typeof description === "string") inner["description"] = description
    }
    const [index] = ast.indexSignatures
    if (index !== undefined) describe(index.type, json["additionalProperties"], definitions, seen)
  } else if (ast._tag === "Arrays") {
    const [rest] = ast.rest
    if (rest !== undefined) describe(rest, json["items"], definitions, seen)
  } else if (ast._tag === "Union") {
    const branches = json["anyOf"] ?? json["oneOf"]
    if (Array.isArray(branches) && branches.length === ast.types.length) {
      for (const [i, type] of ast.types.entries()) describe(type, branches[i], definitions, seen)
    }
  }
}

/** One `allOf` of plain keywords says the same without the detour. */
const flatten = (json: unknown): unknown => {
  if (Array.isArray(json)) return json.map(flatten)
  if (!isJson(json)) return json
  const out: Json = {}
  for (const [key, value] of Object.entries(json)) {
    if (key !== "allOf" || !Array.isArray(value)) {
      out[key] = flatten(value)
      continue
    }
    const kept: Array<unknown> = []
    for (const part of value.map(flatten)) {
      const free = (name: string, value: unknown) => {
        const other = Object.hasOwn(out, name) ? out[name] : json[name]
        return other === undefined || other === value
      }
      const fits = isJson(part) && Object.entries(part).every(([name, value]) => free(name, value))
      if (fits) Object.assign(out, part)
      else kept.push(part)
    }
    if (kept.length > 0) out["allOf"] = kept
  }
  return out
}

export const reference = (): Json => {
  const { definitions, schema } = Schema.toJsonSchemaDocument(LocalConfig, { onExcessProperty: "error" })
  describe(LocalConfig.ast, schema, definitions as Json, new Set())
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...(flatten(schema) as Json),
    $defs: flatten(definitions),
  }
}

export const referenceText = (): string => `${JSON.stringify(reference(), undefined, 2)}\n`
