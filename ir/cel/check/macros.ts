/** The types of what macros make, and of the variables they bring. */
import type { Expr } from "../Expr.ts"
import { argument, bool, dyn, int, isDyn, isNamed, list, map, optional, print, string, type Type } from "../Type.ts"
import type { Checker } from "./Checker.ts"

const predicates: ReadonlySet<string> = new Set(["all", "exists", "existsOne", "filter", "filterKeys"])

export const macroType = (checker: Checker, expr: Extract<Expr, { kind: "macro" }>): Type => {
  const target = checker.unifier.follow(checker.typed(expr.target))
  const bound = variableTypes(checker, expr, target)
  const variables = bound.map((type, i) => [expr.variables[i] ?? "", type] as const)
  const body = checker.within(variables, () => {
    if (expr.filter !== undefined) checker.mustBe(bool, expr.filter, `the filter of ${expr.name} is bool`)
    if (!predicates.has(expr.name)) return checker.typed(expr.body)
    checker.mustBe(bool, expr.body, `the condition of ${expr.name} is bool`)
    return bool
  })
  switch (expr.name) {
    case "all":
    case "exists":
    case "existsOne":
      return bool
    case "map":
    case "transformList":
      return list(body)
    case "filter":
      return isNamed(target, "list") ? target : list(bound[0] ?? dyn)
    case "transformMap":
    case "mapValues":
      return map(isNamed(target, "map") ? argument(target, 0) : dyn, body)
    case "filterKeys":
      return target.kind === "record" ? map(string, dyn) : target
    case "with":
      return body
    case "optMap":
      return optional(body)
    case "optFlatMap":
      return isNamed(body, "optional_type") ? body : dyn
  }
}

/** The types of a macro's variables. */
const variableTypes = (checker: Checker, expr: Extract<Expr, { kind: "macro" }>, target: Type): ReadonlyArray<Type> => {
  if (expr.name === "with") return [target]
  if (expr.name === "optMap" || expr.name === "optFlatMap") {
    const inner = checker.unifier.fresh()
    if (!checker.unifier.accepts([optional(inner)], [target]))
      checker.report(expr.at, `${expr.name} is for optional values, not ${print(checker.resolved(target))}`)
    return [inner]
  }
  const two = expr.variables.length === 2
  const onlyMaps = expr.name === "mapValues" || expr.name === "filterKeys"
  if (target.kind === "variable" || isDyn(target)) return [dyn, ...(two ? [dyn] : [])]
  const isMap = isNamed(target, "map") || target.kind === "record" || isNamed(target, "headers")
  if (isNamed(target, "list") && !onlyMaps) return two ? [int, argument(target, 0)] : [argument(target, 0)]
  if (!isMap) {
    checker.report(
      expr.at,
      `${expr.name} is for ${onlyMaps ? "maps" : "lists and maps"}, not ${print(checker.resolved(target))}`,
    )
    return [dyn, ...(two ? [dyn] : [])]
  }
  const [key, value] = isNamed(target, "map") ? [argument(target, 0), argument(target, 1)] : [string, dyn]
  return two ? [key, value] : [expr.name === "mapValues" ? value : key]
}
