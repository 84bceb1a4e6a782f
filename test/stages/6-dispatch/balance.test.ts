import { assert, describe, it } from "@effect/vitest"
import type { LocalityScope } from "../../../ir/Workload.ts"
import { choose, chooseFor, makeSet, type Member, type OwnLocality } from "../../../stages/6-dispatch/balance.ts"
import { Vitals } from "../../../stages/6-dispatch/health.ts"
import { table } from "../../ir/snapshots.ts"
import { makeReply } from "../exchange.ts"
import { balancing, service, statusOf, workload, World, world } from "./world.ts"

const member = (id: string, weight = 1): Member => ({
  id,
  target: { _tag: "Host", host: id, port: 80 },
  weight,
  vitals: new Vitals(),
})

const evict = (...members: ReadonlyArray<Member>): void => {
  for (const { vitals } of members) vitals.evictedUntilMillis = 100
}

/** Draws these numbers, one after the other, again and again. */
const drawing = (...numbers: ReadonlyArray<number>): (() => number) => {
  let next = 0
  return () => numbers[next++ % numbers.length] as number
}

describe("of two that are drawn", () => {
  it("the healthier is taken", () => {
    const [a, b] = [member("a"), member("b")]
    b.vitals.health = 0.5
    assert.strictEqual(choose(makeSet([[a, b]]), 0, drawing(0, 0.9), undefined)?.id, "a")
    assert.strictEqual(choose(makeSet([[a, b]]), 0, drawing(0.9, 0), undefined)?.id, "a")
  })
  it("the quicker is taken, and of equally quick ones the less busy", () => {
    const [a, b] = [member("a"), member("b")]
    a.vitals.measured(900)
    b.vitals.measured(100)
    assert.strictEqual(choose(makeSet([[a, b]]), 0, drawing(0, 0.9), undefined)?.id, "b")
    b.vitals.measured(2766.6)
    a.vitals.pending = 5
    assert.strictEqual(choose(makeSet([[a, b]]), 0, drawing(0, 0.9), undefined)?.id, "b")
  })
  it("larger ones are drawn more often", () => {
    const set = makeSet([[member("a", 3), member("b", 1)]])
    const drawn = [0, 0.5, 0.74, 0.76].map((number) => choose(set, 0, drawing(number), undefined)?.id)
    assert.deepStrictEqual(drawn, ["a", "a", "a", "b"])
  })
})

describe("endpoints that were put aside", () => {
  it("are passed over, nearer buckets first", () => {
    const [a, b, c] = [member("a"), member("b"), member("c")]
    const set = makeSet([[a, b], [c]])
    evict(a)
    assert.strictEqual(choose(set, 0, drawing(0), undefined)?.id, "b")
    evict(a, b)
    assert.strictEqual(choose(set, 0, drawing(0), undefined)?.id, "c")
  })
  it("are used all the same when there is nobody else, the best first", () => {
    const [a, b] = [member("a"), member("b")]
    b.vitals.health = 0.9
    a.vitals.health = 0.2
    evict(a, b)
    assert.strictEqual(choose(makeSet([[a], [b]]), 0, drawing(0), undefined)?.id, "b")
  })
  it("come back when their time is over", () => {
    const [a, b] = [member("a"), member("b")]
    evict(a)
    assert.strictEqual(choose(makeSet([[a, b]]), 100, drawing(0), undefined)?.id, "a")
  })
})

describe("a further attempt", () => {
  it("goes to another endpoint, and to a farther bucket before the same one", () => {
    const [a, b, c] = [member("a"), member("b"), member("c")]
    const set = makeSet([[a, b], [c]])
    assert.strictEqual(choose(set, 0, drawing(0), [a])?.id, "b")
    assert.strictEqual(choose(set, 0, drawing(0), [a, b])?.id, "c")
    assert.strictEqual(choose(set, 0, drawing(0), [a, b, c])?.id, "a")
  })
})

