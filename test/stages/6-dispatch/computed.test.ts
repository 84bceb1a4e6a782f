/** What expressions decide on the way to a backend. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Retry } from "../../../ir/policy/Retry.ts"
import { cel } from "../5-policy/computing.ts"
import { drain, flowOf, makeExchange, makeReply } from "../exchange.ts"
import { balancing, host, isReply, refusalOf, routing, statusOf, to, toBackend, workload, world } from "./world.ts"
import * as snapshots from "../../ir/snapshots.ts"

const retry = (more: Partial<Retry>): Retry => ({ _tag: "Retry", attempts: 2, codes: [], ...more })

const one = (policy: Retry) => world(routing([toBackend("a")], [policy], { backends: snapshots.table(host("a")) }))

describe("a condition of retries", () => {
  it("makes a reply a failure", () => {
    const w = one(retry({ condition: cel('response.headers["x-again"] == "yes"') }))
    w.answer = (_, i) => makeReply({ status: 200 + i, headers: i < 2 ? { "x-again": "yes" } : {} })
    assert.strictEqual(statusOf(w.ask()), 202)
    assert.strictEqual(w.calls.length, 3)
  })

  it("that fails makes none", () => {
    const w = one(retry({ condition: cel('response.headers["x-again"] == "yes"') }))
    assert.strictEqual(statusOf(w.ask()), 200)
    assert.strictEqual(w.calls.length, 1)
  })

  it.effect("may look at the body, which then goes on whole", () => {
    const w = one(retry({ condition: cel('string(response.body) == "try again"') }))
    w.answer = (_, i) => makeReply({ body: flowOf(i === 0 ? ["try ", "again"] : ["go", "od"]) })
    return Effect.flatMap(w.serve(makeExchange()), (reply) =>
      Effect.map(drain(reply.body), ({ text }) => {
        assert.strictEqual(text, "good")
        assert.strictEqual(w.calls.length, 2)
      }),
    )
  })

  it("is not asked where the precondition does not hold", () => {
    const w = one(retry({ codes: [500], precondition: cel('request.method == "PUT"') }))
    w.answer = () => makeReply({ status: 500 })
    assert.strictEqual(statusOf(w.ask()), 500)
    assert.strictEqual(w.calls.length, 1)
    w.ask({ method: "PUT" })
    assert.strictEqual(w.calls.length, 4)
  })
})

const two = [workload("w1", "10.0.0.1"), workload("w2", "10.0.0.2")]

describe("an expression of health", () => {
  it("says which replies put an endpoint aside; a failing one puts none", () => {
    const w = world(
      balancing(two, {
        backendPolicies: [
          {
            _tag: "Health",
            unhealthyExpression: cel('response.headers["x-sick"] == "yes"'),
            eviction: { durationMillis: 60_000 },
          },
        ],
      }),
    )
    w.answer = ({ to: target }) =>
      target.startsWith("10.0.0.1") ? makeReply({ headers: { "x-sick": "yes" } }) : makeReply({ status: 500 })
    for (let i = 0; i < 40; i++) {
      w.clock.draw = (i % 10) / 10
      w.ask()
    }
    const sick = w.targets.filter((target) => target.startsWith("10.0.0.1")).length
    assert.strictEqual(sick, 1)
    assert.strictEqual(w.targets.length, 40)
  })
})

describe("session affinity", () => {
  const sticky = (source: string) =>
    world(balancing(two, { backendPolicies: [{ _tag: "SessionAffinity", source: cel(source) }] }))

  it("keeps each key with one endpoint, and keys apart", () => {
    const w = sticky('request.headers["x-user"]')
    const seen = new Map<string, Set<string>>()
    for (let i = 0; i < 200; i++) {
      w.clock.draw = (i % 10) / 10
      const user = `user-${i % 20}`
      w.ask({ headers: { "x-user": user } })
      seen.set(user, (seen.get(user) ?? new Set()).add(w.targets.at(-1) as string))
    }
    assert.isTrue([...seen.values()].every((targets) => targets.size === 1))
    assert.strictEqual(new Set([...seen.values()].flatMap((targets) => [...targets])).size, 2)
  })

  it("chooses as usual where there is no key", () => {
    const w = sticky('request.headers["x-user"]')
    for (let i = 0; i < 40; i++) {
      w.clock.draw = (i % 10) / 10
      assert.strictEqual(statusOf(w.ask()), 200)
    }
    assert.strictEqual(new Set(w.targets).size, 2)
  })
})

describe("a computed target", () => {
  const dynamic = (target: string) => world(routing([to({ _tag: "Dynamic", target: cel(target) })]))

  it("is where the request goes", () => {
    const w = dynamic('request.headers["x-shard"] + ".internal:8080"')
    assert.isTrue(isReply(w.ask({ headers: { "x-shard": "s1" } })))
    assert.deepStrictEqual(w.targets, ["s1.internal:8080"])
    assert.strictEqual(w.call.authority, "example.com")
  })

  it("that is none refuses", () => {
    for (const target of ["request.headers.nope", '"no-port"', '"a b:1"']) {
      const w = dynamic(target)
      assert.strictEqual(refusalOf(w.ask()), "FilterFailed")
      assert.strictEqual(w.calls.length, 0)
    }
  })

  it("that is the door the client came in by is a loop", () => {
    assert.strictEqual(refusalOf(dynamic('"localhost:8080"').ask()), "LoopDetected")
  })
})
