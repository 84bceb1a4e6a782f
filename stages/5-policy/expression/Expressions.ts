/** Compiles the expressions of the configuration, each once however often it is used, and counts those that fail. */
import * as Result from "effect/Result"
import { type CelValue, type Evaluated, isError } from "../../../ir/cel/CelValue.ts"
import { compile, failing, type Program } from "../../../ir/cel/compile.ts"
import type { CustomFunctions } from "../../../ir/cel/customFunctions.ts"
import { type Environment, environment } from "../../../ir/cel/Environment.ts"
import type { Issue } from "../../../ir/cel/Expr.ts"
import type { Natives } from "../../../ir/cel/Natives.ts"
import { dyn } from "../../../ir/cel/Type.ts"
import { type Use, uses } from "../../../ir/cel/uses.ts"
import type { Context, Need } from "../../../ir/cel/variables.ts"
import { isSensitive } from "../../../ir/cel/views.ts"
import type { Clock } from "../../ports/Timer.ts"
import type { Facts, Surroundings } from "./Facts.ts"

/** How many compiled expressions are remembered at once; what is in force keeps its own. */
const EXPRESSIONS_MAX = 16_384

export interface ExpressionSettings {
  readonly clock: Clock
  readonly natives: Natives
  readonly functions?: CustomFunctions | undefined
  /** What `env` holds. */
  readonly env?: Readonly<Record<string, string>>
  /** Headers that are secret beside those that always are. */
  readonly sensitiveHeaders?: ReadonlyArray<string>
}

/** How many evaluations failed, by what they were for. */
export type Failures = Partial<Record<Use, number>>

/** An expression in one place of the configuration. */
export class Expression {
  readonly program: Program
  private readonly use: Use
  private readonly failures: Failures

  constructor(program: Program, use: Use, failures: Failures) {
    this.program = program
    this.use = use
    this.failures = failures
  }

  evaluate(facts: Facts): Evaluated {
    const value = this.program.evaluate(facts)
    if (isError(value)) this.failed()
    return value
  }

  /** Undefined: it failed, or did not give a boolean. */
  holds(facts: Facts): boolean | undefined {
    const value = this.program.evaluate(facts)
    if (typeof value === "boolean") return value
    this.failed()
    return undefined
  }

  /** The value as its place of use takes it; a value it cannot take is a failure too. */
  as<A>(facts: Facts, convert: (value: CelValue) => A | undefined): A | undefined {
    const value = this.program.evaluate(facts)
    const converted = isError(value) ? undefined : convert(value)
    if (converted === undefined) this.failed()
    return converted
  }

  get source(): string {
    return this.program.source
  }

  needs(...needs: ReadonlyArray<Need>): boolean {
    return needs.some((need) => this.program.needs.has(need))
  }

  private failed(): void {
    this.failures[this.use] = (this.failures[this.use] ?? 0) + 1
  }
}

export const readsRequestBody = (expression: Expression | undefined): boolean =>
  expression?.needs("requestBody", "requestBodyPrefix") === true

/** What was said to a model, or by it. */
export const readsPayload = (expression: Expression | undefined): boolean =>
  expression?.needs("llmPrompt", "llmCompletion", "llmToolCalls") === true

export const readsReplyBody = (expression: Expression | undefined): boolean =>
  expression?.needs("responseBody", "responseBodyPrefix") === true

type Compiled = Result.Result<Program, ReadonlyArray<Issue>>

export class Expressions {
  readonly failures: Failures = {}
  readonly around: Surroundings
  private readonly settings: ExpressionSettings
  private readonly environments = new Map<Context, Environment>()
  private readonly known = new Map<string, Compiled>()

  constructor(settings: ExpressionSettings) {
    const more = new Set((settings.sensitiveHeaders ?? []).map((name) => name.toLowerCase()))
    this.settings = settings
    this.around = {
      clock: settings.clock,
      env: settings.env ?? {},
      isSensitive: more.size === 0 ? isSensitive : (name) => isSensitive(name) || more.has(name),
    }
  }

  /** What is wrong with an expression at such a place. */
  issues(source: string, context: Context, use: Use): ReadonlyArray<Issue> {
    const compiled = this.compiled(source, context, use)
    return Result.isFailure(compiled) ? compiled.failure : []
  }

  /** One that cannot be compiled fails whenever it is evaluated, so that its rule decides as for any failure. */
  compile(source: string, context: Context, use: Use): Expression {
    const compiled = this.compiled(source, context, use)
    const program = Result.isSuccess(compiled) ? compiled.success : failing(source, dyn)
    return new Expression(program, use, this.failures)
  }

  private compiled(source: string, context: Context, use: Use): Compiled {
    const key = `${context} ${use} ${source}`
    const known = this.known.get(key)
    if (known !== undefined) return known
    const expected = uses[use]
    const made = compile(source, {
      environment: this.environment(context),
      natives: this.settings.natives,
      ...(expected === undefined ? {} : { expected }),
    })
    if (this.known.size >= EXPRESSIONS_MAX) this.known.clear()
    this.known.set(key, made)
    return made
  }

  private environment(context: Context): Environment {
    let known = this.environments.get(context)
    if (known === undefined) {
      known = environment(context, this.settings.functions)
      this.environments.set(context, known)
    }
    return known
  }
}
