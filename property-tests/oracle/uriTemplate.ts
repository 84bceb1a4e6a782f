/**
 * RFC 6570 by its own table: what each operator begins with, parts by, whether it names and what it lets through. The
 * parameter styles of OpenAPI are defined by it, and this shares nothing with the code that writes them.
 */

export type TemplateValue = string | ReadonlyArray<string> | Readonly<Record<string, string>>

interface Operator {
  readonly first: string
  readonly separator: string
  readonly named: boolean
  readonly ifEmpty: string
}

const operators: Readonly<Record<string, Operator>> = {
  "": { first: "", separator: ",", named: false, ifEmpty: "" },
  ".": { first: ".", separator: ".", named: false, ifEmpty: "" },
  ";": { first: ";", separator: ";", named: true, ifEmpty: "" },
  "?": { first: "?", separator: "&", named: true, ifEmpty: "=" },
}

const unreserved = /[A-Za-z0-9\-._~]/

/** Every octet but the unreserved ones, by its number. */
const escaped = (text: string): string =>
  [...Buffer.from(text, "utf8")]
    .map((octet) => {
      const char = String.fromCharCode(octet)
      return octet < 128 && unreserved.test(char) ? char : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`
    })
    .join("")

/** The expansion of `{<operator>name<*>}`, as section 3.2.1 puts it. */
export const expand = (
  operator: "" | "." | ";" | "?",
  name: string,
  explode: boolean,
  value: TemplateValue,
): string => {
  const { first, ifEmpty, named, separator } = operators[operator] as Operator
  const isList = Array.isArray(value)
  const isMap = typeof value === "object" && !isList
  const list = isList ? (value as ReadonlyArray<string>) : []
  const pairs = isMap ? Object.entries(value as Readonly<Record<string, string>>) : []
  if ((isList && list.length === 0) || (isMap && pairs.length === 0)) return ""
  const withName = (text: string): string => `${escaped(name)}${text === "" ? ifEmpty : `=${text}`}`
  let out: string
  if (typeof value === "string") out = named ? withName(escaped(value)) : escaped(value)
  else if (!explode) {
    const joined = isList
      ? list.map(escaped).join(",")
      : pairs.map(([key, one]) => `${escaped(key)},${escaped(one)}`).join(",")
    out = named ? withName(joined) : joined
  } else if (isList) {
    out = list.map((one) => (named ? withName(escaped(one)) : escaped(one))).join(separator)
  } else {
    out = pairs
      .map(([key, one]) => (named && one === "" ? `${escaped(key)}${ifEmpty}` : `${escaped(key)}=${escaped(one)}`))
      .join(separator)
  }
  return `${first}${out}`
}
