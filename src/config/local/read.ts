/**
 * Text to values: YAML (and so JSON) with every position kept, and the environment expanded inside scalar values only.
 * Nothing here knows what a configuration looks like; nothing here throws.
 */
import {
  Alias,
  type ErrorCode,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  parseAllDocuments,
  Scalar,
  type YAMLError,
  type YAMLMap,
} from "yaml"
import type { ConfigIssue, Path } from "../ConfigIssue.ts"
import { formatPath } from "../ConfigIssue.ts"
import { documentDepthMax, documentNodesMax } from "../bounds.ts"
import { type Environment, expand } from "./expand.ts"
import type { Problem } from "./Problem.ts"

export interface Place {
  readonly line: number
  readonly column: number
}

export interface Document {
  /** `undefined` when the text is not YAML at all. */
  readonly value: unknown
  readonly issues: ReadonlyArray<ConfigIssue>
  /** Paths whose value could not be read; complaints about them would only repeat what is already said. */
  readonly unread: ReadonlyArray<Path>
  readonly locate: (path: Path, at?: "key", inside?: number) => Place
  readonly issue: (problem: Problem) => ConfigIssue
}

/** Braces of `${…}` would end a plain scalar inside `{…}` or `[…]`; these stand in for them while YAML is parsed. */
const masks: Record<string, string> = { "{": "\uE07B", "}": "\uE07D", ",": "\uE02C", "[": "\uE05B", "]": "\uE05D" }
const unmasks = new Map(Object.entries(masks).map(([plain, mask]) => [mask, plain]))
const masked = /[\uE07B\uE07D\uE02C\uE05B\uE05D]/g

const mask = (text: string): string =>
  text.includes("${") && text.search(masked) < 0
    ? text.replaceAll(/\$\{[A-Za-z_][^}\n]*\}/g, (span) => span.replaceAll(/[{},[\]]/g, (c) => masks[c] ?? c))
    : text

const unmask = (text: string): string => text.replaceAll(masked, (c) => unmasks.get(c) ?? c)

/** A value that is nothing but a variable. Only its name may be told: what stands beside it, or in its place, may be a secret. */
const onlyVariable = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)[^}]*\})$/

/** What an unquoted scalar means once it is expanded: YAML 1.2, core schema. */
const resolvePlain = (text: string): string | number | boolean | null => {
  if (/^(?:~|null|Null|NULL|)$/.test(text)) return null
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text)
  return text
}

/** What to do about text that is no YAML. */
const syntaxRemedies: Partial<Record<ErrorCode, string>> = {
  BAD_DQ_ESCAPE: "Write `\\\\` for a backslash, or use single quotes.",
  BAD_INDENT: "Indent the keys of a map alike, and what is inside of brackets further than their key.",
  BAD_SCALAR_START: "Put the value in quotes.",
  BLOCK_AS_IMPLICIT_KEY: "Put a value with `: ` in it in quotes, or begin a map on a line of its own.",
  MISSING_CHAR: "Look for what was opened before and is not closed.",
  MULTILINE_IMPLICIT_KEY: "Write `key: value`; a text of several lines goes in quotes.",
  TAB_AS_INDENT: "Indent with spaces.",
  TAG_RESOLVE_FAILED: "Remove the tag; variables are written `$NAME`.",
  UNEXPECTED_TOKEN: "Look for what was opened before and is not closed, or put the text in quotes.",
}

/** After the first mistake the parser stumbles over much that is right. */
const said = (problems: ReadonlyArray<YAMLError>): ReadonlyArray<YAMLError> =>
  problems
    .toSorted((a, b) => a.pos[0] - b.pos[0])
    .filter(({ code, pos }, i, sorted) => i === 0 || (code !== "UNEXPECTED_TOKEN" && sorted[i - 1]?.pos[0] !== pos[0]))

const depthIn = (parts: Iterable<string>): number => {
  let depth = 0
  let deepest = 0
  for (const part of parts) {
    if (part === "[" || part === "{") deepest = Math.max(deepest, ++depth)
    else if (part === "]" || part === "}") depth--
  }
  return deepest
}

/** The parser would take long to find out. Brackets inside of scalars are told apart only where there are very many. */
const isTooDeep = (text: string): boolean =>
  depthIn(text) > documentDepthMax && depthIn(new Lexer().lex(text)) > documentDepthMax

