/**
 * Rules that say who may pass, those of all levels judged together: nobody whom a `deny` names, everybody must satisfy
 * every `require`, and where there is an `allow` at least one must hold. A rule that fails decides for refusing: a failing
 * `deny` denies, a failing `require` is not satisfied, a failing `allow` does not hold.
 */
import * as Effect from "effect/Effect"
import type { Context } from "../../ir/cel/variables.ts"
import { inCedar } from "../../ir/expressions.ts"
import type { Cedar as CedarPolicy } from "../../ir/policy/Cedar.ts"
import type { RuleSet } from "../../ir/policy/RuleSet.ts"
import type { Subject } from "../Exchange.ts"
import type { Inquiry } from "../Inquiry.ts"
import type { Refusal } from "../Refusal.ts"
import { compile as compileCedar, type Judge } from "./cedar.ts"
import { type Expression, type Expressions, readsRequestBody } from "./expression/Expressions.ts"
import { Facts } from "./expression/Facts.ts"
import { expressionsOf } from "./expression/expressionsOf.ts"
import type { Layer } from "./order.ts"
import { pass, type Step, type Verdict } from "./Step.ts"
import type { PolicyPorts } from "./steps.ts"

/** What a rule came to; undefined: it failed. */
export type Outcome = boolean | undefined

export interface Rules<R> {
  readonly deny: ReadonlyArray<R>
  readonly require: ReadonlyArray<R>
  readonly allow: ReadonlyArray<R>
}

/** The whole decision; a rule that can no longer matter is not evaluated. */
export const decide = <R>({ allow, deny, require }: Rules<R>, holds: (rule: R) => Outcome): boolean => {
  for (let i = 0; i < deny.length; i++) if (holds(deny[i] as R) !== false) return false
  for (let i = 0; i < require.length; i++) if (holds(require[i] as R) !== true) return false
  if (allow.length === 0) return true
  for (let i = 0; i < allow.length; i++) if (holds(allow[i] as R) === true) return true
  return false
}

export const compileRules = (
  sets: ReadonlyArray<RuleSet>,
  expressions: Expressions,
  context: Context,
  use: "authorization" | "networkAuthorization",
): Rules<Expression> => {
  const compiled = { deny: Array<Expression>(), require: Array<Expression>(), allow: Array<Expression>() }
  for (const { rules } of sets) {
    for (const { effect, expression } of rules) compiled[effect].push(expressions.compile(expression, context, use))
  }
  return compiled
}

/** One rule, as somebody who asks is told of it. */
const told = (inquiry: Inquiry, rules: Rules<Expression>, rule: Expression, outcome: Outcome): Outcome => {
  const effect = rules.deny.includes(rule) ? "deny" : rules.require.includes(rule) ? "require" : "allow"
  const decision = outcome === undefined ? "failed" : outcome ? "holds" : "does not hold"
  inquiry.note({ stage: "Authorization", decision: `${effect} ${decision}`, detail: { rule: rule.source } })
  return outcome
}

const refused: Effect.Effect<Verdict, Refusal> = Effect.fail({ _tag: "AuthorizationFailed" })

/** All that judge beside the rules; none lets pass what another does not. */
export const compileJudges = (
  sets: ReadonlyArray<{ readonly cedar?: CedarPolicy }>,
  ports: PolicyPorts,
  context: Context,
): ReadonlyArray<Judge> => {
  const policies = sets.flatMap(({ cedar }) => cedar ?? [])
  if (policies.length === 0) return []
  const engine = ports.gate?.cedar
  if (engine === undefined) return [() => false]
  const expressions = expressionsOf(ports)
  return policies.map((policy) => compileCedar(policy, engine, expressions, context))
}

const readsBodyOf = (policies: ReadonlyArray<CedarPolicy>, expressions: Expressions, context: Context): boolean =>
  inCedar(policies).some((source) => readsRequestBody(expressions.compile(source, context, "cedar")))

export const compile = (
  sets: ReadonlyArray<RuleSet & { readonly cedar?: CedarPolicy }>,
  ports: PolicyPorts,
  layer: Layer,
): Step<Subject> | undefined => {
  const expressions = expressionsOf(ports)
  const rules = compileRules(sets, expressions, layer, "authorization")
  const judges = compileJudges(sets, ports, layer)
  const all = [...rules.deny, ...rules.require, ...rules.allow]
  if (all.length === 0 && judges.length === 0) return undefined
  const { around } = expressions
  if (judges.length > 0) {
    const cedars = sets.flatMap(({ cedar }) => cedar ?? [])
    return {
      kind: "Authorization",
      readsBody: all.some(readsRequestBody) || readsBodyOf(cedars, expressions, layer),
      run: (subject) => {
        const facts = Facts.of(around, subject)
        const { exchange } = subject
        const caller = { identity: exchange.identity, client: exchange.bound.secured.tls?.client }
        return decide(rules, (rule) => rule.holds(facts)) && judges.every((judge) => judge(facts, caller))
          ? pass
          : refused
      },
    }
  }
  return {
    kind: "Authorization",
    readsBody: all.some(readsRequestBody),
    run: (subject) => {
      const facts = Facts.of(around, subject)
      const { inquiry } = subject.exchange
      const holds =
        inquiry === undefined
          ? (rule: Expression) => rule.holds(facts)
          : (rule: Expression) => told(inquiry, rules, rule, rule.holds(facts))
      return decide(rules, holds) ? pass : refused
    },
  }
}
