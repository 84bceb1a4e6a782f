import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Expression } from "../../../../../ir/Expression.ts"
import type { Cedar } from "../../../../../ir/policy/Cedar.ts"
import { cedar as engine } from "../../../../../src/node/cedar.ts"
import { cryptography } from "../../../../../src/node/cryptography.ts"
import { over } from "../../../../../stages/5-policy/Gate.ts"
import { compile, open, withinKey } from "../../../../../stages/6-dispatch/mcp/federation/Access.ts"
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
    assert.isFalse(access.isOpenTo(makeExchange()))
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

describe("the tools that a key is good for", () => {
  const judged = (allowedTools: ReadonlyArray<string> | undefined) => {
    const exchange = makeExchange()
    exchange.identity = {
      apiKey: { key: Redacted.make("k"), metadata: undefined, allowedModels: undefined, allowedTools },
    }
    const access = withinKey(open)
    return { isOpen: access.isOpenTo(exchange), judge: access.of(exchange) }
  }
  const may = (allowed: ReadonlyArray<string>, target: string, name: string): boolean => {
    const { judge } = judged(allowed)
    const permits = judge.permits("tool", target, name, {})
    assert.strictEqual(judge.lists("tool", target, name), permits)
    return permits
  }

  it("are all of them unless it says which", () => {
    assert.isTrue(judged(undefined).isOpen)
    assert.isTrue(withinKey(open).isOpenTo(makeExchange()))
    assert.isFalse(judged([]).isOpen)
    assert.isFalse(may([], "files", "read"))
  })

  it("are named alone or with their target, and by patterns", () => {
    assert.isTrue(may(["read"], "files", "read"))
    assert.isTrue(may(["files/*"], "files", "read"))
    assert.isTrue(may(["mail/read", "files/re*"], "files", "read"))
    assert.isFalse(may(["mail/*"], "files", "read"))
    assert.isFalse(may(["rea"], "files", "read"))
  })

  it("say nothing of what is no tool, and what rules forbid stays forbidden", () => {
    assert.isTrue(judged([]).judge.permits("prompt", "files", "hello", undefined))
    const forbidding = { isOpenTo: () => false, of: () => ({ lists: () => false, permits: () => false }) }
    const exchange = makeExchange()
    exchange.identity = {
      apiKey: { key: Redacted.make("k"), metadata: undefined, allowedModels: undefined, allowedTools: ["*"] },
    }
    assert.isFalse(withinKey(forbidding).of(exchange).permits("tool", "files", "read", undefined))
  })
})
