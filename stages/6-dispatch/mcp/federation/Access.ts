/** What a caller may see and use of what targets offer. What it may not use does not exist for it. */
import type { CelValue } from "../../../../ir/cel/CelValue.ts"
import type { McpAuthorization } from "../../../../ir/policy/McpAuthorization.ts"
import { matchesAny } from "../../../../protocols/mcp/pattern.ts"
import { compileJudges, compileRules, decide, type Rules } from "../../../5-policy/authorization.ts"
import type { Expression } from "../../../5-policy/expression/Expressions.ts"
import { expressionsOf } from "../../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { Exchange } from "../../../Exchange.ts"

export type Kind = "tool" | "prompt" | "resource" | "task"

export interface Access {
  /** Whether nothing is kept from whoever asks. */
  readonly isOpenTo: (exchange: Exchange) => boolean
  /** For one exchange: whether a thing may be used, with such arguments, or be listed at all. */
  readonly of: (exchange: Exchange) => Judge
}

export interface Judge {
  readonly lists: (kind: Kind, target: string, name: string) => boolean
  readonly permits: (kind: Kind, target: string, name: string, args: CelValue | undefined) => boolean
}

const everything: Judge = { lists: () => true, permits: () => true }
export const open: Access = { isOpenTo: () => true, of: () => everything }

/** The same access, within the tools that the caller's key is good for: by their names, or by those of targets and tools. */
export const withinKey = (access: Access): Access => ({
  isOpenTo: (exchange) => exchange.identity?.apiKey?.allowedTools === undefined && access.isOpenTo(exchange),
  of: (exchange) => {
    const judge = access.of(exchange)
    const allowed = exchange.identity?.apiKey?.allowedTools
    if (allowed === undefined) return judge
    const covers = (kind: Kind, target: string, name: string): boolean =>
      kind !== "tool" || matchesAny(allowed, name) || matchesAny(allowed, `${target}/${name}`)
    return {
      lists: (kind, target, name) => covers(kind, target, name) && judge.lists(kind, target, name),
      permits: (kind, target, name, args) => covers(kind, target, name) && judge.permits(kind, target, name, args),
    }
  },
})

/** As long as the arguments are not known, a rule that cannot be judged without them neither forbids nor fails to allow. */
const listed = ({ allow, deny, require }: Rules<Expression>, facts: Facts): boolean => {
  const holds = (rule: Expression, otherwise: boolean): boolean | undefined =>
    rule.holds(facts) ?? (rule.needs("mcpArguments") ? otherwise : undefined)
  return (
    deny.every((rule) => holds(rule, false) === false) &&
    require.every((rule) => holds(rule, true) === true) &&
    (allow.length === 0 || allow.some((rule) => holds(rule, true) === true))
  )
}

export const compile = (sets: ReadonlyArray<McpAuthorization> | undefined, ports: PolicyPorts): Access => {
  if (sets === undefined || sets.every(({ cedar, rules }) => rules.length === 0 && cedar === undefined)) return open
  const expressions = expressionsOf(ports)
  const { around } = expressions
  const rules = compileRules(sets, expressions, "mcpAuthorization", "authorization")
  const judges = compileJudges(sets, ports, "mcpAuthorization")
  return {
    isOpenTo: () => false,
    of: (exchange) => {
      const facts = Facts.of(around, { request: exchange.request, exchange })
      const caller = { identity: exchange.identity, client: exchange.bound.secured.tls?.client }
      const isJudgedGood = (): boolean => judges.every((one) => one(facts, caller))
      return {
        lists: (kind, target, name) => {
          facts.mcp = { [kind]: { target, name } }
          return listed(rules, facts) && isJudgedGood()
        },
        permits: (kind, target, name, args) => {
          facts.mcp = { [kind]: args === undefined ? { target, name } : { target, name, arguments: args } }
          return decide(rules, (rule) => rule.holds(facts)) && isJudgedGood()
        },
      }
    },
  }
}
