/** The parts of an expression, in the order they are written. */
import type { Expr } from "./Expr.ts"

export const children = (expr: Expr): ReadonlyArray<Expr> => {
  switch (expr.kind) {
    case "literal":
    case "name":
      return []
    case "select":
    case "has":
      return [expr.target]
    case "index":
      return [expr.target, expr.index]
    case "call":
      return expr.target === undefined ? expr.arguments : [expr.target, ...expr.arguments]
    case "unary":
      return [expr.operand]
    case "binary":
      return [expr.left, expr.right]
    case "logic":
      return expr.operands
    case "choice":
      return [expr.condition, expr.yes, expr.no]
    case "list":
      return expr.elements.map((one) => one.value)
    case "map":
      return expr.entries.flatMap((one) => [one.key, one.value])
    case "message":
      return expr.fields.map((one) => one.value)
    case "macro":
      return expr.filter === undefined ? [expr.target, expr.body] : [expr.target, expr.filter, expr.body]
  }
}
