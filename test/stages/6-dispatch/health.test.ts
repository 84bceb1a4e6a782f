import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Eviction } from "../../../ir/policy/Health.ts"
import {
  type Circumstances,
  EVICTION_JITTER,
  EVICTION_MILLIS_MAX,
  evictionMillis,
  judge,
  Vitals,
} from "../../../stages/6-dispatch/health.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import type { Reply } from "../../../stages/Exchange.ts"
import { drain, flowOf, makeReply, ScriptedFlow } from "../exchange.ts"
import { balancing, isReply, statusOf, workload, World, world } from "./world.ts"

const now = (nowMillis: number, more: Partial<Circumstances> = {}): Circumstances => ({
  nowMillis,
  drawn: 0,
  hintMillis: undefined,
  backoffMillis: undefined,
  ...more,
})

describe("the verdict on a reply", () => {
  it("is bad from 500 on", () => {
    assert.strictEqual(judge(499, new Headers()), "healthy")
    assert.strictEqual(judge(500, new Headers()), "unhealthy")
  })
  it("follows the status of gRPC, which may come only at the end", () => {
    const grpc = (...more: ReadonlyArray<string>) => new Headers(["content-type", "application/grpc", ...more])
    assert.strictEqual(judge(200, grpc("grpc-status", "0")), "healthy")
    assert.strictEqual(judge(200, grpc("grpc-status", "14")), "unhealthy")
    assert.strictEqual(judge(200, grpc()), "later")
  })
})

describe("an endpoint is put aside", () => {
  const failures = (eviction: Eviction | undefined, count: number): Vitals => {
    const vitals = new Vitals()
    for (let i = 0; i < count; i++) vitals.failed(eviction, now(0))
    return vitals
  }
  it("never without a policy that says so", () => {
    assert.isTrue(failures(undefined, 50).isActive(0))
    assert.isBelow(failures(undefined, 50).score, 0.01)
  })
  it("at the first failure where no threshold is set", () => {
    assert.isFalse(failures({}, 1).isActive(0))
  })
  it("after so many failures in a row", () => {
    assert.isTrue(failures({ consecutiveFailures: 3 }, 2).isActive(0))
    assert.isFalse(failures({ consecutiveFailures: 3 }, 3).isActive(0))
    const interrupted = failures({ consecutiveFailures: 3 }, 2)
    interrupted.succeeded()
    interrupted.failed({ consecutiveFailures: 3 }, now(0))
    assert.isTrue(interrupted.isActive(0))
  })
  it("when its health was below the threshold before this failure", () => {
    assert.isTrue(failures({ healthThreshold: 0.6 }, 1).isActive(0))
    assert.isTrue(failures({ healthThreshold: 0.6 }, 2).isActive(0))
    assert.isFalse(failures({ healthThreshold: 0.6 }, 3).isActive(0))
  })
  it("when either threshold is passed", () => {
    assert.isFalse(failures({ healthThreshold: 0.01, consecutiveFailures: 2 }, 2).isActive(0))
    assert.isFalse(failures({ healthThreshold: 0.9, consecutiveFailures: 20 }, 2).isActive(0))
  })
})

