import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { BackendKey } from "../../../ir/Key.ts"
import type { RequestMirror } from "../../../ir/policy/RequestMirror.ts"
import { MIRROR_MILLIS_MAX, MIRRORS_IN_FLIGHT_MAX } from "../../../stages/6-dispatch/Mirrors.ts"
import { COPY_LAG_BYTES_MAX } from "../../../stages/6-dispatch/Tee.ts"
import type { Body } from "../../../stages/Body.ts"
import { table } from "../../ir/snapshots.ts"
import { drain, flowOf, makeExchange, makeReply, ScriptedFlow } from "../exchange.ts"
import { type Call, host, routing, statusOf, toBackend, World, world } from "./world.ts"

const mirrorTo = (fraction: number, ...names: ReadonlyArray<string>): RequestMirror => ({
  _tag: "RequestMirror",
  mirrors: names.map((name) => ({
    backend: { _tag: "Backend", backend: BackendKey.make(`/${name}`) },
    fraction,
  })),
})

const backends = table(host("main.test"), host("copy.test"), host("second.test"))

const mirroring = (policy: RequestMirror): World => world(routing([toBackend("main.test")], [policy], { backends }))

const settle = () => new Promise((resolve) => setTimeout(resolve, 0))

/** Reads every body and answers 200. */
const reading = (w: World, seen: Map<string, string>): void => {
  w.answer = ({ request, to }: Call) =>
    Effect.map(drain(request.body), ({ failure, text }) => {
      seen.set(to, failure === undefined ? text : `${text}!${failure.reason}`)
      return makeReply()
    })
}

