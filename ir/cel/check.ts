/** Finds the type of an expression and what cannot work in it: unknown names, wrong arguments, comparisons that are never true. */
import { type CelValue, kindOf } from "./CelValue.ts"
import type { CustomFunction } from "./customFunctions.ts"
import type { Environment } from "./Environment.ts"
import { type BinaryOperator, type Expr, type Issue, issue } from "./Expr.ts"
import { type CelFunction, functions, specialForms } from "./functions.ts"
import { resolve, spelled } from "./resolve.ts"
import {
  argument,
  bool,
  bytes,
  double,
  duration,
  dyn,
  int,
  isDyn,
  isNamed,
  list,
  map,
  named,
  nullType,
  optional,
  parseSignature,
  print,
  type Signature,
  string,
  timestamp,
  type Type,
  typeOf,
  uint,
  Unifier,
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
  const checker = new Checker(source, environment)
  const type = checker.resolved(checker.typed(expr))
  if (expected !== undefined && checker.issues.length === 0) checker.result(expr, type, expected)
  return { type, issues: checker.issues }
}

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

const numbers: ReadonlySet<string> = new Set(["int", "uint", "double"])
const isNumber = (type: Type): boolean => type.kind === "named" && numbers.has(type.name)
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

const literalTypes: Readonly<Record<string, Type>> = { null_type: nullType, bool, int, uint, double, string, bytes }
const literalType = (value: CelValue): Type => literalTypes[kindOf(value)] ?? dyn

const typeOfName = (name: string): Type => {
  if (name === "google.protobuf.Timestamp") return timestamp
  if (name === "google.protobuf.Duration") return duration
  const arity = name === "list" || name === "optional_type" ? [dyn] : name === "map" ? [dyn, dyn] : []
  return named(name, ...arity)
}

/** The words closest to a misspelt one. */
export const nearest = (word: string, known: Iterable<string>): string | undefined => {
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const one of known) {
    const distance = one.toLowerCase() === word.toLowerCase() ? 0 : editDistance(word, one, least)
    if (distance < least) [best, least] = [one, distance]
  }
  return best
}

const editDistance = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? limit
}

const suggestion = (word: string, known: Iterable<string>): string | undefined => {
  const near = nearest(word, known)
  return near === undefined ? undefined : `did you mean ${near}?`
}

class Checker {
  readonly issues: Array<Issue> = []
  readonly #source: string
  readonly #environment: Environment
  readonly #unifier = new Unifier()
  readonly #scope: Array<readonly [name: string, type: Type]> = []
  readonly #bodies = new Map<CustomFunction, Type>()
  /** Above zero inside default() and has(), where a variable of another place just counts as absent. */
  #tolerant = 0
  /** Set while inside the body of a custom function: where to report, and for whom. */
  #inside: { readonly at: number; readonly name: string } | undefined

  constructor(source: string, environment: Environment) {
    this.#source = source
    this.#environment = environment
  }

  resolved(type: Type): Type {
    return this.#unifier.resolve(type)
  }

