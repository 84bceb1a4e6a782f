import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { BackendPolicies, TrafficPolicies } from "../../../ir/effective.ts"
import type { Expression } from "../../../ir/Expression.ts"
import { layer } from "../../../stages/5-policy/layer.ts"
import { requestOrder } from "../../../stages/5-policy/order.ts"
import { backendSteps, gatewaySteps, routeSteps } from "../../../stages/5-policy/steps.ts"
import { FakeClock, makeAttempt, makeExchange, makeReply, settled } from "../exchange.ts"

const ports = { clock: new FakeClock(), maxBufferBytes: 8 }

const edits = (value: string) => ({ add: [], set: [{ name: "by", value }], remove: [] })

const policies: TrafficPolicies = {
  DirectResponse: { _tag: "DirectResponse", status: 418, headers: [] },
  Delay: { _tag: "Delay", duration: { _tag: "Fixed", millis: 5 } },
  UrlRewrite: { _tag: "UrlRewrite", path: { _tag: "Full", path: "/new" } },
  RequestHeaderModifier: { _tag: "RequestHeaderModifier", ...edits("route") },
  ResponseHeaderModifier: { _tag: "ResponseHeaderModifier", ...edits("route") },
  Buffer: { _tag: "Buffer", request: { failureMode: "failClosed" } },
  Cors: {
    _tag: "Cors",
    allowCredentials: false,
    allowHeaders: [],
    allowMethods: [],
    allowOrigins: ["*"],
    exposeHeaders: [],
  },
  RequestRedirect: { _tag: "RequestRedirect", status: 302 },
  Timeout: { _tag: "Timeout", requestMillis: 10 },
  Retry: { _tag: "Retry", attempts: 1, codes: [] } as never,
}

const dies = (effect: Effect.Effect<unknown, unknown>) => Exit.hasDies(Effect.runSyncExit(effect))

describe("the steps of a layer", () => {
  it("stand in the order of the layer, without what others carry out", () => {
    const kinds = routeSteps(ports, policies).map(({ kind }) => kind)
    const order = requestOrder.route.map(({ kind }) => kind as string)
    assert.deepStrictEqual(
      kinds,
      order.filter((kind) => kind in policies && kind !== "Retry"),
    )
  })

  it("are none where no policy is in force", () => {
    assert.deepStrictEqual(gatewaySteps(ports, {}), [])
    assert.deepStrictEqual(routeSteps(ports, {}), [])
    assert.deepStrictEqual(backendSteps(ports, {}), [])
  })

  it("let no request pass a kind that is not built", () => {
    const login: TrafficPolicies = { Oidc: { _tag: "Oidc" } as never }
    const several: TrafficPolicies = { Authorization: [{ _tag: "McpAuthorization" } as never] }
    for (const steps of [gatewaySteps(ports, login), gatewaySteps(ports, several)]) {
      assert.isTrue(dies(layer(steps, () => Effect.succeed(makeReply()))(makeExchange())))
    }
  })

  it("let no request pass a kind that has no place in the layer", () => {
    const steps = gatewaySteps(ports, { Timeout: { _tag: "Timeout", requestMillis: 10 } })
    assert.isTrue(dies(layer(steps, () => Effect.succeed(makeReply()))(makeExchange())))
  })

  it("take the entry whose condition holds", () => {
    const entry = (status: number, condition: string) => ({
      condition: condition as Expression,
      policy: { _tag: "DirectResponse" as const, status, headers: [] },
    })
    const steps = routeSteps(ports, {
      DirectResponse: {
        _tag: "Conditional",
        entries: [entry(201, 'request.method == "PUT"'), entry(202, "true")],
      },
    })
    const service = layer(steps, () => Effect.succeed(makeReply()))
    assert.strictEqual(Effect.runSync(service(makeExchange())).status, 202)
    assert.strictEqual(Effect.runSync(service(makeExchange({ method: "PUT" }))).status, 201)
  })

  it("take the content of an unconditional entry", () => {
    const steps = routeSteps(ports, {
      DirectResponse: {
        _tag: "Conditional",
        entries: [{ policy: { _tag: "DirectResponse", status: 201, headers: [] } }],
      },
    })
    const reply = Effect.runSync(layer(steps, () => Effect.succeed(makeReply()))(makeExchange()))
    assert.strictEqual(reply.status, 201)
  })

  it("edit replies to requests that an earlier policy refused", () => {
    const exchange = makeExchange({ body: "123456789", headers: { origin: "https://a" } })
    const service = layer(routeSteps(ports, policies), () => Effect.succeed(makeReply()))
    const refusal = Effect.runSync(Effect.flip(service(exchange)))
    assert.strictEqual(refusal._tag, "RequestBodyTooLarge")
    const reply = settled(exchange, makeReply({ status: 413, origin: "gateway" }))
    assert.strictEqual(reply.headers.get("by"), "route")
    assert.strictEqual(reply.headers.get("access-control-allow-origin"), "https://a")
  })

  it("of a backend act on the attempt", () => {
    const exchange = makeExchange()
    const attempt = makeAttempt(exchange)
    const backend: BackendPolicies = {
      RequestHeaderModifier: { _tag: "RequestHeaderModifier", ...edits("backend") },
      ResponseHeaderModifier: { _tag: "ResponseHeaderModifier", ...edits("backend") },
      BackendHttp: { _tag: "BackendHttp" } as never,
    }
    const service = layer(backendSteps(ports, backend), () => Effect.succeed(makeReply()))
    const reply = settled(exchange, Effect.runSync(service(attempt)))
    assert.deepStrictEqual(
      [attempt.request.headers.get("by"), exchange.request.headers.get("by")],
      ["backend", undefined],
    )
    assert.strictEqual(reply.headers.get("by"), "backend")
  })
})
