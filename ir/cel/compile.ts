/**
 * Expression tree → closures. Whatever depends on constants only is computed now; an evaluation makes no more than one small
 * object beside the values asked for, reads no variable it does not use, and never throws.
 */
import * as Result from "effect/Result"
import {
  CelError, type CelValue, equal, type ErrorCode, type Evaluated, isError, isList, isMap, type Key, keyOf, kindOf, mapGet, mapKeys, MapValue, MapView, none,
  Optional, typeValue
} from "./CelValue.ts" // prettier-ignore
import { check } from "./check.ts"
import type { CustomFunction } from "./customFunctions.ts"
import type { Environment } from "./Environment.ts"
import { type Expr, type Issue, issue } from "./Expr.ts"
import { type CelFunction, functions } from "./functions.ts"
import type { Implementation } from "./functions/define.ts"
import { EVALUATION_STEPS_MAX, tooManySteps } from "./limits.ts"
import type { Natives } from "./Natives.ts"
import { needs } from "./needs.ts"
import {
  add,
  arithmetic,
  contains,
  hasField,
  indexInto,
  indexOptional,
  negate,
  noSuchKey,
  not,
  order,
  select,
  selectOptional,
  subtract,
} from "./operators.ts"
import { parse } from "./parse.ts"
import { resolve, spelled } from "./resolve.ts"
import type { Type } from "./Type.ts"
import type { Need } from "./variables.ts"

/** Gives the value of a variable when it is first asked for; undefined when there is none. */
export interface Activation {
  readonly get: (name: string) => CelValue | undefined
}

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
  const { environment, natives, expected } = options
  const { type, issues } = check(parsed.success, source, environment, expected)
  if (issues.length > 0) return Result.fail(issues)
  const { evaluate, constant, literals } = compileTree(parsed.success, environment, natives)
  if (literals.length > 0) return Result.fail(literals.map((one) => issue(source, one.at, one.error.message)))
  return Result.succeed({ source, type, needs: needs(parsed.success, environment), constant, evaluate })
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

class Frame {
  readonly activation: Activation
  readonly locals: Array<CelValue>
  steps: number
  constructor(activation: Activation, slots: number) {
    this.activation = activation
    this.locals = slots === 0 ? noLocals : Array.from<CelValue>({ length: slots })
    this.steps = EVALUATION_STEPS_MAX
  }
}

const noLocals: Array<CelValue> = []
const noActivation: Activation = { get: () => undefined }

type Run = (frame: Frame) => Evaluated
interface Code {
  readonly run: Run
  /** The result, when it depends on nothing. */
  readonly constant: Evaluated | undefined
}

const constantCode = (value: Evaluated): Code => ({ run: () => value, constant: value })
const dynamicCode = (run: Run): Code => ({ run, constant: undefined })

const noBool = (value: CelValue): CelError =>
  new CelError("noSuchOverload", `no such overload: bool needed, not ${kindOf(value)}`)

/** Reading long values takes steps too, or a loop of cheap-looking calls could hold the process for long. */
const charge = (frame: Frame, value: CelValue, work: number): void => {
  if (typeof value === "string" || isList(value) || value instanceof Uint8Array) {
    if (value.length > 255) frame.steps -= (value.length >>> 8) * work
  }
}

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
    const space = expr.target === undefined ? undefined : spelled(expr.target)
    const qualified =
      space === undefined || this.#isLocal(space.root) ? undefined : functions.get(`${space.path}.${expr.name}`)
    if (qualified !== undefined) return this.#builtIn(qualified, expr.arguments, false, expr.at)
    const custom = this.#environment.functions?.functions.get(expr.name)
    if (custom !== undefined) return this.#custom(custom, expr)
    const known = functions.get(expr.name)
    const args = expr.target === undefined ? expr.arguments : [expr.target, ...expr.arguments]
    if (known !== undefined) return this.#builtIn(known, args, expr.target !== undefined, expr.at)
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

  #builtIn(known: CelFunction, args: ReadonlyArray<Expr>, member: boolean, at: number): Code {
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

interface Loop {
  readonly target: Run
  readonly first: number
  readonly second: number | undefined
  readonly filter: Run | undefined
  readonly body: Run
}

const notOptional = (value: CelValue): CelError =>
  new CelError("noSuchOverload", `no such overload: optional value needed, not ${kindOf(value)}`)

const both =
  (left: Run, right: Run, apply: (a: CelValue, b: CelValue) => Evaluated): Run =>
  (frame) => {
    const a = left(frame)
    if (isError(a)) return a
    const b = right(frame)
    if (isError(b)) return b
    charge(frame, a, 1)
    charge(frame, b, 1)
    return frame.steps < 0 ? tooManySteps : apply(a, b)
  }

