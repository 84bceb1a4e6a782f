/** The operators of the language over values. */
import {
  CelError,
  type CelValue,
  compare,
  Duration,
  double,
  doubleOf,
  equal,
  type Evaluated,
  int,
  intOf,
  isInt,
  isList,
  isMap,
  keyOf,
  kindOf,
  type Meter,
  mapGet,
  mapHas,
  mapSelect,
  none,
  Optional,
  textOf,
  Timestamp,
  Uint,
  uint,
} from "./CelValue.ts"
import type { ArithmeticOperator } from "./Expr.ts"
import { tooLong, tooManySteps, VALUE_LENGTH_MAX } from "./limits.ts"
import { addDuration, between, sumDurations } from "./time.ts"

const divideByZero = new CelError("divideByZero", "division by zero")
const modulusByZero = new CelError("divideByZero", "modulus by zero")

const noOverload = (operator: string, left: CelValue, right: CelValue): CelError =>
  new CelError("noSuchOverload", `no such overload: ${kindOf(left)} ${operator} ${kindOf(right)}`)

const bothDoubles = (left: CelValue, right: CelValue): readonly [number, number] | undefined => {
  const a = doubleOf(left)
  const b = a === undefined ? undefined : doubleOf(right)
  return a === undefined || b === undefined ? undefined : [a, b]
}

const concatText = (left: string, right: string): string | CelError =>
  left.length + right.length > VALUE_LENGTH_MAX ? tooLong : left + right

const joined = (left: Uint8Array, right: Uint8Array): Evaluated => {
  if (left.length + right.length > VALUE_LENGTH_MAX) return tooLong
  const out = new Uint8Array(left.length + right.length)
  out.set(left)
  out.set(right, left.length)
  return out
}

export const add = (left: CelValue, right: CelValue): Evaluated => {
  if (typeof left === "number" && typeof right === "number") {
    const sum = left + right
    if (isInt(left) && isInt(right)) return isInt(sum) ? sum : int(BigInt(left) + BigInt(right))
  }
  const a = textOf(left)
  if (a !== undefined) {
    const b = textOf(right)
    return b === undefined ? noOverload("+", left, right) : concatText(a, b)
  }
  if (isList(left) && isList(right))
    return left.length + right.length > VALUE_LENGTH_MAX ? tooLong : [...left, ...right]
  if (left instanceof Uint8Array && right instanceof Uint8Array) return joined(left, right)
  if (left instanceof Duration) {
    if (right instanceof Duration) return sumDurations(left, right, 1)
    if (right instanceof Timestamp) return addDuration(right, left, 1)
  }
  if (left instanceof Timestamp && right instanceof Duration) return addDuration(left, right, 1)
  return arithmetic("+", left, right)
}

export const subtract = (left: CelValue, right: CelValue): Evaluated => {
  if (typeof left === "number" && typeof right === "number") {
    const difference = left - right
    if (isInt(left) && isInt(right)) return isInt(difference) ? difference : int(BigInt(left) - BigInt(right))
  }
  if (left instanceof Timestamp) {
    if (right instanceof Timestamp) return between(right, left)
    if (right instanceof Duration) return addDuration(left, right, -1)
  }
  if (left instanceof Duration && right instanceof Duration) return sumDurations(left, right, -1)
  return arithmetic("-", left, right)
}

export const multiply = (left: CelValue, right: CelValue): Evaluated => {
  if (typeof left === "number" && typeof right === "number") {
    // Adding zero makes −0 the int 0.
    const product = left * right + 0
    if (isInt(left) && isInt(right) && isInt(product)) return product
  }
  return arithmetic("*", left, right)
}

/** Numbers of the same type; ints and uints exactly, however large. */
export const arithmetic = (operator: ArithmeticOperator, left: CelValue, right: CelValue): Evaluated => {
  const a = intOf(left)
  const b = a === undefined ? undefined : intOf(right)
  if (a !== undefined && b !== undefined) return integers(operator, BigInt(a), BigInt(b), int)
  if (left instanceof Uint && right instanceof Uint)
    return integers(operator, BigInt(left.value), BigInt(right.value), uint)
  const doubles = bothDoubles(left, right)
  if (doubles === undefined || operator === "%") return noOverload(operator, left, right)
  const [x, y] = doubles
  return double(operator === "+" ? x + y : operator === "-" ? x - y : operator === "*" ? x * y : x / y)
}

