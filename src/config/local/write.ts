/**
 * Changes to a configuration file that leave alone what they do not change: comments, order, quotes, indentation and
 * blank lines stay. Each change is a splice of the text, checked by reading the result again.
 */
import * as Result from "effect/Result"
import { isDeepStrictEqual } from "node:util"
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
  Scalar,
  stringify,
  type YAMLMap,
  type YAMLSeq,
} from "yaml"
import { type Parsed, refuse } from "../Complaint.ts"
import { formatPath, type Path } from "../ConfigIssue.ts"
import { packagedReference } from "./published.ts"

export type Edit =
  | { readonly _tag: "Set"; readonly path: Path; readonly value: unknown }
  | { readonly _tag: "Delete"; readonly path: Path }
  /** Adds an element to the list at the path; the list is made where there is none. */
  | { readonly _tag: "Append"; readonly path: Path; readonly value: unknown }

interface Splice {
  readonly start: number
  readonly end: number
  readonly text: string
}

const parse = (text: string): Document => parseDocument(text, { prettyErrors: false, logLevel: "silent", merge: false })

const flow = (value: unknown): string =>
  stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false }).trimEnd()

/** As a block whose lines after the first start at `indent`. */
const block = (value: unknown, indent: number): string =>
  stringify(value, { lineWidth: 0 })
    .trimEnd()
    .replaceAll(/\n(?!\n)/g, `\n${" ".repeat(indent)}`)

const rangeOf = (node: unknown): readonly [number, number] | undefined =>
  isNode(node) && node.range !== null && node.range !== undefined ? [node.range[0], node.range[1]] : undefined

/** Where the last character of a node stands, its trailing comment not counted. */
const endOf = (node: unknown): number => {
  if (isCollection(node) && node.flow !== true) {
    const last: unknown = node.items.at(-1)
    if (isMap(node)) {
      const pair = node.items.at(-1)
      if (pair !== undefined) return Math.max(endOf(pair.key) + 1, endOf(pair.value))
    } else if (last !== undefined) return endOf(last)
  }
  return rangeOf(node)?.[1] ?? 0
}

const lineStart = (text: string, offset: number): number => text.lastIndexOf("\n", offset - 1) + 1
const columnOf = (text: string, offset: number): number => offset - lineStart(text, offset)

/** The start of the line after the one an offset is in; an offset just after a line break is there already. */
const nextLine = (text: string, offset: number): number => {
  if (offset > 0 && text[offset - 1] === "\n") return offset
  const at = text.indexOf("\n", offset)
  return at < 0 ? text.length : at + 1
}

const insertion = (text: string, after: number, lines: string): Splice => {
  const at = nextLine(text, after)
  const open = at > 0 && text[at - 1] !== "\n"
  return { start: at, end: at, text: `${open ? "\n" : ""}${lines}\n` }
}

const dashOf = (text: string, item: unknown, after: number): number => {
  const start = rangeOf(item)?.[0] ?? after
  const dash = text.lastIndexOf("-", start - 1)
  return dash < 0 ? start : dash
}

const isBlock = (node: unknown): node is YAMLMap | YAMLSeq => isCollection(node) && node.flow !== true

const get = (document: Document, path: Path): unknown =>
  path.length === 0 ? document.contents : document.getIn(path, true)

/** In the quotes of the old value, and safe between braces too. */
const scalarText = (old: Scalar, value: string | number | boolean): string => {
  const quoted = old.type === Scalar.QUOTE_DOUBLE || old.type === Scalar.QUOTE_SINGLE
  const scalar = new Scalar(value)
  if (typeof value === "string" && quoted && old.type !== undefined) scalar.type = old.type
  return flow([scalar]).slice(1, -1)
}

const isPlain = (value: unknown): value is string | number | boolean =>
  (typeof value === "string" && !value.includes("\n")) || typeof value === "number" || typeof value === "boolean"

/** The outermost collection on the way that is written in braces: it is one unit of layout. */
const flowAbove = (document: Document, path: Path): Path | undefined => {
  for (let depth = 0; depth < path.length; depth++) {
    const node = get(document, path.slice(0, depth))
    if (isCollection(node) && node.flow === true) return path.slice(0, depth)
  }
  return undefined
}

const valueIn = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (here, part) => (typeof here === "object" && here !== null ? Reflect.get(here, part) : undefined),
    value,
  )

