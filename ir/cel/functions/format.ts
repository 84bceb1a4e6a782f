/** `"%s is %d".format([…])`. */
import {
  CelError,
  type CelValue,
  doubleOf,
  Duration,
  type Evaluated,
  intOf,
  isList,
  isMap,
  keyOf,
  kindOf,
  mapGet,
  mapKeys,
  textOf,
  Timestamp,
  TypeValue,
  Uint,
} from "../CelValue.ts"
import { tooLong, VALUE_LENGTH_MAX } from "../limits.ts"
import { printDuration, printTimestamp } from "../time.ts"

const PRECISION_MAX = 100
const DEPTH_MAX = 64
const utf8 = new TextEncoder()
const lossy = new TextDecoder()

const failure = (message: string): CelError => new CelError("invalid", message)
const wrong = (clause: string, accepted: string, value: CelValue): CelError =>
  failure(`error during formatting: %${clause} takes ${accepted}, not ${kindOf(value)}`)

export const format = (text: string, args: ReadonlyArray<CelValue>): Evaluated => {
  let out = ""
  let used = 0
  let from = 0
  for (let mark = text.indexOf("%"); mark >= 0; mark = text.indexOf("%", from)) {
    out += text.slice(from, mark)
    const clause = /^%(?:%|(?:\.(\d{1,3}))?([a-zA-Z]))/.exec(text.slice(mark, mark + 6))
    if (clause === null) return failure("could not parse formatting clause: unexpected end of string")
    from = mark + clause[0].length
    if (clause[0] === "%%") {
      out += "%"
      continue
    }
    const value = args[used]
    if (value === undefined) return failure(`index ${used} out of range`)
    used++
    const written = write(clause[2] ?? "", clause[1], value)
    if (typeof written !== "string") return written
    out += written
    if (out.length > VALUE_LENGTH_MAX) return tooLong
  }
  return out + text.slice(from)
}

const write = (clause: string, precision: string | undefined, value: CelValue): string | CelError => {
  const digits = Math.min(Number(precision ?? 6), PRECISION_MAX)
  switch (clause) {
    case "s":
      return plain(value, 0)
    case "d":
      return decimal(value)
    case "f":
      return real(value, "f", (number) => fixed(number, digits))
    case "e":
      return real(value, "e", (number) => number.toExponential(digits).replace(/e([+-])(\d)$/, "e$10$2"))
    case "b":
      return typeof value === "boolean" ? String(Number(value)) : integer(value, "b", 2)
    case "o":
      return integer(value, "o", 8)
    case "x":
      return hexadecimal(value, "x")
    case "X": {
      const written = hexadecimal(value, "X")
      return typeof written === "string" ? written.toUpperCase() : written
    }
    default:
      return failure(`could not parse formatting clause: unrecognized formatting clause "${clause}"`)
  }
}

const special = (number: number): string | undefined => (Number.isFinite(number) ? undefined : String(number))

/** Half to even, on the binary value. */
const fixed = (number: number, digits: number): string => {
  const scaled = Math.abs(number)
  if (digits === 0 && scaled < 2 ** 52 && scaled % 1 === 0.5) {
    const floor = Math.floor(scaled)
    return String((number < 0 ? -1 : 1) * (floor % 2 === 0 ? floor : floor + 1))
  }
  return number.toFixed(digits)
}

const real = (value: CelValue, clause: string, print: (number: number) => string): string | CelError => {
  const number = doubleOf(value) ?? (value instanceof Uint ? Number(value.value) : intOf(value))
  if (number === undefined) return wrong(clause, "a number", value)
  return special(Number(number)) ?? print(Number(number))
}

const decimal = (value: CelValue): string | CelError => {
  const number = intOf(value) ?? (value instanceof Uint ? value.value : doubleOf(value))
  return number === undefined ? wrong("d", "a number", value) : String(number)
}

const integer = (value: CelValue, clause: string, radix: number): string | CelError => {
  const number = intOf(value) ?? (value instanceof Uint ? value.value : undefined)
  return number === undefined ? wrong(clause, "an integer", value) : number.toString(radix)
}

const hexadecimal = (value: CelValue, clause: string): string | CelError => {
  const text = textOf(value)
  const bytes = text === undefined ? value : utf8.encode(text)
  if (!(bytes instanceof Uint8Array)) return integer(value, clause, 16)
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

const plain = (value: CelValue, depth: number): string | CelError => {
  if (depth > DEPTH_MAX) return failure("error during formatting: nested too deep")
  const text = textOf(value)
  if (text !== undefined) return text
  if (value === null || typeof value === "boolean") return String(value)
  const number = intOf(value) ?? doubleOf(value) ?? (value instanceof Uint ? value.value : undefined)
  if (number !== undefined) return String(number)
  if (value instanceof Uint8Array) return lossy.decode(value)
  if (value instanceof Timestamp) return printTimestamp(value)
  if (value instanceof Duration) return printDuration(value)
  if (value instanceof TypeValue) return value.name
  if (isList(value)) {
    const parts = value.map((one) => plain(one, depth + 1))
    return parts.find((one) => one instanceof CelError) ?? `[${parts.join(", ")}]`
  }
  if (!isMap(value)) return wrong("s", "text, numbers, times, lists and maps", value)
  const entries: Array<string> = []
  for (const key of mapKeys(value)) {
    const name = keyOf(key)
    const one = name === undefined ? undefined : mapGet(value, name)
    const written = one === undefined ? "" : plain(one, depth + 1)
    if (typeof written !== "string") return written
    entries.push(`${String(name)}: ${written}`)
  }
  return `{${entries.toSorted().join(", ")}}`
}