const equality = (left: Code, right: Code, sameIs: boolean): Run => {
  const literal =
    typeof right.constant === "string" ? right.constant : typeof left.constant === "string" ? left.constant : undefined
  if (literal !== undefined) {
    const other = typeof right.constant === "string" ? left.run : right.run
    return (frame) => {
      const value = other(frame)
      if (typeof value === "string") return (value === literal) === sameIs
      return isError(value) ? value : equal(value, literal) === sameIs
    }
  }
  return both2(left.run, right.run, (a, b, frame) => equal(a, b, frame) === sameIs)
}

const both2 =
  (left: Run, right: Run, apply: (a: CelValue, b: CelValue, frame: Frame) => Evaluated): Run =>
  (frame) => {
    const a = left(frame)
    if (isError(a)) return a
    const b = right(frame)
    if (isError(b)) return b
    const result = apply(a, b, frame)
    return frame.steps < 0 ? tooManySteps : result
  }

const membership = (left: Code, right: Code): Run => {
  const items = right.constant
  if (
    items !== undefined &&
    !isError(items) &&
    isList(items) &&
    items.length > 0 &&
    items.every((one) => typeof one === "string")
  ) {
    const known = new Set<CelValue>(items)
    const { run } = left
    return (frame) => {
      const value = run(frame)
      if (typeof value === "string") return known.has(value)
      return isError(value) ? value : contains(items, value, frame)
    }
  }
  return both2(left.run, right.run, (a, b, frame) => {
    charge(frame, b, typeof b === "string" ? 1 : 0)
    return contains(b, a, frame)
  })
}

/** Two operands of one chain: an error does not matter when the other one decides. */
const either =
  (left: Run, right: Run, decisive: boolean): Run =>
  (frame) => {
    const a = left(frame)
    if (a === decisive) return decisive
    const b = right(frame)
    if (b === decisive) return decisive
    if (typeof a === "boolean" && typeof b === "boolean") return !decisive
    return typeof a !== "boolean" ? (isError(a) ? a : noBool(a)) : isError(b) ? b : noBool(b as CelValue)
  }

const any =
  (runs: ReadonlyArray<Run>, decisive: boolean): Run =>
  (frame) => {
    let problem: CelError | undefined
    for (const run of runs) {
      const value = run(frame)
      if (value === decisive) return decisive
      if (typeof value !== "boolean" && problem === undefined) problem = isError(value) ? value : noBool(value)
    }
    return problem ?? !decisive
  }

type Call = (...args: ReadonlyArray<CelValue>) => Evaluated

const called = (known: CelFunction, implementation: Implementation, parts: ReadonlyArray<Code>): Run => {
  const { work, variadic } = known
  // Implementations take as many arguments as their signature was matched for; the rest stay undefined.
  const call = implementation as Call
  const [a, b] = parts
  if (variadic === undefined && parts.length === 1 && a !== undefined) return one(a.run, call, work)
  if (variadic === undefined && parts.length === 2 && a !== undefined && b !== undefined)
    return two(a.run, b.run, call, work)
  return (frame) => {
    const values: Array<CelValue> = []
    for (const part of parts) {
      const value = part.run(frame)
      if (isError(value)) return value
      charge(frame, value, work)
      values.push(value)
    }
    if (frame.steps < 0) return tooManySteps
    return charged(frame, variadic === undefined ? call(...values) : variadic(values))
  }
}

const charged = (frame: Frame, result: Evaluated): Evaluated => {
  if (typeof result === "object" && isError(result)) return result
  charge(frame, result, 1)
  return result
}

const one =
  (a: Run, call: Call, work: number): Run =>
  (frame) => {
    const value = a(frame)
    if (isError(value)) return value
    charge(frame, value, work)
    return frame.steps < 0 ? tooManySteps : charged(frame, call(value))
  }

const two =
  (a: Run, b: Run, call: Call, work: number): Run =>
  (frame) => {
    const value = a(frame)
    if (isError(value)) return value
    const other = b(frame)
    if (isError(other)) return other
    charge(frame, value, work)
    charge(frame, other, work)
    return frame.steps < 0 ? tooManySteps : charged(frame, call(value, other))
  }

class MapBuilder {
  readonly #values = new Map<Key, CelValue>()
  #originals: Map<Key, CelValue> | undefined

