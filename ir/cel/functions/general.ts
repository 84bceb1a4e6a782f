/** Regular expressions, maps, optionals, views of headers and queries, and what comes from the host. */
import {
  CelError,
  type CelValue,
  type Evaluated,
  intOf,
  isList,
  isMap,
  type Key,
  keyOf,
  kindOf,
  type CelMap,
  mapGet,
  mapKeys,
  mapSize,
  MapValue,
  MapView,
  none,
  Optional,
  textOf,
  Timestamp,
  Duration,
  Uint,
  double as doubleValue,
  doubleOf,
} from "../CelValue.ts"
import { tooLong, VALUE_LENGTH_MAX } from "../limits.ts"
import type { Natives, Regex } from "../Natives.ts"
import { HeaderView, QueryText, RedactedText } from "../views.ts"
import { type CelFunction, define, defineNative, type Implementation, invalid, noOverload } from "./define.ts"

const PATTERNS_MAX = 256
/** A regular expression may take a thousand times what reading the text takes. */
const REGEX_WORK = 64

/** Patterns built by an expression are compiled once each, as long as there are few of them. */
const patternCache = (natives: Natives) => {
  const compiled = new Map<string, Regex | string>()
  return (pattern: string): Regex | string => {
    const known = compiled.get(pattern)
    if (known !== undefined) return known
    const made = natives.compileRegex(pattern)
    if (compiled.size >= PATTERNS_MAX) compiled.clear()
    compiled.set(pattern, made)
    return made
  }
}

const tooLongToSearch = new CelError("tooMuch", "the text is too long for this regular expression")
const badPattern = (why: string) => invalid(`invalid regular expression: ${why}`)

const matching = (regex: Regex, value: CelValue): Evaluated => {
  const text = textOf(value)
  if (text === undefined) return noOverload("matches", value, "")
  return text.length > regex.textLengthMax ? tooLongToSearch : regex.test(text)
}

const matches: CelFunction = defineNative(
  ["string.matches(string) -> bool", "matches(string, string) -> bool"],
  (natives) => {
    const compile = patternCache(natives)
    return (value, pattern) => {
      const text = textOf(pattern)
      if (text === undefined) return noOverload("matches", value, pattern)
      const regex = compile(text)
      return typeof regex === "string" ? badPattern(regex) : matching(regex, value)
    }
  },
  {
    readsLiteral: true,
    work: REGEX_WORK,
    specialize: (natives, args) => {
      const [, pattern] = args
      if (typeof pattern !== "string") return undefined
      const regex = natives.compileRegex(pattern)
      return typeof regex === "string" ? badPattern(regex) : (value) => matching(regex, value)
    },
  },
)

/** `$1`, `${1}`, `${name}`; `$$` is a dollar. */
const replacementOf = (
  template: string,
  match: ReadonlyArray<string | undefined>,
  named: Readonly<Record<string, string | undefined>>,
): string =>
  template.replace(/\$(?:\$|(\d{1,3})|\{(\w+)\})/g, (whole, digits: string | undefined, name: string | undefined) => {
    if (whole === "$$") return "$"
    const group = digits ?? name ?? ""
    return (/^\d+$/.test(group) ? match[Number(group)] : Object.hasOwn(named, group) ? named[group] : "") ?? ""
  })

const replacing = (regex: Regex, value: CelValue, replacement: CelValue): Evaluated => {
  const text = textOf(value)
  const template = textOf(replacement)
  if (text === undefined || template === undefined) return noOverload("regexReplace", value, "", replacement)
  if (text.length > regex.textLengthMax) return tooLongToSearch
  let out = ""
  let copied = 0
  let from = 0
  for (
    let match = regex.exec(text, 0);
    match !== undefined;
    match = from > text.length ? undefined : regex.exec(text, from)
  ) {
    out += text.slice(copied, match.index) + replacementOf(template, match.groups, match.named ?? {})
    if (out.length > VALUE_LENGTH_MAX) return tooLong
    copied = match.end
    from = match.end > match.index ? match.end : match.end + 1
  }
  return out + text.slice(copied)
}

/** Both names replace every match; the longer one says so to those who know a function that replaces the first. */
const regexReplace = (name: "regexReplace" | "regexReplaceAll"): CelFunction =>
  defineNative(
    [`string.${name}(string, string) -> string`],
    (natives) => {
      const compile = patternCache(natives)
      return (value, pattern, replacement) => {
        const text = textOf(pattern)
        if (text === undefined) return noOverload("regexReplace", value, pattern, replacement)
        const regex = compile(text)
        return typeof regex === "string" ? badPattern(regex) : replacing(regex, value, replacement)
      }
    },
    {
      readsLiteral: true,
      work: REGEX_WORK,
      specialize: (natives, args) => {
        const [, pattern] = args
        if (typeof pattern !== "string") return undefined
        const regex = natives.compileRegex(pattern)
        return typeof regex === "string"
          ? badPattern(regex)
          : (value, _, replacement) => replacing(regex, value, replacement)
      },
    },
  )

const merge: Implementation = (left, right) => {
  if (!isMap(left) || !isMap(right)) return noOverload("merge", left, right)
  const values = new Map<Key, CelValue>()
  for (const map of [left, right]) copyInto(values, map)
  return new MapValue(values)
}

const copyInto = (values: Map<Key, CelValue>, map: CelMap): void => {
  for (const key of mapKeys(map)) {
    const name = keyOf(key)
    const value = name === undefined ? undefined : mapGet(map, name)
    if (name !== undefined && value !== undefined) values.set(name, value)
  }
}