/** What the change makes of the value, so that the text can be compared with it. */
const changed = (root: unknown, edit: Edit): unknown => {
  const copy: unknown = structuredClone(root) ?? {}
  const value: unknown = edit._tag === "Delete" ? undefined : structuredClone(edit.value)
  let here: unknown = copy
  for (const [i, part] of edit.path.slice(0, -1).entries()) {
    const below: unknown = valueIn(here, [part])
    const next = typeof below === "object" && below !== null ? below : typeof edit.path[i + 1] === "number" ? [] : {}
    Reflect.set(Object(here), part, next)
    here = next
  }
  const last = edit.path.at(-1) ?? ""
  if (edit._tag === "Set") Reflect.set(Object(here), last, value)
  else if (edit._tag === "Append") {
    const list = valueIn(here, [last])
    Reflect.set(Object(here), last, Array.isArray(list) ? [...(list as ReadonlyArray<unknown>), value] : [value])
  } else if (Array.isArray(here)) here.splice(Number(last), 1)
  else Reflect.deleteProperty(Object(here), last)
  return copy
}

const nested = (path: Path, value: unknown): unknown =>
  path.reduceRight<unknown>((inner, part) => (typeof part === "number" ? [inner] : { [part]: inner }), value)

/** A new key in a map, or a new value where a key has none. */
const add = (document: Document, text: string, path: Path, value: unknown): Splice | undefined => {
  let depth = path.length - 1
  while (depth > 0 && get(document, path.slice(0, depth)) === undefined) depth--
  const container = get(document, path.slice(0, depth))
  const key = path[depth]
  const inner = nested(path.slice(depth + 1), value)
  if (container === null || container === undefined || (isScalar(container) && container.value === null)) {
    return depth === 0
      ? insertion(text, text.length, block({ [String(key)]: inner }, 0))
      : fill(document, text, path.slice(0, depth), { [String(key)]: inner })
  }
  if (!isMap(container) || !isBlock(container)) return undefined
  const [first] = container.items
  const column = columnOf(text, rangeOf(first?.key)?.[0] ?? 0)
  return insertion(text, endOf(container), `${" ".repeat(column)}${block({ [String(key)]: inner }, column)}`)
}

/** A value for a key that has none, or another for one that has a block. */
const fill = (document: Document, text: string, path: Path, value: unknown): Splice | undefined => {
  const parent = get(document, path.slice(0, -1))
  if (isSeq(parent) && isBlock(parent)) {
    const item: unknown = parent.items[Number(path.at(-1))]
    const range = rangeOf(item)
    if (range === undefined) return undefined
    const dash = dashOf(text, item, range[0])
    const end = endOf(item)
    const written = block(value, columnOf(text, dash) + 2)
    return { start: dash, end: text[end - 1] === "\n" ? end - 1 : end, text: `- ${written}` }
  }
  const pair = isMap(parent)
    ? parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(path.at(-1)))
    : undefined
  const key = rangeOf(pair?.key)
  if (pair === undefined || key === undefined) return undefined
  const colon = text.indexOf(":", key[1]) + 1
  const old = pair.value
  const empty = old === null || old === undefined || (isScalar(old) && old.value === null && old.source === "")
  const end = empty ? colon : Math.max(colon, endOf(old))
  const column = columnOf(text, key[0]) + 2
  const isEmptyCollection = typeof value === "object" && value !== null && Object.keys(value).length === 0
  const written =
    typeof value === "object" && value !== null && !isEmptyCollection
      ? `\n${" ".repeat(column)}${block(value, column)}`
      : ` ${block(value, column)}`
  return { start: colon, end: text[end - 1] === "\n" ? end - 1 : end, text: written }
}

const remove = (document: Document, text: string, path: Path): Splice | undefined => {
  const parent = get(document, path.slice(0, -1))
  const last = path.at(-1)
  if (!isBlock(parent)) return undefined
  const range = rangeOf(parent)
  if (range === undefined) return undefined
  if (parent.items.length === 1) {
    return path.length === 1
      ? { start: range[0], end: endOf(parent), text: "{}" }
      : fill(document, text, path.slice(0, -1), isMap(parent) ? {} : [])
  }
  if (isSeq(parent)) {
    const item: unknown = parent.items[Number(last)]
    const dash = dashOf(text, item, range[0])
    if (columnOf(text, dash) !== text.slice(lineStart(text, dash), dash).length) return undefined
    return { start: lineStart(text, dash), end: nextLine(text, endOf(item)), text: "" }
  }
  const index = parent.items.findIndex((item) => isScalar(item.key) && String(item.key.value) === String(last))
  const pair = parent.items[index]
  const key = rangeOf(pair?.key)
  if (pair === undefined || key === undefined) return undefined
  const start = lineStart(text, key[0])
  const end = nextLine(text, Math.max(key[1] + 1, endOf(pair.value)))
  if (text.slice(start, key[0]).trim() === "") return { start, end, text: "" }
  // The first key of a list item shares its line with the dash: the next key moves up to it.
  const next = rangeOf(parent.items[index + 1]?.key)
  return next === undefined ? undefined : { start: key[0], end: next[0], text: "" }
}

