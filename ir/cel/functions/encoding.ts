/** JSON, base 64, URL and form encoding, digests. */
import {
  type CelMap,
  type CelValue,
  type Evaluated,
  isList,
  isMap,
  type Key,
  keyOf,
  mapGet,
  mapKeys,
  MapValue,
  textOf,
} from "../CelValue.ts"
import { tooLong, VALUE_LENGTH_MAX } from "../limits.ts"
import type { Natives } from "../Natives.ts"
import { parseJson, toBase64, toDescriptor, toJsonText } from "../toJson.ts"
import { type CelFunction, define, defineNative, invalid, noOverload } from "./define.ts"

const utf8 = new TextEncoder()
const lossy = new TextDecoder()

const bytesOf = (value: CelValue): Uint8Array | undefined => {
  if (value instanceof Uint8Array) return value
  const text = textOf(value)
  return text === undefined ? undefined : utf8.encode(text)
}

const onBytes = (name: string, result: string, call: (bytes: Uint8Array) => Evaluated): CelFunction =>
  define([`${name}(string) -> ${result}`, `${name}(bytes) -> ${result}`], (value) => {
    const bytes = bytesOf(value)
    return bytes === undefined ? noOverload(name, value) : call(bytes)
  })

const onText = (name: string, call: (text: string) => Evaluated): CelFunction =>
  define([`${name}(string) -> string`], (value) => {
    const text = textOf(value)
    return text === undefined ? noOverload(name, value) : call(text)
  })

const fromBase64 = (value: CelValue): Evaluated => {
  const text = value instanceof Uint8Array ? lossy.decode(value) : textOf(value)
  if (text === undefined) return noOverload("base64.decode", value)
  // atob would skip white space.
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return invalid("not base64")
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return invalid("not base64")
  }
}

/** The payload of a JWT; nothing is verified. */
const jwtPayload = (text: string): Evaluated => {
  const parts = text.split(".")
  const [, payload] = parts
  if (parts.length !== 3 || payload === undefined) return invalid("not a JWT: it needs three parts")
  const bytes = fromBase64(payload.replaceAll("-", "+").replaceAll("_", "/"))
  return bytes instanceof Uint8Array ? parseJson(bytes) : invalid("not a JWT: the payload is not base64")
}

const percentEncode = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  )

const percentDecode = (text: string): Evaluated => {
  try {
    return decodeURIComponent(text)
  } catch {
    return invalid("not percent-encoded text")
  }
}

const formEncode = (value: CelValue): Evaluated => {
  if (!isMap(value)) return noOverload("form.encode", value)
  const pairs: Array<readonly [string, string]> = []
  for (const [name, one] of sortedEntries(value)) {
    for (const item of isList(one) ? one : [one]) {
      if (item === null) continue
      const text = toDescriptor(item)
      if (text === undefined) return invalid(`form.encode() cannot write the value of ${name}`)
      pairs.push([name, text])
    }
  }
  const text = new URLSearchParams(pairs.map(([name, one]) => [name, one])).toString()
  return text.length > VALUE_LENGTH_MAX ? tooLong : text
}

const sortedEntries = (value: CelMap): ReadonlyArray<readonly [string, CelValue]> => {
  const entries: Array<readonly [string, CelValue]> = []
  for (const key of mapKeys(value)) {
    const name = keyOf(key)
    const one = name === undefined ? undefined : mapGet(value, name)
    if (name !== undefined && one !== undefined) entries.push([String(name), one])
  }
  return entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

const formDecode = (value: CelValue): Evaluated => {
  const text = value instanceof Uint8Array ? lossy.decode(value) : textOf(value)
  if (text === undefined) return noOverload("form.decode", value)
  const values = new Map<Key, Array<string>>()
  for (const [name, one] of new URLSearchParams(text)) {
    const known = values.get(name)
    if (known === undefined) values.set(name, [one])
    else known.push(one)
  }
  const entries = new Map<Key, CelValue>()
  for (const [name, all] of values) entries.set(name, all.length === 1 ? (all[0] ?? "") : all)
  return new MapValue(entries)
}

const digest = (name: "sha1" | "sha256" | "md5"): CelFunction =>
  defineNative(
    [`${name}.encode(string) -> string`, `${name}.encode(bytes) -> string`],
    (natives: Natives) => (value) => {
      const bytes = bytesOf(value)
      if (bytes === undefined) return noOverload(`${name}.encode`, value)
      return Array.from(natives[name](bytes), (byte) => byte.toString(16).padStart(2, "0")).join("")
    },
  )

const json = (name: string): CelFunction =>
  define([`${name}(A) -> string`], (value) => {
    const text = toJsonText(value)
    return text.length > VALUE_LENGTH_MAX ? tooLong : text
  })

const base64Encode = (bytes: Uint8Array): Evaluated => (bytes.length > VALUE_LENGTH_MAX / 2 ? tooLong : toBase64(bytes))

export const encoding: ReadonlyArray<CelFunction> = [
  define(["json(string) -> dyn", "json(bytes) -> dyn"], (value) => {
    const source = value instanceof Uint8Array ? value : textOf(value)
    return source === undefined ? noOverload("json", value) : parseJson(source)
  }),
  json("toJson"),
  json("to_json"),
  define(["unvalidatedJwtPayload(string) -> dyn"], (value) => {
    const text = textOf(value)
    return text === undefined ? noOverload("unvalidatedJwtPayload", value) : jwtPayload(text)
  }),
  onBytes("base64.encode", "string", base64Encode),
  onBytes("base64Encode", "string", base64Encode),
  define(["base64.decode(string) -> bytes", "base64.decode(bytes) -> bytes"], fromBase64),
  define(["base64Decode(string) -> bytes", "base64Decode(bytes) -> bytes"], fromBase64),
  onText("url.encode", percentEncode),
  onText("url.decode", percentDecode),
  define(["form.encode(map<string, A>) -> string"], formEncode),
  define(["form.decode(string) -> map<string, dyn>", "form.decode(bytes) -> map<string, dyn>"], formDecode),
  digest("sha1"),
  digest("sha256"),
  digest("md5"),
]