/** A value that a log field spreads over several fields; anywhere else it is the map it shows. */
export class Flattened extends MapView {
  readonly value: CelMap | ReadonlyArray<CelValue>
  readonly recursive: boolean
  constructor(value: CelMap | ReadonlyArray<CelValue>, recursive: boolean) {
    super()
    this.value = value
    this.recursive = recursive
  }
  get(key: Key): CelValue | undefined {
    return isList(this.value) ? this.value[Number(key)] : mapGet(this.value, key)
  }
  keys(): ReadonlyArray<CelValue> {
    return isList(this.value) ? this.value.map((_, i) => i) : mapKeys(this.value)
  }
}

const FLATTENED_DEPTH_MAX = 32

/** `name.key` and value for each part of a flattened value. */
export const flattened = (name: string, flat: Flattened): ReadonlyArray<readonly [string, CelValue]> => {
  const entries: Array<readonly [string, CelValue]> = []
  const spread = (prefix: string, value: CelMap | ReadonlyArray<CelValue>, depth: number): void => {
    for (const key of isList(value) ? value.keys() : mapKeys(value)) {
      const known = keyOf(key)
      const one = known === undefined ? undefined : isList(value) ? value[Number(known)] : mapGet(value, known)
      if (known === undefined || one === undefined) continue
      const path = `${prefix}.${String(known)}`
      if (flat.recursive && depth < FLATTENED_DEPTH_MAX && (isList(one) || isMap(one))) spread(path, one, depth + 1)
      else entries.push([path, one])
    }
  }
  spread(name, flat.value, 0)
  return entries
}

const flatten = (name: string, recursive: boolean): CelFunction =>
  define([`${name}(map<A, B>) -> map<string, dyn>`, `${name}(list<A>) -> map<string, dyn>`], (value) =>
    isList(value) || isMap(value) ? new Flattened(value, recursive) : noOverload(name, value),
  )

const isZero = (value: CelValue): boolean => {
  if (value === null || value === false) return true
  const text = textOf(value)
  if (text !== undefined) return text === ""
  if (isList(value) || value instanceof Uint8Array) return value.length === 0
  if (value instanceof Timestamp || value instanceof Duration) return value.seconds === 0 && value.nanos === 0
  if (value instanceof Uint) return value.value === 0
  if (isMap(value)) return mapSize(value) === 0
  return intOf(value) === 0 || doubleOf(value) === 0
}

const onOptional = (signature: string, name: string, call: (value: Optional) => Evaluated): CelFunction =>
  define([signature], (value) => (value instanceof Optional ? call(value) : noOverload(name, value)))

const optionals: ReadonlyArray<CelFunction> = [
  define(["optional.of(A) -> optional_type<A>"], (value) => new Optional(value)),
  define(["optional.none() -> optional_type<A>"], () => none),
  define(["optional.ofNonZeroValue(A) -> optional_type<A>"], (value) => (isZero(value) ? none : new Optional(value))),
  onOptional("optional_type<A>.hasValue() -> bool", "hasValue", (value) => value.value !== undefined),
  onOptional(
    "optional_type<A>.value() -> A",
    "value",
    (value) => value.value ?? (value.value === null ? null : invalid("optional.none() dereference")),
  ),
]

const onHeaders = (signature: string, name: string, call: (view: HeaderView) => Evaluated): CelFunction =>
  define([signature], (value) => (value instanceof HeaderView ? call(value) : noOverload(name, value)))

const queryOf = (value: CelValue): QueryText | undefined =>
  value instanceof QueryText ? value : typeof value === "string" ? new QueryText(value) : undefined

const change = (name: "addQuery" | "setQuery"): CelFunction =>
  define([`query.${name}(string, string) -> query`], (value, key, to) => {
    const view = queryOf(value)
    const parameter = textOf(key)
    const text = textOf(to)
    if (view === undefined || parameter === undefined || text === undefined) return noOverload(name, value, key, to)
    return view.changed((query) => (name === "addQuery" ? query.append(parameter, text) : query.set(parameter, text)))
  })

export const views: ReadonlyArray<CelFunction> = [
  onHeaders("headers.join() -> headers", "join", (view) => view.with("joined")),
  onHeaders("headers.raw() -> headers", "raw", (view) => view.with("raw")),
  onHeaders("headers.split() -> headers", "split", (view) => view.with("split")),
  onHeaders("headers.redacted() -> headers", "redacted", (view) => view.redacted()),
  define(["headers.cookie(string) -> string"], (view, name) => {
    const text = textOf(name)
    if (!(view instanceof HeaderView) || text === undefined) return noOverload("cookie", view, name)
    return view.cookie(text) ?? new CelError("noSuchKey", `no such key: cookie ${text.slice(0, 64)}`)
  }),
  define(["query.query(string) -> list<string>"], (value, name) => {
    const view = queryOf(value)
    const text = textOf(name)
    return view === undefined || text === undefined ? noOverload("query", value, name) : view.query(text)
  }),
  change("addQuery"),
  change("setQuery"),
  define(["redacted.unredacted() -> string"], (value) =>
    value instanceof RedactedText ? value.secret : typeof value === "string" ? value : noOverload("unredacted", value),
  ),
]

export const general: ReadonlyArray<CelFunction> = [
  matches,
  regexReplace("regexReplace"),
  regexReplace("regexReplaceAll"),
  define(["map<A, B>.merge(map<A, B>) -> map<A, B>"], merge),
  flatten("flatten", false),
  flatten("flattenRecursive", true),
  flatten("flatten_recursive", true),
  defineNative(["random() -> double"], (natives) => () => doubleValue(natives.random()), { constant: false }),
  defineNative(["uuid() -> string"], (natives) => () => natives.uuid(), { constant: false }),
  define(
    ["fail(string) -> dyn"],
    (message) => new CelError("failed", `fail() called: ${textOf(message) ?? kindOf(message)}`),
    { constant: false },
  ),
  ...optionals,
]
