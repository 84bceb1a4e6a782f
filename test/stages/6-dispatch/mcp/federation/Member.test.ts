import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe, expect, it } from "vitest"
import type { McpTarget as Described } from "../../../../../ir/backend/Mcp.ts"
import type { Listed } from "../../../../../stages/6-dispatch/mcp/federation/Listing.ts"
import { Member } from "../../../../../stages/6-dispatch/mcp/federation/Member.ts"
import type { Changed } from "../../../../../stages/6-dispatch/mcp/target/makeTarget.ts"
import type { Call, Caller, Outcome, TargetFailure } from "../../../../../stages/6-dispatch/mcp/target/McpTarget.ts"
import { FakeClock, makeExchange } from "../../../exchange.ts"
import { callerOf, runtimeOf } from "../target/calling.ts"

const method = "tools/list"
const described = { _tag: "Http", name: "a", deadlines: {}, tools: undefined } as unknown as Described

/** A question that waits for what the test makes of it. */
interface Asked {
  readonly call: Call
  readonly answer: Deferred.Deferred<Outcome, TargetFailure>
  isInterrupted: boolean
}

const start = (target = described) => {
  const asked: Array<Asked> = []
  const clock = new FakeClock()
  let changed: Changed = () => {}
  const member = new Member(target, runtimeOf(clock), (told) => {
    changed = told
    return {
      name: "a",
      discover: () =>
        Effect.succeed({
          era: "legacy",
          capabilities: "{}",
          serverInfo: undefined,
          instructions: undefined,
          ttlMillis: 0,
          isPublic: false,
        }),
      call: (call) =>
        Effect.suspend(() => {
          const one: Asked = { call, answer: Deferred.makeUnsafe(), isInterrupted: false }
          asked.push(one)
          return Effect.onInterrupt(Deferred.await(one.answer), () =>
            Effect.sync(() => void (one.isInterrupted = true)),
          )
        }),
      notify: () => Effect.void,
      listen: () => Effect.never,
      held: () => undefined,
      restore: () => {},
      release: () => Effect.void,
      close: () => {},
    }
  })
  const list = (caller: Partial<Caller> = {}): Fiber.Fiber<Listed> =>
    Effect.runFork(member.list(method, callerOf(caller)))
  return { asked, changed: (what: Parameters<Changed>[0]) => changed(what), clock, list, member }
}

interface Said {
  readonly ttlMs?: number
  readonly cacheScope?: string
}

const answer = (one: Asked | undefined, tool: string, { cacheScope = "private", ttlMs = 60_000 }: Said = {}): void => {
  if (one === undefined) throw new Error("nobody asked")
  const result = JSON.stringify({ tools: [{ name: tool, inputSchema: {} }], ttlMs, cacheScope })
  Deferred.doneUnsafe(one.answer, Exit.succeed<Outcome>({ _tag: "Result", result, era: "modern" }))
}

const fail = (one: Asked | undefined, failure: TargetFailure): void => {
  if (one === undefined) throw new Error("nobody asked")
  Deferred.doneUnsafe(one.answer, Exit.fail(failure))
}

const broken: TargetFailure = { _tag: "Unreachable", target: "a", message: "gone", began: true }

/** What somebody was shown: the tools, or why there are none. */
const shown = async (fiber: Fiber.Fiber<Listed>): Promise<unknown> => {
  const listed = await Effect.runPromise(Fiber.join(fiber))
  return listed._tag === "Missing"
    ? listed.failure._tag
    : listed.listing.items.map((item) => (JSON.parse(item) as { readonly name: string }).name).join(" ")
}

