/** Functions on numbers. */
import {
  CelError,
  type CelValue,
  compare,
  double,
  doubleOf,
  type Evaluated,
  int,
  intOf,
  isList,
  kindOf,
  Uint,
  uint,
} from "../CelValue.ts"
import { type CelFunction, define, defineVariadic, noOverload } from "./define.ts"

const isNumber = (value: CelValue): boolean => {
  const kind = kindOf(value)
  return kind === "int" || kind === "uint" || kind === "double"
}

/** The least or greatest of several numbers, or of the one list given. */
const extreme =
  (name: string, sign: 1 | -1, accepts: (value: CelValue) => boolean) =>
  (args: ReadonlyArray<CelValue>): Evaluated => {
    const [only] = args
    const values = args.length === 1 && only !== undefined && isList(only) ? only : args
    let best: CelValue | undefined
    for (const value of values) {
      if (!accepts(value)) return noOverload(name, ...args)
      const compared = best === undefined ? sign : compare(value, best)
      if (compared instanceof CelError) return compared
      if (compared !== undefined && compared * sign > 0) best = value
    }
    return best ?? new CelError("invalid", `${name}() of nothing`)
  }

const anything = () => true

const onDouble = (name: string, call: (value: number) => number): CelFunction =>
  define([`${name}(double) -> double`], (value) => {
    const number = doubleOf(value)
    return number === undefined ? noOverload(name, value) : double(call(number))
  })

const testDouble = (name: string, test: (value: number) => boolean): CelFunction =>
  define([`${name}(double) -> bool`], (value) => {
    const number = doubleOf(value)
    return number === undefined ? noOverload(name, value) : test(number)
  })

const roundAwayFromZero = (value: number): number =>
  Number.isFinite(value) ? Math.sign(value) * Math.floor(Math.abs(value) + 0.5) : value

const abs = (value: CelValue): Evaluated => {
  if (value instanceof Uint) return value
  const integer = intOf(value)
  if (integer !== undefined) return integer < 0 ? int(-BigInt(integer)) : value
  const real = doubleOf(value)
  return real === undefined ? noOverload("math.abs", value) : double(Math.abs(real))
}

const sign = (value: CelValue): Evaluated => {
  if (value instanceof Uint) return new Uint(value.value === 0 ? 0 : 1)
  const integer = intOf(value)
  if (integer !== undefined) return integer > 0 ? 1 : integer < 0 ? -1 : 0
  const real = doubleOf(value)
  return real === undefined ? noOverload("math.sign", value) : double(Math.sign(real))
}

const BYTES_MAX = 32

const onBits = (name: string, call: (left: bigint, right: bigint) => bigint): CelFunction =>
  define(
    [`${name}(int, int) -> int`, `${name}(uint, uint) -> uint`, `${name}(bytes, bytes) -> bytes`],
    (left, right) => {
      if (left instanceof Uint && right instanceof Uint) return uint(call(BigInt(left.value), BigInt(right.value)))
      const a = intOf(left)
      const b = intOf(right)
      if (a !== undefined && b !== undefined) return int(call(BigInt(a), BigInt(b)))
      if (!(left instanceof Uint8Array && right instanceof Uint8Array)) return noOverload(name, left, right)
      if (left.length !== right.length || left.length > BYTES_MAX)
        return new CelError("invalid", `${name}() needs bytes of one length, at most ${BYTES_MAX}`)
      return Uint8Array.from(left, (byte, i) => Number(call(BigInt(byte), BigInt(right[i] ?? 0))))
    },
  )

const bitNot = (value: CelValue): Evaluated => {
  if (value instanceof Uint) return uint(BigInt.asUintN(64, ~BigInt(value.value)))
  const integer = intOf(value)
  if (integer !== undefined) return int(~BigInt(integer))
  return value instanceof Uint8Array && value.length <= BYTES_MAX
    ? value.map((byte) => ~byte)
    : noOverload("math.bitNot", value)
}

/** Shifts are of the 64 bits, without regard to the sign. */
const shift = (name: string, call: (bits: bigint, by: bigint) => bigint): CelFunction =>
  define([`${name}(int, int) -> int`, `${name}(uint, int) -> uint`], (value, by) => {
    const places = intOf(by)
    const integer = value instanceof Uint ? value.value : intOf(value)
    if (places === undefined || integer === undefined) return noOverload(name, value, by)
    if (places < 0) return new CelError("invalid", `${name}() negative offset: ${places}`)
    const shifted = places > 63 ? 0n : BigInt.asUintN(64, call(BigInt.asUintN(64, BigInt(integer)), BigInt(places)))
    return value instanceof Uint ? uint(shifted) : int(BigInt.asIntN(64, shifted))
  })

const extremeSignatures = (name: string): ReadonlyArray<string> =>
  ["int", "uint", "double"]
    .flatMap((type) => [`${name}(${type}...) -> ${type}`, `${name}(list<${type}>) -> ${type}`])
    .concat([`${name}(dyn...) -> dyn`])

export const math: ReadonlyArray<CelFunction> = [
  defineVariadic(extremeSignatures("math.greatest"), extreme("math.greatest", 1, isNumber)),
  defineVariadic(extremeSignatures("math.least"), extreme("math.least", -1, isNumber)),
  defineVariadic(["max(list<A>) -> A", "max(A...) -> A"], extreme("max", 1, anything)),
  defineVariadic(["min(list<A>) -> A", "min(A...) -> A"], extreme("min", -1, anything)),
  onDouble("math.ceil", Math.ceil),
  onDouble("math.floor", Math.floor),
  onDouble("math.round", roundAwayFromZero),
  onDouble("math.trunc", Math.trunc),
  testDouble("math.isNaN", Number.isNaN),
  testDouble("math.isInf", (value) => value === Infinity || value === -Infinity),
  testDouble("math.isFinite", Number.isFinite),
  define(["math.abs(int) -> int", "math.abs(uint) -> uint", "math.abs(double) -> double"], abs),
  define(["math.sign(int) -> int", "math.sign(uint) -> uint", "math.sign(double) -> double"], sign),
  define(["math.sqrt(int) -> double", "math.sqrt(uint) -> double", "math.sqrt(double) -> double"], (value) =>
    isNumber(value)
      ? double(Math.sqrt(Number(doubleOf(value) ?? (value instanceof Uint ? value.value : intOf(value)))))
      : noOverload("math.sqrt", value),
  ),
  onBits("math.bitAnd", (left, right) => left & right),
  onBits("math.bitOr", (left, right) => left | right),
  onBits("math.bitXor", (left, right) => left ^ right),
  define(["math.bitNot(int) -> int", "math.bitNot(uint) -> uint", "math.bitNot(bytes) -> bytes"], bitNot),
  shift("math.bitShiftLeft", (bits, by) => bits << by),
  shift("math.bitShiftRight", (bits, by) => bits >> by),
]
