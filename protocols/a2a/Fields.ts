/** JSON objects as they came in: what is known is read by name, and what is not known stays. */
export type Fields = Readonly<Record<string, unknown>>

export const none: Fields = {}

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : none)

/** Undefined also for the empty text, which is how some writers say "absent". */
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

export const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** Without the fields that are undefined. */
export const present = (fields: Fields): Fields => {
  for (const name in fields) {
    if (fields[name] !== undefined) continue
    return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  }
  return fields
}

/** Changes one field where it is there, and leaves the rest. */
export const changed = (fields: Fields, name: string, change: (value: unknown) => unknown): Fields =>
  fields[name] === undefined ? fields : { ...fields, [name]: change(fields[name]) }

/** Undefined: it is not JSON. */
export const parse = (text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}
