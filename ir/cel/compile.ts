/**
 * Expression tree → closures. Whatever depends on constants only is computed now; an evaluation makes no more than one small
 * object beside the values asked for, reads no variable it does not use, and never throws.
 */
import * as Result from "effect/Result"
import {
  CelError,
  type CelValue,
  type ErrorCode,
  type Evaluated,
  isError,
  type Key,
  MapValue,
  MapView,
  Optional,
  typeValue,
} from "./CelValue.ts"
import {
  type Activation,
  any,
  both,
  called,
  type Code,
  constantCode,
  dynamicCode,
  either,
  equality,
  Frame,
  macroRun,
  MapBuilder,
  membership,
  noActivation,
  noBool,
  notOptional,
  type Run,
} from "./evaluate.ts"
import { check } from "./check.ts"
import type { CustomFunction } from "./customFunctions.ts"
import type { Environment } from "./Environment.ts"
import { type Expr, type Issue, issue } from "./Expr.ts"
import { tooManySteps } from "./limits.ts"
import type { Natives } from "./Natives.ts"
import { needs } from "./needs.ts"
import {
  add,
  arithmetic,
  hasField,
  indexInto,
  indexOptional,
  multiply,
  negate,
  noSuchKey,
  not,
  order,
  select,
  selectOptional,
  subtract,
} from "./operators.ts"
import { parse } from "./parse.ts"
import { resolve, resolveCall, type ResolvedCall } from "./resolve.ts"
import type { Type } from "./Type.ts"
import type { Need } from "./variables.ts"

export type { Activation } from "./evaluate.ts"

export interface Program {
  readonly source: string
  readonly type: Type
  readonly needs: ReadonlySet<Need>
  /** The value, when it is the same for every evaluation. */
  readonly constant: CelValue | undefined
  readonly evaluate: (activation: Activation) => Evaluated
}

export interface CompileOptions {
  readonly environment: Environment
  readonly natives: Natives
  /** The types that the place of use can take. */
  readonly expected?: ReadonlyArray<Type>
}

/** Parses, checks and compiles; every problem found is an issue. */
export const compile = (source: string, options: CompileOptions): Result.Result<Program, ReadonlyArray<Issue>> => {
  const parsed = parse(source)
  if (Result.isFailure(parsed)) return Result.fail([parsed.failure])
  try {
    return compileParsed(parsed.success, source, options)
  } catch (problem) {
    // Each tree is shallow, but a long chain of custom functions that call each other may not be.
    if (!(problem instanceof RangeError)) throw problem
    return Result.fail([issue(source, 0, "the custom functions that this expression calls are nested too deep")])
  }
}

const compileParsed = (
  expr: Expr,
  source: string,
  options: CompileOptions,
): Result.Result<Program, ReadonlyArray<Issue>> => {
  const { environment, natives, expected } = options
  const { type, issues } = check(expr, source, environment, expected)
  if (issues.length > 0) return Result.fail(issues)
  const { evaluate, constant, literals } = compileTree(expr, environment, natives)
  if (literals.length > 0) return Result.fail(literals.map((one) => issue(source, one.at, one.error.message)))
  return Result.succeed({ source, type, needs: needs(expr, environment), constant, evaluate })
}

/** A program for an expression that could not be compiled: it always fails, so that a rule that asks for it decides as for an error. */
export const failing = (source: string, type: Type): Program => {
  const error = new CelError("invalid", `the expression ${JSON.stringify(source.slice(0, 256))} could not be compiled`)
  return { source, type, needs: new Set(), constant: undefined, evaluate: () => error }
}

interface BadLiteral {
  readonly at: number
  readonly error: CelError
}

/** Compiles without checking: what is unknown is an error when it is evaluated. */
export const compileTree = (
  expr: Expr,
  environment: Environment,
  natives: Natives,
): {
  readonly evaluate: (activation: Activation) => Evaluated
  readonly constant: CelValue | undefined
  readonly literals: ReadonlyArray<BadLiteral>
} => {
  const compiler = new Compiler(environment, natives)
  const { run, constant } = compiler.code(expr)
  const slots = compiler.slots
  const evaluate = (activation: Activation): Evaluated => {
    try {
      return run(new Frame(activation, slots))
    } catch (problem) {
      return thrown(problem)
    }
  }
  return { evaluate, constant: isError(constant) ? undefined : constant, literals: compiler.literals }
}

/** Only the engine itself throws here, when values are nested deeper than its stack. */
const thrown = (problem: unknown): CelError =>
  new CelError("tooMuch", `the evaluation was given up: ${String(problem).slice(0, 128)}`)

const recoverable: ReadonlySet<ErrorCode> = new Set(["noSuchKey", "undeclared"])

