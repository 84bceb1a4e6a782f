/** Functions on strings. */
import {
  CelError,
  type CelValue,
  type Evaluated,
  intOf,
  isList,
  isMap,
  keyOf,
  mapHas,
  mapSize,
  textOf,
} from "../CelValue.ts"
import { tooLong, VALUE_LENGTH_MAX } from "../limits.ts"
import { contains } from "../operators.ts"
import { quote } from "../quote.ts"
import { indexInPoints, isBasic, length, lowerAscii, slice, trim, unitsBefore, upperAscii } from "../text.ts"
import { type CelFunction, define, noOverload } from "./define.ts"
import { format } from "./format.ts"

const indexOutOfRange = (index: number | bigint) => new CelError("range", `index out of range: ${index}`)

const onText = (signature: string, name: string, call: (text: string) => Evaluated): CelFunction =>
  define([signature], (value) => {
    const text = textOf(value)
    return text === undefined ? noOverload(name, value) : call(text)
  })

const onTwo = (signature: string, name: string, call: (text: string, other: string) => Evaluated): CelFunction =>
  define([signature], (value, argument) => {
    if (typeof value === "string" && typeof argument === "string") return call(value, argument)
    const text = textOf(value)
    const other = textOf(argument)
    return text === undefined || other === undefined ? noOverload(name, value, argument) : call(text, other)
  })

const search = (name: "indexOf" | "lastIndexOf") => (value: CelValue, part: CelValue, start?: CelValue) => {
  const text = textOf(value)
  const wanted = textOf(part)
  const from = start === undefined ? undefined : intOf(start)
  if (text === undefined || wanted === undefined || (start !== undefined && from === undefined))
    return start === undefined ? noOverload(name, value, part) : noOverload(name, value, part, start)
  if (from === undefined)
    return indexInPoints(text, name === "indexOf" ? text.indexOf(wanted) : text.lastIndexOf(wanted))
  if (typeof from !== "number" || from < 0 || from > length(text)) return indexOutOfRange(from)
  const units = unitsBefore(text, from)
  return indexInPoints(text, name === "indexOf" ? text.indexOf(wanted, units) : text.lastIndexOf(wanted, units))
}

const size = (value: CelValue): Evaluated => {
  const text = textOf(value)
  if (text !== undefined) return length(text)
  if (isList(value) || value instanceof Uint8Array) return value.length
  return isMap(value) ? mapSize(value) : noOverload("size", value)
}

const containsBytes = (whole: Uint8Array, part: Uint8Array): boolean => {
  for (let start = 0; start + part.length <= whole.length; start++) {
    let i = 0
    while (i < part.length && whole[start + i] === part[i]) i++
    if (i === part.length) return true
  }
  return false
}
/** Comparing at each place is quadratic, so the work is bounded. */
const CONTAINS_WORK_MAX = 64 * 1024 * 1024

const contain = (value: CelValue, part: CelValue): Evaluated => {
  if (typeof value === "string" && typeof part === "string") return value.includes(part)
  if (value instanceof Uint8Array && part instanceof Uint8Array)
    return value.length * part.length > CONTAINS_WORK_MAX
      ? new CelError("tooMuch", "contains() on bytes this long")
      : containsBytes(value, part)
  if (isMap(value)) {
    const key = keyOf(part)
    return key !== undefined && mapHas(value, key)
  }
  return isList(value) || textOf(value) !== undefined ? contains(value, part) : noOverload("contains", value, part)
}

const substring = (value: CelValue, start: CelValue, end?: CelValue): Evaluated => {
  const text = textOf(value)
  const from = intOf(start)
  const to = end === undefined ? undefined : intOf(end)
  if (text === undefined || from === undefined || (end !== undefined && to === undefined))
    return end === undefined ? noOverload("substring", value, start) : noOverload("substring", value, start, end)
  const size = length(text)
  if (typeof from !== "number" || from < 0 || from > size) return indexOutOfRange(from)
  if (to === undefined) return slice(text, from, size)
  if (typeof to !== "number" || to < 0 || to > size) return indexOutOfRange(to)
  return from > to
    ? new CelError("range", `invalid substring range. start: ${from}, end: ${to}`)
    : slice(text, from, to)
}

const characters = (text: string): ReadonlyArray<string> => (isBasic(text) ? text.split("") : Array.from(text))

const split = (value: CelValue, by: CelValue, limit?: CelValue): Evaluated => {
  const text = textOf(value)
  const separator = textOf(by)
  const most = limit === undefined ? -1 : intOf(limit)
  if (text === undefined || separator === undefined || most === undefined)
    return limit === undefined ? noOverload("split", value, by) : noOverload("split", value, by, limit)
  if (most === 0) return []
  const parts = separator === "" ? characters(text) : text.split(separator)
  if (most < 0 || parts.length <= most) return parts
  const kept = Number(most) - 1
  return [...parts.slice(0, kept), parts.slice(kept).join(separator)]
}

