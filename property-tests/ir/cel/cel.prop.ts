import * as Result from "effect/Result"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  CelError,
  type CelValue,
  compare,
  compareText,
  equal,
  type Evaluated,
  isError,
  kindOf,
} from "../../../ir/cel/CelValue.ts"
import { check } from "../../../ir/cel/check.ts"
import { compile, compileTree } from "../../../ir/cel/compile.ts"
import { parseFunctions } from "../../../ir/cel/customFunctions.ts"
import { environment, environmentOf } from "../../../ir/cel/Environment.ts"
import type { Expr } from "../../../ir/cel/Expr.ts"
import { needs } from "../../../ir/cel/needs.ts"
import { parse } from "../../../ir/cel/parse.ts"
import { print } from "../../../ir/cel/print.ts"
import {
  makeDuration,
  makeTimestamp,
  parseDuration,
  parseTimestamp,
  printDuration,
  printTimestamp,
} from "../../../ir/cel/time.ts"
import { toJsonText } from "../../../ir/cel/toJson.ts"
import * as T from "../../../ir/cel/Type.ts"
import { needsOf } from "../../../ir/cel/variables.ts"
import { children } from "../../../ir/cel/walk.ts"
import { natives } from "../../../test/ir/cel/natives.ts"
import {
  activationOf,
  activations,
  bigInts,
  conditions,
  doubles,
  either,
  expressions,
  meaningful,
  texts,
  values,
  variables,
} from "./expressions.ts"

const runs = { numRuns: 1_500 }
const where = environmentOf("the property", variables)
type Given = Readonly<Record<string, CelValue>>

const evaluated = (expr: Expr, given: Given): Evaluated =>
  compileTree(expr, where, natives).evaluate(activationOf(given))

const textual = (value: unknown): string =>
  JSON.stringify(value, (key, one: unknown) =>
    key === "at"
      ? undefined
      : typeof one === "bigint"
        ? `${one}n`
        : Object.is(one, -0)
          ? "-0"
          : one instanceof Map
            ? [...one]
            : one,
  )

/** The same value, of the same type, with NaN being itself; or both of them errors. */
const same = (left: Evaluated, right: Evaluated): boolean => {
  if (isError(left) || isError(right)) return isError(left) && isError(right)
  if (kindOf(left) !== kindOf(right)) return false
  return equal(left, right) || textual(left) === textual(right) || toJsonText(left) === toJsonText(right)
}

const kinds = new Set([
  "null_type",
  "bool",
  "int",
  "uint",
  "double",
  "string",
  "bytes",
  "list",
  "map",
  "timestamp",
  "duration",
  "type",
  "optional_type",
  "ip",
  "cidr",
])

const runtimeOnly: ReadonlySet<string> = new Set(["noSuchKey", "divideByZero", "overflow", "range", "tooMuch"])

describe("expressions", () => {
  it("any text is an expression or an issue inside it", () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          expressions.map(print),
          fc
            .tuple(expressions.map(print), fc.nat(), texts)
            .map(
              ([text, i, by]) => text.slice(0, i % (text.length + 1)) + by + text.slice((i % (text.length + 1)) + 1),
            ),
        ),
        (source) => {
          const compiled = compile(source, { environment: environment("route"), natives })
          if (Result.isSuccess(compiled)) return
          expect(compiled.failure.length).toBeGreaterThan(0)
          for (const one of compiled.failure) {
            expect(one.at).toBeGreaterThanOrEqual(0)
            expect(one.at).toBeLessThanOrEqual(source.length)
            expect(one.line).toBeLessThanOrEqual(source.split("\n").length)
          }
        },
      ),
      runs,
    ))

  it("what is printed is read as the same tree", () =>
    fc.assert(
      fc.property(either, (expr) => {
        const parsed = parse(print(expr))
        expect(Result.isSuccess(parsed) ? textual(parsed.success) : parsed.failure.message).toBe(textual(expr))
      }),
      runs,
    ))

  it("evaluating gives a value or an error, never an exception", () =>
    fc.assert(
      fc.property(either, activations, (expr, given) => {
        const result = evaluated(expr, given)
        expect(result instanceof CelError || kinds.has(kindOf(result))).toBe(true)
        if (!isError(result)) expect(typeof toJsonText(result)).toBe("string")
      }),
      { numRuns: 4_000 },
    ))

  it("computing constants beforehand changes nothing", () =>
    fc.assert(
      fc.property(either, activations, (expr, given) => {
        const constants: Record<string, CelValue> = {}
        const unfolded = hoisted(expr, constants)
        const names = Object.fromEntries(Object.keys(constants).map((name) => [name, T.dyn]))
        const late = compileTree(unfolded, environmentOf("", { ...variables, ...names }), natives).evaluate(
          activationOf({ ...given, ...constants }),
        )
        expect([evaluated(expr, given), late]).toSatisfy(([a, b]: [Evaluated, Evaluated]) => same(a, b))
      }),
      { numRuns: 3_000 },
    ))

  it("what is checked has the type that was found, or is an error", () =>
    fc.assert(
      fc.property(either, activations, (expr, given) => {
        const { type, issues } = check(expr, "", where)
        fc.pre(issues.length === 0)
        const result = evaluated(expr, given)
        if (isError(result) || type.kind !== "named" || type.name === "dyn") return
        // An absent variable is null whatever its type, and null stands for times, optionals and addresses.
        if (result === null) return
        expect(kindOf(result)).toBe(type.name)
      }),
      { numRuns: 4_000 },
    ))

  it("what means something is accepted and has a value of its type, or fails while it runs", () =>
    fc.assert(
      fc.property(meaningful, activations, (expr, given) => {
        const { type, issues } = check(expr, "", where)
        expect(issues).toEqual([])
        const result = evaluated(expr, given)
        if (isError(result)) expect(runtimeOnly.has(result.code)).toBe(true)
        else expect(kindOf(result)).toBe(type.kind === "named" ? type.name : "")
      }),
      { numRuns: 4_000 },
    ))

  it("no variable is read that is not named", () =>
    fc.assert(
      fc.property(either, activations, (expr, given) => {
        const named = new Set(mentioned(expr))
        compileTree(expr, where, natives).evaluate({ get: (name) => (expect(named.has(name)).toBe(true), given[name]) })
      }),
      runs,
    ))

  it("what is needed covers what is read", () =>
    fc.assert(
      fc.property(either, (expr) => {
        const route = environment("log")
        const renamed = rename(expr, { b: "request", i: "response", s: "jwt", n: "llm", m: "mcp" })
        const needed = needs(renamed, route)
        compileTree(renamed, route, natives).evaluate({
          get: (name) => {
            expect(needed.has(needsOf([name])[0] ?? "env")).toBe(true)
            return undefined
          },
        })
      }),
      runs,
    ))
})

