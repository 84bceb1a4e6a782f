/** What is known while an expression is checked, and what was found wrong with it. */
import type { CustomFunction } from "../customFunctions.ts"
import type { Environment } from "../Environment.ts"
import { type Expr, type Issue, issue } from "../Expr.ts"
import { dyn, isDyn, list, print, type Signature, type Type, Unifier } from "../Type.ts"

export class Checker {
  readonly issues: Array<Issue> = []
  readonly environment: Environment
  readonly unifier = new Unifier()
  /** The type of what is below, whatever it is. */
  readonly typed: (expr: Expr) => Type
  readonly #source: string
  readonly #scope: Array<readonly [name: string, type: Type]> = []
  readonly #bodies = new Map<CustomFunction, Type>()
  /** Above zero inside default() and has(), where a variable of another place just counts as absent. */
  #tolerant = 0
  /** Set while inside the body of a custom function: where to report, and for whom. */
  #inside: { readonly at: number; readonly name: string } | undefined

  constructor(source: string, environment: Environment, typeOf: (checker: Checker, expr: Expr) => Type) {
    this.#source = source
    this.environment = environment
    this.typed = (expr) => typeOf(this, expr)
  }

  resolved(type: Type): Type {
    return this.unifier.resolve(type)
  }

  report(at: number, message: string, remedy?: string): void {
    const inside = this.#inside
    const [place, text] =
      inside === undefined ? [at, message] : [inside.at, `in the custom function ${inside.name}: ${message}`]
    if (!this.issues.some((one) => one.at === place && one.message === text))
      this.issues.push(issue(this.#source, place, text, remedy))
  }

  get locals(): ReadonlyArray<string> {
    return this.#scope.map(([one]) => one)
  }

  local(name: string): Type | undefined {
    return this.#scope.findLast(([one]) => one === name)?.[1]
  }

  readonly isLocal = (name: string): boolean => this.local(name) !== undefined

  /** Looks at what sees these variables beside those around it. */
  within<A>(variables: ReadonlyArray<readonly [name: string, type: Type]>, look: () => A): A {
    this.#scope.push(...variables)
    const found = look()
    this.#scope.splice(this.#scope.length - variables.length)
    return found
  }

  get isTolerant(): boolean {
    return this.#tolerant > 0
  }

  tolerating<A>(look: () => A): A {
    this.#tolerant++
    const found = look()
    this.#tolerant--
    return found
  }

  /** The type of what a custom function makes, which sees nothing of where it is called from. */
  bodyType(custom: CustomFunction, at: number): Type {
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

  /** Complains of an operand of another type; `why` says what asks for this one. */
  mustBe(wanted: Type, expr: Expr, why: string): void {
    const type = this.unifier.follow(this.typed(expr))
    if (type.kind !== "variable" && !this.unifier.accepts([wanted], [type]))
      this.report(expr.at, `${why}, not ${print(this.resolved(type))}`)
  }

  /** The type of something that is one of these. */
  joined(types: ReadonlyArray<Type>): Type {
    const [first, ...rest] = types
    return first === undefined
      ? this.unifier.fresh()
      : rest.reduce((joined, one) => this.unifier.join(joined, one), first)
  }

  /** The result of the forms that fit the arguments, or undefined when none does. */
  overload(signatures: ReadonlyArray<Signature>, given: ReadonlyArray<Type>): Type | undefined {
    // What an empty list holds is not known; the first form that is tried must not decide it.
    const args = given.map((one) => (this.unifier.follow(one).kind === "variable" ? dyn : one))
    let result: Type | undefined
    for (const signature of signatures) {
      const names = new Map<number, Type>()
      const wanted = args.map((_, i) => signature.parameters[Math.min(i, signature.parameters.length - 1)] ?? dyn)
      if (
        !this.unifier.accepts(
          wanted.map((one) => this.unifier.instantiate(one, names)),
          args,
        )
      )
        continue
      const found = this.unifier.instantiate(signature.result, names)
      if (args.every((one) => !isDyn(this.resolved(one)))) return found
      if (result !== undefined && print(this.resolved(result)) !== print(this.resolved(found))) return dyn
      result = found
    }
    return result
  }
}