describe("a list that several want at once", () => {
  it("is asked for once, and kept", async () => {
    const { asked, list } = start()
    const all = [list(), list(), list()]
    expect(asked).toHaveLength(1)
    answer(asked[0], "one")
    expect(await Promise.all(all.map(shown))).toEqual(["one", "one", "one"])
    expect(await shown(list())).toBe("one")
    expect(asked).toHaveLength(1)
  })

  it("is asked for once more when it is stale, however many want it then", async () => {
    const { asked, clock, list } = start()
    const first = list()
    answer(asked[0], "one")
    await shown(first)
    clock.advance(60_000)
    const all = [list(), list()]
    expect(asked).toHaveLength(2)
    answer(asked[1], "two")
    expect(await Promise.all(all.map(shown))).toEqual(["two", "two"])
  })

  it("is read on for the others when one of them leaves, even the one it was asked for", async () => {
    const { asked, list } = start()
    const [first, second, third] = [list(), list(), list()]
    await Effect.runPromise(Fiber.interrupt(first))
    await Effect.runPromise(Fiber.interrupt(third))
    expect(asked[0]?.isInterrupted).toBe(false)
    answer(asked[0], "one")
    expect(await shown(second)).toBe("one")
  })

  it("is given up with the last of them, and asked for anew by the next", async () => {
    const { asked, clock, list } = start()
    const all = [list(), list()]
    for (const one of all) await Effect.runPromise(Fiber.interrupt(one))
    expect(asked[0]?.isInterrupted).toBe(true)
    expect(clock.waiting).toBe(0)
    const next = list()
    expect(asked).toHaveLength(2)
    answer(asked[1], "two")
    expect(await shown(next)).toBe("two")
  })

  it("is missing for all of them when it cannot be had, which is not kept", async () => {
    const { asked, list } = start()
    const all = [list(), list()]
    fail(asked[0], broken)
    expect(await Promise.all(all.map(shown))).toEqual(["Unreachable", "Unreachable"])
    const next = list()
    expect(asked).toHaveLength(2)
    answer(asked[1], "two")
    expect(await shown(next)).toBe("two")
  })

  it("counts as one failure of the server, however many waited", async () => {
    const { asked, list, member } = start()
    const all = [list(), list(), list()]
    fail(asked[0], broken)
    await Promise.all(all.map(shown))
    expect(member.failuresInRow).toBe(1)
  })

  it("runs out of time for all of them", async () => {
    const { asked, clock, list, member } = start()
    const all = [list(), list()]
    clock.advance(member.listMillis)
    expect(await Promise.all(all.map(shown))).toEqual(["TimedOut", "TimedOut"])
    expect(asked[0]?.isInterrupted).toBe(true)
  })
})

describe("a change that is told while a list is read", () => {
  it("makes the list good for those who waited before, and for nobody after them", async () => {
    const { asked, changed, list } = start()
    const before = list()
    changed("tools")
    const after = list()
    expect(asked).toHaveLength(2)
    answer(asked[0], "old")
    expect(await shown(before)).toBe("old")
    answer(asked[1], "new")
    expect(await shown(after)).toBe("new")
    expect(await shown(list())).toBe("new")
    expect(asked).toHaveLength(2)
  })

  it("leaves nothing that would pass for fresh", async () => {
    const { asked, changed, list } = start()
    const before = list()
    changed("tools")
    answer(asked[0], "old")
    const listed = await Effect.runPromise(Fiber.join(before))
    expect(listed).toMatchObject({ _tag: "Fresh", listing: { ttlMillis: 0 } })
    const after = list()
    expect(asked).toHaveLength(2)
    answer(asked[1], "new")
    expect(await shown(after)).toBe("new")
  })

  it("does not let what was read before replace what was read since", async () => {
    const { asked, changed, list } = start()
    const before = list()
    changed("tools")
    const after = list()
    answer(asked[1], "new")
    expect(await shown(after)).toBe("new")
    answer(asked[0], "old")
    expect(await shown(before)).toBe("old")
    expect(await shown(list())).toBe("new")
    expect(asked).toHaveLength(2)
  })

  it("is heeded also where everything is to be asked for anew", async () => {
    const { asked, list, member } = start()
    const before = list()
    member.reconsider()
    const after = list()
    expect(asked).toHaveLength(2)
    answer(asked[0], "old")
    await shown(before)
    answer(asked[1], "new")
    expect(await shown(after)).toBe("new")
  })

  it("says nothing of other lists", async () => {
    const { asked, changed, list } = start()
    const all = [list()]
    changed("prompts")
    all.push(list())
    expect(asked).toHaveLength(1)
    answer(asked[0], "one")
    await Promise.all(all.map(shown))
    expect(await shown(list())).toBe("one")
  })
})