describe("how long it stays away", () => {
  it("is what is configured, else the hint, else the backoff, else three seconds", () => {
    const hints = { hintMillis: 7000, backoffMillis: 2000 }
    assert.strictEqual(evictionMillis({ durationMillis: 100 }, 0, now(0, hints)), 100)
    assert.strictEqual(evictionMillis({}, 0, now(0, hints)), 7000)
    assert.strictEqual(evictionMillis({}, 0, now(0, { backoffMillis: 2000 })), 2000)
    assert.strictEqual(evictionMillis({}, 0, now(0)), 3000)
  })
  it("grows with every eviction, to a limit", () => {
    assert.strictEqual(evictionMillis({ durationMillis: 1000 }, 2, now(0)), 3000)
    assert.strictEqual(evictionMillis({ durationMillis: 1000 }, 10_000, now(0)), EVICTION_MILLIS_MAX)
    const long = 2 * EVICTION_MILLIS_MAX
    assert.strictEqual(evictionMillis({ durationMillis: long }, 9, now(0)), long)
    assert.isAtMost(
      evictionMillis({ durationMillis: 1000 }, 10_000, now(0, { drawn: 0.999 })),
      EVICTION_MILLIS_MAX * (1 + EVICTION_JITTER),
    )
  })
  it("starts anew after a success, and the count of failures after a return", () => {
    const vitals = new Vitals()
    const eviction = { durationMillis: 1000, consecutiveFailures: 2, restoreHealth: 0.8 }
    vitals.failed(eviction, now(0))
    vitals.failed(eviction, now(0))
    assert.isFalse(vitals.isActive(999))
    assert.isTrue(vitals.isActive(1000))
    assert.strictEqual(vitals.health, 0.8)
    vitals.failed(eviction, now(1000))
    assert.isTrue(vitals.isActive(1000))
    vitals.failed(eviction, now(1000))
    assert.isFalse(vitals.isActive(2999))
    assert.isTrue(vitals.isActive(3000))
    vitals.succeeded()
    vitals.failed(eviction, now(3000))
    vitals.failed(eviction, now(3000))
    assert.isTrue(vitals.isActive(4000))
  })
  it("is not prolonged by requests that came all the same", () => {
    const vitals = new Vitals()
    vitals.failed({ durationMillis: 1000 }, now(0))
    vitals.failed({ durationMillis: 1000 }, now(500))
    assert.isTrue(vitals.isActive(1000))
  })
})

describe("what attempts teach", () => {
  const health = { _tag: "Health" as const, eviction: { durationMillis: 1000 } }
  const two = (): World =>
    world(balancing([workload("a", "10.0.0.1"), workload("b", "10.0.0.2")], { backendPolicies: [health] }))
  const asks = (w: World): ReadonlyArray<string> => {
    w.calls.length = 0
    for (let i = 0; i < 4; i++) {
      w.clock.draw = i / 4
      w.ask()
    }
    return [...new Set(w.targets)].sort()
  }

  it("failures of the connection put an endpoint aside, and it comes back", () => {
    const w = two()
    w.clock.draw = 0
    w.answer = () => ({ _tag: "ConnectFailed", message: "refused" })
    w.ask()
    w.answer = () => makeReply()
    assert.deepStrictEqual(asks(w), ["10.0.0.2:8080"])
    w.clock.advance(1000)
    assert.deepStrictEqual(asks(w), ["10.0.0.1:8080", "10.0.0.2:8080"])
  })

  it("what the client broke off is nobody's fault", () => {
    const w = two()
    w.answer = () => ({ _tag: "RequestAborted", message: "gone" })
    w.ask()
    w.answer = () => makeReply()
    assert.strictEqual(asks(w).length, 2)
  })

  it("a gRPC status at the end of the body counts", () => {
    const w = two()
    w.clock.draw = 0
    w.answer = () => ({
      ...makeReply({ headers: { "content-type": "application/grpc" } }),
      body: flowOf(["x"], undefined, new Headers(["grpc-status", "14"])),
    })
    const reply = w.ask() as Reply
    w.answer = () => makeReply()
    assert.strictEqual(asks(w).length, 2)
    return Effect.runPromise(drain(reply.body)).then(() => assert.deepStrictEqual(asks(w), ["10.0.0.2:8080"]))
  })

  it("a request is under way until its reply has ended or was let go", () => {
    const w = world(balancing([workload("a", "10.0.0.1")]))
    const body = new ScriptedFlow()
    w.answer = () => ({ ...makeReply(), body })
    const pendingOf = () => {
      const where = w.plan?.heritage?.services.endpoints(w.plan.snapshot.services.values().next().value as never, 80)
      return where?.buckets[0]?.members[0]?.vitals.pending
    }
    const reply = w.ask()
    assert.isTrue(isReply(reply))
    assert.strictEqual(pendingOf(), 1)
    const source = (reply as Reply).body._tag === "Flow" ? ((reply as Reply).body as ScriptedFlow) : undefined
    source?.open({ write: () => true, end: () => {}, fail: () => {} }).cancel()
    assert.isTrue(body.isCancelled)
    assert.strictEqual(pendingOf(), 0)
    assert.strictEqual(statusOf(reply), 200)
  })
})
