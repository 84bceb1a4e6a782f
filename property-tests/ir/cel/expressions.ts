/** Generated expression trees, values and variables. */
import * as fc from "fast-check"
import { type CelValue, double, type Key, keyOf, MapValue, Uint } from "../../../ir/cel/CelValue.ts"
import type { BinaryOperator, Expr, MacroName } from "../../../ir/cel/Expr.ts"
import { children } from "../../../ir/cel/walk.ts"
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

const literal = (value: CelValue): Expr => ({ kind: "literal", at, value })
const member = (target: Expr, called: string, ...args: ReadonlyArray<Expr>): Expr => ({
  kind: "call",
  at,
  name: called,
  target,
  arguments: args,
  absolute: false,
})
const global = (called: string, ...args: ReadonlyArray<Expr>): Expr => ({
  kind: "call",
  at,
  name: called,
  target: undefined,
  arguments: args,
  absolute: false,
})
const binary = (left: Expr, operator: BinaryOperator, right: Expr): Expr => ({
  kind: "binary",
  at,
  operator,
  left,
  right,
})
const choice = (condition: Expr, yes: Expr, no: Expr): Expr => ({ kind: "choice", at, condition, yes, no })
const macro = (called: MacroName, target: Expr, bound: string, body: Expr, filter?: Expr): Expr => ({
  kind: "macro",
  at,
  name: called,
  target,
  variables: [bound],
  filter,
  body,
})

type Typed = {
  readonly bool: Expr
  readonly int: Expr
  readonly text: Expr
  readonly ints: Expr
  readonly texts: Expr
  readonly map: Expr
  readonly any: Expr
}