const integers = (
  operator: ArithmeticOperator,
  a: bigint,
  b: bigint,
  make: (value: bigint) => Evaluated,
): Evaluated => {
  switch (operator) {
    case "+":
      return make(a + b)
    case "-":
      return make(a - b)
    case "*":
      return make(a * b)
    case "/":
      return b === 0n ? divideByZero : make(a / b)
    case "%":
      return b === 0n ? modulusByZero : make(a % b)
  }
}

export const negate = (value: CelValue): Evaluated => {
  const integer = intOf(value)
  if (integer !== undefined) return int(-BigInt(integer))
  const real = doubleOf(value)
  return real === undefined ? new CelError("noSuchOverload", `no such overload: -${kindOf(value)}`) : double(-real)
}

export const not = (value: CelValue): Evaluated =>
  typeof value === "boolean" ? !value : new CelError("noSuchOverload", `no such overload: !${kindOf(value)}`)

export const contains = (container: CelValue, item: CelValue, meter?: Meter): boolean | CelError => {
  if (isList(container)) {
    for (const one of container) {
      if (meter !== undefined && --meter.steps < 0) return tooManySteps
      if (equal(one, item, meter)) return true
    }
    return false
  }
  const text = textOf(container)
  const part = text === undefined ? undefined : textOf(item)
  if (text !== undefined && part !== undefined) return text.includes(part)
  if (!isMap(container)) return noOverload("in", item, container)
  const key = keyOf(item)
  return key !== undefined && mapHas(container, key)
}

export const order = (operator: "<" | "<=" | ">" | ">=", left: CelValue, right: CelValue): boolean | CelError => {
  const compared = compare(left, right)
  if (compared === undefined) return false
  if (typeof compared !== "number") return compared
  return operator === "<"
    ? compared < 0
    : operator === "<="
      ? compared <= 0
      : operator === ">"
        ? compared > 0
        : compared >= 0
}

export const noSuchKey = (name: string): CelError => new CelError("noSuchKey", `no such key: ${name.slice(0, 64)}`)

/** `value.field`; `missing` is the prepared error for an absent field. */
export const select = (value: CelValue, field: string, missing: CelError): Evaluated => {
  if (value instanceof Optional) return selectOptional(value, field)
  if (value === null) return missing
  if (!isMap(value)) return new CelError("noSuchOverload", `no such overload: ${kindOf(value)} has no field ${field}`)
  const found = mapSelect(value, field)
  return found === undefined ? missing : found
}

/** `value.?field`; an absent variable has no fields. */
export const selectOptional = (value: CelValue, field: string): Evaluated => {
  if (value === null) return none
  const inner = value instanceof Optional ? value.value : value
  if (inner === undefined) return none
  if (!isMap(inner)) return noField(inner, field)
  const found = mapSelect(inner, field)
  return found === undefined ? none : new Optional(found)
}

const noField = (value: CelValue, field: string): CelError =>
  new CelError("noSuchKey", `no such key: ${kindOf(value)} has no field ${field}`)

export const hasField = (value: CelValue, field: string): boolean | CelError => {
  const inner = value instanceof Optional ? value.value : value
  if (inner === undefined || inner === null) return false
  if (!isMap(inner)) return new CelError("noSuchOverload", `no such overload: ${kindOf(inner)} has no field ${field}`)
  return mapSelect(inner, field) !== undefined
}

const outOfRange = new CelError("range", "index out of range")

export const indexInto = (value: CelValue, index: CelValue): Evaluated => {
  if (value instanceof Optional) return indexOptional(value, index)
  const found = lookUp(value, index)
  if (found !== undefined) return found
  return isList(value) ? outOfRange : noSuchKey(String(keyOf(index)))
}

/** `value[?index]`. */
export const indexOptional = (value: CelValue, index: CelValue): Evaluated => {
  if (value === null) return none
  const inner = value instanceof Optional ? value.value : value
  if (inner === undefined) return none
  const found = lookUp(inner, index)
  return found instanceof CelError ? found : found === undefined ? none : new Optional(found)
}

const lookUp = (value: CelValue, index: CelValue): Evaluated | undefined => {
  if (isList(value)) {
    const at =
      index instanceof Uint ? index.value : (intOf(index) ?? (doubleOf(index) === undefined ? undefined : keyOf(index)))
    if (at === undefined) return new CelError("invalid", `a list is indexed by an integer, not ${kindOf(index)}`)
    return typeof at === "number" ? value[at] : undefined
  }
  if (value === null || !isMap(value))
    return new CelError("noSuchOverload", `no such overload: ${kindOf(value)}[${kindOf(index)}]`)
  const key = keyOf(index)
  return key === undefined ? undefined : mapGet(value, key)
}
