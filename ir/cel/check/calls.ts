/** The types of what functions make: those of the language, those that are configured, and forms that only look like functions. */
import type { CustomFunction } from "../customFunctions.ts"
import type { Expr } from "../Expr.ts"
import { functions, specialForms } from "../functions.ts"
import { resolveCall, type ResolvedCall, spelled } from "../resolve.ts"
import { dyn, isNamed, map, namespaces, nullType, optional, print, printSignature, string, type Type } from "../Type.ts"
import type { Checker } from "./Checker.ts"
import { suggestion } from "./suggestion.ts"

export const callType = (checker: Checker, expr: Extract<Expr, { kind: "call" }>): Type => {
  const special = formType(checker, expr)
  if (special !== undefined) return special
  const found = resolveCall(expr, checker.environment, checker.isLocal)
  if (found?.kind === "custom") return customType(checker, expr, found.custom)
  if (found !== undefined) return builtInType(checker, expr.at, found)
  for (const one of expr.arguments) checker.typed(one)
  const names = [...functions.keys(), ...specialForms, ...(checker.environment.functions?.functions.keys() ?? [])]
  const space = expr.target === undefined ? undefined : spelled(expr.target)
  const full = space !== undefined && namespaces.has(space.path) ? `${space.path}.${expr.name}` : expr.name
  checker.report(expr.at, `unknown function ${full}`, suggestion(full, names))
  return dyn
}

/** Forms that do not take all their arguments as values. */
const formType = (checker: Checker, expr: Extract<Expr, { kind: "call" }>): Type | undefined => {
  if (expr.target === undefined && (expr.name === "default" || expr.name === "coalesce"))
    return fallbackType(checker, expr)
  if (expr.target === undefined && expr.name === "variables") {
    if (expr.arguments.length > 0) checker.report(expr.at, "variables() takes no arguments")
    return map(string, dyn)
  }
  if (expr.target === undefined || expr.arguments.length !== 1 || (expr.name !== "or" && expr.name !== "orValue"))
    return undefined
  const target = checker.typed(expr.target)
  const [other] = expr.arguments
  const inner = checker.unifier.fresh()
  if (other === undefined || !checker.unifier.accepts([optional(inner)], [target])) {
    checker.report(
      expr.at,
      `${expr.name}() is for optional values, not ${print(checker.resolved(target))}`,
      "use default(value, fallback)",
    )
    return dyn
  }
  const given = checker.typed(other)
  const wanted = expr.name === "or" ? optional(inner) : inner
  if (checker.unifier.accepts([wanted], [given])) return wanted
  return expr.name === "or"
    ? (checker.report(other.at, `or() takes an optional value, not ${print(checker.resolved(given))}`), dyn)
    : dyn
}

const fallbackType = (checker: Checker, expr: Extract<Expr, { kind: "call" }>): Type => {
  const least = expr.name === "default" ? 2 : 1
  if (expr.arguments.length < least || (expr.name === "default" && expr.arguments.length > 2))
    checker.report(
      expr.at,
      expr.name === "default"
        ? "default() takes an expression and its fallback"
        : "coalesce() takes at least one expression",
    )
  const types = checker
    .tolerating(() => expr.arguments.map((one) => checker.typed(one)))
    .filter((one) => !isNamed(one, "null_type"))
  return types.length === 0 ? nullType : checker.joined(types)
}

const builtInType = (
  checker: Checker,
  at: number,
  { args, known, member, name }: Extract<ResolvedCall, { kind: "builtIn" }>,
): Type => {
  const types = args.map((one) => checker.typed(one))
  const formed = known.signatures.filter((one) => one.member === member)
  if (formed.length === 0) {
    const [form] = known.signatures
    checker.report(
      at,
      `${name} is called ${member ? `as ${name}(…)` : `as a member: value.${name}(…)`}`,
      form === undefined ? undefined : printSignature(form),
    )
    return dyn
  }
  const fitting = formed.filter((one) => (one.variadic ? args.length >= 1 : one.parameters.length === args.length))
  if (fitting.length === 0) {
    const given = args.length - (member ? 1 : 0)
    checker.report(
      at,
      `${name} does not take ${given} argument${given === 1 ? "" : "s"}`,
      formed.map(printSignature).join("; "),
    )
    return dyn
  }
  const found = checker.overload(fitting, types)
  if (found !== undefined) return found
  checker.report(
    at,
    `${name} does not take (${types.map((one) => print(checker.resolved(one))).join(", ")})`,
    fitting.map(printSignature).join("; "),
  )
  return dyn
}

const customType = (checker: Checker, expr: Extract<Expr, { kind: "call" }>, custom: CustomFunction): Type => {
  if (expr.target !== undefined) checker.typed(expr.target)
  for (const one of expr.arguments) checker.typed(one)
  const count = expr.arguments.length
  const { parameters, variadic, name, member } = custom
  const form = `${member ? "this." : ""}${name}(${parameters.join(", ")}${variadic ? "..." : ""})`
  if (member !== (expr.target !== undefined))
    checker.report(
      expr.at,
      `${name} is called ${member ? "as a member: value." : "without a receiver: "}${name}(…)`,
      form,
    )
  else if (variadic ? count < parameters.length - 1 : count !== parameters.length)
    checker.report(expr.at, `${name} does not take ${count} argument${count === 1 ? "" : "s"}`, form)
  return checker.bodyType(custom, expr.at)
}
