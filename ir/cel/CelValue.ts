/**
 * Values as expressions see them. JSON needs no conversion: text, booleans, null, arrays and plain objects are themselves, and
 * a number is an int exactly when it is a safe integer, otherwise a double. What JavaScript cannot tell apart is boxed:
 * doubles with an integral value, unsigned integers, times, types. Integers beyond 2^53 are bigints.
 * Failures are values too (CelError), so evaluating never throws.
 */
export type Kind =
  | "null_type"
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "list"
  | "map"
  | "timestamp"
  | "duration"
  | "type"
  | "optional_type"
  | "ip"
  | "cidr"

export type CelValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | ReadonlyArray<CelValue>
  | Boxed
  | { readonly [key: string]: CelValue }

export type Key = string | number | bigint | boolean
export type Evaluated = CelValue | CelError

export type ErrorCode =
  | "noSuchKey"
  | "noSuchOverload"
  | "undeclared"
  | "divideByZero"
  | "overflow"
  | "range"
  | "invalid"
  | "failed"
  | "tooMuch"

/** Why an expression has no value. Not a JavaScript Error: it has no stack and costs nothing. */
export class CelError {
  readonly code: ErrorCode
  readonly message: string
  constructor(code: ErrorCode, message: string) {
    this.code = code
    this.message = message
  }
}

export const isError = (value: unknown): value is CelError => value instanceof CelError

abstract class Boxed {
  abstract get kind(): Kind
}

/** A double whose value is integral; other doubles are plain numbers. Make with `double`. */
export class Double extends Boxed {
  readonly value: number
  constructor(value: number) {
    super()
    this.value = value
  }
  get kind(): "double" {
    return "double"
  }
}

export class Uint extends Boxed {
  readonly value: number | bigint
  constructor(value: number | bigint) {
    super()
    this.value = value
  }
  get kind(): "uint" {
    return "uint"
  }
}

/** Seconds since 1970 and 0 ≤ nanos < 10⁹. */
export class Timestamp extends Boxed {
  readonly seconds: number
  readonly nanos: number
  constructor(seconds: number, nanos: number) {
    super()
    this.seconds = seconds
    this.nanos = nanos
  }
  get kind(): "timestamp" {
    return "timestamp"
  }
}

/** Whole seconds, possibly negative, and 0 ≤ nanos < 10⁹ added to them. */
export class Duration extends Boxed {
  readonly seconds: number
  readonly nanos: number
  constructor(seconds: number, nanos: number) {
    super()
    this.seconds = seconds
    this.nanos = nanos
  }
  get kind(): "duration" {
    return "duration"
  }
}

export class TypeValue extends Boxed {
  readonly name: string
  constructor(name: string) {
    super()
    this.name = name
  }
  get kind(): "type" {
    return "type"
  }
}

export class Optional extends Boxed {
  readonly value: CelValue | undefined
  constructor(value: CelValue | undefined) {
    super()
    this.value = value
  }
  get kind(): "optional_type" {
    return "optional_type"
  }
}
export const none = new Optional(undefined)

/** Text with members of its own (a URI, a secret); everywhere else it is its `text`. */
export abstract class TextView extends Boxed {
  get kind(): "string" {
    return "string"
  }
  abstract get text(): string
}

/** A map that is looked into, not built. `undefined` means: no such key. */
export abstract class MapView extends Boxed {
  get kind(): "map" {
    return "map"
  }
  abstract get(key: Key): CelValue | undefined
  abstract keys(): ReadonlyArray<CelValue>
  /** `view.name`, where that is not the same as `view["name"]`. */
  select(field: string): CelValue | undefined {
    return this.get(field)
  }
  has(key: Key): boolean {
    return this.get(key) !== undefined
  }
  get size(): number {
    return this.keys().length
  }
}