const placesIn = (text: string): ((offset: number) => Place) => {
  const starts = [0]
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  return (offset) => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

const keyText = (key: unknown): string | undefined => {
  if (key === null) return "null"
  if (!isScalar(key)) return undefined
  return typeof key.value === "string" ? unmask(key.value) : (key.source ?? String(key.value))
}

export const read = (source: string, environment: Environment): Document => {
  const text = source.startsWith("\uFEFF") ? source.slice(1) : source
  const placeOf = placesIn(text)
  const issues: Array<ConfigIssue> = []
  const unread: Array<Path> = []
  const aliases = new WeakMap<Alias, unknown>()
  let root: unknown

  const complain = (offset: number, path: Path, message: string, remedy = "") => {
    issues.push({ severity: "error", ...placeOf(offset), path: formatPath(path), message, remedy })
  }

  const node = (at: unknown): unknown => (isAlias(at) ? node(aliases.get(at)) : at)

  const startOf = (at: unknown): number | undefined => {
    const range = at !== null && typeof at === "object" && "range" in at ? at.range : undefined
    return Array.isArray(range) && typeof range[0] === "number" ? range[0] : undefined
  }

  /** Where a character of a scalar's value stands, as far as it stands there as it is. */
  const offsetIn = (scalar: unknown, inside: number): number | undefined => {
    const start = startOf(scalar)
    if (!isScalar(scalar) || start === undefined || typeof scalar.value !== "string" || inside > scalar.value.length) {
      return undefined
    }
    switch (scalar.type) {
      case Scalar.PLAIN:
        return text.startsWith(scalar.value, start) ? start + inside : undefined
      case Scalar.QUOTE_SINGLE:
      case Scalar.QUOTE_DOUBLE: {
        let offset = start + 1
        for (let i = 0; i < inside; i++) {
          if (text[offset] === "\n") return undefined
          const isPair = scalar.type === Scalar.QUOTE_DOUBLE ? text[offset] === "\\" : text.startsWith("''", offset)
          offset += isPair ? 2 : 1
        }
        return offset
      }
      case Scalar.BLOCK_LITERAL: {
        const before = scalar.value.slice(0, inside).split("\n")
        const content = text.indexOf("\n", start) + 1
        const indent = /^(?:[ \t]*\n)*( *)/.exec(text.slice(content))?.[1]?.length ?? 0
        let line = content
        for (let i = 1; i < before.length; i++) line = text.indexOf("\n", line) + 1
        return line + indent + (before.at(-1) ?? "").length
      }
      default:
        return undefined
    }
  }

  const locate = (path: Path, at?: "key", within?: number): Place => {
    let here: unknown = root
    let offset = startOf(root) ?? 0
    for (const [depth, part] of path.entries()) {
      const inside = node(here)
      let next: unknown
      if (isMap(inside)) {
        const pair = inside.items.find((item) => keyText(item.key) === String(part))
        if (pair === undefined) break
        const key = startOf(pair.key)
        const last = depth === path.length - 1
        const value = startOf(pair.value)
        const filled = pair.value !== null && !(isScalar(pair.value) && pair.value.source === "")
        offset = (last && at === "key" ? key : filled ? value : key) ?? offset
        next = pair.value
      } else if (isSeq(inside) && typeof part === "number") {
        next = inside.items[part]
        offset = startOf(next) ?? offset
      } else break
      here = next
    }
    return placeOf((within === undefined ? undefined : offsetIn(node(here), within)) ?? offset)
  }

  /** Whose values stand where. */
  const variables = new Map<string, string>()

  const issue = (problem: Problem): ConfigIssue => {
    const path = formatPath(problem.path)
    const variable = variables.get(path)
    return {
      severity: problem.severity,
      ...locate(problem.path, problem.at, problem.inside),
      path,
      message: variable === undefined ? problem.message : `${problem.message} (from \`$${variable}\`)`,
      remedy: problem.remedy,
    }
  }

  const done = (value: unknown): Document => ({ value, issues, unread, locate, issue })

  const tooDeep = (): Document => {
    complain(0, [], "the document is nested too deeply to be read")
    return done(undefined)
  }
  if (isTooDeep(text)) return tooDeep()
  let documents
  try {
    documents = parseAllDocuments(mask(text), {
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "silent",
      version: "1.2",
      schema: "core",
    })
  } catch {
    return tooDeep()
  }
  if (!Array.isArray(documents)) return done({})
  const [document, second] = documents
  if (document === undefined) return done({})
  for (const one of documents) {
    for (const problem of said([...one.errors, ...one.warnings])) {
      complain(problem.pos[0], [], unmask(problem.message), syntaxRemedies[problem.code])
    }
  }
  if (second !== undefined) {
    complain(
      startOf(second) ?? startOf(second.contents) ?? 0,
      [],
      "the file holds more than one YAML document",
      "Keep one document, and remove the `---` between them.",
    )
  }
  if (issues.length > 0) return done(undefined)
  root = document.contents

  const anchors = new Map<string, unknown>()
  let visited = 0

  const scalar = (at: Scalar, path: Path): unknown => {
    const value: unknown = at.value
    if (typeof value === "bigint") return Number(value)
    if (typeof value === "number" && !Number.isFinite(value)) {
      complain(startOf(at) ?? 0, path, "a number must be finite")
      unread.push(path)
      return 0
    }
    if (typeof value !== "string") return value
    if (!value.includes("$")) return value
    const source = unmask(value)
    const { text: expanded, problems } = expand(source, environment)
    if (problems.length > 0) {
      let cursor = startOf(at) ?? 0
      for (const problem of problems) {
        const found = text.indexOf(problem.source, cursor)
        complain(found < 0 ? cursor : found, path, problem.message, problem.remedy)
        cursor = found < 0 ? cursor : found + problem.source.length
      }
      unread.push(path)
    }
    const [, bare, braced = bare] = onlyVariable.exec(source) ?? []
    if (braced !== undefined) variables.set(formatPath(path), braced)
    return at.type === Scalar.PLAIN && at.tag === undefined ? resolvePlain(expanded) : expanded
  }

  const merge = (into: Record<string, unknown>, from: unknown, offset: number, path: Path) => {
    for (const one of Array.isArray(from) ? from : [from]) {
      if (one === null || typeof one !== "object" || Array.isArray(one)) {
        complain(offset, path, "`<<` takes a map, or a list of maps")
        continue
      }
      for (const [key, value] of Object.entries(one)) if (!Object.hasOwn(into, key)) into[key] = value
    }
  }

  const map = (at: YAMLMap, path: Path): unknown => {
    const out: Record<string, unknown> = {}
    const merges: Array<{ readonly value: unknown; readonly offset: number }> = []
    const seen = new Set<string>()
    for (const pair of at.items) {
      const key = keyText(pair.key)
      const offset = startOf(pair.key) ?? startOf(at) ?? 0
      if (key === undefined) {
        complain(offset, path, "a key must be plain text")
        continue
      }
      if (key === "__proto__") {
        complain(offset, [...path, key], "`__proto__` cannot be a key")
        continue
      }
      if (seen.has(key)) {
        complain(offset, [...path, key], `duplicate key \`${key}\``, "Keep one of them; the earlier is used nowhere.")
        continue
      }
      seen.add(key)
      if (key === "<<" && isScalar(pair.key) && pair.key.type === Scalar.PLAIN) {
        merges.push({ value: convert(pair.value, [...path, key]), offset })
      } else out[key] = convert(pair.value, [...path, key])
    }
    for (const one of merges) merge(out, one.value, one.offset, path)
    return out
  }

  /** What anchored nodes became: an alias shares it, and counts as many values as it stands for. */
  const shared = new Map<unknown, { readonly value: unknown; readonly size: number }>()

  const count = (values: number, at: unknown, path: Path): boolean => {
    const before = visited
    visited += values
    if (visited <= documentNodesMax) return true
    if (before <= documentNodesMax) {
      complain(startOf(at) ?? 0, path, `the document holds more than ${documentNodesMax} values, aliases included`)
    }
    return false
  }

  const alias = (at: Alias, path: Path): unknown => {
    const target = anchors.get(at.source)
    const known = shared.get(target)
    aliases.set(at, target)
    if (known !== undefined) return count(known.size, at, path) ? known.value : null
    complain(
      startOf(at) ?? 0,
      path,
      target === undefined ? `unknown alias \`*${at.source}\`` : `the alias \`*${at.source}\` contains itself`,
    )
    unread.push(path)
    return null
  }

  const convert = (at: unknown, path: Path): unknown => {
    if (isAlias(at)) return alias(at, path)
    if (!count(1, at, path)) return null
    const before = visited
    const anchored = at !== null && typeof at === "object" && "anchor" in at && typeof at.anchor === "string"
    if (anchored) anchors.set(String(at.anchor), at)
    const value = isScalar(at)
      ? scalar(at, path)
      : isMap(at)
        ? map(at, path)
        : isSeq(at)
          ? at.items.map((item, i) => convert(item, [...path, i]))
          : null
    if (anchored) shared.set(at, { value, size: visited - before + 1 })
    return value
  }

  try {
    const value = convert(root, [])
    return done(value === null ? {} : value)
  } catch {
    complain(0, [], "the document is nested too deeply to be read")
    return done(undefined)
  }
}
