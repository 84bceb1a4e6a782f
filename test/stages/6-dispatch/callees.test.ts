import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BackendKey } from "../../../ir/Key.ts"
import type { Callee } from "../../../ir/policy/Callee.ts"
import { Exchange, type Reply } from "../../../stages/Exchange.ts"
import type { Plan } from "../../../stages/Plan.ts"
import type { Refusal } from "../../../stages/Refusal.ts"
import { table } from "../../ir/snapshots.ts"
import { makeExchange, makeRequest, type Told } from "../exchange.ts"
import { balancing, host, routing, serviceKey, statusOf, toBackend, workload, type World, world } from "./world.ts"

const to = (name: string, policies: Callee["policies"] = []): Callee => ({
  backend: { _tag: "Backend", backend: BackendKey.make(`/${name}`) },
  policies,
})

const planOf = (w: World): Plan => {
  if (w.plan === undefined) throw new Error("nothing is loaded")
  return w.plan
}

const exchangeIn = (w: World, told: Told = {}): Exchange => {
  const made = makeExchange(told)
  return new Exchange(planOf(w), made.bound, made.request, 0, undefined, undefined)
}

const unnamed = () => {
  const request = makeRequest({ method: "POST", url: "http://example.com/check" })
  request.authority = ""
  request.host = ""
  return request
}

const run = (effect: Effect.Effect<Reply, Refusal>): Reply | Refusal => {
  const result = Effect.runSync(Effect.result(effect))
  return result._tag === "Success" ? result.success : result.failure
}

describe("a call of the gateway's own", () => {
  const w = () =>
    world(routing([toBackend("main.test")], [], { backends: table(host("main.test"), host("check.test")) }))

  it("goes to the callee under its name and leaves no trace in the exchange", () => {
    const here = w()
    const exchange = exchangeIn(here)
    const reply = run(planOf(here).callees.to(to("check.test"))(exchange, unnamed()))
    assert.strictEqual(statusOf(reply), 200)
    assert.strictEqual(here.call.to, "check.test:80")
    assert.strictEqual(here.call.authority, "check.test")
    assert.strictEqual(exchange.trail.attempts, 0)
    assert.strictEqual(exchange.trail.endpoint, undefined)
    assert.strictEqual(exchange.sent, undefined)
  })

  it("keeps the authority it was given where the callee has no name of its own", () => {
    const here = world(routing([toBackend("10.0.0.9")], [], { backends: table(host("10.0.0.9")) }))
    run(planOf(here).callees.to(to("10.0.0.9"))(exchangeIn(here), makeRequest({ url: "http://named.test/" })))
    assert.strictEqual(here.call.authority, "named.test")
  })

  it("is bound by the policies of the callee", () => {
    const here = w()
    const callee = to("check.test", [
      { _tag: "RequestHeaderModifier", add: [], set: [{ name: "x-key", value: "k" }], remove: [] },
    ])
    run(planOf(here).callees.to(callee)(exchangeIn(here), unnamed()))
    assert.strictEqual(here.call.headers.get("x-key"), "k")
  })

  it("waits no longer than it may, nor than the exchange", () => {
    const here = w()
    const call = planOf(here).callees.to(to("check.test"))
    const exchange = exchangeIn(here)
    run(call(exchange, unnamed(), 250))
    exchange.deadlineMillis = here.clock.nowMillis() + 100
    run(call(exchange, unnamed(), 250))
    assert.deepStrictEqual(
      here.calls.map(({ options }) => options.replyTimeoutMillis),
      [250, 100],
    )
  })

  it("reaches the endpoints of a service under the name of the service", () => {
    const here = world(balancing([workload("a", "10.0.0.1")]))
    const callee: Callee = { backend: { _tag: "Service", service: serviceKey, port: 80 }, policies: [] }
    run(planOf(here).callees.to(callee)(exchangeIn(here), unnamed()))
    assert.strictEqual(here.call.to, "10.0.0.1:8080")
    assert.strictEqual(here.call.authority, "cart.shop.svc")
  })

  it("is refused where the callee is not known", () => {
    const here = w()
    const refused = run(planOf(here).callees.to(to("nobody.test"))(exchangeIn(here), unnamed()))
    assert.strictEqual(statusOf(refused), -1)
    assert.deepStrictEqual(here.calls, [])
  })

  it("is prepared once for a plan", () => {
    const { callees } = planOf(w())
    const callee = to("check.test")
    assert.strictEqual(callees.to(callee), callees.to(callee))
    assert.notStrictEqual(callees.to(callee), callees.to(to("check.test")))
  })
})