const replace = (value: CelValue, old: CelValue, by: CelValue, limit?: CelValue): Evaluated => {
  const text = textOf(value)
  const wanted = textOf(old)
  const replacement = textOf(by)
  const most = limit === undefined ? -1 : intOf(limit)
  if (text === undefined || wanted === undefined || replacement === undefined || most === undefined)
    return limit === undefined ? noOverload("replace", value, old, by) : noOverload("replace", value, old, by, limit)
  if (most === 0) return text
  const parts = wanted === "" ? ["", ...characters(text), ""] : text.split(wanted)
  const count = most < 0 ? parts.length - 1 : Math.min(parts.length - 1, Number(most))
  if (text.length + count * replacement.length > VALUE_LENGTH_MAX) return tooLong
  return [...parts.slice(0, count), parts.slice(count).join(wanted)].join(replacement)
}

const join = (value: CelValue, by?: CelValue): Evaluated => {
  const separator = by === undefined ? "" : textOf(by)
  if (!isList(value) || separator === undefined)
    return by === undefined ? noOverload("join", value) : noOverload("join", value, by)
  const parts: Array<string> = []
  let size = 0
  for (const one of value) {
    const text = textOf(one)
    if (text === undefined) return noOverload("join", value)
    size += text.length + separator.length
    if (size > VALUE_LENGTH_MAX) return tooLong
    parts.push(text)
  }
  return parts.join(separator)
}

const charAt = (value: CelValue, index: CelValue): Evaluated => {
  const text = textOf(value)
  const at = intOf(index)
  if (text === undefined || at === undefined) return noOverload("charAt", value, index)
  if (typeof at !== "number" || at < 0 || at > length(text)) return indexOutOfRange(at)
  return slice(text, at, at + 1)
}

export const strings: ReadonlyArray<CelFunction> = [
  define(
    [
      "size(string) -> int",
      "size(bytes) -> int",
      "size(list<A>) -> int",
      "size(map<A, B>) -> int",
      "string.size() -> int",
      "bytes.size() -> int",
      "list<A>.size() -> int",
      "map<A, B>.size() -> int",
    ],
    (value) => size(value),
  ),
  define(
    [
      "string.contains(string) -> bool",
      "bytes.contains(bytes) -> bool",
      "list<A>.contains(A) -> bool",
      "map<A, B>.contains(A) -> bool",
    ],
    (value, part) => contain(value, part),
  ),
  onTwo("string.startsWith(string) -> bool", "startsWith", (text, part) => text.startsWith(part)),
  onTwo("string.endsWith(string) -> bool", "endsWith", (text, part) => text.endsWith(part)),
  onTwo("string.stripPrefix(string) -> string", "stripPrefix", (text, part) =>
    text.startsWith(part) ? text.slice(part.length) : text,
  ),
  onTwo("string.stripSuffix(string) -> string", "stripSuffix", (text, part) =>
    part !== "" && text.endsWith(part) ? text.slice(0, -part.length) : text,
  ),
  define(["string.charAt(int) -> string"], (value, index) => charAt(value, index)),
  define(["string.indexOf(string) -> int", "string.indexOf(string, int) -> int"], search("indexOf")),
  define(["string.lastIndexOf(string) -> int", "string.lastIndexOf(string, int) -> int"], search("lastIndexOf")),
  define(["list<string>.join() -> string", "list<string>.join(string) -> string"], (value, by) => join(value, by)),
  onText("string.lowerAscii() -> string", "lowerAscii", lowerAscii),
  onText("string.upperAscii() -> string", "upperAscii", upperAscii),
  onText("string.trim() -> string", "trim", trim),
  onText("string.reverse() -> string", "reverse", (text) => Array.from(text).toReversed().join("")),
  onText("strings.quote(string) -> string", "strings.quote", quote),
  define(
    ["string.replace(string, string) -> string", "string.replace(string, string, int) -> string"],
    (value, old, by, limit) => replace(value, old, by, limit),
  ),
  define(["string.split(string) -> list<string>", "string.split(string, int) -> list<string>"], (value, by, limit) =>
    split(value, by, limit),
  ),
  define(["string.substring(int) -> string", "string.substring(int, int) -> string"], (value, from, to) =>
    substring(value, from, to),
  ),
  define(["string.format(list<dyn>) -> string"], (value, args) => {
    const text = textOf(value)
    return text === undefined || !isList(args) ? noOverload("format", value, args) : format(text, args)
  }),
]
