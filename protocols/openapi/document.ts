/** An OpenAPI document (3.0 or 3.1) as tools. What cannot be one is left out, and named. */
import { matchesAny } from "../mcp/pattern.ts"
import { at, isList, isMap, type Json, type JsonMap, listAt, mapAt, textAt } from "./json.ts"
import type { BodyKind, Operation, OperationBody, Parameter, ParameterStyle, Place } from "./Operation.ts"
import { dereferenced, Unusable } from "./reference.ts"
import { SchemaWriter } from "./schema.ts"

export interface Filter {
  readonly tags: ReadonlyArray<string>
  readonly operations: ReadonlyArray<string>
}

export interface Choice {
  readonly include: Filter
  readonly exclude: Filter
  /** In place of the path of the document's server. */
  readonly basePath?: string | undefined
  /** Whether tools promise the form of their results. */
  readonly outputSchema: boolean
}

export interface Tools {
  readonly title: string | undefined
  readonly description: string | undefined
  readonly operations: ReadonlyArray<Operation>
  readonly unusable: ReadonlyArray<{ readonly operation: string; readonly why: string }>
}

const OPERATIONS_MAX = 5_000
/** Longest name that the protocol allows. */
const NAME_MAX = 128

const methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"] as const
type Method = (typeof methods)[number]

/** Why a document as a whole is of no use. */
export class UnusableDocument extends Error {}

const nobody: Filter = { tags: [], operations: [] }
export const everything: Choice = { include: nobody, exclude: nobody, outputSchema: false }

export const toolsOf = (document: Json, choice: Choice = everything): Tools => {
  const version = textAt(document, "openapi")
  if (!isMap(document) || version === undefined || !/^3\.[01]\./.test(version)) {
    const swagger = textAt(document, "swagger")
    throw new UnusableDocument(
      swagger === undefined && version === undefined
        ? "it is no OpenAPI document: it lacks `openapi: 3.…`"
        : `it is of version ${version ?? swagger}, and 3.0 and 3.1 are understood`,
    )
  }
  const operations: Array<Operation> = []
  const unusable: Array<{ operation: string; why: string }> = []
  const names = new Set<string>()
  for (const [path, written] of Object.entries(mapAt(document, "paths"))) {
    if (!path.startsWith("/")) continue
    for (const method of methods) {
      let label = `${method.toUpperCase()} ${path}`
      try {
        const item = dereferenced(document, written)
        const operation = at(item, method)
        if (!isMap(operation)) continue
        const id = textAt(operation, "operationId")
        if (id !== undefined) label = `${id} (${label})`
        const base = nameOf(id, method, path)
        if (!isChosen(choice, id ?? base, tagsOf(operation))) continue
        if (operations.length >= OPERATIONS_MAX) {
          throw new UnusableDocument(`it has more than ${OPERATIONS_MAX} operations; choose some with \`include\``)
        }
        const name = unique(base, names)
        operations.push(operationOf({ document, item, operation, method, path, name, choice }))
        names.add(name)
      } catch (cause) {
        if (!(cause instanceof Unusable)) throw cause
        unusable.push({ operation: label, why: cause.message })
      }
    }
  }
  const info = at(document, "info")
  return { title: textAt(info, "title"), description: textAt(info, "description"), operations, unusable }
}

const tagsOf = (operation: JsonMap): ReadonlyArray<string> =>
  listAt(operation, "tags").filter((tag): tag is string => typeof tag === "string")

const isChosen = ({ exclude, include }: Choice, name: string, tags: ReadonlyArray<string>): boolean => {
  const isIn = ({ operations, tags: wanted }: Filter) =>
    matchesAny(operations, name) || tags.some((tag) => wanted.includes(tag))
  const isOpen = include.tags.length === 0 && include.operations.length === 0
  return (isOpen || isIn(include)) && !isIn(exclude)
}

/** An operation without an id is called by what it does and where. */
export const nameOf = (id: string | undefined, method: string, path: string): string => {
  const words = id ?? [method, ...path.split("/").map((part) => part.replaceAll(/[{}]/g, ""))].filter(Boolean).join("_")
  const name = words.replaceAll(/[^A-Za-z0-9_.-]+/g, "_")
  return name.length <= NAME_MAX ? name : name.slice(0, NAME_MAX)
}

