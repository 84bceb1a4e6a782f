/** Generated expression trees, values and variables. */
import * as fc from "fast-check"
import { type CelValue, double, type Key, keyOf, MapValue, Uint } from "../../../ir/cel/CelValue.ts"
import type { BinaryOperator, Expr, MacroName } from "../../../ir/cel/Expr.ts"
import * as T from "../../../ir/cel/Type.ts"

export const variables: Readonly<Record<string, T.Type>> = {
  b: T.bool,
  i: T.int,
  u: T.uint,
  d: T.double,
  s: T.string,
  y: T.bytes,
  n: T.dyn,
  li: T.list(T.int),
  ls: T.list(T.string),
  m: T.map(T.string, T.int),
  absent: T.dyn,
}

const INT_MAX = 2n ** 63n - 1n
export const bigInts = fc.oneof(
  fc.bigInt(-20n, 20n),
  fc.constantFrom(0n, 1n, -1n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n), INT_MAX, -INT_MAX - 1n, INT_MAX - 1n),
  fc.bigInt(-INT_MAX - 1n, INT_MAX),
)
const compact = (value: bigint): number | bigint =>
  value > 2n ** 53n - 1n || value < -(2n ** 53n) + 1n ? value : Number(value)
export const ints: fc.Arbitrary<CelValue> = bigInts.map(compact)
const uints: fc.Arbitrary<CelValue> = fc
  .oneof(fc.bigInt(0n, 20n), fc.bigInt(0n, 2n ** 64n - 1n))
  .map((value) => new Uint(compact(value)))
export const doubles: fc.Arbitrary<CelValue> = fc
  .oneof(fc.double(), fc.integer({ min: -5, max: 5 }), fc.constantFrom(0, -0, 1e300, 0.5))
  .map(double)
const finiteDoubles: fc.Arbitrary<CelValue> = fc
  .double({ noDefaultInfinity: true, noNaN: true, maxExcluded: true, max: 1e21, min: -1e21 })
  .map(double)
const words = fc.constantFrom(
  "",
  "a",
  "b",
  "ab",
  "a.b",
  "é",
  "😀x",
  "10.0.0.1",
  "1h",
  "{}",
  "[1]",
  "true",
  "7",
  "a*",
  "__proto__",
)
export const texts: fc.Arbitrary<string> = fc.oneof(words, fc.string({ unit: "binary", maxLength: 6 }))
const byteStrings: fc.Arbitrary<CelValue> = fc.uint8Array({ maxLength: 5 })

const map = (value: fc.Arbitrary<CelValue>): fc.Arbitrary<CelValue> =>
  fc
    .array(fc.tuple(fc.oneof<Array<fc.Arbitrary<CelValue>>>(texts, ints, uints, fc.boolean()), value), { maxLength: 4 })
    .map((entries) => {
      const values = new Map<Key, CelValue>()
      const originals = new Map<Key, CelValue>()
      for (const [key, one] of entries) {
        const name = keyOf(key) ?? ""
        values.set(name, one)
        originals.set(name, key)
      }
      return new MapValue(values, originals)
    })

const scalars: fc.Arbitrary<CelValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  ints,
  uints,
  doubles,
  texts,
  byteStrings,
)

export const values: fc.Arbitrary<CelValue> = fc.letrec<{ value: CelValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    scalars,
    fc.array(tie("value"), { maxLength: 3 }),
    map(tie("value")),
    fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<CelValue>,
  ),
})).value

/** Values of the declared types; `absent` has none. */
export const activations = fc.record<Record<string, CelValue>>({
  b: fc.boolean(),
  i: ints,
  u: uints,
  d: doubles,
  s: texts,
  y: byteStrings,
  n: values,
  li: fc.array(ints, { maxLength: 4 }),
  ls: fc.array(texts, { maxLength: 4 }),
  m: fc.dictionary(fc.constantFrom("a", "b", "ab", "__proto__x"), fc.integer(), { maxKeys: 3 }),
})

export const activationOf = (given: Readonly<Record<string, CelValue>>) => ({
  get: (name: string): CelValue | undefined => (Object.hasOwn(given, name) ? given[name] : undefined),
})

/** Literals that can be written: −0 and what is not finite have no literal of their own. */
const literals: fc.Arbitrary<CelValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  ints,
  uints,
  finiteDoubles,
  texts.map((one) => one.toWellFormed()),
  byteStrings,
)

