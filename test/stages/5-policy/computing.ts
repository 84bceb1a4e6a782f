/** Ports for policies with expressions, with all that an expression may ask of the outside. */
import type { Expression } from "../../../ir/Expression.ts"
import { Expressions, type ExpressionSettings } from "../../../stages/5-policy/expression/Expressions.ts"
import type { PolicyPorts } from "../../../stages/5-policy/steps.ts"
import { natives } from "../../ir/cel/natives.ts"
import { FakeClock } from "../exchange.ts"

export interface Computing extends PolicyPorts {
  readonly clock: FakeClock
  readonly expressions: Expressions
}

export const computing = (more: Partial<ExpressionSettings> & { readonly maxBufferBytes?: number } = {}): Computing => {
  const { maxBufferBytes = 64, ...settings } = more
  const clock = new FakeClock()
  return { clock, maxBufferBytes, expressions: new Expressions({ clock, natives, ...settings }) }
}

export const cel = (source: string): Expression => source as Expression