const unique = (name: string, taken: ReadonlySet<string>): string => {
  if (!taken.has(name)) return name
  for (let i = 2; ; i++) {
    const suffix = `_${i}`
    const other = `${name.slice(0, NAME_MAX - suffix.length)}${suffix}`
    if (!taken.has(other)) return other
  }
}

interface Source {
  readonly document: JsonMap
  readonly item: Json | undefined
  readonly operation: JsonMap
  readonly method: Method
  readonly path: string
  readonly name: string
  readonly choice: Choice
}

const operationOf = (source: Source): Operation => {
  const { choice, document, item, method, name, operation, path } = source
  const writer = new SchemaWriter(document, "request")
  const groups = new Map<string, { readonly properties: Record<string, Json>; readonly required: Array<string> }>()
  const credentials = credentialsOf(document, operation)
  const parameters: Array<Parameter> = []
  for (const written of parametersOf(document, item, operation)) {
    const parameter = parameterOf(written)
    if (parameter === undefined || credentials.has(`${parameter.place} ${parameter.name.toLowerCase()}`)) continue
    parameters.push(parameter)
    const group = groups.get(parameter.place) ?? { properties: {}, required: [] }
    groups.set(parameter.place, group)
    group.properties[parameter.name] = described(writer.write(schemaOf(written)), written)
    if (parameter.required) group.required.push(parameter.name)
  }
  for (const [, placeholder = ""] of path.matchAll(/\{([^{}]+)\}/g)) {
    if (!parameters.some(({ name, place }) => place === "path" && name === placeholder)) {
      throw new Unusable(`its path has the placeholder {${placeholder}} and no parameter for it`)
    }
  }
  const body = bodyOf(document, operation)
  const properties: Record<string, Json> = {}
  const required: Array<string> = []
  if (body !== undefined) {
    properties["body"] = described(bodySchema(writer, body.kind, body.schema), body.written)
    if (body.required) required.push("body")
  }
  for (const place of ["path", "query", "header", "cookie"] as const) {
    const group = groups.get(place)
    if (group === undefined) continue
    properties[place] = {
      type: "object",
      properties: group.properties,
      ...(group.required.length === 0 ? {} : { required: group.required }),
    }
    if (group.required.length > 0) required.push(place)
  }
  const { defs } = writer
  const inputSchema = {
    type: "object",
    properties,
    ...(required.length === 0 ? {} : { required }),
    ...(Object.keys(defs).length === 0 ? {} : { $defs: defs }),
  }
  const summary = textAt(operation, "summary")
  const outputSchema = choice.outputSchema ? outputOf(document, operation) : undefined
  return {
    name,
    method: method.toUpperCase(),
    path,
    prefix: choice.basePath ?? prefixOf(document, item, operation),
    parameters,
    body: body === undefined ? undefined : { ...body.spec },
    tags: tagsOf(operation),
    isSecured: credentials.size > 0 || isSecured(document, operation),
    tool: {
      name,
      ...(summary === undefined ? {} : { title: shortened(summary) }),
      description: textAt(operation, "description") ?? summary ?? `${method.toUpperCase()} ${path}`,
      inputSchema,
      ...(outputSchema === undefined ? {} : { outputSchema }),
      annotations: annotationsOf(method),
    },
  }
}

/** A title stands on a button. */
const shortened = (text: string): string => {
  const characters = [...text.trim()]
  return characters.length <= 64 ? text.trim() : `${characters.slice(0, 63).join("")}…`
}

/** What HTTP says of its methods, which is all that is known. */
const annotationsOf = (method: Method): JsonMap => {
  const isSafe = method === "get" || method === "head" || method === "options" || method === "trace"
  return isSafe
    ? { readOnlyHint: true, openWorldHint: true }
    : {
        readOnlyHint: false,
        destructiveHint: method !== "post",
        idempotentHint: method === "put" || method === "delete",
        openWorldHint: true,
      }
}

const described = (schema: Json, written: Json): Json => {
  const description = textAt(written, "description")
  return description === undefined || !isMap(schema) || textAt(schema, "description") !== undefined
    ? schema
    : { ...schema, description }
}

// parameters

