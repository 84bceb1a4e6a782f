/** Reading JSON that a stranger wrote: every look is safe, whatever is there. */
import { isObject, type JsonObject } from "../json/object.ts"

export { isObject, type JsonObject }

export const objectOf = (value: unknown): JsonObject | undefined => (isObject(value) ? value : undefined)
export const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
export const objectsOf = (value: unknown): ReadonlyArray<JsonObject> => listOf(value).filter(isObject)
export const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
export const flagOf = (value: unknown): boolean | undefined => (typeof value === "boolean" ? value : undefined)
export const numberOf = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

/** A count of something: anything else than a number that is not negative is no count. */
export const countOf = (value: unknown): number | undefined => {
  const count = numberOf(value)
  return count === undefined || count < 0 ? undefined : count
}

/** The value below several names. */
export const at = (value: unknown, ...names: ReadonlyArray<string>): unknown => {
  let here = value
  for (const name of names) {
    if (!isObject(here) || !Object.hasOwn(here, name)) return undefined
    here = here[name]
  }
  return here
}

export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One name cannot be assigned without touching the prototype. */
const put = (into: Record<string, unknown>, name: string, value: unknown): void => {
  if (name !== "__proto__") into[name] = value
  else Object.defineProperty(into, name, { value, configurable: true, enumerable: true, writable: true })
}

/** Without the fields that say nothing, so that "absent" is written in one way only. */
export const compact = (fields: JsonObject): JsonObject => {
  const kept: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    if (value !== undefined) put(kept, name, value)
  }
  return kept
}

/** Only the named fields, those that are there. */
export const pick = (fields: JsonObject, names: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(
    names
      .filter((name) => Object.hasOwn(fields, name) && fields[name] !== undefined)
      .map((name) => [name, fields[name]]),
  )

/** All but the named fields. */
export const without = (fields: JsonObject, names: ReadonlySet<string>): JsonObject => {
  const kept: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) if (!names.has(name)) put(kept, name, fields[name])
  return kept
}

/** Those that are there. */
export const present = <A>(values: ReadonlyArray<A | undefined>): Array<A> =>
  values.filter((value) => value !== undefined)