/** A map made by an expression; numeric keys are equal across types and keep the type they were written in. */
export class MapValue extends MapView {
  readonly values: ReadonlyMap<Key, CelValue>
  readonly #originals: ReadonlyMap<Key, CelValue> | undefined
  constructor(values: ReadonlyMap<Key, CelValue>, originals?: ReadonlyMap<Key, CelValue>) {
    super()
    this.values = values
    this.#originals = originals
  }
  get(key: Key): CelValue | undefined {
    return this.values.get(key)
  }
  keys(): ReadonlyArray<CelValue> {
    const keys: Array<CelValue> = []
    for (const key of this.values.keys()) keys.push(this.#originals?.get(key) ?? key)
    return keys
  }
  override get size(): number {
    return this.values.size
  }
}

export type CelMap = MapView | { readonly [key: string]: CelValue }

/** A safe integer that is not −0: the numbers that are ints. */
export const isInt = (value: number): boolean => Number.isSafeInteger(value) && !(value === 0 && 1 / value < 0)

export const double = (value: number): CelValue => (isInt(value) ? new Double(value) : value)

const INT_MAX = 2n ** 63n - 1n
const INT_MIN = -(2n ** 63n)
const UINT_MAX = 2n ** 64n - 1n

const compact = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value

export const int = (value: bigint): number | bigint | CelError =>
  value > INT_MAX || value < INT_MIN ? integerOverflow : compact(value)

export const uint = (value: bigint): Uint | CelError =>
  value > UINT_MAX || value < 0n ? unsignedOverflow : new Uint(compact(value))

const integerOverflow = new CelError("overflow", "integer overflow")
const unsignedOverflow = new CelError("overflow", "unsigned integer overflow")

/** The number in a double, or undefined when the value is not a double. */
export const doubleOf = (value: CelValue): number | undefined =>
  typeof value === "number" ? (isInt(value) ? undefined : value) : value instanceof Double ? value.value : undefined

/** The integer in an int, or undefined. */
export const intOf = (value: CelValue): number | bigint | undefined =>
  typeof value === "number" ? (isInt(value) ? value : undefined) : typeof value === "bigint" ? value : undefined

/** The text in a string or a text view, or undefined. */
export const textOf = (value: CelValue): string | undefined =>
  typeof value === "string" ? value : value instanceof TextView ? value.text : undefined

export const isList = (value: CelValue): value is ReadonlyArray<CelValue> => Array.isArray(value)

export const isMap = (value: CelValue): value is CelMap =>
  value instanceof MapView ||
  (typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Boxed))

export const kindOf = (value: CelValue): Kind => {
  switch (typeof value) {
    case "string":
      return "string"
    case "boolean":
      return "bool"
    case "bigint":
      return "int"
    case "number":
      return isInt(value) ? "int" : "double"
    default:
      if (value === null) return "null_type"
      if (value instanceof Boxed) return value.kind
      if (Array.isArray(value)) return "list"
      return value instanceof Uint8Array ? "bytes" : "map"
  }
}

const typeNames: Partial<Record<Kind, string>> = {
  timestamp: "google.protobuf.Timestamp",
  duration: "google.protobuf.Duration",
}
const typeValues = new Map<string, TypeValue>()
export const typeValue = (name: string): TypeValue => {
  const known = typeValues.get(name)
  if (known !== undefined) return known
  const made = new TypeValue(name)
  typeValues.set(name, made)
  return made
}
export const typeOf = (value: CelValue): TypeValue => {
  const kind = kindOf(value)
  return typeValue(typeNames[kind] ?? kind)
}

/** What a value is called when used as a map key, or undefined when it cannot be one. */
export const keyOf = (value: CelValue): Key | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "bigint":
      return value
    case "number":
      return isInt(value) ? value : undefined
    default:
      if (value instanceof Uint) return value.value
      if (value instanceof Double) return value.value + 0
      return value instanceof TextView ? value.text : undefined
  }
}

export const mapGet = (map: CelMap, key: Key): CelValue | undefined =>
  map instanceof MapView ? map.get(key) : typeof key === "string" && Object.hasOwn(map, key) ? map[key] : undefined

export const mapSelect = (map: CelMap, field: string): CelValue | undefined =>
  map instanceof MapView ? map.select(field) : Object.hasOwn(map, field) ? map[field] : undefined

export const mapHas = (map: CelMap, key: Key): boolean =>
  map instanceof MapView ? map.has(key) : typeof key === "string" && Object.hasOwn(map, key)

export const mapKeys = (map: CelMap): ReadonlyArray<CelValue> =>
  map instanceof MapView ? map.keys() : Object.keys(map)

export const mapSize = (map: CelMap): number => (map instanceof MapView ? map.size : Object.keys(map).length)

export const mapFromEntries = (entries: Iterable<readonly [string, CelValue]>): MapValue =>
  new MapValue(new Map<Key, CelValue>(entries))

const numeric = (value: CelValue): number | bigint | undefined => {
  if (typeof value === "number" || typeof value === "bigint") return value
  return value instanceof Uint || value instanceof Double ? value.value : undefined
}

/** −1, 0, 1, or undefined when one of them is NaN. Integers meet doubles as doubles, as the language defines it. */
const compareNumbers = (left: number | bigint, right: number | bigint, asDoubles: boolean): number | undefined => {
  const [a, b] = asDoubles ? [Number(left), Number(right)] : [left, right]
  return a < b ? -1 : a > b ? 1 : a === b ? 0 : undefined
}

const isDouble = (value: CelValue): boolean => (typeof value === "number" ? !isInt(value) : value instanceof Double)

