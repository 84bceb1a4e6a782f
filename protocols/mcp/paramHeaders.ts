/** Arguments of a tool that are mirrored in headers, as its schema says with `x-mcp-header`. */
import { token } from "../http/token.ts"
import { asString, Fields, type Json } from "./json.ts"
import { decode, encode } from "./header.ts"

export interface ParamHeader {
  /** Behind `Mcp-Param-`, in lower case. */
  readonly header: string
  readonly path: ReadonlyArray<string>
}

const types: ReadonlySet<string> = new Set(["string", "integer", "boolean"])
const depthMax = 16

/** Undefined: the schema uses the annotation in a way that no client can follow. */
export const paramHeadersOf = (schema: Json | undefined): ReadonlyArray<ParamHeader> | undefined => {
  if (schema === undefined || !schema.includes("x-mcp-header")) return []
  const found: Array<ParamHeader> = []
  const names = new Set<string>()
  let isLegal = true
  const visit = (fields: Fields, path: ReadonlyArray<string>): void => {
    const properties = fields.object("properties")
    if (path.length > depthMax || properties === undefined) return
    for (const name of properties.names) {
      const property = properties.object(name)
      if (property === undefined) continue
      const at = [...path, name]
      if (property.has("x-mcp-header")) {
        const header = property.string("x-mcp-header")
        const lower = header?.toLowerCase() ?? ""
        if (
          header === undefined ||
          !token.test(header) ||
          names.has(lower) ||
          !types.has(property.string("type") ?? "")
        ) {
          isLegal = false
          return
        }
        names.add(lower)
        found.push({ header: lower, path: at })
      }
      visit(property, at)
    }
  }
  const root = Fields.parse(schema)
  if (root !== undefined) visit(root, [])
  // An annotation that was not reached by way of properties stands where none may.
  const mentions = schema.split('"x-mcp-header"').length - 1
  return isLegal && mentions === found.length ? found : undefined
}

const valueAt = (args: Fields | undefined, path: ReadonlyArray<string>): Json | undefined => {
  let fields = args
  for (const name of path.slice(0, -1)) fields = fields?.object(name)
  const value = fields?.get(path.at(-1) as string)
  return value === "null" ? undefined : value
}

const textOf = (value: Json): string | undefined => (/^[[{]/.test(value) ? undefined : (asString(value) ?? value))

/** The fields for a call, name and value in turn. */
export const mirrored = (headers: ReadonlyArray<ParamHeader>, args: Fields | undefined): ReadonlyArray<string> => {
  const flat: Array<string> = []
  for (const { header, path } of headers) {
    const value = valueAt(args, path)
    const text = value === undefined ? undefined : textOf(value)
    if (text !== undefined) flat.push(`mcp-param-${header}`, encode(text))
  }
  return flat
}

const isSame = (said: string, value: Json): boolean => {
  const text = textOf(value)
  if (text === undefined) return false
  if (asString(value) !== undefined || text === "true" || text === "false") return said === text
  return said.trim() !== "" && Number(said) === Number(text)
}

/** What is wrong with the headers of a call; undefined: they say what the arguments say. */
export const mismatch = (
  headers: ReadonlyArray<ParamHeader>,
  args: Fields | undefined,
  header: (name: string) => string | undefined,
): string | undefined => {
  for (const { header: name, path } of headers) {
    const said = header(`mcp-param-${name}`)
    const value = valueAt(args, path)
    if (value === undefined) {
      if (said !== undefined) return `Mcp-Param-${name} is there, its argument is not`
      continue
    }
    if (said === undefined) return `Mcp-Param-${name} is missing`
    const decoded = decode(said)
    if (decoded === undefined) return `Mcp-Param-${name} cannot be decoded`
    if (!isSame(decoded, value)) return `Mcp-Param-${name} differs from its argument`
  }
  return undefined
}
