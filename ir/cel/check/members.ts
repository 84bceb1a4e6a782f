/** The types of names, of what is in a value, and of what is at a place in it. */
import type { Expr } from "../Expr.ts"
import { functions, specialForms } from "../functions.ts"
import { resolve } from "../resolve.ts"
import {
  argument,
  duration,
  dyn,
  isDyn,
  isNamed,
  isNumber,
  named,
  optional,
  print,
  string,
  timestamp,
  type Type,
  typeOf,
} from "../Type.ts"
import type { Checker } from "./Checker.ts"
import { suggestion } from "./suggestion.ts"

const namedType = (name: string): Type => {
  if (name === "google.protobuf.Timestamp") return timestamp
  if (name === "google.protobuf.Duration") return duration
  const arity = name === "list" || name === "optional_type" ? [dyn] : name === "map" ? [dyn, dyn] : []
  return named(name, ...arity)
}

export const nameType = (checker: Checker, expr: Extract<Expr, { kind: "name" }>): Type => {
  const local = expr.absolute ? undefined : checker.local(expr.name)
  if (local !== undefined) return local
  const found = resolve(expr, checker.environment, checker.isLocal)
  if (found?.kind === "variable") return checker.environment.variables[found.name] ?? dyn
  if (found !== undefined) return typeOf(namedType(found.name))
  return unknown(checker, expr)
}

const unknown = (checker: Checker, expr: Extract<Expr, { kind: "name" }>): Type => {
  const { variables, elsewhere, name } = checker.environment
  const places = Object.hasOwn(elsewhere, expr.name) ? elsewhere[expr.name] : undefined
  if (places === undefined) {
    const isFunction = functions.has(expr.name) || specialForms.has(expr.name)
    const remedy = isFunction
      ? `${expr.name} is a function: call it as ${expr.name}(…)`
      : suggestion(expr.name, [...Object.keys(variables), ...checker.locals])
    checker.report(
      expr.at,
      `unknown variable ${expr.name}`,
      remedy ?? `there are ${Object.keys(variables).toSorted().join(", ")}`,
    )
  } else if (!checker.isTolerant)
    checker.report(expr.at, `${expr.name} is not available in ${name}`, `it is in ${places.join(", ")}`)
  return dyn
}

export const selectType = (checker: Checker, expr: Extract<Expr, { kind: "select" }>): Type => {
  const found = resolve(expr, checker.environment, checker.isLocal)
  if (found?.kind === "variable") return checker.environment.variables[found.name] ?? dyn
  if (found !== undefined) return typeOf(namedType(found.name))
  const target = checker.unifier.follow(checker.typed(expr.target))
  if (isNamed(target, "optional_type"))
    return wrapped(fieldType(checker, checker.unifier.follow(argument(target, 0)), expr))
  const field = fieldType(checker, target, expr)
  return expr.optional ? wrapped(field) : field
}

const wrapped = (type: Type): Type => (isNamed(type, "optional_type") ? type : optional(type))

const fieldType = (checker: Checker, target: Type, expr: { readonly field: string; readonly at: number }): Type => {
  if (target.kind === "variable" || isDyn(target) || isNamed(target, "headers")) return dyn
  if (target.kind === "record") {
    const known = Object.hasOwn(target.fields, expr.field) ? target.fields[expr.field] : undefined
    if (known !== undefined) return known
    if (target.rest !== undefined) return target.rest
    const names = Object.keys(target.fields)
    checker.report(
      expr.at,
      `${target.name} has no field ${expr.field}`,
      suggestion(expr.field, names) ?? `it has ${names.join(", ")}`,
    )
    return dyn
  }
  if (isNamed(target, "map")) {
    if (!checker.unifier.accepts([argument(target, 0)], [string]))
      checker.report(
        expr.at,
        `a map with ${print(checker.resolved(argument(target, 0)))} keys has no field ${expr.field}`,
      )
    return argument(target, 1)
  }
  const method = functions.get(expr.field)
  const remedy = method?.signatures.some((one) => one.member) === true ? `call it: .${expr.field}(…)` : undefined
  checker.report(expr.at, `${print(target)} has no field ${expr.field}`, remedy)
  return dyn
}

export const indexType = (checker: Checker, expr: Extract<Expr, { kind: "index" }>): Type => {
  const target = checker.unifier.follow(checker.typed(expr.target))
  const index = checker.typed(expr.index)
  const within = isNamed(target, "optional_type")
  const found = elementType(checker, within ? checker.unifier.follow(argument(target, 0)) : target, index, expr)
  return within || expr.optional ? wrapped(found) : found
}

const elementType = (checker: Checker, target: Type, index: Type, expr: Extract<Expr, { kind: "index" }>): Type => {
  if (target.kind === "variable" || isDyn(target) || isNamed(target, "headers")) return dyn
  if (target.kind === "record")
    return expr.index.kind === "literal" && typeof expr.index.value === "string"
      ? fieldType(checker, target, { field: expr.index.value, at: expr.index.at })
      : dyn
  const given = checker.resolved(index)
  if (isNamed(target, "list")) {
    if (!isDyn(given) && !isNumber(given))
      checker.report(expr.index.at, `a list is indexed by int, not ${print(given)}`)
    return argument(target, 0)
  }
  if (isNamed(target, "map")) {
    if (!isNumber(given) && !checker.unifier.accepts([argument(target, 0)], [index]))
      checker.report(
        expr.index.at,
        `a map with ${print(checker.resolved(argument(target, 0)))} keys is indexed by ${print(given)}`,
      )
    return argument(target, 1)
  }
  const remedy =
    isNamed(target, "string") || isNamed(target, "query") ? "use charAt(i) or substring(from, to)" : undefined
  checker.report(expr.at, `${print(target)} cannot be indexed`, remedy)
  return dyn
}
