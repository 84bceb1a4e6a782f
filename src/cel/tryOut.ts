/** Evaluates an expression that is not part of any configuration, for those who write some. */
import * as Result from "effect/Result"
import { isError } from "../../ir/cel/CelValue.ts"
import { compile } from "../../ir/cel/compile.ts"
import type { CustomFunctions } from "../../ir/cel/customFunctions.ts"
import { environment, environmentOf } from "../../ir/cel/Environment.ts"
import type { Issue } from "../../ir/cel/Expr.ts"
import { type Json, toJson } from "../../ir/cel/toJson.ts"
import { print } from "../../ir/cel/Type.ts"
import { type Context, contexts } from "../../ir/cel/variables.ts"
import { natives } from "../node/natives.ts"
import { clock } from "../node/timer.ts"
import { given } from "./given.ts"

export interface Trial {
  readonly expression: string
  /** Variables in JSON; absent: there are none. */
  readonly data?: unknown
  /** Where it is to stand; absent: wherever there are the most variables. */
  readonly place?: Context
  readonly functions?: CustomFunctions | undefined
}

export type Outcome =
  | { readonly _tag: "Invalid"; readonly issues: ReadonlyArray<Issue> }
  | { readonly _tag: "Malformed"; readonly message: string }
  | {
      readonly _tag: "Evaluated"
      readonly type: string
      readonly needs: ReadonlyArray<string>
      readonly result: Json
      readonly error: string | undefined
    }

const everything = { ...contexts.llm, ...contexts.log }

export const isPlace = (name: string): name is Context => Object.hasOwn(contexts, name)

export const places: ReadonlyArray<string> = Object.keys(contexts)

export const tryOut = ({ data, expression, functions, place }: Trial): Outcome => {
  const there =
    place === undefined ? environmentOf("an evaluation by hand", everything, functions) : environment(place, functions)
  const compiled = compile(expression, { environment: there, natives: natives(clock) })
  if (Result.isFailure(compiled)) return { _tag: "Invalid", issues: compiled.failure }
  const activation = given(data, everything)
  if (Result.isFailure(activation)) return { _tag: "Malformed", message: activation.failure }
  const { evaluate, needs, type } = compiled.success
  const value = evaluate(activation.success)
  return {
    _tag: "Evaluated",
    type: print(type),
    needs: [...needs].sort(),
    ...(isError(value) ? { result: null, error: value.message } : { result: toJson(value), error: undefined }),
  }
}