const append = (document: Document, text: string, path: Path, value: unknown): Splice | undefined => {
  const list = get(document, path)
  if (!isSeq(list) || !isBlock(list)) return undefined
  const range = rangeOf(list)
  const dash = dashOf(text, list.items[0], range?.[0] ?? 0)
  const column = columnOf(text, dash)
  return insertion(text, endOf(list), `${" ".repeat(column)}- ${block(value, column + 2)}`)
}

interface Place {
  readonly start: number
  readonly end: number
}

const placeOf = (item: unknown): Place | undefined => {
  const [key, value] = isPair(item) ? [rangeOf(item.key), rangeOf(item.value)] : [rangeOf(item), undefined]
  return key === undefined ? undefined : { start: key[0], end: Math.max(key[1], value?.[1] ?? 0) }
}

/** As it stands between braces or brackets. */
const inner = (value: unknown): string => flow(value).slice(1, -1)

const insertInFlow = (collection: YAMLMap | YAMLSeq, written: string): Splice | undefined => {
  const range = rangeOf(collection)
  const last = placeOf(collection.items.at(-1))
  if (range === undefined) return undefined
  const at = last?.end ?? range[0] + 1
  return { start: at, end: at, text: last === undefined ? written : `, ${written}` }
}

/** The item goes, and one comma with it; what was remarked about it stays. */
const removeInFlow = (text: string, { items }: YAMLMap | YAMLSeq, index: number): Splice | undefined => {
  const own = placeOf(items[index])
  const [before, after] = [placeOf(items[index - 1]), placeOf(items[index + 1])]
  if (own === undefined) return undefined
  const comma = after === undefined ? -1 : text.indexOf(",", own.end)
  if (comma >= 0 && text.slice(own.end, comma).trim() === "") {
    const blanks = /^[ \t]*/.exec(text.slice(comma + 1))?.[0].length ?? 0
    return { start: own.start, end: comma + 1 + blanks, text: "" }
  }
  return before !== undefined && !text.slice(before.end, own.start).includes("#")
    ? { start: before.end, end: own.end, text: "" }
    : { start: own.start, end: own.end, text: "" }
}

const indexIn = (collection: YAMLMap | YAMLSeq, part: Path[number] | undefined): number =>
  isMap(collection)
    ? collection.items.findIndex((item) => isScalar(item.key) && String(item.key.value) === String(part))
    : Number(part)

/** Inside braces and brackets, as little as possible: what stands beside it may be laid out with care. */
const spliceInFlow = (document: Document, text: string, edit: Edit): Splice | undefined => {
  const at = get(document, edit.path)
  if (edit._tag === "Append" && isSeq(at)) {
    return at.flow === true ? insertInFlow(at, inner([edit.value])) : undefined
  }
  if (edit._tag !== "Delete" && at === undefined) {
    let depth = edit.path.length - 1
    while (depth > 0 && get(document, edit.path.slice(0, depth)) === undefined) depth--
    const container = get(document, edit.path.slice(0, depth))
    if (!isMap(container) || container.flow !== true) return undefined
    const value = edit._tag === "Append" ? [edit.value] : edit.value
    const entry = { [String(edit.path[depth])]: nested(edit.path.slice(depth + 1), value) }
    return insertInFlow(container, inner(entry))
  }
  const parent = get(document, edit.path.slice(0, -1))
  if (!isCollection(parent) || parent.flow !== true || !(isMap(parent) || isSeq(parent))) return undefined
  if (edit._tag === "Delete") return removeInFlow(text, parent, indexIn(parent, edit.path.at(-1)))
  const range = rangeOf(at)
  const value = edit._tag === "Append" ? [edit.value] : edit.value
  // One plain value for another keeps its quotes.
  if (isScalar(at) && isPlain(value)) return undefined
  return range === undefined ? undefined : { start: range[0], end: range[1], text: inner([value]) }
}

