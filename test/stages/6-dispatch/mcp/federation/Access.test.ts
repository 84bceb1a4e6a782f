import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Expression } from "../../../../../ir/Expression.ts"
import type { Cedar } from "../../../../../ir/policy/Cedar.ts"
import { cedar as engine } from "../../../../../src/node/cedar.ts"
import { cryptography } from "../../../../../src/node/cryptography.ts"
import { over } from "../../../../../stages/5-policy/Gate.ts"
import { compile } from "../../../../../stages/6-dispatch/mcp/federation/Access.ts"
import { makeExchange } from "../../../exchange.ts"
import { computing } from "../../../5-policy/computing.ts"

const judging = (cedar: Partial<Cedar> & { readonly policies: string }, sub: string) => {
  const ports = computing()
  const gate = over(
    cryptography,
    { clock: ports.clock, fetch: () => Effect.fail(""), run: (effect) => Effect.runFork(effect) },
    undefined,
    { cedar: engine },
  )
  const set = { _tag: "McpAuthorization" as const, rules: [], cedar: { entities: [], context: [], ...cedar } }
  const access = compile([set], { ...ports, gate })
  const exchange = makeExchange()
  exchange.identity = { jwt: { sub } }
  return { access, judge: access.of(exchange) }
}

describe("Cedar policies of MCP servers", () => {
  const policies = `permit(principal == User::"ann", action == Action::"tool", resource in Target::"files");
permit(principal, action == Action::"prompt", resource == Prompt::"files/hello");
forbid(principal, action == Action::"tool", resource == Tool::"files/delete");`

  it("judge items by kind, name and server", () => {
    const { access, judge } = judging({ policies }, "ann")
    assert.isFalse(access.isOpen)
    assert.isTrue(judge.lists("tool", "files", "read"))
    assert.isTrue(judge.permits("tool", "files", "read", undefined))
    assert.isFalse(judge.lists("tool", "files", "delete"))
    assert.isFalse(judge.lists("tool", "mail", "read"))
    assert.isTrue(judge.lists("prompt", "files", "hello"))
    assert.isFalse(judge.lists("resource", "files", "read"))
    assert.isFalse(judging({ policies }, "bob").judge.lists("tool", "files", "read"))
  })

  it("may look at the arguments of a call", () => {
    const path = "mcp.tool.arguments.path" as Expression
    const { judge } = judging(
      {
        policies: `permit(principal, action, resource) when { !(context has path) || context.path like "/tmp/*" };`,
        context: [{ name: "path", expression: path }],
      },
      "ann",
    )
    assert.isTrue(judge.lists("tool", "files", "read"))
    assert.isTrue(judge.permits("tool", "files", "read", { path: "/tmp/a" }))
    assert.isFalse(judge.permits("tool", "files", "read", { path: "/etc/passwd" }))
  })
})
