/** Short ways to evaluate an expression in a test. */
import * as Result from "effect/Result"
import { type CelValue, type Evaluated, isError } from "../../../ir/cel/CelValue.ts"
import { compile, type Program } from "../../../ir/cel/compile.ts"
import type { CustomFunctions } from "../../../ir/cel/customFunctions.ts"
import { type Environment, environment, environmentOf } from "../../../ir/cel/Environment.ts"
import { type Json, toJson } from "../../../ir/cel/toJson.ts"
import { dyn } from "../../../ir/cel/Type.ts"
import type { Context } from "../../../ir/cel/variables.ts"
import { natives } from "./natives.ts"

type Values = Readonly<Record<string, CelValue>>

export const programIn = (source: string, where: Environment): Program => {
  const compiled = compile(source, { environment: where, natives })
  if (Result.isFailure(compiled))
    throw new Error(compiled.failure.map((one) => `${one.line}:${one.column} ${one.message}`).join("\n"))
  return compiled.success
}

/** Each problem as `line:column message`. */
export const problems = (source: string, context: Context, functions?: CustomFunctions): ReadonlyArray<string> => {
  const compiled = compile(source, { environment: environment(context, functions), natives })
  return Result.isSuccess(compiled) ? [] : compiled.failure.map((one) => `${one.line}:${one.column} ${one.message}`)
}

export const remedies = (source: string, context: Context): ReadonlyArray<string | undefined> => {
  const compiled = compile(source, { environment: environment(context), natives })
  return Result.isSuccess(compiled) ? [] : compiled.failure.map((one) => one.remedy)
}

const activation = (values: Values) => ({
  get: (name: string) => (Object.hasOwn(values, name) ? values[name] : undefined),
})

/** Evaluated with variables whose types are not known before. */
export const raw = (source: string, values: Values = {}, functions?: CustomFunctions): Evaluated => {
  const variables = Object.fromEntries(Object.keys(values).map((name) => [name, dyn]))
  return programIn(source, environmentOf("the test", variables, functions)).evaluate(activation(values))
}

/** The value as JSON, or the error as `error: message`. */
export const value = (source: string, values: Values = {}, functions?: CustomFunctions): Json =>
  shown(raw(source, values, functions))

/** The same where the variables of a place are declared. */
export const valueIn = (context: Context, source: string, values: Values): Json =>
  shown(programIn(source, environment(context)).evaluate(activation(values)))

const shown = (result: Evaluated): Json => (isError(result) ? `error: ${result.message}` : toJson(result))
