/** What a caller may see and use of what targets offer. What it may not use does not exist for it. */
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import type { McpAuthorization } from "../../../../ir/policy/McpAuthorization.ts"
import { compileRules, decide, type Rules } from "../../../5-policy/authorization.ts"
import type { Expression } from "../../../5-policy/expression/Expressions.ts"
import { expressionsOf } from "../../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { Exchange } from "../../../Exchange.ts"

export type Kind = "tool" | "prompt" | "resource" | "task"

export interface Access {
  /** Whether every caller sees the same. */
  readonly isOpen: boolean
  /** For one exchange: whether a thing may be used, with such arguments, or be listed at all. */
  readonly of: (exchange: Exchange) => Judge
}

export interface Judge {
  readonly lists: (kind: Kind, target: string, name: string) => boolean
  readonly permits: (kind: Kind, target: string, name: string, args: CelValue | undefined) => boolean
}

const everything: Judge = { lists: () => true, permits: () => true }
export const open: Access = { isOpen: true, of: () => everything }

/** As long as the arguments are not known, a rule about them neither forbids nor fails to allow. */
const beforeCall = ({ allow, deny, require }: Rules<Expression>) => {
  const knows = (rule: Expression): boolean => !rule.needs("mcpArguments")
  const allowing = allow.every(knows) ? allow : []
  return { deny: deny.filter(knows), require: require.filter(knows), allow: allowing }
}

export const compile = (sets: ReadonlyArray<McpAuthorization> | undefined, ports: PolicyPorts): Access => {
  if (sets === undefined || sets.every(({ rules }) => rules.length === 0)) return open
  const expressions = expressionsOf(ports)
  const { around } = expressions
  const rules = compileRules(sets, expressions, "mcpAuthorization", "authorization")
  const listing = beforeCall(rules)
  return {
    isOpen: false,
    of: (exchange) => {
      const facts = Facts.of(around, { request: exchange.request, exchange })
      const judge = (by: Rules<Expression>, item: CelValue): boolean => {
        facts.mcp = item
        return decide(by, (rule) => rule.holds(facts))
      }
      return {
        lists: (kind, target, name) => judge(listing, { [kind]: { target, name } }),
        permits: (kind, target, name, args) =>
          judge(rules, { [kind]: args === undefined ? { target, name } : { target, name, arguments: args } }),
      }
    },
  }
}