const splice = (document: Document, text: string, edit: Edit): Splice | undefined => {
  const above = flowAbove(document, edit.path)
  const before = get(document, edit.path)
  if (edit._tag === "Set" && isScalar(before) && before.value !== null && isPlain(edit.value)) {
    const range = rangeOf(before)
    const isBlockText = before.type === Scalar.BLOCK_LITERAL || before.type === Scalar.BLOCK_FOLDED
    if (range !== undefined && !isBlockText) {
      return { start: range[0], end: range[1], text: scalarText(before, edit.value) }
    }
  }
  const whole =
    above ?? (edit._tag === "Append" && isCollection(before) && before.flow === true ? edit.path : undefined)
  if (whole !== undefined) {
    const range = rangeOf(get(document, whole))
    const value = valueIn(changed(document.toJS(), edit), whole)
    // What is remarked in there would be lost.
    if (range === undefined || text.slice(range[0], range[1]).includes("#")) return undefined
    return { start: range[0], end: range[1], text: flow(value) }
  }
  switch (edit._tag) {
    case "Delete":
      return remove(document, text, edit.path)
    case "Append":
      return isSeq(before) && before.items.length > 0
        ? append(document, text, edit.path, edit.value)
        : before === undefined
          ? add(document, text, edit.path, [edit.value])
          : fill(document, text, edit.path, [edit.value])
    case "Set":
      return before === undefined
        ? add(document, text, edit.path, edit.value)
        : fill(document, text, edit.path, edit.value)
  }
}

const obstacle = (document: Document, edit: Edit): string | undefined => {
  const where = formatPath(edit.path)
  if (edit.path.length === 0) return "the whole document cannot be replaced"
  for (let depth = 0; depth <= edit.path.length; depth++) {
    const node = get(document, edit.path.slice(0, depth))
    if (isAlias(node)) return `${where} lies behind an alias, and a change would be seen elsewhere too`
    if (depth < edit.path.length && isScalar(node) && node.value !== null) return `${where} lies below a plain value`
    if (isSeq(node) && depth < edit.path.length) {
      const part = edit.path[depth]
      const there = typeof part === "number" && part >= 0 && part < node.items.length
      if (!there) return `there is nothing at ${where}`
    }
  }
  const node = get(document, edit.path)
  if (edit._tag === "Delete" && node === undefined) return `there is nothing at ${where}`
  if (edit._tag === "Append" && node !== undefined && !isSeq(node) && !(isScalar(node) && node.value === null)) {
    return `${where} is not a list`
  }
  return undefined
}

const rewrite = (document: Document, edit: Edit): string => {
  if (edit._tag === "Delete") document.deleteIn(edit.path)
  else if (edit._tag === "Append" && isSeq(get(document, edit.path)))
    document.addIn(edit.path, document.createNode(edit.value))
  else document.setIn(edit.path, document.createNode(edit._tag === "Append" ? [edit.value] : edit.value))
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

const applyOne = (text: string, edit: Edit): Parsed<string> => {
  const document = parse(text)
  const [broken] = document.errors
  if (broken !== undefined) return refuse(`the file cannot be read: ${broken.message}`)
  const problem = obstacle(document, edit)
  if (problem !== undefined) return refuse(problem)
  const wanted = changed(document.toJS(), edit)
  for (const by of [spliceInFlow, splice]) {
    const one = by(document, text, edit)
    if (one === undefined) continue
    const spliced = `${text.slice(0, one.start)}${one.text}${text.slice(one.end)}`
    const after = parse(spliced)
    if (after.errors.length === 0 && isDeepStrictEqual(after.toJS(), wanted)) return Result.succeed(spliced)
  }
  // A layout the splices do not know: comments still survive, spacing may not.
  return Result.succeed(rewrite(document, edit))
}

export const edit = (text: string, edits: ReadonlyArray<Edit>): Parsed<string> => {
  let current: Parsed<string> = Result.succeed(text)
  for (const one of edits) {
    if (Result.isFailure(current)) return current
    current = applyOne(current.success, one)
  }
  return current
}

const line = /^#\s*yaml-language-server:\s*\$schema=\S*[^\S\n]*$/m

/** Tells editors where the JSON Schema is; a line that already does is left as it is. */
export const withSchemaLine = (text: string, schema: string = packagedReference): string =>
  line.test(text) ? text : `# yaml-language-server: $schema=${schema}\n${text}`
