/** What the gateway makes of a result: JSON, header values, text, probabilities, delays. `undefined` means: this use does not take such a value. */
import {
  CelError,
  type CelValue,
  Double,
  Duration,
  isInt,
  isList,
  keyOf,
  kindOf,
  mapGet,
  mapKeys,
  Network,
  Optional,
  TextView,
  textOf,
  Timestamp,
  type CelMap,
  TypeValue,
  Uint,
  type Evaluated,
  isError,
} from "./CelValue.ts"
import { VALUE_LENGTH_MAX } from "./limits.ts"
import { durationMillis, printDuration, printTimestamp, timestampMillis } from "./time.ts"

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

const JSON_DEPTH_MAX = 128

/** Base 64 in the standard alphabet. */
export const toBase64 = (bytes: Uint8Array): string => btoa(binary(bytes))

/** A value as JSON; integers that a JSON number cannot hold exactly become text. */
export const toJson = (value: CelValue): Json => toJsonAt(value, 0)

const toJsonAt = (value: CelValue, depth: number): Json => {
  if (depth > JSON_DEPTH_MAX) return null
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : null
    case "bigint":
      return String(value)
    default:
      if (value === null) return null
      if (isList(value)) return value.map((one) => toJsonAt(one, depth + 1))
      if (value instanceof Optional) return value.value === undefined ? null : toJsonAt(value.value, depth + 1)
      return scalarJson(value) ?? mapJson(value as CelMap, depth)
  }
}

const scalarJson = (value: object): Json | undefined => {
  if (value instanceof Uint8Array) return toBase64(value)
  if (value instanceof Double) return value.value
  if (value instanceof Uint) return typeof value.value === "number" ? value.value : String(value.value)
  if (value instanceof TextView || value instanceof Network) return value.text
  if (value instanceof Timestamp) return printTimestamp(value)
  if (value instanceof Duration) return printDuration(value)
  return value instanceof TypeValue ? value.name : undefined
}

const mapJson = (value: CelMap, depth: number): Json => {
  const entries: Array<readonly [string, Json]> = []
  for (const key of mapKeys(value)) {
    const name = keyOf(key)
    const one = name === undefined ? undefined : mapGet(value, name)
    if (name !== undefined && one !== undefined) entries.push([String(name), toJsonAt(one, depth + 1)])
  }
  return Object.fromEntries(entries)
}

export const toJsonText = (value: CelValue): string => JSON.stringify(toJson(value))

const toNumber = (value: Evaluated): number | undefined => {
  if (typeof value === "number") return value
  if (typeof value === "bigint") return Number(value)
  return value instanceof Double || value instanceof Uint ? Number(value.value) : undefined
}

/** Text only: redirects, paths, form parameters. */
export const toText = (value: Evaluated): string | undefined => (isError(value) ? undefined : textOf(value))

const utf8 = new TextEncoder()
const lossy = new TextDecoder()

/** One character per byte, as header values are written; text that would end the field is refused. */
export const toHeaderValue = (value: Evaluated): string | undefined => {
  const text = value instanceof Uint8Array ? binary(value) : toText(value)
  if (text === undefined || /[\r\n\0]/.test(text)) return undefined
  return value instanceof Uint8Array || isAscii(text) ? text : binary(utf8.encode(text))
}

const isAscii = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

const binary = (bytes: Uint8Array): string => {
  let out = ""
  for (const byte of bytes) out += String.fromCharCode(byte)
  return out
}

/** An HTTP status for `:status`. */
export const toStatus = (value: Evaluated): number | undefined => {
  const number = toNumber(value)
  return number !== undefined && isInt(number) && number >= 100 && number <= 599 ? number : undefined
}

/** Text and bytes as they are, anything else as JSON. */
export const toBody = (value: CelValue): Uint8Array =>
  value instanceof Uint8Array ? value : utf8.encode(textOf(value) ?? toJsonText(value))

/** Rate-limit descriptors and tags: scalars only. */
export const toDescriptor = (value: Evaluated): string | undefined => {
  if (isError(value)) return undefined
  if (value instanceof Uint8Array) return toBase64(value)
  const kind = kindOf(value)
  return (
    textOf(value) ??
    (kind === "bool" || kind === "int" ? String(value) : value instanceof Uint ? String(value.value) : undefined)
  )
}

/** A delay: a duration, or a number of milliseconds. */
export const toDelayMillis = (value: Evaluated): number | undefined => {
  if (value instanceof Duration) return durationMillis(value)
  const number = toNumber(value)
  return number === undefined || !Number.isFinite(number) ? undefined : number
}

/** When something expires, in milliseconds since 1970: after a duration, at a timestamp, or at epoch seconds. */
export const toExpiryMillis = (value: Evaluated, nowMillis: number): number | undefined => {
  if (value instanceof Duration) return nowMillis + durationMillis(value)
  if (value instanceof Timestamp) return timestampMillis(value)
  const number = toNumber(value)
  return number === undefined || !Number.isFinite(number) ? undefined : number * 1000
}

/** Parses JSON into values; the same bytes are parsed once. */
export const parseJson = (source: string | Uint8Array): Evaluated => {
  if (typeof source === "string") return parseText(source)
  const known = parsed.get(source)
  if (known !== undefined) return known
  const made = parseText(lossy.decode(source))
  parsed.set(source, made)
  return made
}

const parsed = new WeakMap<Uint8Array, Evaluated>()
const invalidJson = new CelError("invalid", "not valid JSON")

const parseText = (text: string): Evaluated => {
  if (text.length > VALUE_LENGTH_MAX * 4) return new CelError("tooMuch", "the JSON is too long")
  try {
    return JSON.parse(text) as CelValue
  } catch {
    return invalidJson
  }
}