  set(key: CelValue, value: CelValue): CelError | undefined {
    const kind = kindOf(key)
    const name = kind === "double" ? undefined : keyOf(key)
    if (name === undefined) return new CelError("invalid", `unsupported key type: ${kind}`)
    if (this.#values.has(name)) return new CelError("invalid", `repeated key: ${String(name).slice(0, 64)}`)
    this.#values.set(name, value)
    if (kind === "uint") (this.#originals ??= new Map()).set(name, key)
    return undefined
  }

  map(): MapValue {
    return new MapValue(this.#values, this.#originals)
  }
}

/** Elements with their indexes, or keys with their values. */
const pairs = (
  value: CelValue,
): { readonly keys: ReadonlyArray<CelValue>; readonly valueAt: (i: number) => CelValue } | undefined => {
  if (isList(value)) return { keys: value, valueAt: (i) => value[i] as CelValue }
  if (!isMap(value)) return undefined
  const keys = mapKeys(value)
  return { keys, valueAt: (i) => mapGet(value, keyOf(keys[i] as CelValue) ?? "") ?? null }
}

const noRange = (name: string, value: CelValue): CelError =>
  new CelError("noSuchOverload", `no such overload: ${name} over ${kindOf(value)}`)

/** Runs `round` for each element until it answers; what it binds is what the macro's variables see. */
const loop =
  (name: string, parts: Loop, round: (result: Evaluated, key: CelValue) => Evaluated | undefined) =>
  (frame: Frame, over: CelValue): Evaluated | undefined => {
    const { first, second, filter, body } = parts
    const items = pairs(over)
    if (items === undefined) return noRange(name, over)
    const listed = isList(over)
    const byValue = name === "mapValues"
    for (let i = 0; i < items.keys.length; i++) {
      if (--frame.steps < 0) return tooManySteps
      const key = second !== undefined && listed ? i : (items.keys[i] as CelValue)
      frame.locals[first] = byValue ? items.valueAt(i) : key
      if (second !== undefined) frame.locals[second] = items.valueAt(i)
      if (filter !== undefined) {
        const kept = filter(frame)
        if (typeof kept !== "boolean") return isError(kept) ? kept : noBool(kept)
        if (!kept) continue
      }
      const answer = round(body(frame), key)
      if (answer !== undefined) return answer
    }
    return undefined
  }

const macroRun = (name: Extract<Expr, { kind: "macro" }>["name"], parts: Loop): Run => {
  const { target } = parts
  const over =
    (apply: (frame: Frame, value: CelValue) => Evaluated): Run =>
    (frame) => {
      const value = target(frame)
      return isError(value) ? value : apply(frame, value)
    }
  switch (name) {
    case "with":
      return over((frame, value) => {
        frame.locals[parts.first] = value
        return parts.body(frame)
      })
    case "optMap":
    case "optFlatMap":
      return over((frame, value) => {
        if (!(value instanceof Optional)) return notOptional(value)
        if (value.value === undefined) return none
        frame.locals[parts.first] = value.value
        const result = parts.body(frame)
        if (isError(result)) return result
        if (name === "optMap") return new Optional(result)
        return result instanceof Optional ? result : notOptional(result)
      })
    case "all":
      return over(quantified(parts, false, name))
    case "exists":
      return over(quantified(parts, true, name))
    case "existsOne":
      return over((frame, value) => {
        let count = 0
        const stopped = loop(name, parts, (result) => {
          if (typeof result !== "boolean") return isError(result) ? result : noBool(result)
          if (result) count++
          return undefined
        })(frame, value)
        return stopped ?? count === 1
      })
    case "map":
    case "transformList":
      return over((frame, value) => {
        const made: Array<CelValue> = []
        const stopped = loop(name, parts, (result) => {
          if (isError(result)) return result
          made.push(result)
          return undefined
        })(frame, value)
        return stopped ?? made
      })
    case "filter":
      return over((frame, value) => {
        const made: Array<CelValue> = []
        const stopped = loop(name, parts, (result, key) => {
          if (typeof result !== "boolean") return isError(result) ? result : noBool(result)
          if (result) made.push(key)
          return undefined
        })(frame, value)
        return stopped ?? made
      })
    case "transformMap":
    case "mapValues":
    case "filterKeys":
      return over((frame, value) => {
        if (name !== "transformMap" && !isMap(value)) return noRange(name, value)
        const builder = new MapBuilder()
        const stopped = loop(name, parts, (result, key) => {
          if (isError(result)) return result
          if (name !== "filterKeys") return builder.set(key, result)
          if (typeof result !== "boolean") return noBool(result)
          return result && isMap(value) ? builder.set(key, mapGet(value, keyOf(key) ?? "") ?? null) : undefined
        })(frame, value)
        return stopped ?? builder.map()
      })
  }
}

/** all and exists: an error is forgotten when another element decides. */
const quantified =
  (parts: Loop, decisive: boolean, name: string) =>
  (frame: Frame, value: CelValue): Evaluated => {
    let problem: CelError | undefined
    const stopped = loop(name, parts, (result) => {
      if (result === decisive) return decisive
      if (typeof result !== "boolean" && problem === undefined) problem = isError(result) ? result : noBool(result)
      return undefined
    })(frame, value)
    return stopped ?? problem ?? !decisive
  }