/** Those of the operation stand in for those of the path that have the same name and place. */
const parametersOf = (document: Json, item: Json | undefined, operation: JsonMap): ReadonlyArray<JsonMap> => {
  const found = new Map<string, JsonMap>()
  for (const holder of [item, operation]) {
    for (const one of listAt(holder, "parameters")) {
      const parameter = dereferenced(document, one)
      if (!isMap(parameter)) throw new Unusable("one of its parameters is none")
      const name = textAt(parameter, "name")
      const place = textAt(parameter, "in")
      if (name === undefined || place === undefined) throw new Unusable("one of its parameters has no name or place")
      found.set(`${place} ${place === "header" ? name.toLowerCase() : name}`, parameter)
    }
  }
  return [...found.values()]
}

/** Fields that say how a request is made are not for callers to set. */
const ours: ReadonlySet<string> = new Set(["accept", "content-type", "authorization"])

const stylesOf: { readonly [P in Place]: ReadonlyArray<ParameterStyle> } = {
  path: ["simple", "label", "matrix"],
  query: ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
  header: ["simple"],
  cookie: ["form"],
}

const parameterOf = (written: JsonMap): Parameter | undefined => {
  const name = textAt(written, "name") ?? ""
  const place = textAt(written, "in") as Place
  const styles = stylesOf[place] as ReadonlyArray<ParameterStyle> | undefined
  if (styles === undefined) throw new Unusable(`its parameter ${name} is in ${JSON.stringify(place)}`)
  if (place === "header" && ours.has(name.toLowerCase())) return undefined
  if (place === "header" && !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
    throw new Unusable(`its parameter ${JSON.stringify(name)} cannot be a header`)
  }
  const said = textAt(written, "style") as ParameterStyle | undefined
  const style = isMap(at(written, "content")) ? "json" : (said ?? styles[0] ?? "form")
  if (style !== "json" && !styles.includes(style)) {
    throw new Unusable(`its parameter ${name} has the style ${JSON.stringify(style)}, which does not go with ${place}`)
  }
  const explode = at(written, "explode")
  return {
    name,
    place,
    style,
    explode: typeof explode === "boolean" ? explode : style === "form" || style === "deepObject",
    allowReserved: at(written, "allowReserved") === true,
    required: place === "path" || at(written, "required") === true,
  }
}

const schemaOf = (written: JsonMap): Json | undefined => {
  const [content] = Object.values(mapAt(written, "content"))
  return content === undefined ? at(written, "schema") : at(content, "schema")
}

// bodies

interface FoundBody {
  readonly written: JsonMap
  readonly kind: BodyKind
  readonly schema: Json | undefined
  readonly required: boolean
  readonly spec: OperationBody
}

const kindOf = (mediaType: string): BodyKind => {
  const [type = ""] = mediaType.toLowerCase().split(";")
  const essence = type.trim()
  if (essence === "application/json" || essence.endsWith("+json") || essence === "*/*" || essence === "application/*") {
    return "json"
  }
  if (essence === "application/x-www-form-urlencoded") return "form"
  if (essence === "multipart/form-data") return "multipart"
  if (essence.startsWith("text/") || essence === "application/xml" || essence.endsWith("+xml")) return "text"
  return "bytes"
}

const preference: ReadonlyArray<BodyKind> = ["json", "form", "multipart", "text", "bytes"]

/** Of several representations, the one a model can write best. */
const bodyOf = (document: Json, operation: JsonMap): FoundBody | undefined => {
  const written = dereferenced(document, at(operation, "requestBody"))
  if (!isMap(written)) return undefined
  const offered = Object.entries(mapAt(written, "content"))
  const [best] = offered
    .map(([mediaType, content]) => ({ mediaType, content, kind: kindOf(mediaType) }))
    .toSorted((a, b) => preference.indexOf(a.kind) - preference.indexOf(b.kind))
  if (best === undefined) return undefined
  const { content, kind, mediaType } = best
  const partTypes: Record<string, string> = {}
  for (const [name, encoding] of Object.entries(mapAt(content, "encoding"))) {
    const type = textAt(encoding, "contentType")
    if (type !== undefined && !type.includes(",") && !type.includes("*")) partTypes[name] = type
  }
  for (const [name, property] of Object.entries(mapAt(dereferenced(document, at(content, "schema")), "properties"))) {
    const part = dereferenced(document, property)
    if (part !== undefined && isFile(part))
      partTypes[name] ??= textAt(part, "contentMediaType") ?? "application/octet-stream"
  }
  const required = at(written, "required") === true
  const sent = mediaType.includes("*") ? "application/json" : mediaType
  return {
    written,
    kind,
    schema: at(content, "schema"),
    required,
    spec: { mediaType: sent, kind, required, partTypes },
  }
}

