/** Rules that allow, deny or require, judged together with every other set that applies. */
import * as Schema from "effect/Schema"
import { Expression } from "../Expression.ts"

export const Rule = Schema.Struct({ effect: Schema.Literals(["allow", "deny", "require"]), expression: Expression })
export type Rule = typeof Rule.Type

export const RuleSet = Schema.Struct({ rules: Schema.Array(Rule) })
export type RuleSet = typeof RuleSet.Type
