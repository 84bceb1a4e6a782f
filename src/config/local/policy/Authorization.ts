/** `authorization`, `mcpAuthorization` and `networkAuthorization`: rules that say who may. */
import * as Schema from "effect/Schema"
import type { Expression } from "../../../../ir/Expression.ts"
import type { Named } from "../../../../ir/Named.ts"
import type { Authorization as IrAuthorization } from "../../../../ir/policy/Authorization.ts"
import type { Cedar as IrCedar } from "../../../../ir/policy/Cedar.ts"
import type { McpAuthorization as IrMcpAuthorization } from "../../../../ir/policy/McpAuthorization.ts"
import type { NetworkAuthorization as IrNetworkAuthorization } from "../../../../ir/policy/NetworkAuthorization.ts"
import type { Rule as IrRule } from "../../../../ir/policy/RuleSet.ts"
import type { Path } from "../../ConfigIssue.ts"
import { Cel, exactlyOne, opt } from "../grammar.ts"
import type { Mapping } from "../Mapping.ts"
import { present } from "../present.ts"
import { Cedar, cedar } from "./Cedar.ts"

const Rule = Schema.Union([
  Cel,
  exactlyOne(Schema.Struct({ allow: opt(Cel), deny: opt(Cel), require: opt(Cel) }), ["allow", "deny", "require"]),
])
const ruleSetShape = Schema.Struct({ rules: Schema.Array(Rule) }).annotate({ identifier: "RuleSet" })
export interface RuleSetSchema extends Named<typeof ruleSetShape> {}
export const RuleSet: RuleSetSchema = ruleSetShape
export type RuleSet = typeof RuleSet.Type

const authorizationShape = Schema.Struct({ rules: opt(Schema.Array(Rule)), cedar: opt(Cedar) })
  .check(
    Schema.makeFilter(({ cedar, rules }) =>
      cedar === undefined && rules === undefined ? "one of `rules` and `cedar` must be set" : undefined,
    ),
  )
  .annotate({ identifier: "Authorization" })
export interface AuthorizationSchema extends Named<typeof authorizationShape> {}
export const Authorization: AuthorizationSchema = authorizationShape
export type Authorization = typeof Authorization.Type

const rules = (set: RuleSet): ReadonlyArray<IrRule> =>
  set.rules.map((rule): IrRule => {
    if (typeof rule === "string") return { effect: "allow", expression: rule }
    if (rule.allow !== undefined) return { effect: "allow", expression: rule.allow }
    if (rule.deny !== undefined) return { effect: "deny", expression: rule.deny }
    return { effect: "require", expression: rule.require ?? ("false" as Expression) }
  })

const authorized = <Tag extends "Authorization" | "McpAuthorization" | "NetworkAuthorization">(
  _tag: Tag,
  policy: Authorization,
  path: Path,
  to: Mapping,
): { readonly _tag: Tag; readonly rules: ReadonlyArray<IrRule>; readonly cedar?: IrCedar } => ({
  _tag,
  rules: rules({ rules: policy.rules ?? [] }),
  ...present({ cedar: policy.cedar === undefined ? undefined : cedar(policy.cedar, [...path, "cedar"], to) }),
})

export const authorization = (policy: Authorization, path: Path, to: Mapping): IrAuthorization =>
  authorized("Authorization", policy, path, to)

export const mcpAuthorization = (policy: Authorization, path: Path, to: Mapping): IrMcpAuthorization =>
  authorized("McpAuthorization", policy, path, to)

export const networkAuthorization = (policy: Authorization, path: Path, to: Mapping): IrNetworkAuthorization =>
  authorized("NetworkAuthorization", policy, path, to)
