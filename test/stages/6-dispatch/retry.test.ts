import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Retry } from "../../../ir/policy/Retry.ts"
import type { TrafficPolicy } from "../../../ir/Policy.ts"
import type { Body } from "../../../stages/Body.ts"
import type { Socket } from "../../../stages/ports/Network.ts"
import type { UpstreamFailure } from "../../../stages/ports/Upstream.ts"
import { table } from "../../ir/snapshots.ts"
import { drain, flowOf, makeExchange, makeReply, ScriptedFlow } from "../exchange.ts"
import { balancing, type Call, host, refusalOf, routing, statusOf, toBackend, workload, World, world } from "./world.ts"

const retry = (more: Partial<Retry> = {}): Retry => ({ _tag: "Retry", attempts: 2, codes: [503], ...more })

const retrying = (policy: Retry, ...more: ReadonlyArray<TrafficPolicy>): World =>
  world(routing([toBackend("a.test")], [policy, ...more], { backends: table(host("a.test")) }))

const failure = (failure: UpstreamFailure): UpstreamFailure => failure

const reset = (sent: boolean) => failure({ _tag: "Reset", message: "reset", sent })

describe("a status that is asked for", () => {
  it("is tried again, up to so many extra times, and the last reply counts", () => {
    const w = retrying(retry())
    w.answer = () => makeReply({ status: 503 })
    assert.strictEqual(statusOf(w.ask()), 503)
    assert.strictEqual(w.calls.length, 3)
    assert.deepStrictEqual(
      w.calls.map(({ headers }) => headers.get("x-retry-attempt")),
      [undefined, "1", "2"],
    )
  })
  it("is tried again for any method, because somebody asked for just that", () => {
    const w = retrying(retry())
    w.answer = (_, index) => makeReply({ status: index === 0 ? 503 : 200 })
    assert.strictEqual(statusOf(w.ask({ method: "POST", body: "x" })), 200)
    assert.strictEqual(w.calls.length, 2)
  })
  it("and no other", () => {
    const w = retrying(retry())
    w.answer = () => makeReply({ status: 500 })
    assert.strictEqual(statusOf(w.ask()), 500)
    assert.strictEqual(w.calls.length, 1)
  })
  it("lets go of the reply that is not used", () => {
    const w = retrying(retry({ attempts: 1 }))
    const bodies = [new ScriptedFlow(), new ScriptedFlow()]
    w.answer = (_, index) => ({ ...makeReply({ status: 503 }), body: bodies[index] as Body })
    w.ask()
    assert.deepStrictEqual(
      bodies.map(({ isCancelled }) => isCancelled),
      [true, false],
    )
  })
  it("is not tried again once the connection was handed over", () => {
    const w = retrying(retry({ codes: [101] }))
    w.answer = () => makeReply({ status: 101, tunnel: {} as Socket })
    assert.strictEqual(statusOf(w.ask()), 101)
    assert.strictEqual(w.calls.length, 1)
  })
})

describe("a failed call", () => {
  const tried = (method: string, answer: UpstreamFailure): number => {
    const w = retrying(retry({ codes: [] }))
    w.answer = () => answer
    assert.notStrictEqual(refusalOf(w.ask({ method })), "answered")
    return w.calls.length
  }
  const unseen: ReadonlyArray<UpstreamFailure> = [
    { _tag: "ResolutionFailed", message: "" },
    { _tag: "ConnectFailed", message: "" },
    { _tag: "ConnectTimeout", message: "" },
    { _tag: "TlsFailed", message: "" },
    { _tag: "TunnelRefused", message: "", status: 503 },
    reset(false),
  ]
  for (const one of unseen)
    it(`${one._tag}, of which the upstream has seen nothing, is made again for any method`, () => {
      assert.strictEqual(tried("POST", one), 3)
      assert.strictEqual(tried("GET", one), 3)
    })
  const seen: ReadonlyArray<UpstreamFailure> = [
    reset(true),
    { _tag: "ReplyTimeout", message: "" },
    { _tag: "MalformedReply", message: "" },
  ]
  for (const one of seen)
    it(`${one._tag}, of which the upstream may have seen all, is made again only where twice is as good as once`, () => {
      for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]) assert.strictEqual(tried(method, one), 3)
      for (const method of ["POST", "PATCH", "PURGE"]) assert.strictEqual(tried(method, one), 1)
    })
  it("of the client's own making is not made again", () => {
    assert.strictEqual(tried("GET", { _tag: "RequestAborted", message: "" }), 1)
  })
  it("is refused as the last attempt failed", () => {
    const w = retrying(retry({ attempts: 1 }))
    w.answer = (_, index) => (index === 0 ? reset(false) : { _tag: "ResolutionFailed", message: "no such host" })
    assert.strictEqual(refusalOf(w.ask()), "ResolutionFailed")
  })
  it("is made once without a policy", () => {
    const w = world(routing([toBackend("a.test")], [], { backends: table(host("a.test")) }))
    w.answer = () => reset(false)
    w.ask()
    assert.strictEqual(w.calls.length, 1)
  })
  it("is made at another endpoint", () => {
    const w = world(balancing([workload("a", "10.0.0.1"), workload("b", "10.0.0.2")], { policies: [retry()] }))
    w.clock.draw = 0
    w.answer = (_, index) => (index === 0 ? reset(false) : makeReply())
    assert.strictEqual(statusOf(w.ask()), 200)
    assert.deepStrictEqual(w.targets, ["10.0.0.1:8080", "10.0.0.2:8080"])
  })
})