const bodySchema = (writer: SchemaWriter, kind: BodyKind, schema: Json | undefined): Json => {
  switch (kind) {
    case "json":
      return writer.write(schema)
    case "form":
    case "multipart":
      return schema === undefined ? { type: "object" } : withFiles(writer.write(schema))
    case "text":
      return { type: "string" }
    case "bytes":
      return { type: "string", format: "byte", contentEncoding: "base64" }
  }
}

/** Files travel in arguments as base64. */
const withFiles = (schema: Json): Json => {
  const properties = mapAt(schema, "properties")
  if (!isMap(schema)) return schema
  const files = Object.entries(properties).map(([name, one]): [string, Json] =>
    isFile(one) ? [name, { ...one, type: "string", format: "byte", contentEncoding: "base64" }] : [name, one],
  )
  return { ...schema, properties: Object.fromEntries(files) }
}

const isFile = (schema: Json): schema is JsonMap =>
  isMap(schema) && (at(schema, "format") === "binary" || textAt(schema, "contentMediaType") !== undefined)

// what surrounds an operation

const prefixOf = (document: JsonMap, item: Json | undefined, operation: JsonMap): string => {
  const [server] =
    [operation, item, document].map((holder) => listAt(holder, "servers")).find(({ length }) => length > 0) ?? []
  const url = textAt(server, "url")
  if (url === undefined) return ""
  const variables = mapAt(server, "variables")
  const filled = url.replaceAll(/\{([^{}]+)\}/g, (whole, name: string) => textAt(variables[name], "default") ?? whole)
  // Which host is asked is said by the configuration, and by nobody else.
  const parsed = URL.parse(filled, "http://server.invalid/")
  const path = parsed === null ? "" : parsed.pathname
  return path.replace(/\/+$/, "")
}

const schemesOf = (document: Json, operation: JsonMap): ReadonlyArray<JsonMap> => {
  const written = at(operation, "security") ?? at(document, "security")
  const all = mapAt(at(document, "components"), "securitySchemes")
  return (isList(written) ? written : [])
    .flatMap((requirement) => Object.keys(isMap(requirement) ? requirement : {}))
    .flatMap((name) => {
      const scheme = dereferenced(document, all[name])
      return isMap(scheme) ? [scheme] : []
    })
}

const isSecured = (document: Json, operation: JsonMap): boolean => {
  const written = at(operation, "security") ?? at(document, "security")
  const requirements = isList(written) ? written : []
  return requirements.length > 0 && requirements.every((one) => isMap(one) && Object.keys(one).length > 0)
}

/** Parameters that carry credentials: those are put in by the gateway, and no model is asked for them. */
const credentialsOf = (document: Json, operation: JsonMap): ReadonlySet<string> =>
  new Set(
    schemesOf(document, operation).flatMap((scheme) =>
      textAt(scheme, "type") === "apiKey"
        ? [`${textAt(scheme, "in")} ${(textAt(scheme, "name") ?? "").toLowerCase()}`]
        : [],
    ),
  )

/** The form of a good reply, where it is JSON; what is no object is given inside one. */
const outputOf = (document: Json, operation: JsonMap): Json | undefined => {
  const replies = Object.entries(mapAt(operation, "responses"))
  const [, written] = replies.toSorted(([a], [b]) => (a < b ? -1 : 1)).find(([status]) => status.startsWith("2")) ?? []
  const content = mapAt(dereferenced(document, written), "content")
  const [, json] = Object.entries(content).find(([mediaType]) => kindOf(mediaType) === "json") ?? []
  const schema = at(json, "schema")
  if (schema === undefined) return undefined
  const writer = new SchemaWriter(document, "response")
  const found = writer.write(schema)
  const { defs } = writer
  const more = Object.keys(defs).length === 0 ? {} : { $defs: defs }
  if (isMap(found) && found["type"] === "object") return { ...found, ...more }
  return { type: "object", properties: { data: found }, required: ["data"], ...more }
}
