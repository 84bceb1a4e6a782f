/** A guard that is written in the configuration: what it says of a call or its result is an expression. */
import * as Effect from "effect/Effect"
import { type CelValue, isError } from "../../../../ir/cel/CelValue.ts"
import { toJson } from "../../../../ir/cel/toJson.ts"
import type { McpProcessor } from "../../../../ir/policy/McpGuardrails.ts"
import type { Json } from "../../../../protocols/mcp/json.ts"
import { errorOf } from "../../../../protocols/mcp/jsonrpc.ts"
import { expressionsOf } from "../../../5-policy/expression/expressionsOf.ts"
import { Facts } from "../../../5-policy/expression/Facts.ts"
import type { PolicyPorts } from "../../../5-policy/steps.ts"
import type { Asking, Decision, Shown } from "./Guard.ts"

/** What refusals of services say that permission is denied with. */
const DENIED = -32_001

const pass: Decision = { _tag: "Pass" }
const unchanged = { set: [], remove: [] }

export const make = (
  { reject, transform, when }: Extract<McpProcessor, { readonly _tag: "Expressions" }>,
  ports: PolicyPorts,
): Asking => {
  const expressions = expressionsOf(ports)
  const { around } = expressions
  const condition = when === undefined ? undefined : expressions.compile(when, "mcpGuardrail", "mcpGuardrail")
  const change = transform === undefined ? undefined : expressions.compile(transform, "mcpGuardrail", "mcpTransform")
  const rejection: Decision | undefined =
    reject === undefined ? undefined : { _tag: "Rejected", error: errorOf(DENIED, reject) }

  const decide = (
    { exchange, method, services }: Shown,
    side: "params" | "result",
    message: Json | undefined,
  ): Effect.Effect<Decision, string> => {
    const facts = Facts.of(around, { request: exchange.request, exchange })
    const shown: Record<string, CelValue> = { methodName: method, targets: services }
    // Whoever hands in a message has read it before.
    if (message !== undefined) shown[side] = JSON.parse(message) as CelValue
    facts.mcp = shown
    const holds = condition === undefined ? true : condition.holds(facts)
    if (holds === undefined) return Effect.fail("its condition failed")
    if (!holds) return Effect.succeed(pass)
    if (rejection !== undefined) return Effect.succeed(rejection)
    if (change === undefined || message === undefined) return Effect.succeed(pass)
    const value = change.evaluate(facts)
    return isError(value)
      ? Effect.fail("its transformation failed")
      : Effect.succeed({ _tag: "Mutated", message: JSON.stringify(toJson(value)) })
  }

  return {
    request: (shown, params) =>
      Effect.map(
        Effect.suspend(() => decide(shown, "params", params)),
        (decision) => ({ decision, headers: unchanged, notes: {} }),
      ),
    response: (shown, result) => Effect.suspend(() => decide(shown, "result", result)),
  }
}
