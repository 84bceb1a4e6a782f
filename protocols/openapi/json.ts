/** Looking into JSON values of which nothing is known. */

export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }
export type JsonMap = { readonly [name: string]: Json }

export const isMap = (value: Json | undefined): value is JsonMap =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const isList = (value: Json | undefined): value is ReadonlyArray<Json> => Array.isArray(value)

export const at = (value: Json | undefined, name: string): Json | undefined =>
  isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined

export const textAt = (value: Json | undefined, name: string): string | undefined => {
  const found = at(value, name)
  return typeof found === "string" && found.trim() !== "" ? found : undefined
}

export const mapAt = (value: Json | undefined, name: string): JsonMap => {
  const found = at(value, name)
  return isMap(found) ? found : {}
}

export const listAt = (value: Json | undefined, name: string): ReadonlyArray<Json> => {
  const found = at(value, name)
  return isList(found) ? found : []
}
