/** Finds the type of an expression and what cannot work in it: unknown names, wrong arguments, comparisons that are never true. */
import { type CelValue, kindOf } from "./CelValue.ts"
import { callType } from "./check/calls.ts"
import { Checker } from "./check/Checker.ts"
import { macroType } from "./check/macros.ts"
import { indexType, nameType, selectType } from "./check/members.ts"
import { binaryType, unaryType } from "./check/operators.ts"
import type { Environment } from "./Environment.ts"
import type { Expr, Issue } from "./Expr.ts"
import {
  bool,
  bytes,
  double,
  dyn,
  int,
  isDyn,
  list,
  map,
  nullType,
  optional,
  print,
  string,
  type Type,
  uint,
} from "./Type.ts"

export interface Checked {
  readonly type: Type
  readonly issues: ReadonlyArray<Issue>
}

/** `expected`: the types the place of use can take; anything when absent. A result whose type is only known later passes. */
export const check = (
  expr: Expr,
  source: string,
  environment: Environment,
  expected?: ReadonlyArray<Type>,
): Checked => {
  const checker = new Checker(source, environment, typeOf)
  const type = checker.resolved(checker.typed(expr))
  if (expected !== undefined && checker.issues.length === 0) mustResultIn(checker, expr, type, expected)
  return { type, issues: checker.issues }
}

const literalTypes: Readonly<Record<string, Type>> = { null_type: nullType, bool, int, uint, double, string, bytes }
const literalType = (value: CelValue): Type => literalTypes[kindOf(value)] ?? dyn

const typeOf = (checker: Checker, expr: Expr): Type => {
  switch (expr.kind) {
    case "literal":
      return literalType(expr.value)
    case "name":
      return nameType(checker, expr)
    case "select":
      return selectType(checker, expr)
    case "has": {
      const { at, field, optional, target } = expr
      checker.tolerating(() => selectType(checker, { kind: "select", at, target, field, optional }))
      return bool
    }
    case "index":
      return indexType(checker, expr)
    case "call":
      return callType(checker, expr)
    case "unary":
      return unaryType(checker, expr)
    case "binary":
      return binaryType(checker, expr)
    case "logic":
      for (const one of expr.operands) checker.mustBe(bool, one, `${expr.operator} takes bool`)
      return bool
    case "choice": {
      checker.mustBe(bool, expr.condition, "the condition before ? is bool")
      return checker.unifier.join(checker.typed(expr.yes), checker.typed(expr.no))
    }
    case "list":
      return list(checker.joined(expr.elements.map((one) => optionalPart(checker, one.value, one.optional))))
    case "map":
      return mapType(checker, expr)
    case "message":
      for (const one of expr.fields) checker.typed(one.value)
      checker.report(
        expr.at,
        `${expr.name}{…} would make a protobuf message, and there are none here`,
        'write a map: {"field": value}',
      )
      return dyn
    case "macro":
      return macroType(checker, expr)
  }
}

const optionalPart = (checker: Checker, expr: Expr, isOptional: boolean): Type => {
  const type = checker.typed(expr)
  if (!isOptional) return type
  const inner = checker.unifier.fresh()
  if (checker.unifier.accepts([optional(inner)], [type])) return inner
  checker.report(
    expr.at,
    `? needs an optional value, not ${print(checker.resolved(type))}`,
    "wrap it in optional.of(…)",
  )
  return dyn
}

const mapType = (checker: Checker, expr: Extract<Expr, { kind: "map" }>): Type => {
  const keys: Array<Type> = []
  const values: Array<Type> = []
  for (const entry of expr.entries) {
    const key = checker.typed(entry.key)
    const known = checker.resolved(key)
    if (known.kind === "named" && !["dyn", "bool", "int", "uint", "string", "query", "redacted"].includes(known.name))
      checker.report(entry.key.at, `a map key is bool, int, uint or string, not ${print(known)}`)
    keys.push(key)
    values.push(optionalPart(checker, entry.value, entry.optional))
  }
  return map(checker.joined(keys), checker.joined(values))
}

const mustResultIn = (checker: Checker, expr: Expr, type: Type, expected: ReadonlyArray<Type>): void => {
  if (isDyn(type) || expected.some((one) => checker.unifier.accepts([one], [type]))) return
  const wanted = expected.map(print).join(" or ")
  const remedies: Record<string, string> = {
    bool: "compare it, for example with ==",
    string: "convert it with string(…) or toJson(…)",
  }
  checker.report(
    expr.at,
    `the result is ${print(type)}, but ${wanted} is needed here`,
    remedies[print(expected[0] ?? dyn)],
  )
}