class Compiler {
  slots = 0
  readonly literals: Array<BadLiteral> = []
  readonly #environment: Environment
  readonly #natives: Natives
  readonly #scope: Array<readonly [name: string, slot: number]> = []
  readonly #bodies = new Map<CustomFunction, { readonly slots: ReadonlyArray<number>; readonly body: Code }>()

  constructor(environment: Environment, natives: Natives) {
    this.#environment = environment
    this.#natives = natives
  }

  #local(name: string): number | undefined {
    return this.#scope.findLast(([one]) => one === name)?.[1]
  }

  readonly #isLocal = (name: string): boolean => this.#local(name) !== undefined

  /** Computes now what depends only on constants. */
  #folded(parts: ReadonlyArray<Code>, run: Run): Code {
    if (parts.some((one) => one.constant === undefined)) return dynamicCode(run)
    try {
      return constantCode(run(new Frame(noActivation, this.slots)))
    } catch (problem) {
      return constantCode(thrown(problem))
    }
  }

  code(expr: Expr): Code {
    switch (expr.kind) {
      case "literal":
        return constantCode(expr.value)
      case "name":
        return this.#name(expr)
      case "select":
        return this.#select(expr)
      case "has":
        return this.#has(expr)
      case "index":
        return this.#index(expr)
      case "call":
        return this.#call(expr)
      case "unary": {
        const operand = this.code(expr.operand)
        const apply = expr.operator === "!" ? not : negate
        const { run } = operand
        return this.#folded([operand], (frame) => {
          const value = run(frame)
          return typeof value === "boolean" && apply === not ? !value : isError(value) ? value : apply(value)
        })
      }
      case "binary":
        return this.#binary(expr)
      case "logic":
        return this.#logic(expr)
      case "choice":
        return this.#choice(expr)
      case "list":
        return this.#list(expr)
      case "map":
        return this.#map(expr)
      case "message":
        return constantCode(new CelError("noSuchOverload", `there are no protobuf messages: ${expr.name}`))
      case "macro":
        return this.#macro(expr)
    }
  }

  #name(expr: Extract<Expr, { kind: "name" }>): Code {
    const slot = expr.absolute ? undefined : this.#local(expr.name)
    if (slot !== undefined) return dynamicCode((frame) => frame.locals[slot] as CelValue)
    return this.#global(expr) ?? this.#unresolved(expr.name)
  }

  #unresolved(name: string): Code {
    if (!Object.hasOwn(this.#environment.elsewhere, name))
      return constantCode(new CelError("undeclared", `undeclared reference to ${name}`))
    // A variable of another place is absent here.
    return constantCode(null)
  }

  #global(expr: Expr): Code | undefined {
    const found = resolve(expr, this.#environment, this.#isLocal)
    if (found === undefined) return undefined
    if (found.kind === "type") return constantCode(typeValue(found.name))
    const { name } = found
    return dynamicCode((frame) => frame.activation.get(name) ?? null)
  }

  #select(expr: Extract<Expr, { kind: "select" }>): Code {
    const global = this.#global(expr)
    if (global !== undefined) return global
    const target = this.code(expr.target)
    const { run } = target
    const { field } = expr
    if (expr.optional)
      return this.#folded([target], (frame) => {
        const value = run(frame)
        return isError(value) ? value : selectOptional(value, field)
      })
    const missing = noSuchKey(field)
    return this.#folded([target], (frame) => {
      const value = run(frame)
      if (value instanceof MapView) {
        const found = value.select(field)
        return found === undefined ? missing : found
      }
      return value instanceof CelError ? value : select(value, field, missing)
    })
  }

  #has(expr: Extract<Expr, { kind: "has" }>): Code {
    const target = this.code(expr.target)
    const { run } = target
    const { field } = expr
    // An absent variable has nothing; an absent field on the way to the one asked for is an error, as the language has it.
    return this.#folded([target], (frame) => {
      const value = run(frame)
      return value instanceof CelError ? value : hasField(value, field)
    })
  }

  #index(expr: Extract<Expr, { kind: "index" }>): Code {
    const target = this.code(expr.target)
    const index = this.code(expr.index)
    const into = expr.optional ? indexOptional : indexInto
    const { run } = target
    const name = index.constant
    if (typeof name === "string" && !expr.optional) {
      const missing = noSuchKey(name)
      return this.#folded([target], (frame) => {
        const value = run(frame)
        if (value instanceof MapView) {
          const found = value.get(name)
          return found === undefined ? missing : found
        }
        return value instanceof CelError ? value : indexInto(value, name)
      })
    }
    return this.#folded([target, index], (frame) => {
      const value = run(frame)
      if (isError(value)) return value
      const at = index.run(frame)
      return isError(at) ? at : into(value, at)
    })
  }

  #binary(expr: Extract<Expr, { kind: "binary" }>): Code {
    const left = this.code(expr.left)
    const right = this.code(expr.right)
    const parts = [left, right]
    const { operator } = expr
    switch (operator) {
      case "==":
      case "!=":
        return this.#folded(parts, equality(left, right, operator === "=="))
      case "in":
        return this.#folded(parts, membership(left, right))
      case "<":
      case "<=":
      case ">":
      case ">=":
        return this.#folded(
          parts,
          both(left.run, right.run, (a, b) => order(operator, a, b)),
        )
      case "+":
        return this.#folded(parts, both(left.run, right.run, add))
      case "-":
        return this.#folded(parts, both(left.run, right.run, subtract))
      case "*":
        return this.#folded(parts, both(left.run, right.run, multiply))
      default:
        return this.#folded(
          parts,
          both(left.run, right.run, (a, b) => arithmetic(operator, a, b)),
        )
    }
  }

  #logic(expr: Extract<Expr, { kind: "logic" }>): Code {
    const parts = expr.operands.map((one) => this.code(one))
    // The value that decides at once: false for &&, true for ||.
    const decisive = expr.operator === "||"
    if (parts.some((one) => one.constant === decisive)) return constantCode(decisive)
    const runs = parts.filter((one) => one.constant !== !decisive || parts.length === 1).map((one) => one.run)
    if (runs.length === 0) return constantCode(!decisive)
    return this.#folded(
      parts,
      runs.length === 2 ? either(runs[0] as Run, runs[1] as Run, decisive) : any(runs, decisive),
    )
  }

  #choice(expr: Extract<Expr, { kind: "choice" }>): Code {
    const condition = this.code(expr.condition)
    const yes = this.code(expr.yes)
    const no = this.code(expr.no)
    if (condition.constant === true) return yes
    if (condition.constant === false) return no
    return this.#folded([condition, yes, no], (frame) => {
      const value = condition.run(frame)
      return value === true ? yes.run(frame) : value === false ? no.run(frame) : isError(value) ? value : noBool(value)
    })
  }

  #list(expr: Extract<Expr, { kind: "list" }>): Code {
    const parts = expr.elements.map((one) => ({ ...this.code(one.value), optional: one.optional }))
    return this.#folded(parts, (frame) => {
      const values: Array<CelValue> = []
      for (const part of parts) {
        const value = part.run(frame)
        if (isError(value)) return value
        if (!part.optional) values.push(value)
        else if (!(value instanceof Optional)) return notOptional(value)
        else if (value.value !== undefined) values.push(value.value)
      }
      return values
    })
  }

  #map(expr: Extract<Expr, { kind: "map" }>): Code {
    const parts = expr.entries.map((one) => ({
      key: this.code(one.key),
      value: this.code(one.value),
      optional: one.optional,
    }))
    return this.#folded(
      parts.flatMap((one) => [one.key, one.value]),
      (frame) => {
        const builder = new MapBuilder()
        for (const part of parts) {
          const key = part.key.run(frame)
          if (isError(key)) return key
          const given = part.value.run(frame)
          if (isError(given)) return given
          if (part.optional && !(given instanceof Optional)) return notOptional(given)
          const value = part.optional && given instanceof Optional ? given.value : given
          const problem = value === undefined ? undefined : builder.set(key, value)
          if (problem !== undefined) return problem
        }
        return builder.map()
      },
    )
  }

  #call(expr: Extract<Expr, { kind: "call" }>): Code {
    const special = this.#special(expr)
    if (special !== undefined) return special
    const found = resolveCall(expr, this.#environment, this.#isLocal)
    if (found?.kind === "custom") return this.#custom(found.custom, expr)
    if (found !== undefined) return this.#builtIn(found, expr.at)
    return constantCode(new CelError("undeclared", `unbound function ${expr.name}`))
  }

  #special(expr: Extract<Expr, { kind: "call" }>): Code | undefined {
    if (expr.target === undefined) {
      if (expr.name === "default" && expr.arguments.length === 2) return this.#fallback(expr.arguments, true)
      if (expr.name === "coalesce" && expr.arguments.length > 0) return this.#fallback(expr.arguments, false)
      return expr.name === "variables" && expr.arguments.length === 0 ? this.#variables() : undefined
    }
    const [first] = expr.arguments
    if (first === undefined || expr.arguments.length !== 1 || (expr.name !== "or" && expr.name !== "orValue"))
      return undefined
    const target = this.code(expr.target)
    const other = this.code(first)
    const whole = expr.name === "or"
    return this.#folded([target, other], (frame) => {
      const value = target.run(frame)
      if (isError(value)) return value
      if (!(value instanceof Optional)) return notOptional(value)
      if (value.value !== undefined) return whole ? value : value.value
      const instead = other.run(frame)
      return whole && !isError(instead) && !(instead instanceof Optional) ? notOptional(instead) : instead
    })
  }

  /** The first that has a value; `default` passes on errors other than absence. */
  #fallback(args: ReadonlyArray<Expr>, strict: boolean): Code {
    const parts = args.map((one) => this.code(one))
    return this.#folded(parts, (frame) => {
      let last: Evaluated = null
      let sawNull = false
      for (const [i, part] of parts.entries()) {
        const value = part.run(frame)
        if (value !== null && !isError(value)) return value
        if (strict && (i > 0 || (isError(value) && !recoverable.has(value.code)))) return value
        if (value === null) sawNull = true
        last = value
      }
      return sawNull ? null : last
    })
  }

  #variables(): Code {
    const names = Object.keys(this.#environment.variables)
    return dynamicCode((frame) => {
      const values = new Map<Key, CelValue>()
      for (const name of names) {
        const value = frame.activation.get(name)
        if (value !== undefined && value !== null) values.set(name, value)
      }
      return new MapValue(values)
    })
  }

  #builtIn({ args, known, member }: Extract<ResolvedCall, { kind: "builtIn" }>, at: number): Code {
    const parts = args.map((one) => this.code(one))
    const formed = known.signatures.some(
      (one) => one.member === member && (one.variadic ? args.length > 0 : one.parameters.length === args.length),
    )
    if (!formed)
      return constantCode(
        new CelError("noSuchOverload", `no such overload: ${known.name} with ${args.length} arguments`),
      )
    const constants = parts.map((one) => (isError(one.constant) ? undefined : one.constant))
    const special = known.specialize?.(this.#natives, constants)
    if (special instanceof CelError) {
      if (known.readsLiteral) this.literals.push({ at, error: special })
      return constantCode(special)
    }
    const run = called(known, special ?? known.make(this.#natives), parts)
    if (!known.constant) return dynamicCode(run)
    const code = this.#folded(parts, run)
    const literal = args.every((one) => one.kind === "literal")
    if (known.readsLiteral && literal && isError(code.constant)) this.literals.push({ at, error: code.constant })
    return code
  }

  #custom(custom: CustomFunction, expr: Extract<Expr, { kind: "call" }>): Code {
    const target = expr.target === undefined ? undefined : this.code(expr.target)
    const args = expr.arguments.map((one) => this.code(one))
    const { parameters, variadic, member, name } = custom
    if (
      member !== (target !== undefined) ||
      (variadic ? args.length < parameters.length - 1 : args.length !== parameters.length)
    )
      return constantCode(new CelError("noSuchOverload", `no such overload: ${name} with ${args.length} arguments`))
    const { slots, body } = this.#bodyOf(custom)
    const given = [...(target === undefined ? [] : [target]), ...args]
    const fixed = variadic ? slots.length - 1 : slots.length
    return dynamicCode((frame) => {
      if (--frame.steps < 0) return tooManySteps
      const values: Array<CelValue> = []
      for (const part of given) {
        const value = part.run(frame)
        if (isError(value)) return value
        values.push(value)
      }
      for (let i = 0; i < fixed; i++) frame.locals[slots[i] as number] = values[i] as CelValue
      if (variadic) frame.locals[slots[fixed] as number] = values.slice(fixed)
      return body.run(frame)
    })
  }

  /** Without recursion one set of slots is enough for all calls of a function. */
  #bodyOf(custom: CustomFunction): { readonly slots: ReadonlyArray<number>; readonly body: Code } {
    const known = this.#bodies.get(custom)
    if (known !== undefined) return known
    const outer = this.#scope.splice(0)
    const names = custom.member ? ["this", ...custom.parameters] : custom.parameters
    const slots = names.map((name) => this.#bind(name))
    const made = { slots, body: this.code(custom.body) }
    this.#scope.splice(0, this.#scope.length, ...outer)
    this.#bodies.set(custom, made)
    return made
  }

  #bind(name: string): number {
    const slot = this.slots++
    this.#scope.push([name, slot])
    return slot
  }

  #macro(expr: Extract<Expr, { kind: "macro" }>): Code {
    const target = this.code(expr.target)
    const slots = expr.variables.map((name) => this.#bind(name))
    const filter = expr.filter === undefined ? undefined : this.code(expr.filter).run
    const body = this.code(expr.body)
    this.#scope.splice(this.#scope.length - slots.length)
    const [first = 0, second] = slots
    const run = macroRun(expr.name, { target: target.run, first, second, filter, body: body.run })
    return dynamicCode(run)
  }
}