  result(expr: Expr, type: Type, expected: ReadonlyArray<Type>): void {
    if (isDyn(type) || expected.some((one) => this.#unifier.accepts([one], [type]))) return
    const wanted = expected.map(print).join(" or ")
    const remedies: Record<string, string> = {
      bool: "compare it, for example with ==",
      string: "convert it with string(…) or toJson(…)",
    }
    this.#report(
      expr.at,
      `the result is ${print(type)}, but ${wanted} is needed here`,
      remedies[print(expected[0] ?? dyn)],
    )
  }

  #report(at: number, message: string, remedy?: string): void {
    const inside = this.#inside
    const [place, text] =
      inside === undefined ? [at, message] : [inside.at, `in the custom function ${inside.name}: ${message}`]
    if (!this.issues.some((one) => one.at === place && one.message === text))
      this.issues.push(issue(this.#source, place, text, remedy))
  }

  #local(name: string): Type | undefined {
    return this.#scope.findLast(([one]) => one === name)?.[1]
  }

  readonly #isLocal = (name: string): boolean => this.#local(name) !== undefined

  typed(expr: Expr): Type {
    switch (expr.kind) {
      case "literal":
        return literalType(expr.value)
      case "name":
        return this.#name(expr)
      case "select":
        return this.#select(expr)
      case "has": {
        this.#tolerant++
        this.#select({ kind: "select", at: expr.at, target: expr.target, field: expr.field, optional: expr.optional })
        this.#tolerant--
        return bool
      }
      case "index":
        return this.#index(expr)
      case "call":
        return this.#call(expr)
      case "unary":
        return this.#unary(expr)
      case "binary":
        return this.#binary(expr)
      case "logic":
        for (const one of expr.operands) this.#mustBe(bool, one, `${expr.operator} takes bool`)
        return bool
      case "choice": {
        this.#mustBe(bool, expr.condition, "the condition before ? is bool")
        return this.#unifier.join(this.typed(expr.yes), this.typed(expr.no))
      }
      case "list":
        return list(this.#joined(expr.elements.map((one) => this.#optionalPart(one.value, one.optional))))
      case "map":
        return this.#map(expr)
      case "message":
        for (const one of expr.fields) this.typed(one.value)
        this.#report(
          expr.at,
          `${expr.name}{…} would make a protobuf message, and there are none here`,
          'write a map: {"field": value}',
        )
        return dyn
      case "macro":
        return this.#macro(expr)
    }
  }

  #joined(types: ReadonlyArray<Type>): Type {
    const [first, ...rest] = types
    return first === undefined
      ? this.#unifier.fresh()
      : rest.reduce((joined, one) => this.#unifier.join(joined, one), first)
  }

  #optionalPart(expr: Expr, isOptional: boolean): Type {
    const type = this.typed(expr)
    if (!isOptional) return type
    const inner = this.#unifier.fresh()
    if (this.#unifier.accepts([optional(inner)], [type])) return inner
    this.#report(expr.at, `? needs an optional value, not ${print(this.resolved(type))}`, "wrap it in optional.of(…)")
    return dyn
  }

  #map(expr: Extract<Expr, { kind: "map" }>): Type {
    const keys: Array<Type> = []
    const values: Array<Type> = []
    for (const entry of expr.entries) {
      const key = this.typed(entry.key)
      const known = this.resolved(key)
      if (known.kind === "named" && !["dyn", "bool", "int", "uint", "string", "query", "redacted"].includes(known.name))
        this.#report(entry.key.at, `a map key is bool, int, uint or string, not ${print(known)}`)
      keys.push(key)
      values.push(this.#optionalPart(entry.value, entry.optional))
    }
    return map(this.#joined(keys), this.#joined(values))
  }

  #mustBe(wanted: Type, expr: Expr, why: string): void {
    const type = this.#unifier.follow(this.typed(expr))
    if (type.kind !== "variable" && !this.#unifier.accepts([wanted], [type]))
      this.#report(expr.at, `${why}, not ${print(this.resolved(type))}`)
  }

  #name(expr: Extract<Expr, { kind: "name" }>): Type {
    const local = expr.absolute ? undefined : this.#local(expr.name)
    if (local !== undefined) return local
    const found = resolve(expr, this.#environment, this.#isLocal)
    if (found?.kind === "variable") return this.#environment.variables[found.name] ?? dyn
    if (found !== undefined) return typeOf(typeOfName(found.name))
    return this.#unknownName(expr)
  }

  #unknownName(expr: Extract<Expr, { kind: "name" }>): Type {
    const { variables, elsewhere, name } = this.#environment
    const places = Object.hasOwn(elsewhere, expr.name) ? elsewhere[expr.name] : undefined
    if (places === undefined) {
      const isFunction = functions.has(expr.name) || specialForms.has(expr.name)
      const remedy = isFunction
        ? `${expr.name} is a function: call it as ${expr.name}(…)`
        : suggestion(expr.name, [...Object.keys(variables), ...this.#scope.map(([one]) => one)])
      this.#report(
        expr.at,
        `unknown variable ${expr.name}`,
        remedy ?? `there are ${Object.keys(variables).toSorted().join(", ")}`,
      )
    } else if (this.#tolerant === 0)
      this.#report(expr.at, `${expr.name} is not available in ${name}`, `it is in ${places.join(", ")}`)
    return dyn
  }

  #select(expr: Extract<Expr, { kind: "select" }>): Type {
    const found = resolve(expr, this.#environment, this.#isLocal)
    if (found?.kind === "variable") return this.#environment.variables[found.name] ?? dyn
    if (found !== undefined) return typeOf(typeOfName(found.name))
    const target = this.#unifier.follow(this.typed(expr.target))
    if (isNamed(target, "optional_type"))
      return this.#wrapped(this.#field(this.#unifier.follow(argument(target, 0)), expr))
    const field = this.#field(target, expr)
    return expr.optional ? this.#wrapped(field) : field
  }

  #wrapped(type: Type): Type {
    return isNamed(type, "optional_type") ? type : optional(type)
  }

  #field(target: Type, expr: { readonly field: string; readonly at: number }): Type {
    if (target.kind === "variable" || isDyn(target) || isNamed(target, "headers")) return dyn
    if (target.kind === "record") {
      const known = Object.hasOwn(target.fields, expr.field) ? target.fields[expr.field] : undefined
      if (known !== undefined) return known
      if (target.rest !== undefined) return target.rest
      const names = Object.keys(target.fields)
      this.#report(
        expr.at,
        `${target.name} has no field ${expr.field}`,
        suggestion(expr.field, names) ?? `it has ${names.join(", ")}`,
      )
      return dyn
    }
    if (isNamed(target, "map")) {
      if (!this.#unifier.accepts([argument(target, 0)], [string]))
        this.#report(expr.at, `a map with ${print(this.resolved(argument(target, 0)))} keys has no field ${expr.field}`)
      return argument(target, 1)
    }
    const method = functions.get(expr.field)
    const remedy = method?.signatures.some((one) => one.member) === true ? `call it: .${expr.field}(…)` : undefined
    this.#report(expr.at, `${print(target)} has no field ${expr.field}`, remedy)
    return dyn
  }

  #index(expr: Extract<Expr, { kind: "index" }>): Type {
    const target = this.#unifier.follow(this.typed(expr.target))
    const index = this.typed(expr.index)
    const within = isNamed(target, "optional_type")
    const found = this.#element(within ? this.#unifier.follow(argument(target, 0)) : target, index, expr)
    return within || expr.optional ? this.#wrapped(found) : found
  }

