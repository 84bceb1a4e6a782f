/** Tools as somebody wants them shown: others left out, renamed, described anew, with arguments set for the caller. */
import { arrayOf, asString, Fields, itemsOf, type Json } from "./json.ts"
import { matchesAny } from "./pattern.ts"

export interface ShownTool {
  /** The name its server gives it. */
  readonly tool: string
  readonly name?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly hidden: boolean
}

export interface Selection {
  readonly include: ReadonlyArray<string>
  readonly exclude: ReadonlyArray<string>
  readonly shapes: ReadonlyArray<ShownTool>
}

/** Which name stands for which. */
export class ToolNames {
  private readonly selection: Selection
  private readonly byTool: ReadonlyMap<string, ShownTool>
  private readonly byName: ReadonlyMap<string, ShownTool>

  constructor(selection: Selection) {
    this.selection = selection
    this.byTool = new Map(selection.shapes.map((shape) => [shape.tool, shape]))
    this.byName = new Map(
      selection.shapes.flatMap((shape) => (shape.name === undefined || shape.hidden ? [] : [[shape.name, shape]])),
    )
  }

  shape(tool: string): ShownTool | undefined {
    return this.byTool.get(tool)
  }

  /** How a tool of the server is called here; undefined: it is not there. */
  shown(tool: string): string | undefined {
    if (!this.isVisible(tool)) return undefined
    const name = this.byTool.get(tool)?.name
    if (name !== undefined) return name
    // Another tool was given this very name on purpose.
    return this.byName.has(tool) ? undefined : tool
  }

  /** Which tool of the server is called so here. */
  native(name: string): string | undefined {
    const renamed = this.byName.get(name)
    if (renamed !== undefined) return this.isVisible(renamed.tool) ? renamed.tool : undefined
    return this.byTool.get(name)?.name === undefined && this.isVisible(name) ? name : undefined
  }

  private isVisible(tool: string): boolean {
    const { exclude, include } = this.selection
    if (this.byTool.get(tool)?.hidden === true) return false
    return (include.length === 0 || matchesAny(include, tool)) && !matchesAny(exclude, tool)
  }
}

/** An argument by the names that lead to it: `/a/b` is `b` inside `a`, in the manner of a JSON pointer. */
const pathOf = (name: string): ReadonlyArray<string> =>
  name.startsWith("/")
    ? name
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    : [name]

/** Changes the schema of one property, which may be inside others; undefined takes it away. */
const atProperty = (
  schema: Fields,
  [name, ...rest]: ReadonlyArray<string>,
  change: (property: Json) => Json | undefined,
  isSettled: boolean,
): Fields => {
  const properties = schema.object("properties")
  const property = name === undefined ? undefined : properties?.get(name)
  if (name === undefined || properties === undefined || property === undefined) return schema
  const inner = Fields.parse(property)
  const changed =
    rest.length === 0
      ? change(property)
      : inner === undefined
        ? property
        : atProperty(inner, rest, change, isSettled).toJson()
  const next = schema.with("properties", properties.with(name, changed).toJson())
  // Nobody has to give what is given for them, nor an object of which nothing has to be given any more.
  const needsNothing = rest.length === 0 ? isSettled : isOptional(Fields.parse(changed))
  return needsNothing ? withoutRequired(next, name) : next
}

const isOptional = (schema: Fields | undefined): boolean => (itemsOf(schema?.get("required")) ?? []).length === 0

const withoutRequired = (schema: Fields, name: string): Fields => {
  const required = itemsOf(schema.get("required"))
  if (required === undefined) return schema
  const left = required.filter((one) => asString(one) !== name)
  return left.length === required.length
    ? schema
    : schema.with("required", left.length === 0 ? undefined : arrayOf(left))
}

export interface SetArgument {
  readonly name: string
  /** The value where there is one before a call; undefined: it is computed then. */
  readonly value?: Json | undefined
  /** Whether the caller may give another one. */
  readonly isDefault: boolean
}

/** A tool as it is listed, shaped. */
export const shapeTool = (tool: Fields, shape: ShownTool, args: ReadonlyArray<SetArgument>): Fields => {
  const { description, name, title } = shape
  let shaped = tool
  if (name !== undefined) shaped = shaped.with("name", JSON.stringify(name))
  if (title !== undefined) {
    shaped = shaped.with("title", JSON.stringify(title))
    const annotations = shaped.object("annotations")
    if (annotations?.has("title") === true) {
      shaped = shaped.with("annotations", annotations.with("title", JSON.stringify(title)).toJson())
    }
  }
  if (description !== undefined) shaped = shaped.with("description", JSON.stringify(description))
  let schema = shaped.object("inputSchema")
  if (schema === undefined || args.length === 0) return shaped
  for (const { isDefault, name: argument, value } of args) {
    const change = (property: Json): Json | undefined => {
      if (!isDefault) return undefined
      const fields = Fields.parse(property) ?? Fields.empty
      return fields.with("default", value).toJson()
    }
    schema = atProperty(schema, pathOf(argument), change, true)
  }
  return shaped.with("inputSchema", schema.toJson())
}

/** Arguments as the server is given them. */
export const settle = (given: Fields | undefined, name: string, value: Json, isDefault: boolean): Fields => {
  const put = (fields: Fields, [first = "", ...rest]: ReadonlyArray<string>): Fields => {
    if (rest.length > 0) return fields.with(first, put(fields.object(first) ?? Fields.empty, rest).toJson())
    return isDefault && fields.has(first) ? fields : fields.with(first, value)
  }
  return put(given ?? Fields.empty, pathOf(name))
}
