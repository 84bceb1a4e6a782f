import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Authorization } from "../../../ir/policy/Authorization.ts"
import type { Rule } from "../../../ir/policy/RuleSet.ts"
import { compile } from "../../../stages/5-policy/authorization.ts"
import { layer } from "../../../stages/5-policy/layer.ts"
import { pass } from "../../../stages/5-policy/Step.ts"
import { routeSteps } from "../../../stages/5-policy/steps.ts"
import { message, reason, status } from "../../../stages/Refusal.ts"
import { flowOf, makeExchange, makeReply, type Told, verdict } from "../exchange.ts"
import { cel, computing } from "./computing.ts"

const policy = (...rules: ReadonlyArray<readonly [Rule["effect"], string]>): Authorization => ({
  _tag: "Authorization",
  rules: rules.map(([effect, expression]) => ({ effect, expression: cel(expression) })),
})

const said = (policies: ReadonlyArray<Authorization>, told: Told = {}) =>
  verdict(compile(policies, computing(), "route"), makeExchange(told))._tag

const isGet = 'request.method == "GET"'

describe("authorization", () => {
  it("without rules asks for nothing", () => {
    assert.isUndefined(compile([policy()], computing(), "route"))
  })

  it("lets pass whom an allow rule names, and nobody else once there is one", () => {
    assert.strictEqual(said([policy(["allow", isGet])]), "Pass")
    assert.strictEqual(said([policy(["allow", isGet])], { method: "PUT" }), "AuthorizationFailed")
    assert.strictEqual(said([policy(["allow", "false"], ["allow", isGet])]), "Pass")
  })

  it("refuses whom a deny rule names, whatever else allows it", () => {
    assert.strictEqual(said([policy(["allow", "true"], ["deny", isGet])]), "AuthorizationFailed")
    assert.strictEqual(said([policy(["deny", isGet])], { method: "PUT" }), "Pass")
  })

  it("asks that every require rule holds", () => {
    assert.strictEqual(said([policy(["require", isGet], ["require", "true"])]), "Pass")
    assert.strictEqual(said([policy(["require", isGet], ["require", "false"])]), "AuthorizationFailed")
    assert.strictEqual(said([policy(["allow", "true"], ["require", "false"])]), "AuthorizationFailed")
  })

  it("takes a rule that fails as refusing, whichever kind it is", () => {
    const failing = 'request.headers["x-role"] == "admin"'
    assert.strictEqual(said([policy(["deny", failing])]), "AuthorizationFailed")
    assert.strictEqual(said([policy(["require", failing])]), "AuthorizationFailed")
    assert.strictEqual(said([policy(["allow", failing])]), "AuthorizationFailed")
    assert.strictEqual(said([policy(["allow", failing], ["allow", isGet])]), "Pass")
  })

  it("takes a rule that does not compile as failing", () => {
    assert.strictEqual(said([policy(["deny", "request.method =="])]), "AuthorizationFailed")
  })

  it("counts failures", () => {
    const ports = computing()
    const step = compile([policy(["deny", "request.headers.nope == 'x'"])], ports, "route")
    verdict(step, makeExchange())
    verdict(step, makeExchange())
    assert.deepStrictEqual(ports.expressions.failures, { authorization: 2 })
  })

  it("judges the rules of all levels together: what is closer can narrow, and an allow anywhere needs one that holds", () => {
    const above = policy(["allow", isGet])
    assert.strictEqual(said([above, policy(["require", 'request.path == "/mine"'])]), "AuthorizationFailed")
    assert.strictEqual(said([above, policy(["require", 'request.path == "/mine"'])], { url: "http://a/mine" }), "Pass")
    assert.strictEqual(said([above, policy(["deny", "true"])]), "AuthorizationFailed")
    assert.strictEqual(said([policy(["deny", isGet]), policy(["allow", "true"])]), "AuthorizationFailed")
  })

  it("decides without allocating a verdict", () => {
    const step = compile([policy(["require", isGet])], computing(), "route")
    assert.strictEqual(step?.run(makeExchange()), pass)
    assert.strictEqual(step?.run(makeExchange()), pass)
  })

  it("sees who authentication proved the client to be", () => {
    const ports = computing()
    const step = compile([policy(["allow", 'jwt.role == "admin" && apiKey.tier == "gold"'])], ports, "route")
    const exchange = makeExchange()
    assert.strictEqual(verdict(step, exchange)._tag, "AuthorizationFailed")
    exchange.identity = {
      jwt: { role: "admin" },
      apiKey: { key: Redacted.make("k"), metadata: { tier: "gold" }, allowedModels: undefined },
    }
    assert.strictEqual(verdict(step, exchange)._tag, "Pass")
  })

  it("answers 403", () => {
    const refusal = { _tag: "AuthorizationFailed" } as const
    assert.deepStrictEqual(
      [status(refusal), message(refusal), reason(refusal)],
      [403, "authorization failed", "Authorization"],
    )
  })

  it.effect("reads the body only for rules that look at it, and hands it on whole", () => {
    const rules = policy(["allow", 'json(request.body).model.startsWith("small-")'])
    const steps = routeSteps(computing(), { Authorization: [rules] })
    assert.deepStrictEqual(
      steps.map(({ kind }) => kind),
      ["Body", "Authorization"],
    )
    const exchange = makeExchange({ method: "POST", body: flowOf(['{"model":', '"small-1"}']) })
    let sent = ""
    return Effect.map(
      layer(steps, ({ request }) =>
        Effect.sync(() => {
          sent = request.body._tag === "Bytes" ? new TextDecoder().decode(request.body.bytes) : request.body._tag
          return makeReply()
        }),
      )(exchange),
      () => assert.strictEqual(sent, '{"model":"small-1"}'),
    )
  })

  it.effect("has only the beginning of a body that is too long, and lets the rest stream on", () => {
    const rules = policy(["deny", "has(request.body)"], ["require", "size(request.bodyPrefix) == 4"])
    const steps = routeSteps(computing({ maxBufferBytes: 4 }), { Authorization: [rules] })
    const exchange = makeExchange({ method: "POST", body: flowOf(["abc", "def", "ghi"]) })
    const service = layer(steps, ({ request }) => Effect.succeed(makeReply({ body: request.body })))
    return Effect.map(service(exchange), (reply) => assert.strictEqual(reply.body._tag, "Flow"))
  })
})