  #element(target: Type, index: Type, expr: Extract<Expr, { kind: "index" }>): Type {
    if (target.kind === "variable" || isDyn(target) || isNamed(target, "headers")) return dyn
    if (target.kind === "record")
      return expr.index.kind === "literal" && typeof expr.index.value === "string"
        ? this.#field(target, { field: expr.index.value, at: expr.index.at })
        : dyn
    const given = this.resolved(index)
    if (isNamed(target, "list")) {
      if (!isDyn(given) && !isNumber(given))
        this.#report(expr.index.at, `a list is indexed by int, not ${print(given)}`)
      return argument(target, 0)
    }
    if (isNamed(target, "map")) {
      if (!isNumber(given) && !this.#unifier.accepts([argument(target, 0)], [index]))
        this.#report(
          expr.index.at,
          `a map with ${print(this.resolved(argument(target, 0)))} keys is indexed by ${print(given)}`,
        )
      return argument(target, 1)
    }
    const remedy =
      isNamed(target, "string") || isNamed(target, "query") ? "use charAt(i) or substring(from, to)" : undefined
    this.#report(expr.at, `${print(target)} cannot be indexed`, remedy)
    return dyn
  }

  #unary(expr: Extract<Expr, { kind: "unary" }>): Type {
    if (expr.operator === "!") {
      this.#mustBe(bool, expr.operand, "! takes bool")
      return bool
    }
    const type = this.#unifier.follow(this.typed(expr.operand))
    if (isDyn(type) || type.kind === "variable" || isNamed(type, "int") || isNamed(type, "double")) return type
    this.#report(expr.at, `- takes int or double, not ${print(type)}`)
    return dyn
  }

  #binary(expr: Extract<Expr, { kind: "binary" }>): Type {
    const left = this.typed(expr.left)
    const right = this.typed(expr.right)
    const signatures = arithmeticSignatures[expr.operator]
    if (signatures === undefined) {
      this.#relation(expr, left, right)
      return bool
    }
    const found = this.#overload(signatures, [left, right])
    if (found !== undefined) return found
    const [a, b] = [this.resolved(left), this.resolved(right)]
    this.#report(
      expr.at,
      `${print(a)} ${expr.operator} ${print(b)} is not possible`,
      this.#arithmeticRemedy(expr.operator, a, b),
    )
    return dyn
  }

  #arithmeticRemedy(operator: BinaryOperator, left: Type, right: Type): string | undefined {
    if (isNumber(left) && isNumber(right))
      return print(left) === print(right)
        ? undefined
        : "both sides need one type: convert one with int(…), uint(…) or double(…)"
    if (operator === "+" && (isNamed(left, "string") || isNamed(right, "string")))
      return "convert the other side with string(…)"
    return undefined
  }

  #relation(expr: Extract<Expr, { kind: "binary" }>, left: Type, right: Type): void {
    const [a, b] = [this.resolved(left), this.resolved(right)]
    if (expr.operator === "in") {
      this.#membership(expr, a, b)
      return
    }
    if (expr.operator === "==" || expr.operator === "!=") {
      if (!this.#comparable(left, right))
        this.#report(expr.at, `${print(a)} and ${print(b)} are never equal`, this.#comparisonRemedy(a, b))
      return
    }
    const unordered = [a, b].find((one) => !isDyn(one) && (one.kind !== "named" || !ordered.has(one.name)))
    if (unordered !== undefined || !this.#comparable(left, right))
      this.#report(expr.at, `${print(a)} ${expr.operator} ${print(b)} is not possible`, this.#comparisonRemedy(a, b))
  }

  #comparisonRemedy(left: Type, right: Type): string | undefined {
    const both = [left, right]
    if (both.some(isNumber) && both.some((one) => isNamed(one, "string")))
      return "put the number in quotes, or convert the text with int(…)"
    return both.some((one) => isNamed(one, "bytes")) && both.some((one) => isNamed(one, "string"))
      ? "convert the bytes with string(…)"
      : undefined
  }

  /** Numbers compare across their types, anything compares with null. */
  #comparable(left: Type, right: Type): boolean {
    const a = this.#unifier.follow(left)
    const b = this.#unifier.follow(right)
    if (a.kind === "variable" || b.kind === "variable") return true
    if ((isNumber(a) && isNumber(b)) || isNamed(a, "null_type") || isNamed(b, "null_type")) return true
    if (this.#unifier.accepts([a], [b]) || this.#unifier.accepts([b], [a])) return true
    if (a.kind !== "named" || b.kind !== "named" || a.name !== b.name || a.arguments.length === 0) return false
    return a.name === "type" || a.arguments.every((one, i) => this.#comparable(one, b.arguments[i] ?? dyn))
  }

  #membership(expr: Extract<Expr, { kind: "binary" }>, item: Type, container: Type): void {
    if (isDyn(container) || container.kind === "record" || isNamed(container, "headers")) return
    if (isNamed(container, "list") || isNamed(container, "map")) {
      const inner = argument(container, 0)
      if (!this.#comparable(inner, item))
        this.#report(
          expr.at,
          `a ${print(container)} never contains ${print(item)}`,
          this.#comparisonRemedy(inner, item),
        )
      return
    }
    if (this.#unifier.accepts([string], [container]) && this.#unifier.accepts([string], [item])) return
    this.#report(expr.at, `${print(item)} in ${print(container)} is not possible`)
  }

  /** The result of the forms that fit the arguments, or undefined when none does. */
  #overload(signatures: ReadonlyArray<Signature>, given: ReadonlyArray<Type>): Type | undefined {
    // What an empty list holds is not known; the first form that is tried must not decide it.
    const args = given.map((one) => (this.#unifier.follow(one).kind === "variable" ? dyn : one))
    let result: Type | undefined
    for (const signature of signatures) {
      const names = new Map<number, Type>()
      const wanted = args.map((_, i) => signature.parameters[Math.min(i, signature.parameters.length - 1)] ?? dyn)
      if (
        !this.#unifier.accepts(
          wanted.map((one) => this.#unifier.instantiate(one, names)),
          args,
        )
      )
        continue
      const found = this.#unifier.instantiate(signature.result, names)
      if (args.every((one) => !isDyn(this.resolved(one)))) return found
      if (result !== undefined && print(this.resolved(result)) !== print(this.resolved(found))) return dyn
      result = found
    }
    return result
  }

  #call(expr: Extract<Expr, { kind: "call" }>): Type {
    const special = this.#special(expr)
    if (special !== undefined) return special
    const space = expr.target === undefined ? undefined : spelled(expr.target)
    const qualified =
      space === undefined || this.#isLocal(space.root) ? undefined : functions.get(`${space.path}.${expr.name}`)
    if (qualified !== undefined) return this.#builtIn(expr, qualified, expr.arguments, `${space?.path}.${expr.name}`)
    const custom = this.#environment.functions?.functions.get(expr.name)
    if (custom !== undefined) return this.#custom(expr, custom)
    const known = functions.get(expr.name)
    if (known !== undefined)
      return this.#builtIn(
        expr,
        known,
        expr.target === undefined ? expr.arguments : [expr.target, ...expr.arguments],
        expr.name,
      )
    for (const one of expr.arguments) this.typed(one)
    const names = [...functions.keys(), ...specialForms, ...(this.#environment.functions?.functions.keys() ?? [])]
    const full = space !== undefined && namespaceNames.has(space.path) ? `${space.path}.${expr.name}` : expr.name
    this.#report(expr.at, `unknown function ${full}`, suggestion(full, names))
    return dyn
  }

  /** Forms that do not take all their arguments as values. */
  #special(expr: Extract<Expr, { kind: "call" }>): Type | undefined {
    if (expr.target === undefined && (expr.name === "default" || expr.name === "coalesce")) return this.#fallback(expr)
    if (expr.target === undefined && expr.name === "variables") {
      if (expr.arguments.length > 0) this.#report(expr.at, "variables() takes no arguments")
      return map(string, dyn)
    }
    if (expr.target === undefined || expr.arguments.length !== 1 || (expr.name !== "or" && expr.name !== "orValue"))
      return undefined
    const target = this.typed(expr.target)
    const [other] = expr.arguments
    const inner = this.#unifier.fresh()
    if (other === undefined || !this.#unifier.accepts([optional(inner)], [target])) {
      this.#report(
        expr.at,
        `${expr.name}() is for optional values, not ${print(this.resolved(target))}`,
        "use default(value, fallback)",
      )
      return dyn
    }
    const given = this.typed(other)
    const wanted = expr.name === "or" ? optional(inner) : inner
    if (this.#unifier.accepts([wanted], [given])) return wanted
    return expr.name === "or"
      ? (this.#report(other.at, `or() takes an optional value, not ${print(this.resolved(given))}`), dyn)
      : dyn
  }

  #fallback(expr: Extract<Expr, { kind: "call" }>): Type {
    const least = expr.name === "default" ? 2 : 1
    if (expr.arguments.length < least || (expr.name === "default" && expr.arguments.length > 2))
      this.#report(
        expr.at,
        expr.name === "default"
          ? "default() takes an expression and its fallback"
          : "coalesce() takes at least one expression",
      )
    this.#tolerant++
    const types = expr.arguments.map((one) => this.typed(one)).filter((one) => !isNamed(one, "null_type"))
    this.#tolerant--
    return types.length === 0 ? nullType : this.#joined(types)
  }

  #builtIn(expr: Extract<Expr, { kind: "call" }>, known: CelFunction, args: ReadonlyArray<Expr>, name: string): Type {
    const types = args.map((one) => this.typed(one))
    const member = expr.target !== undefined && args.length > expr.arguments.length
    const formed = known.signatures.filter((one) => one.member === member)
    if (formed.length === 0) {
      const [form] = known.signatures
      this.#report(
        expr.at,
        `${name} is called ${member ? `as ${name}(…)` : `as a member: value.${name}(…)`}`,
        form === undefined ? undefined : printSignature(form),
      )
      return dyn
    }
    const fitting = formed.filter((one) => (one.variadic ? args.length >= 1 : one.parameters.length === args.length))
    if (fitting.length === 0) {
      const given = args.length - (member ? 1 : 0)
      this.#report(
        expr.at,
        `${name} does not take ${given} argument${given === 1 ? "" : "s"}`,
        formed.map(printSignature).join("; "),
      )
      return dyn
    }
    const found = this.#overload(fitting, types)
    if (found !== undefined) return found
    this.#report(
      expr.at,
      `${name} does not take (${types.map((one) => print(this.resolved(one))).join(", ")})`,
      fitting.map(printSignature).join("; "),
    )
    return dyn
  }

  #custom(expr: Extract<Expr, { kind: "call" }>, custom: CustomFunction): Type {
    if (expr.target !== undefined) this.typed(expr.target)
    for (const one of expr.arguments) this.typed(one)
    const count = expr.arguments.length
    const { parameters, variadic, name, member } = custom
    const form = `${member ? "this." : ""}${name}(${parameters.join(", ")}${variadic ? "..." : ""})`
    if (member !== (expr.target !== undefined))
      this.#report(
        expr.at,
        `${name} is called ${member ? "as a member: value." : "without a receiver: "}${name}(…)`,
        form,
      )
    else if (variadic ? count < parameters.length - 1 : count !== parameters.length)
      this.#report(expr.at, `${name} does not take ${count} argument${count === 1 ? "" : "s"}`, form)
    return this.#bodyOf(custom, expr.at)
  }

  #bodyOf(custom: CustomFunction, at: number): Type {
    const known = this.#bodies.get(custom)
    if (known !== undefined) return known
    this.#bodies.set(custom, dyn)
    const outer = this.#scope.splice(0)
    const inside = this.#inside
    this.#inside ??= { at, name: custom.name }
    if (custom.member) this.#scope.push(["this", dyn])
    custom.parameters.forEach((name, i) =>
      this.#scope.push([name, custom.variadic && i === custom.parameters.length - 1 ? list(dyn) : dyn]),
    )
    const type = this.resolved(this.typed(custom.body))
    this.#inside = inside
    this.#scope.splice(0, this.#scope.length, ...outer)
    this.#bodies.set(custom, type)
    return type
  }

  #macro(expr: Extract<Expr, { kind: "macro" }>): Type {
    const target = this.#unifier.follow(this.typed(expr.target))
    const bound = this.#bound(expr, target)
    bound.forEach((type, i) => this.#scope.push([expr.variables[i] ?? "", type]))
    if (expr.filter !== undefined) this.#mustBe(bool, expr.filter, `the filter of ${expr.name} is bool`)
    const predicate = ["all", "exists", "existsOne", "filter", "filterKeys"].includes(expr.name)
    if (predicate) this.#mustBe(bool, expr.body, `the condition of ${expr.name} is bool`)
    const body = predicate ? bool : this.typed(expr.body)
    this.#scope.splice(this.#scope.length - bound.length)
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
  #bound(expr: Extract<Expr, { kind: "macro" }>, target: Type): ReadonlyArray<Type> {
    if (expr.name === "with") return [target]
    if (expr.name === "optMap" || expr.name === "optFlatMap") {
      const inner = this.#unifier.fresh()
      if (!this.#unifier.accepts([optional(inner)], [target]))
        this.#report(expr.at, `${expr.name} is for optional values, not ${print(this.resolved(target))}`)
      return [inner]
    }
    const two = expr.variables.length === 2
    const onlyMaps = expr.name === "mapValues" || expr.name === "filterKeys"
    if (target.kind === "variable" || isDyn(target)) return [dyn, ...(two ? [dyn] : [])]
    const isMap = isNamed(target, "map") || target.kind === "record" || isNamed(target, "headers")
    if (isNamed(target, "list") && !onlyMaps) return two ? [int, argument(target, 0)] : [argument(target, 0)]
    if (!isMap) {
      this.#report(
        expr.at,
        `${expr.name} is for ${onlyMaps ? "maps" : "lists and maps"}, not ${print(this.resolved(target))}`,
      )
      return [dyn, ...(two ? [dyn] : [])]
    }
    const [key, value] = isNamed(target, "map") ? [argument(target, 0), argument(target, 1)] : [string, dyn]
    return two ? [key, value] : [expr.name === "mapValues" ? value : key]
  }
}

const namespaceNames: ReadonlySet<string> = new Set(
  [...functions.keys()].filter((one) => one.includes(".")).map((one) => one.slice(0, one.indexOf("."))),
)

export const printSignature = (signature: Signature): string => {
  const parameters = signature.parameters.map(printParameter)
  const args = signature.member ? parameters.slice(1) : parameters
  const listed = `${args.join(", ")}${signature.variadic ? "…" : ""}`
  return `${signature.member ? `${parameters[0] ?? ""}.` : ""}${signature.name}(${listed})`
}

const printParameter = (type: Type): string =>
  type.kind === "variable"
    ? "any"
    : type.kind === "named"
      ? type.arguments.length === 0
        ? type.name
        : `${type.name}<${type.arguments.map(printParameter).join(", ")}>`
      : type.name