/** Deep trees that mean something: operands and arguments have the types they should. `x` is an int and `t` a text inside macros. */
const typed = fc.letrec<Typed>((tie) => {
  const {
    bool,
    int,
    text,
    ints: intList,
    texts: textList,
    map: intMap,
    any,
  } = {
    bool: tie("bool"),
    int: tie("int"),
    text: tie("text"),
    ints: tie("ints"),
    texts: tie("texts"),
    map: tie("map"),
    any: tie("any"),
  }
  const depth = { depthSize: "small", maxDepth: 4 } as const
  const equalities = fc.constantFrom<BinaryOperator>("==", "!=")
  const orders = fc.constantFrom<BinaryOperator>("<", "<=", ">", ">=", "==", "!=")
  const sums = fc.constantFrom<BinaryOperator>("+", "-", "*", "/", "%")
  const quantifiers = fc.constantFrom<MacroName>("all", "exists", "existsOne")
  return {
    bool: fc.oneof(
      depth,
      fc.oneof(fc.boolean().map(literal), fc.constant(name("b"))),
      fc
        .tuple(fc.constantFrom<"&&" | "||">("&&", "||"), fc.array(bool, { minLength: 2, maxLength: 4 }))
        .map(([operator, operands]): Expr => ({ kind: "logic", at, operator, operands })),
      bool.map((operand): Expr => ({ kind: "unary", at, operator: "!", operand })),
      fc.tuple(int, orders, int).map(([a, op, b]) => binary(a, op, b)),
      fc.tuple(text, orders, text).map(([a, op, b]) => binary(a, op, b)),
      fc.tuple(intList, equalities, intList).map(([a, op, b]) => binary(a, op, b)),
      fc.tuple(int, intList).map(([a, b]) => binary(a, "in", b)),
      fc.tuple(text, fc.oneof(textList, intMap, text)).map(([a, b]) => binary(a, "in", b)),
      fc
        .tuple(text, fc.constantFrom("startsWith", "endsWith", "contains"), text)
        .map(([a, called, b]) => member(a, called, b)),
      fc.tuple(quantifiers, intList, bool).map(([called, over, body]) => macro(called, over, "x", body)),
      fc.tuple(quantifiers, textList, bool).map(([called, over, body]) => macro(called, over, "t", body)),
      fc
        .tuple(intMap, fc.constantFrom(...fields))
        .map(([target, field]): Expr => ({ kind: "has", at, target, field, optional: false })),
      fc.tuple(bool, bool, bool).map(([a, b, c]) => choice(a, b, c)),
    ),
    int: fc.oneof(
      depth,
      fc.oneof(ints.map(literal), fc.constantFrom("i", "i", "x").map(name)),
      fc.tuple(int, sums, int).map(([a, op, b]) => binary(a, op, b)),
      int.map((operand): Expr => ({ kind: "unary", at, operator: "-", operand })),
      fc.oneof(text, intList, textList, intMap).map((one) => global("size", one)),
      fc.tuple(intList, int).map(([target, index]): Expr => ({ kind: "index", at, target, index, optional: false })),
      fc
        .tuple(intMap, fc.constantFrom("a", "b", "ab"))
        .map(([target, field]): Expr => ({ kind: "select", at, target, field, optional: false })),
      fc
        .tuple(intMap, fc.constantFrom("a", "b"), int)
        .map(([target, field, other]) =>
          global("default", { kind: "select", at, target, field, optional: false }, other),
        ),
      fc
        .tuple(intMap, fc.constantFrom("a", "b"), int)
        .map(([target, field, other]) =>
          member({ kind: "select", at, target, field, optional: true }, "orValue", other),
        ),
      fc.tuple(text, text).map(([a, b]) => member(a, "indexOf", b)),
      fc.tuple(intList, int).map(([value, body]) => macro("with", global("size", value), "x", body)),
      fc.tuple(bool, int, int).map(([a, b, c]) => choice(a, b, c)),
    ),
    text: fc.oneof(
      depth,
      fc.oneof(words.map(literal), fc.constantFrom("s", "s", "t").map(name)),
      fc.tuple(text, text).map(([a, b]) => binary(a, "+", b)),
      fc.oneof(int, bool).map((one) => global("string", one)),
      fc
        .tuple(text, fc.constantFrom("lowerAscii", "upperAscii", "trim", "reverse"))
        .map(([a, called]) => member(a, called)),
      fc.tuple(text, int).map(([a, b]) => member(a, "charAt", b)),
      fc.tuple(text, text, text).map(([a, b, c]) => member(a, "replace", b, c)),
      fc.tuple(textList, text).map(([a, b]) => member(a, "join", b)),
      any.map((one) => global("toJson", one)),
      fc.tuple(bool, text, text).map(([a, b, c]) => choice(a, b, c)),
    ),
    ints: fc.oneof(
      depth,
      fc.constant(name("li")),
      fc.array(int, { maxLength: 3 }).map((elements): Expr => ({
        kind: "list",
        at,
        elements: elements.map((value) => ({ value, optional: false })),
      })),
      fc.tuple(intList, intList).map(([a, b]) => binary(a, "+", b)),
      fc.tuple(intList, int).map(([over, body]) => macro("map", over, "x", body)),
      fc.tuple(intList, bool, int).map(([over, filter, body]) => macro("map", over, "x", body, filter)),
      fc.tuple(intList, bool).map(([over, body]) => macro("filter", over, "x", body)),
    ),
    texts: fc.oneof(
      depth,
      fc.constant(name("ls")),
      fc.array(text, { maxLength: 3 }).map((elements): Expr => ({
        kind: "list",
        at,
        elements: elements.map((value) => ({ value, optional: false })),
      })),
      fc.tuple(text, text).map(([a, b]) => member(a, "split", b)),
      fc.tuple(intList, text).map(([over, body]) => macro("map", over, "x", body)),
      intMap.map((over) => macro("map", over, "t", name("t"))),
    ),
    map: fc.oneof(
      depth,
      fc.constant(name("m")),
      fc.tuple(int, int).map(([a, b]): Expr => ({
        kind: "map",
        at,
        entries: [
          { key: literal("a"), value: a, optional: false },
          { key: literal("b"), value: b, optional: false },
        ],
      })),
      fc.tuple(intMap, intMap).map(([a, b]) => member(a, "merge", b)),
      fc.tuple(intMap, int).map(([over, body]) => macro("mapValues", over, "x", body)),
      fc.tuple(intMap, bool).map(([over, body]) => macro("filterKeys", over, "t", body)),
    ),
    any: fc.oneof(depth, bool, int, text, intList, textList, intMap),
  }
})

const onlyBound = (expr: Expr, bound: ReadonlySet<string>): boolean => {
  if (expr.kind === "name") return bound.has(expr.name)
  if (expr.kind !== "macro") return children(expr).every((one) => onlyBound(one, bound))
  const inner = new Set([...bound, ...expr.variables])
  return (
    onlyBound(expr.target, bound) &&
    (expr.filter === undefined || onlyBound(expr.filter, inner)) &&
    onlyBound(expr.body, inner)
  )
}

/** Trees without type errors, whose values are mostly values. */
export const meaningful: fc.Arbitrary<Expr> = typed.any.map((expr) =>
  // What uses a macro's variable outside of it gets one around it.
  onlyBound(expr, new Set(Object.keys(variables)))
    ? expr
    : macro("with", literal(2), "x", macro("with", literal("ab"), "t", expr)),
)

export const either: fc.Arbitrary<Expr> = fc.oneof(expressions, meaningful)

/** Mostly booleans, errors and what is no boolean among them. */
export const conditions: fc.Arbitrary<Expr> = fc.oneof(
  { weight: 3, arbitrary: typed.bool },
  { weight: 1, arbitrary: expressions },
)
