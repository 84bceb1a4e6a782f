/** Names and values in turn, as Node takes the fields of HTTP/2 by name. */
export const fieldsOf = (flat: ReadonlyArray<string>): Record<string, Array<string>> => {
  const fields: Record<string, Array<string>> = Object.create(null)
  for (let i = 0; i < flat.length; i += 2) (fields[flat[i] as string] ??= []).push(flat[i + 1] as string)
  return fields
}
