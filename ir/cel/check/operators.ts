/** The types of what operators make, and comparisons that are never true. */
import type { BinaryOperator, Expr } from "../Expr.ts"
import {
  argument,
  bool,
  dyn,
  isDyn,
  isNamed,
  isNumber,
  parseSignature,
  print,
  type Signature,
  string,
  type Type,
} from "../Type.ts"
import type { Checker } from "./Checker.ts"

const arithmeticSignatures: Readonly<Record<string, ReadonlyArray<Signature>>> = Object.fromEntries(
  Object.entries({
    "+": ["int", "uint", "double", "string", "bytes", "list<A>", "duration"]
      .map((one) => `op(${one}, ${one}) -> ${one}`)
      .concat(["op(timestamp, duration) -> timestamp", "op(duration, timestamp) -> timestamp"]),
    "-": ["int", "uint", "double", "duration"]
      .map((one) => `op(${one}, ${one}) -> ${one}`)
      .concat(["op(timestamp, duration) -> timestamp", "op(timestamp, timestamp) -> duration"]),
    "*": ["int", "uint", "double"].map((one) => `op(${one}, ${one}) -> ${one}`),
    "/": ["int", "uint", "double"].map((one) => `op(${one}, ${one}) -> ${one}`),
    "%": ["int", "uint"].map((one) => `op(${one}, ${one}) -> ${one}`),
  }).map(([operator, texts]) => [operator, texts.map(parseSignature)]),
)

const ordered: ReadonlySet<string> = new Set([
  "bool",
  "int",
  "uint",
  "double",
  "string",
  "bytes",
  "timestamp",
  "duration",
  "query",
  "redacted",
])

export const unaryType = (checker: Checker, expr: Extract<Expr, { kind: "unary" }>): Type => {
  if (expr.operator === "!") {
    checker.mustBe(bool, expr.operand, "! takes bool")
    return bool
  }
  const type = checker.unifier.follow(checker.typed(expr.operand))
  if (isDyn(type) || type.kind === "variable" || isNamed(type, "int") || isNamed(type, "double")) return type
  checker.report(expr.at, `- takes int or double, not ${print(type)}`)
  return dyn
}

export const binaryType = (checker: Checker, expr: Extract<Expr, { kind: "binary" }>): Type => {
  const left = checker.typed(expr.left)
  const right = checker.typed(expr.right)
  const signatures = arithmeticSignatures[expr.operator]
  if (signatures === undefined) {
    relation(checker, expr, left, right)
    return bool
  }
  const found = checker.overload(signatures, [left, right])
  if (found !== undefined) return found
  const [a, b] = [checker.resolved(left), checker.resolved(right)]
  checker.report(
    expr.at,
    `${print(a)} ${expr.operator} ${print(b)} is not possible`,
    arithmeticRemedy(expr.operator, a, b),
  )
  return dyn
}

const arithmeticRemedy = (operator: BinaryOperator, left: Type, right: Type): string | undefined => {
  if (isNumber(left) && isNumber(right))
    return print(left) === print(right)
      ? undefined
      : "both sides need one type: convert one with int(…), uint(…) or double(…)"
  if (operator === "+" && (isNamed(left, "string") || isNamed(right, "string")))
    return "convert the other side with string(…)"
  return undefined
}

const relation = (checker: Checker, expr: Extract<Expr, { kind: "binary" }>, left: Type, right: Type): void => {
  const [a, b] = [checker.resolved(left), checker.resolved(right)]
  if (expr.operator === "in") {
    membership(checker, expr, a, b)
    return
  }
  if (expr.operator === "==" || expr.operator === "!=") {
    if (!comparable(checker, left, right))
      checker.report(expr.at, `${print(a)} and ${print(b)} are never equal`, comparisonRemedy(a, b))
    return
  }
  const unordered = [a, b].find((one) => !isDyn(one) && (one.kind !== "named" || !ordered.has(one.name)))
  if (unordered !== undefined || !comparable(checker, left, right))
    checker.report(expr.at, `${print(a)} ${expr.operator} ${print(b)} is not possible`, comparisonRemedy(a, b))
}

const comparisonRemedy = (left: Type, right: Type): string | undefined => {
  const both = [left, right]
  if (both.some(isNumber) && both.some((one) => isNamed(one, "string")))
    return "put the number in quotes, or convert the text with int(…)"
  return both.some((one) => isNamed(one, "bytes")) && both.some((one) => isNamed(one, "string"))
    ? "convert the bytes with string(…)"
    : undefined
}

/** Numbers compare across their types, anything compares with null. */
const comparable = (checker: Checker, left: Type, right: Type): boolean => {
  const a = checker.unifier.follow(left)
  const b = checker.unifier.follow(right)
  if (a.kind === "variable" || b.kind === "variable") return true
  if ((isNumber(a) && isNumber(b)) || isNamed(a, "null_type") || isNamed(b, "null_type")) return true
  if (checker.unifier.accepts([a], [b]) || checker.unifier.accepts([b], [a])) return true
  if (a.kind !== "named" || b.kind !== "named" || a.name !== b.name || a.arguments.length === 0) return false
  return a.name === "type" || a.arguments.every((one, i) => comparable(checker, one, b.arguments[i] ?? dyn))
}

const membership = (checker: Checker, expr: Extract<Expr, { kind: "binary" }>, item: Type, container: Type): void => {
  if (isDyn(container) || container.kind === "record" || isNamed(container, "headers")) return
  if (isNamed(container, "list") || isNamed(container, "map")) {
    const inner = argument(container, 0)
    if (!comparable(checker, inner, item))
      checker.report(expr.at, `a ${print(container)} never contains ${print(item)}`, comparisonRemedy(inner, item))
    return
  }
  if (checker.unifier.accepts([string], [container]) && checker.unifier.accepts([string], [item])) return
  checker.report(expr.at, `${print(item)} in ${print(container)} is not possible`)
}
