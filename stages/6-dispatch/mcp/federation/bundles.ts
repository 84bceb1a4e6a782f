/** Virtual servers: what of everything behind an endpoint some callers see. The rest does not exist for them. */
import type { McpBundle } from "../../../../ir/backend/Mcp.ts"
import { matchesAny } from "../../../../protocols/mcp/pattern.ts"
import type { Expression } from "../../../5-policy/expression/Expressions.ts"
import { expressionsOf } from "../../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { Exchange } from "../../../Exchange.ts"
import type { Access, Judge, Kind } from "./Access.ts"

type Contents = Pick<McpBundle, "tools" | "prompts" | "resources">

const nothing: Contents = { tools: [], prompts: [], resources: [] }

const holds = ({ prompts, resources, tools }: Contents, kind: Kind, target: string, name: string): boolean => {
  const whole = `${target}/${name}`
  switch (kind) {
    case "tool":
      return matchesAny(tools, whole)
    case "prompt":
      return matchesAny(prompts, whole)
    case "resource":
      return matchesAny(resources, whole)
    case "task":
      // It came from a call that was allowed.
      return true
  }
}

/** The same access, within what the caller's bundle holds. */
export const within = (access: Access, bundles: ReadonlyArray<McpBundle>, ports: PolicyPorts): Access => {
  if (bundles.length === 0) return access
  const expressions = expressionsOf(ports)
  const { around } = expressions
  const compiled = bundles.map((bundle): readonly [McpBundle, Expression | undefined] => [
    bundle,
    bundle.condition === undefined ? undefined : expressions.compile(bundle.condition, "backend", "condition"),
  ])
  const chosen = (exchange: Exchange): Contents => {
    const facts = Facts.of(around, { request: exchange.request, exchange })
    for (const [bundle, condition] of compiled) {
      if (condition === undefined || condition.holds(facts) === true) return bundle
    }
    return nothing
  }
  return {
    isOpenTo: () => false,
    of: (exchange): Judge => {
      const contents = chosen(exchange)
      const judge = access.of(exchange)
      return {
        lists: (kind, target, name) => holds(contents, kind, target, name) && judge.lists(kind, target, name),
        permits: (kind, target, name, args) =>
          holds(contents, kind, target, name) && judge.permits(kind, target, name, args),
      }
    },
  }
}