describe("logic", () => {
  const both = fc.tuple(conditions, conditions, activations)
  const and = (a: Expr, b: Expr): Expr => ({ kind: "logic", at: 0, operator: "&&", operands: [a, b] })
  const or = (a: Expr, b: Expr): Expr => ({ kind: "logic", at: 0, operator: "||", operands: [a, b] })
  const not = (a: Expr): Expr => ({ kind: "unary", at: 0, operator: "!", operand: a })
  const literal = (value: boolean): Expr => ({ kind: "literal", at: 0, value })

  it("the order of operands does not matter", () =>
    fc.assert(
      fc.property(
        both,
        ([a, b, given]) =>
          same(evaluated(and(a, b), given), evaluated(and(b, a), given)) &&
          same(evaluated(or(a, b), given), evaluated(or(b, a), given)),
      ),
      runs,
    ))
  it("not (a and b) is not a or not b", () =>
    fc.assert(
      fc.property(both, ([a, b, given]) =>
        same(evaluated(not(and(a, b)), given), evaluated(or(not(a), not(b)), given)),
      ),
      runs,
    ))
  it("grouping does not matter", () =>
    fc.assert(
      fc.property(both, conditions, ([a, b, given], c) => {
        const flat: Expr = { kind: "logic", at: 0, operator: "||", operands: [a, b, c] }
        return (
          same(evaluated(flat, given), evaluated(or(or(a, b), c), given)) &&
          same(evaluated(flat, given), evaluated(or(a, or(b, c)), given))
        )
      }),
      runs,
    ))
  it("one decisive operand decides, whatever the other is", () =>
    fc.assert(
      fc.property(
        both,
        ([a, , given]) =>
          evaluated(or(a, literal(true)), given) === true && evaluated(and(literal(false), a), given) === false,
      ),
      runs,
    ))
  it("a list's all and exists are && and || of its elements", () =>
    fc.assert(
      fc.property(fc.array(fc.constantFrom<CelValue>(true, false, 1, null), { minLength: 2, maxLength: 5 }), (list) => {
        const x: Expr = { kind: "name", at: 0, name: "x", absolute: false }
        const over = (name: "all" | "exists"): Expr => ({
          kind: "macro",
          at: 0,
          name,
          target: { kind: "name", at: 0, name: "n", absolute: false },
          variables: ["x"],
          filter: undefined,
          body: x,
        })
        const operands = list.map((value): Expr => ({ kind: "literal", at: 0, value }))
        expect(
          same(evaluated(over("all"), { n: list }), evaluated({ kind: "logic", at: 0, operator: "&&", operands }, {})),
        ).toBe(true)
        expect(
          same(
            evaluated(over("exists"), { n: list }),
            evaluated({ kind: "logic", at: 0, operator: "||", operands }, {}),
          ),
        ).toBe(true)
      }),
      runs,
    ))
})