describe("a mirror", () => {
  it("gets a copy of the request, under its own name", () => {
    const w = mirroring(mirrorTo(1, "copy.test"))
    const exchange = makeExchange({ url: "http://front.test/a?b", headers: { "x-a": "1" } })
    assert.strictEqual(statusOf(w.answered(exchange)), 200)
    const copy = w.calls.find(({ to }) => to === "copy.test:80")
    if (copy === undefined) throw new Error("nothing was copied")
    assert.strictEqual(copy.authority, "copy.test")
    assert.strictEqual(copy.request.target, "/a?b")
    assert.strictEqual(copy.headers.get("x-a"), "1")
    assert.notStrictEqual(copy.request.headers, exchange.request.headers)
    assert.strictEqual(exchange.trail.mirrors, 1)
    assert.strictEqual(exchange.trail.backend, "main.test")
    assert.strictEqual(exchange.trail.endpoint?.label, "main.test:80")
    assert.strictEqual(exchange.trail.attempts, 1)
  })

  it("gets the body as well, whatever form it has", async () => {
    for (const body of ["abc", flowOf(["a", "b", "c"])]) {
      const w = mirroring(mirrorTo(1, "copy.test", "second.test"))
      const seen = new Map<string, string>()
      reading(w, seen)
      await Effect.runPromise(w.serve(makeExchange({ method: "POST", body })))
      await settle()
      assert.deepStrictEqual([...seen].sort(), [
        ["copy.test:80", "abc"],
        ["main.test:80", "abc"],
        ["second.test:80", "abc"],
      ])
      assert.strictEqual(w.mirrors.sent, 2)
      assert.strictEqual(w.mirrors.inFlight, 0)
      assert.strictEqual(w.mirrors.keptBytes, 0)
    }
  })

  it("gets the share of requests it asks for", () => {
    const w = mirroring(mirrorTo(0.25, "copy.test"))
    for (const drawn of [0, 0.24, 0.25, 0.9]) {
      w.clock.draw = drawn
      w.ask()
    }
    assert.strictEqual(w.targets.filter((to) => to === "copy.test:80").length, 2)
    const never = mirroring(mirrorTo(0, "copy.test"))
    never.clock.draw = 0
    never.ask()
    assert.deepStrictEqual(never.targets, ["main.test:80"])
  })

  it("that fails, is unknown or never answers is not noticed", async () => {
    const failing = mirroring(mirrorTo(1, "copy.test"))
    failing.answer = ({ to }) =>
      to === "copy.test:80" ? { _tag: "ConnectFailed", message: "refused" } : makeReply({ status: 201 })
    assert.strictEqual(statusOf(failing.ask()), 201)
    await settle()
    assert.strictEqual(failing.mirrors.failed, 1)

    const unknown = mirroring(mirrorTo(1, "missing"))
    assert.strictEqual(statusOf(unknown.ask()), 200)
    await settle()
    assert.strictEqual(unknown.mirrors.failed, 1)

    const silent = mirroring(mirrorTo(1, "copy.test"))
    silent.answer = ({ to }) => (to === "copy.test:80" ? Effect.never : makeReply({ status: 201 }))
    assert.strictEqual(statusOf(silent.ask()), 201)
    assert.strictEqual(silent.mirrors.inFlight, 1)
    silent.clock.advance(MIRROR_MILLIS_MAX)
    await settle()
    assert.strictEqual(silent.mirrors.inFlight, 0)
    assert.strictEqual(silent.mirrors.failed, 1)
  })

  it("is dropped when too many are under way, and the request goes on", () => {
    const w = mirroring(mirrorTo(1, "copy.test"))
    w.answer = ({ to }) => (to === "copy.test:80" ? Effect.never : makeReply())
    for (let i = 0; i < MIRRORS_IN_FLIGHT_MAX + 3; i++) assert.strictEqual(statusOf(w.ask()), 200)
    assert.strictEqual(w.mirrors.inFlight, MIRRORS_IN_FLIGHT_MAX)
    assert.strictEqual(w.mirrors.dropped, 3)
  })

  it("that falls behind is cut off, and the request goes on", async () => {
    const w = mirroring(mirrorTo(1, "copy.test"))
    const body = new ScriptedFlow()
    let text = 0
    w.answer = ({ request, to }) =>
      to === "copy.test:80"
        ? // Opens the body and never reads on.
          Effect.callback((resume) => {
            if (request.body._tag !== "Flow") throw new Error("no flow")
            request.body.open({
              write: () => false,
              end: () => resume(Effect.succeed(makeReply())),
              fail: ({ message }) => resume(Effect.fail({ _tag: "RequestAborted", message })),
            })
          })
        : Effect.map(drain(request.body), (drained) => {
            text = drained.text.length
            return makeReply()
          })
    const done = Effect.runPromise(w.serve(makeExchange({ method: "POST", body })))
    const chunk = new Uint8Array(65_536).fill(120)
    const chunks = COPY_LAG_BYTES_MAX / chunk.byteLength + 4
    for (let i = 0; i < chunks; i++) {
      body.write(chunk)
      assert.isFalse(body.isPaused)
      assert.isAtMost(w.mirrors.keptBytes, COPY_LAG_BYTES_MAX)
    }
    body.end()
    assert.strictEqual((await done).status, 200)
    assert.strictEqual(text, chunks * chunk.byteLength)
    await settle()
    assert.strictEqual(w.mirrors.keptBytes, 0)
  })

  it("gets no whole body where the request had none", async () => {
    const w = mirroring(mirrorTo(1, "copy.test"))
    const body = new ScriptedFlow()
    const seen = new Map<string, string>()
    reading(w, seen)
    const done = Effect.runPromise(w.serve(makeExchange({ method: "POST", body })))
    body.write("abc")
    body.fail("gone")
    await done
    await settle()
    assert.strictEqual(seen.get("copy.test:80"), "abc!gone")
  })

  it("of the backend sees what the backend sees, once for all attempts", () => {
    const edits = { _tag: "RequestHeaderModifier", add: [{ name: "x-a", value: "1" }], set: [], remove: [] } as const
    const w = world(
      routing([toBackend("main.test")], [{ _tag: "Retry", attempts: 2, codes: [503] }], {
        backends: table(host("main.test", [edits, mirrorTo(1, "copy.test")]), host("copy.test")),
      }),
    )
    w.answer = () => makeReply({ status: 503 })
    w.ask()
    const copies = w.calls.filter(({ to }) => to === "copy.test:80")
    assert.strictEqual(copies.length, 1)
    assert.strictEqual(copies[0]?.headers.get("x-a"), "1")
    assert.strictEqual(w.calls.length, 4)
  })

  it("of the backend is called by its own name, whatever that backend is called", () => {
    const edits = {
      _tag: "RequestHeaderModifier",
      add: [],
      set: [{ name: "host", value: "n.test" }],
      remove: [],
    } as const
    const w = world(
      routing([toBackend("main.test")], [], {
        backends: table(host("main.test", [edits, mirrorTo(1, "copy.test")]), host("copy.test")),
      }),
    )
    w.ask()
    assert.deepStrictEqual(Object.fromEntries(w.calls.map(({ authority, to }) => [to, authority])), {
      "main.test:80": "n.test",
      "copy.test:80": "copy.test",
    })
  })

  it("and the body of a request that is tried again go together", async () => {
    const w = world(
      routing([toBackend("main.test")], [{ _tag: "Retry", attempts: 1, codes: [503] }, mirrorTo(1, "copy.test")], {
        backends,
      }),
    )
    const seen: Array<string> = []
    w.answer = ({ request, to }: Call) =>
      Effect.map(drain(request.body), ({ text }) => {
        seen.push(`${to} ${text}`)
        return makeReply({ status: to === "main.test:80" && seen.length < 3 ? 503 : 200 })
      })
    await Effect.runPromise(w.serve(makeExchange({ method: "POST", body: flowOf(["a", "b"]) })))
    await settle()
    assert.deepStrictEqual(seen.sort(), ["copy.test:80 ab", "main.test:80 ab", "main.test:80 ab"])
  })

  it("leaves the reply alone, and its own reply is read to its end or let go", async () => {
    const w = mirroring(mirrorTo(1, "copy.test"))
    const large = new ScriptedFlow()
    w.answer = ({ to }) => (to === "copy.test:80" ? { ...makeReply(), body: large as Body } : makeReply({ body: "ok" }))
    w.ask()
    large.write(new Uint8Array(70_000))
    await settle()
    assert.isTrue(large.isCancelled)
    assert.strictEqual(w.mirrors.inFlight, 0)
    assert.strictEqual(w.mirrors.sent, 1)
  })

  it("does not outlive the gateway", async () => {
    const w = mirroring(mirrorTo(1, "copy.test"))
    let interrupted = false
    w.answer = ({ to }) =>
      to === "copy.test:80"
        ? Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true)))
        : makeReply()
    w.ask()
    await Effect.runPromise(Scope.close(w.scope, Exit.void))
    assert.isTrue(interrupted)
    assert.strictEqual(statusOf(w.ask()), 200)
  })
})