describe("a list that is not the same for everybody", () => {
  it("is asked for on behalf of each of them", async () => {
    const { asked, list } = start()
    const all = [list({ principal: "ann" }), list({ principal: "bob" }), list({ capabilities: '{"sampling":{}}' })]
    expect(asked).toHaveLength(3)
    for (const one of asked) answer(one, `for ${one.call.caller.principal}`)
    expect(await Promise.all(all.map(shown))).toEqual(["for ann", "for bob", "for somebody"])
  })

  it("is asked for anew where the same identity comes with another token of more or less power", async () => {
    const { asked, list } = start()
    const holding = (scope: string): Partial<Caller> => {
      const exchange = makeExchange({})
      exchange.identity = { jwt: { iss: "i", sub: "s", scope } }
      return { principal: "ann", exchange }
    }
    const all = [list(holding("read write")), list(holding("read")), list(holding("write read"))]
    expect(asked).toHaveLength(2)
    answer(asked[0], "more")
    answer(asked[1], "less")
    expect(await Promise.all(all.map(shown))).toEqual(["more", "less", "more"])
    expect(await Promise.all([shown(list(holding("read"))), shown(list(holding("read write")))])).toEqual([
      "less",
      "more",
    ])
    expect(asked).toHaveLength(2)
  })

  it("is asked for on behalf of every token that says nothing of a person", async () => {
    const { asked, list } = start()
    const holding = (jti: string): Partial<Caller> => {
      const exchange = makeExchange({})
      exchange.identity = { jwt: { iss: "i", jti } }
      return { principal: "somebody of i", exchange }
    }
    const all = [list(holding("1")), list(holding("2")), list(holding("1"))]
    expect(asked).toHaveLength(2)
    answer(asked[0], "one")
    answer(asked[1], "two")
    expect(await Promise.all(all.map(shown))).toEqual(["one", "two", "one"])
  })

  it("is not shown to strangers where whoever sits at the machine was granted it", async () => {
    const { asked, list } = start({ ...described, oauth: {} } as Described)
    const from = (host: string): Partial<Caller> => {
      const exchange = makeExchange({})
      const { request } = exchange
      const bound = { secured: { accepted: { local: { host: "127.0.0.1", port: 1 } } } }
      const seen = Object.create(exchange, {
        bound: { value: bound },
        request: { value: Object.create(request, { host: { value: host } }) },
      }) as typeof exchange
      return { principal: "anonymous", exchange: seen }
    }
    const all = [list(from("localhost")), list(from("mcp.example")), list(from("127.0.0.1"))]
    expect(asked).toHaveLength(2)
    answer(asked[0], "granted")
    answer(asked[1], "public part")
    expect(await Promise.all(all.map(shown))).toEqual(["granted", "public part", "granted"])
    expect(await shown(list(from("mcp.example")))).toBe("public part")
  })

  it("is nobody else's where it may not be kept", async () => {
    const { asked, list } = start()
    const all = [list(), list()]
    answer(asked[0], "one", { ttlMs: 0 })
    expect(await shown(all[0] as Fiber.Fiber<Listed>)).toBe("one")
    expect(asked).toHaveLength(2)
    answer(asked[1], "two", { ttlMs: 0 })
    expect(await shown(all[1] as Fiber.Fiber<Listed>)).toBe("two")
    const later = [list(), list()]
    expect(asked).toHaveLength(4)
    for (const one of asked) answer(one, "three", { ttlMs: 0 })
    await Promise.all(later.map(shown))
  })

  it("is each one's own where the server has said that it has sessions", async () => {
    const { asked, list, member } = start()
    await Effect.runPromise(member.discover(callerOf()))
    const all = [list({ session: "s1" }), list({ session: "s2" })]
    expect(asked).toHaveLength(2)
    for (const one of asked) answer(one, String(one.call.caller.session))
    expect(await Promise.all(all.map(shown))).toEqual(["s1", "s2"])
  })

  it("is asked for once for all where everybody was shown the same, as long as that is so", async () => {
    const { asked, clock, list } = start()
    const first = list({ principal: "ann" })
    answer(asked[0], "one", { cacheScope: "public" })
    await shown(first)
    clock.advance(60_000)
    const all = [list({ principal: "ann" }), list({ principal: "bob" })]
    expect(asked).toHaveLength(2)
    answer(asked[1], "two", { cacheScope: "public" })
    expect(await Promise.all(all.map(shown))).toEqual(["two", "two"])
    clock.advance(60_000)
    const later = [list({ principal: "ann" }), list({ principal: "bob" })]
    expect(asked).toHaveLength(3)
    answer(asked[2], "for ann")
    expect(await shown(later[0] as Fiber.Fiber<Listed>)).toBe("for ann")
    expect(asked).toHaveLength(4)
    answer(asked[3], "for bob")
    expect(await shown(later[1] as Fiber.Fiber<Listed>)).toBe("for bob")
    expect(await Promise.all([shown(list({ principal: "ann" })), shown(list({ principal: "bob" }))])).toEqual([
      "for ann",
      "for bob",
    ])
    expect(asked).toHaveLength(4)
  })

  it("is not missing because somebody else may not see it", async () => {
    const { asked, clock, list } = start()
    const first = list({ principal: "ann" })
    answer(asked[0], "one", { cacheScope: "public" })
    await shown(first)
    clock.advance(limitsPassed)
    const [ann, bob, cid] = [list({ principal: "ann" }), list({ principal: "bob" }), list({ principal: "bob" })]
    fail(asked[1], { _tag: "Unauthorized", target: "a", status: 401, challenge: undefined })
    expect(await shown(ann as Fiber.Fiber<Listed>)).toBe("Unauthorized")
    for (const one of asked.slice(2)) answer(one, "two", { cacheScope: "public" })
    expect(await Promise.all([bob, cid].map((one) => shown(one as Fiber.Fiber<Listed>)))).toEqual(["two", "two"])
  })
})
/** Longer than anything stale is shown. */
const limitsPassed = 24 * 3_600_000