describe("values", () => {
  it("integers are those of 64 bits", () =>
    fc.assert(
      fc.property(bigInts, bigInts, fc.constantFrom("+", "-", "*", "/", "%"), (a, b, operator) => {
        const exact = (): bigint | undefined => {
          if (operator === "+") return a + b
          if (operator === "-") return a - b
          if (operator === "*") return a * b
          if (b === 0n) return undefined
          return operator === "/" ? a / b : a % b
        }
        const wanted = exact()
        const parsed = parse(`string(${a} ${operator} (${b}))`)
        const result = Result.isSuccess(parsed) ? evaluated(parsed.success, {}) : "unparsed"
        if (wanted === undefined || wanted > 2n ** 63n - 1n || wanted < -(2n ** 63n)) expect(isError(result)).toBe(true)
        else expect(result).toBe(String(wanted))
      }),
      runs,
    ))

  it("are equal to themselves, and equality and order have no direction", () =>
    fc.assert(
      fc.property(values, values, (a, b) => {
        if (!textual(a).includes("null") && !JSON.stringify(textual(a)).includes("NaN")) expect(equal(a, a)).toBe(true)
        expect(equal(a, b)).toBe(equal(b, a))
        const forward = compare(a, b)
        const backward = compare(b, a)
        if (typeof forward === "number" && typeof backward === "number")
          expect(Math.sign(forward)).toBe(-Math.sign(backward) + 0)
        else expect(isError(forward)).toBe(isError(backward))
      }),
      { numRuns: 4_000 },
    ))

  it("text is ordered by code points", () =>
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        const points = (text: string) => Array.from(text, (one) => one.codePointAt(0) ?? 0)
        const [x, y] = [points(a), points(b)]
        const i = x.findIndex((one, at) => one !== y[at])
        const wanted = i < 0 ? Math.sign(x.length - y.length) : Math.sign((x[i] ?? 0) - (y[i] ?? -1))
        expect(Math.sign(compareText(a, b))).toBe(wanted)
      }),
      runs,
    ))

  it("timestamps and durations are read as they are written", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
        fc.integer({ min: -9_000_000_000, max: 9_000_000_000 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (seconds, span, nanos) => {
          const timestamp = makeTimestamp(seconds, nanos)
          const duration = makeDuration(span, nanos)
          if (isError(timestamp) || isError(duration)) throw new Error("in range")
          expect(parseTimestamp(printTimestamp(timestamp))).toEqual(timestamp)
          expect(parseDuration(printDuration(duration))).toEqual(duration)
        },
      ),
      runs,
    ))

  it("JSON of a value is JSON", () =>
    fc.assert(
      fc.property(fc.oneof(values, doubles), (value) => void JSON.parse(toJsonText(value))),
      runs,
    ))
})

it("any text is a set of custom functions or a list of issues inside it", () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        expressions.map((one) => `f(x, y...) { ${print(one)} } # done`),
        fc.stringMatching(/^[fg(){}"'#., \n.]{0,30}$/),
      ),
      (source) => {
        const parsed = parseFunctions(source)
        if (Result.isFailure(parsed))
          for (const one of parsed.failure) expect(one.at).toBeLessThanOrEqual(source.length)
      },
    ),
    runs,
  ))

const mapped = (expr: Expr, change: (one: Expr) => Expr): Expr => {
  const go = (one: Expr): Expr => mapped(one, change)
  switch (expr.kind) {
    case "literal":
    case "name":
      return change(expr)
    case "select":
    case "has":
      return change({ ...expr, target: go(expr.target) })
    case "index":
      return change({ ...expr, target: go(expr.target), index: go(expr.index) })
    case "call":
      return change({
        ...expr,
        target: expr.target === undefined ? undefined : go(expr.target),
        arguments: expr.arguments.map(go),
      })
    case "unary":
      return change({ ...expr, operand: go(expr.operand) })
    case "binary":
      return change({ ...expr, left: go(expr.left), right: go(expr.right) })
    case "logic":
      return change({ ...expr, operands: expr.operands.map(go) })
    case "choice":
      return change({ ...expr, condition: go(expr.condition), yes: go(expr.yes), no: go(expr.no) })
    case "list":
      return change({ ...expr, elements: expr.elements.map((one) => ({ ...one, value: go(one.value) })) })
    case "map":
      return change({
        ...expr,
        entries: expr.entries.map((one) => ({ ...one, key: go(one.key), value: go(one.value) })),
      })
    case "message":
      return change({ ...expr, fields: expr.fields.map((one) => ({ ...one, value: go(one.value) })) })
    case "macro":
      return change({
        ...expr,
        target: go(expr.target),
        filter: expr.filter === undefined ? undefined : go(expr.filter),
        body: go(expr.body),
      })
  }
}

/** The same expression with its literals as variables, so that nothing can be computed beforehand. */
const hoisted = (expr: Expr, constants: Record<string, CelValue>): Expr =>
  mapped(expr, (one) => {
    if (one.kind !== "literal") return one
    const name = `c${Object.keys(constants).length}`
    constants[name] = one.value
    return { kind: "name", at: 0, name, absolute: false }
  })

const rename = (expr: Expr, names: Readonly<Record<string, string>>): Expr =>
  mapped(expr, (one) => (one.kind === "name" ? { ...one, name: names[one.name] ?? one.name } : one))

const mentioned = (expr: Expr): ReadonlyArray<string> => [
  ...(expr.kind === "name" ? [expr.name] : []),
  ...children(expr).flatMap(mentioned),
]