describe("nearness", () => {
  const near = (
    mode: "Standard" | "Strict" | "Failover",
    own: OwnLocality | undefined,
    preferences: ReadonlyArray<LocalityScope> = ["Region", "Zone"],
  ) => {
    const at = (name: string, region: string, zone: string) =>
      workload(name, `10.0.0.${name}`, { locality: { region, zone, subzone: "" } })
    const w = new World()
    if (own !== undefined) w.whereabouts = { said: own }
    w.load(
      balancing([at("1", "eu", "a"), at("2", "eu", "b"), at("3", "us", "a")], {
        service: { loadBalancer: { mode, routingPreferences: preferences, healthPolicy: "OnlyHealthy" } },
      }),
    )
    const asked = new Set<string>()
    for (const drawn of [0, 0.4, 0.9]) {
      w.clock.draw = drawn
      w.ask()
    }
    for (const { to } of w.calls) asked.add(to.slice(0, 8))
    return [...asked]
  }
  it("does not matter by default", () => {
    assert.deepStrictEqual(near("Standard", { Region: "eu", Zone: "a" }), ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
  })
  it("prefers those that agree with most of the leading preferences", () => {
    assert.deepStrictEqual(near("Failover", { Region: "eu", Zone: "a" }), ["10.0.0.1"])
    assert.deepStrictEqual(near("Failover", { Region: "us", Zone: "b" }), ["10.0.0.3"])
    // The zone agrees, but the region before it does not.
    assert.deepStrictEqual(near("Failover", { Region: "eu", Zone: "z" }), ["10.0.0.1", "10.0.0.2"])
  })
  it("leaves out all others where it is strict", () => {
    assert.deepStrictEqual(near("Strict", { Region: "eu", Zone: "b" }), ["10.0.0.2"])
    assert.deepStrictEqual(near("Strict", { Region: "asia", Zone: "b" }), [])
  })
  it("does not matter while the gateway does not know where it stands", () => {
    assert.deepStrictEqual(near("Strict", undefined), ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
  })
})

describe("affinity", () => {
  it("stays within the first bucket with an active endpoint", () => {
    const [a, b, c] = [member("a"), member("b"), member("c")]
    const set = makeSet([[a, b], [c]])
    const first = chooseFor("user-1", set, 0)
    assert.include(["a", "b"], first?.id)
    assert.strictEqual(chooseFor("user-1", set, 0), first)
    evict(a, b)
    assert.strictEqual(chooseFor("user-1", set, 0)?.id, "c")
  })
})

describe("what is known of an endpoint", () => {
  const eviction = { _tag: "Health" as const, eviction: { durationMillis: 5000 } }
  const two = [workload("a", "10.0.0.1"), workload("b", "10.0.0.2")]
  const failingA = (w: World): void => {
    w.answer = ({ to }) => makeReply({ status: to.startsWith("10.0.0.1") ? 500 : 200 })
  }
  it("survives a change of the service as long as the endpoint is the same", () => {
    const w = world(balancing(two, { backendPolicies: [eviction] }))
    failingA(w)
    w.clock.draw = 0
    assert.strictEqual(statusOf(w.ask()), 500)
    w.load(
      balancing([...two, workload("c", "10.0.0.3")], {
        backendPolicies: [eviction],
        service: { hostname: "other.svc" },
      }),
    )
    assert.strictEqual(statusOf(w.ask()), 200)
    w.load(balancing([workload("a", "10.0.0.9"), two[1] as never], { backendPolicies: [eviction] }))
    w.calls.length = 0
    w.ask()
    assert.deepStrictEqual(w.targets, ["10.0.0.9:8080"])
  })
  it("goes with the endpoint when it leaves its service", () => {
    const w = world(balancing(two, { backendPolicies: [eviction] }))
    failingA(w)
    w.clock.draw = 0
    w.ask()
    w.load(balancing([two[1] as never], { backendPolicies: [eviction] }))
    w.ask()
    w.load({ ...balancing(two, { backendPolicies: [eviction] }), services: table(service()) })
    assert.strictEqual(statusOf(w.ask()), 500)
  })
})
