/** JSON objects that others wrote: what their members are is not known yet. */
export type JsonObject = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The object in a text, or why there is none. */
export const objectIn = (text: string): JsonObject | string => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return "it is not JSON"
  }
  return isObject(value) ? value : "it is not an object"
}