export const compareText = (left: string, right: string): number => {
  if (left === right) return 0
  const length = Math.min(left.length, right.length)
  for (let i = 0; i < length; i++) {
    const a = left.charCodeAt(i)
    const b = right.charCodeAt(i)
    if (a === b) continue
    // Surrogates stand for code points above U+FFFF although their units are smaller than U+E000.
    const [x, y] = a >= 0xd800 && b >= 0xd800 ? [(a + 0x2000) & 0xffff, (b + 0x2000) & 0xffff] : [a, b]
    return x < y ? -1 : 1
  }
  return left.length < right.length ? -1 : 1
}

const compareBytes = (left: Uint8Array, right: Uint8Array): number => {
  const length = Math.min(left.length, right.length)
  for (let i = 0; i < length; i++) {
    const a = left[i] as number
    const b = right[i] as number
    if (a !== b) return a < b ? -1 : 1
  }
  return left.length - right.length
}

/** Negative, zero or positive; undefined when one is NaN; an error when the two have no order. */
export const compare = (left: CelValue, right: CelValue): number | undefined | CelError => {
  const a = numeric(left)
  if (a !== undefined) {
    const b = numeric(right)
    return b === undefined ? noOrder(left, right) : compareNumbers(a, b, isDouble(left) || isDouble(right))
  }
  const text = textOf(left)
  if (text !== undefined) {
    const other = textOf(right)
    return other === undefined ? noOrder(left, right) : compareText(text, other)
  }
  if (typeof left === "boolean" && typeof right === "boolean") return Number(left) - Number(right)
  if (left instanceof Uint8Array && right instanceof Uint8Array) return compareBytes(left, right)
  if (
    (left instanceof Timestamp && right instanceof Timestamp) ||
    (left instanceof Duration && right instanceof Duration)
  )
    return left.seconds - right.seconds || left.nanos - right.nanos
  return noOrder(left, right)
}

const noOrder = (left: CelValue, right: CelValue): CelError =>
  new CelError("noSuchOverload", `no such overload: ${kindOf(left)} and ${kindOf(right)} have no order`)

/** What is left of an evaluation's budget; comparing large values uses it up. */
export interface Meter {
  steps: number
}

export const equal = (left: CelValue, right: CelValue, meter?: Meter): boolean => {
  if (left === right && (typeof left !== "object" || left === null)) return true
  if (typeof left === "string")
    return typeof right === "string" ? false : right instanceof TextView && right.text === left
  const a = numeric(left)
  if (a !== undefined) {
    const b = numeric(right)
    return b !== undefined && compareNumbers(a, b, isDouble(left) || isDouble(right)) === 0
  }
  if (typeof left !== "object" || left === null || typeof right !== "object" || right === null)
    return left instanceof TextView && left.text === right
  if (Array.isArray(left)) return Array.isArray(right) && equalLists(left, right, meter)
  if (left instanceof Uint8Array) return right instanceof Uint8Array && compareBytes(left, right) === 0
  if (isMap(left)) return isMap(right) && equalMaps(left, right, meter)
  return equalBoxed(left as Boxed, right as CelValue, meter)
}

const equalBoxed = (left: Boxed, right: CelValue, meter: Meter | undefined): boolean => {
  if (left instanceof TextView) return right instanceof TextView && left.text === right.text
  if (left instanceof TypeValue) return right instanceof TypeValue && left.name === right.name
  if (left instanceof Timestamp || left instanceof Duration)
    return kindOf(right) === left.kind && compare(left, right) === 0
  if (left instanceof Optional) {
    if (!(right instanceof Optional)) return false
    if (left.value === undefined || right.value === undefined) return left.value === right.value
    return equal(left.value, right.value, meter)
  }
  return left instanceof Network && right instanceof Network && left.text === right.text
}

const equalLists = (
  left: ReadonlyArray<CelValue>,
  right: ReadonlyArray<CelValue>,
  meter: Meter | undefined,
): boolean => {
  if (left.length !== right.length) return false
  for (let i = 0; i < left.length; i++) {
    if (meter !== undefined && --meter.steps < 0) return false
    if (!equal(left[i] as CelValue, right[i] as CelValue, meter)) return false
  }
  return true
}

const equalMaps = (left: CelMap, right: CelMap, meter: Meter | undefined): boolean => {
  const keys = mapKeys(left)
  if (keys.length !== mapSize(right)) return false
  for (const key of keys) {
    if (meter !== undefined && --meter.steps < 0) return false
    const name = keyOf(key)
    const a = name === undefined ? undefined : mapGet(left, name)
    const b = name === undefined ? undefined : mapGet(right, name)
    if (a === undefined || b === undefined || !equal(a, b, meter)) return false
  }
  return true
}

/** An IP address or a range of them: equal when written the same in canonical form. */
export abstract class Network extends Boxed {
  abstract get text(): string
}
