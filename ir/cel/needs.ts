/** Which variables, and which costly parts of them, an expression reads. What cannot be told is counted as read. */
import type { CustomFunction } from "./customFunctions.ts"
import type { Environment } from "./Environment.ts"
import type { Expr } from "./Expr.ts"
import { type Need, needsOf } from "./variables.ts"
import { children } from "./walk.ts"

export const needs = (expr: Expr, environment: Environment): ReadonlySet<Need> => {
  const found = new Set<Need>()
  const visited = new Set<CustomFunction>()
  const add = (path: ReadonlyArray<string>): void => {
    if (Object.hasOwn(environment.variables, path[0] ?? "")) for (const need of needsOf(path)) found.add(need)
  }
  const walk = (one: Expr, bound: ReadonlySet<string>): void => {
    const path = pathOf(one)
    const [root] = path
    if (root !== undefined && !bound.has(root)) add(path)
    if (one.kind === "call") called(one)
    if (one.kind === "macro") {
      walk(one.target, bound)
      const inner = new Set([...bound, ...one.variables])
      if (one.filter !== undefined) walk(one.filter, inner)
      walk(one.body, inner)
      return
    }
    if (path.length === 0) for (const part of children(one)) walk(part, bound)
  }
  const called = (call: Extract<Expr, { kind: "call" }>): void => {
    if (call.name === "variables") for (const name of Object.keys(environment.variables)) add([name])
    const custom = environment.functions?.functions.get(call.name)
    if (custom === undefined || visited.has(custom)) return
    visited.add(custom)
    walk(custom.body, new Set(custom.member ? [...custom.parameters, "this"] : custom.parameters))
  }
  walk(expr, new Set())
  return found
}

/** The fields read from a variable as far as they are known: `a.b["c"][i]` reads a, b, c. Empty for anything else. */
const pathOf = (expr: Expr): ReadonlyArray<string> => {
  switch (expr.kind) {
    case "name":
      return [expr.name]
    case "select":
    case "has":
      return extended(expr.target, expr.field)
    case "index":
      return expr.index.kind === "literal" && typeof expr.index.value === "string"
        ? extended(expr.target, expr.index.value)
        : []
    default:
      return []
  }
}

const extended = (target: Expr, field: string): ReadonlyArray<string> => {
  const path = pathOf(target)
  return path.length === 0 ? [] : [...path, field]
}