const at = 0
const binaryOperators: ReadonlyArray<BinaryOperator> = ["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in"]
const members = [
  "size",
  "contains",
  "startsWith",
  "endsWith",
  "matches",
  "split",
  "join",
  "trim",
  "charAt",
  "substring",
  "replace",
  "regexReplace",
  "getHours",
  "containsIP",
  "hasValue",
  "orValue",
  "or",
  "merge",
  "indexOf",
  "format",
  "lowerAscii",
  "nothing",
]
const globals = [
  "size",
  "string",
  "int",
  "uint",
  "double",
  "bool",
  "bytes",
  "type",
  "dyn",
  "duration",
  "timestamp",
  "json",
  "toJson",
  "ip",
  "cidr",
  "isIP",
  "default",
  "coalesce",
  "max",
  "min",
  "flatten",
  "fail",
  "nothing",
]
const spaces: ReadonlyArray<readonly [string, string]> = [
  ["optional", "of"],
  ["optional", "none"],
  ["optional", "ofNonZeroValue"],
  ["math", "greatest"],
  ["math", "abs"],
  ["math", "round"],
  ["math", "bitNot"],
  ["base64", "encode"],
  ["base64", "decode"],
  ["url", "decode"],
  ["form", "encode"],
  ["sha256", "encode"],
  ["strings", "quote"],
]
const fields = ["a", "b", "ab", "b-c", "in", "size", "constructor"]
const macros: ReadonlyArray<readonly [MacroName, number, boolean]> = [
  ["all", 1, false],
  ["exists", 1, false],
  ["existsOne", 1, false],
  ["map", 1, false],
  ["map", 1, true],
  ["filter", 1, false],
  ["transformList", 2, true],
  ["transformMap", 2, false],
  ["mapValues", 1, false],
  ["filterKeys", 1, false],
  ["with", 1, false],
  ["optMap", 1, false],
  ["optFlatMap", 1, false],
  ["all", 2, false],
]
const locals = ["x", "k"]

const name = (text: string): Expr => ({ kind: "name", at, name: text, absolute: false })

/** Any tree at all, most of them with errors somewhere. */
export const expressions: fc.Arbitrary<Expr> = fc.letrec<{ expr: Expr }>((tie) => {
  const expr = tie("expr")
  const parts = fc.array(expr, { maxLength: 3 })
  return {
    expr: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 3, arbitrary: fc.constantFrom(...Object.keys(variables), ...locals).map(name) },
      { weight: 3, arbitrary: literals.map((value): Expr => ({ kind: "literal", at, value })) },
      fc
        .tuple(expr, fc.constantFrom(...fields), fc.boolean())
        .map(([target, field, optional]): Expr => ({ kind: "select", at, target, field, optional })),
      fc
        .tuple(expr, fc.constantFrom(...fields))
        .map(([target, field]): Expr => ({ kind: "has", at, target, field, optional: false })),
      fc
        .tuple(expr, expr, fc.boolean())
        .map(([target, index, optional]): Expr => ({ kind: "index", at, target, index, optional })),
      fc
        .tuple(fc.constantFrom<"!" | "-">("!", "-"), expr)
        .map(([operator, operand]): Expr => ({ kind: "unary", at, operator, operand })),
      {
        weight: 4,
        arbitrary: fc
          .tuple(fc.constantFrom(...binaryOperators), expr, expr)
          .map(([operator, left, right]): Expr => ({ kind: "binary", at, operator, left, right })),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.constantFrom<"&&" | "||">("&&", "||"), fc.array(expr, { minLength: 2, maxLength: 3 }))
          .map(([operator, operands]): Expr => ({ kind: "logic", at, operator, operands })),
      },
      fc.tuple(expr, expr, expr).map(([condition, yes, no]): Expr => ({ kind: "choice", at, condition, yes, no })),
      fc
        .array(fc.record({ value: expr, optional: fc.boolean() }), { maxLength: 3 })
        .map((elements): Expr => ({ kind: "list", at, elements })),
      fc
        .array(fc.record({ key: expr, value: expr, optional: fc.boolean() }), { maxLength: 2 })
        .map((entries): Expr => ({ kind: "map", at, entries })),
      {
        weight: 2,
        arbitrary: fc.tuple(fc.constantFrom(...members), expr, parts).map(([method, target, args]): Expr => ({
          kind: "call",
          at,
          name: method,
          target,
          arguments: args,
          absolute: false,
        })),
      },
      {
        weight: 2,
        arbitrary: fc.tuple(fc.constantFrom(...globals), parts).map(([called, args]): Expr => ({
          kind: "call",
          at,
          name: called,
          target: undefined,
          arguments: args,
          absolute: false,
        })),
      },
      fc.tuple(fc.constantFrom(...spaces), parts).map(([[space, called], args]): Expr => ({
        kind: "call",
        at,
        name: called,
        target: name(space),
        arguments: args,
        absolute: false,
      })),
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.constantFrom(...macros), expr, expr, expr)
          .map(([[macro, count, filtered], target, filter, body]): Expr => ({
            kind: "macro",
            at,
            name: macro,
            target,
            variables: locals.slice(0, count),
            filter: filtered ? filter : undefined,
            body,
          })),
      },
    ),
  }
}).expr