describe("time", () => {
  it("passes between tries, and counts", async () => {
    const w = retrying(retry({ attempts: 5, backoffMillis: 100 }), { _tag: "Timeout", requestMillis: 250 })
    w.answer = () => makeReply({ status: 503 })
    const fiber = w.start(makeExchange())
    assert.strictEqual(w.calls.length, 1)
    w.clock.advance(99)
    assert.strictEqual(w.calls.length, 1)
    w.clock.advance(1)
    assert.strictEqual(w.calls.length, 2)
    assert.strictEqual(w.calls[1]?.options.replyTimeoutMillis, 150)
    w.clock.advance(100)
    // A further try could begin only after the deadline, so the reply at hand is the answer.
    assert.strictEqual(w.calls.length, 3)
    assert.strictEqual(fiber.pollUnsafe()?._tag, "Success")
    assert.strictEqual(w.clock.waiting, 0)
  })
  it("that is up ends the tries", () => {
    const w = retrying(retry(), { _tag: "Timeout", requestMillis: 100 })
    w.answer = () => {
      w.clock.advance(100)
      return { _tag: "ReplyTimeout", message: "" }
    }
    assert.strictEqual(refusalOf(w.ask()), "RequestTimeout")
    assert.strictEqual(w.calls.length, 1)
  })
  it("for one try is not the end", () => {
    const w = retrying(retry(), { _tag: "Timeout", backendRequestMillis: 100 })
    w.answer = (_, index) => (index === 0 ? { _tag: "ReplyTimeout", message: "" } : makeReply())
    assert.strictEqual(statusOf(w.ask()), 200)
  })
  it("that nobody waits for any more stops the wait", async () => {
    const w = retrying(retry({ backoffMillis: 100 }))
    w.answer = () => makeReply({ status: 503 })
    const fiber = w.start(makeExchange())
    assert.strictEqual(w.clock.waiting, 1)
    fiber.interruptUnsafe()
    await new Promise((resolve) => setImmediate(resolve))
    assert.strictEqual(w.clock.waiting, 0)
    assert.strictEqual(w.calls.length, 1)
  })
})

describe("the body", () => {
  const readingAll = (w: World, seen: Array<string>, statuses: ReadonlyArray<number>): void => {
    w.answer = ({ request }: Call, index) =>
      Effect.map(drain(request.body), ({ text }) => {
        seen.push(text)
        return makeReply({ status: statuses[index] ?? 200 })
      })
  }
  it("is sent again as it was", async () => {
    const w = retrying(retry())
    const seen: Array<string> = []
    readingAll(w, seen, [503, 503, 200])
    const exchange = makeExchange({ method: "POST", body: flowOf(["a", "b", "c"]) })
    const reply = await Effect.runPromise(w.serve(exchange))
    assert.strictEqual(reply.status, 200)
    assert.deepStrictEqual(seen, ["abc", "abc", "abc"])
  })
  it("that is known to be too large is sent once", async () => {
    const w = retrying(retry())
    w.answer = () => makeReply({ status: 503 })
    const body = new ScriptedFlow(65_537)
    assert.strictEqual(statusOf(w.ask({ method: "POST", body })), 503)
    assert.strictEqual(w.calls.length, 1)
    const small = new ScriptedFlow(65_536)
    w.ask({ method: "POST", body: small })
    assert.strictEqual(w.calls.length, 4)
  })
  it("that turns out to be too large is sent once", async () => {
    const w = retrying(retry())
    const seen: Array<string> = []
    readingAll(w, seen, [503])
    const large = "x".repeat(40_000)
    const reply = await Effect.runPromise(w.serve(makeExchange({ method: "POST", body: flowOf([large, large]) })))
    assert.strictEqual(reply.status, 503)
    assert.deepStrictEqual(seen, [large + large])
  })
  it("that lies in memory already may have any size", () => {
    const w = retrying(retry())
    w.answer = () => makeReply({ status: 503 })
    w.ask({ method: "POST", body: "x".repeat(100_000) })
    assert.strictEqual(w.calls.length, 3)
  })
  it("goes on where the first attempt stopped reading", async () => {
    const w = retrying(retry({ codes: [] }))
    const body = new ScriptedFlow()
    const seen: Array<string> = []
    w.answer = ({ request }, index) =>
      index > 0
        ? Effect.map(drain(request.body), ({ text }) => {
            seen.push(text)
            return makeReply()
          })
        : Effect.callback((resume) => {
            if (request.body._tag !== "Flow") throw new Error("no flow")
            const source = request.body.open({
              write: () => {
                queueMicrotask(() => {
                  source.cancel()
                  resume(Effect.fail(reset(false)))
                })
                return true
              },
              end: () => {},
              fail: () => {},
            })
          })
    const done = Effect.runPromise(w.serve(makeExchange({ method: "POST", body })))
    body.write("one,")
    await new Promise((resolve) => setImmediate(resolve))
    assert.isFalse(body.isCancelled)
    assert.strictEqual(w.calls.length, 2)
    body.write("two,")
    body.write("three")
    body.end()
    assert.strictEqual((await done).status, 200)
    assert.deepStrictEqual(seen, ["one,two,three"])
    assert.strictEqual(body.opened, 1)
  })
  it("is let go when the last attempt does not want it", () => {
    const w = retrying(retry({ attempts: 1, codes: [] }))
    const body = new ScriptedFlow()
    w.answer = ({ request }) => {
      if (request.body._tag === "Flow") request.body.open({ write: () => true, end: () => {}, fail: () => {} }).cancel()
      return reset(false)
    }
    assert.strictEqual(refusalOf(w.ask({ method: "POST", body })), "UpstreamFailed")
    assert.strictEqual(w.calls.length, 2)
    assert.isTrue(body.isCancelled)
  })
})
