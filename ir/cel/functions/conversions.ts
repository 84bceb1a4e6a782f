/** Conversions between types. */
import {
  CelError,
  type CelValue,
  double,
  doubleOf,
  Duration,
  type Evaluated,
  int,
  intOf,
  Network,
  textOf,
  Timestamp,
  typeOf,
  TypeValue,
  Uint,
  uint,
} from "../CelValue.ts"
import { makeTimestamp, parseDuration, parseTimestamp, printDuration, printTimestamp } from "../time.ts"
import { type CelFunction, define, invalid, noOverload } from "./define.ts"

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const utf8 = new TextEncoder()
const outOfRange = (to: string) => new CelError("range", `range error: does not fit ${to}`)

const decodeText = (bytes: Uint8Array): Evaluated => {
  try {
    return strict.decode(bytes)
  } catch {
    return invalid("invalid UTF-8 in bytes")
  }
}

const toText = (value: CelValue): Evaluated => {
  const text = textOf(value)
  if (text !== undefined) return text
  if (typeof value === "boolean") return String(value)
  const number = intOf(value) ?? doubleOf(value) ?? (value instanceof Uint ? value.value : undefined)
  if (number !== undefined) return String(number)
  if (value instanceof Uint8Array) return decodeText(value)
  if (value instanceof Timestamp) return printTimestamp(value)
  if (value instanceof Duration) return printDuration(value)
  if (value instanceof Network) return value.text
  return value instanceof TypeValue ? value.name : noOverload("string", value)
}

const truncated = (
  number: number,
  least: number,
  limit: number,
  make: (value: bigint) => Evaluated,
  to: string,
): Evaluated => (number > least && number < limit ? make(BigInt(Math.trunc(number))) : outOfRange(to))

const digits = (text: string, pattern: RegExp, make: (value: bigint) => Evaluated, to: string): Evaluated =>
  text.length <= 24 && pattern.test(text) ? make(BigInt(text)) : invalid(`not ${to}: ${text.slice(0, 64)}`)

const toInt = (value: CelValue): Evaluated => {
  if (intOf(value) !== undefined) return value
  if (value instanceof Uint) return int(BigInt(value.value))
  const real = doubleOf(value)
  if (real !== undefined) return truncated(real, -(2 ** 63), 2 ** 63, int, "an int")
  const text = textOf(value)
  if (text !== undefined) return digits(text.replace(/^\+/, ""), /^-?\d+$/, int, "an integer")
  return value instanceof Timestamp ? value.seconds : noOverload("int", value)
}

const toUint = (value: CelValue): Evaluated => {
  if (value instanceof Uint) return value
  const integer = intOf(value)
  if (integer !== undefined) return integer < 0 ? outOfRange("a uint") : uint(BigInt(integer))
  const real = doubleOf(value)
  if (real !== undefined) return truncated(real, -1, 2 ** 64, uint, "a uint")
  const text = textOf(value)
  return text === undefined ? noOverload("uint", value) : digits(text, /^\d+$/, uint, "an unsigned integer")
}

const toDouble = (value: CelValue): Evaluated => {
  if (doubleOf(value) !== undefined) return value
  const number = intOf(value) ?? (value instanceof Uint ? value.value : undefined)
  if (number !== undefined) return double(Number(number))
  const text = textOf(value)
  if (text === undefined) return noOverload("double", value)
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return double(Number(text))
  const special = /^([+-]?)(?:(inf|infinity)|nan)$/i.exec(text)
  if (special === null) return invalid(`not a number: ${text.slice(0, 64)}`)
  return special[2] === undefined ? Number.NaN : special[1] === "-" ? -Infinity : Infinity
}

const truths: ReadonlySet<string> = new Set(["1", "t", "true", "TRUE", "True"])
const falsehoods: ReadonlySet<string> = new Set(["0", "f", "false", "FALSE", "False"])

const toBool = (value: CelValue): Evaluated => {
  if (typeof value === "boolean") return value
  const text = textOf(value)
  if (text === undefined) return noOverload("bool", value)
  return truths.has(text) ? true : falsehoods.has(text) ? false : invalid(`not a boolean: ${text.slice(0, 64)}`)
}

const toBytes = (value: CelValue): Evaluated => {
  const text = textOf(value)
  return text === undefined ? (value instanceof Uint8Array ? value : noOverload("bytes", value)) : utf8.encode(text)
}

const toTimestamp = (value: CelValue): Evaluated => {
  if (value instanceof Timestamp) return value
  const text = textOf(value)
  if (text !== undefined) return parseTimestamp(text)
  const seconds = intOf(value)
  return seconds === undefined ? noOverload("timestamp", value) : makeTimestamp(Number(seconds))
}

const toDuration = (value: CelValue): Evaluated => {
  if (value instanceof Duration) return value
  const text = textOf(value)
  return text === undefined ? noOverload("duration", value) : parseDuration(text)
}

const each = (name: string, result: string, from: ReadonlyArray<string>): ReadonlyArray<string> =>
  from.map((one) => `${name}(${one}) -> ${result}`)

export const conversions: ReadonlyArray<CelFunction> = [
  define(
    each("string", "string", [
      "string",
      "bool",
      "int",
      "uint",
      "double",
      "bytes",
      "timestamp",
      "duration",
      "ip",
      "cidr",
      "type<A>",
    ]),
    toText,
  ),
  define(each("int", "int", ["int", "uint", "double", "string", "timestamp"]), toInt),
  define(each("uint", "uint", ["uint", "int", "double", "string"]), toUint),
  define(each("double", "double", ["double", "int", "uint", "string"]), toDouble),
  define(each("bool", "bool", ["bool", "string"]), toBool),
  define(each("bytes", "bytes", ["bytes", "string"]), toBytes),
  define(each("timestamp", "timestamp", ["timestamp", "string", "int"]), toTimestamp, { readsLiteral: true }),
  define(each("duration", "duration", ["duration", "string"]), toDuration, { readsLiteral: true }),
  define(["type(A) -> type<A>"], typeOf),
  define(["dyn(A) -> dyn"], (value) => value),
]
