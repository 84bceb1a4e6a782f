import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { HttpTarget } from "../../../../../stages/6-dispatch/mcp/target/HttpTarget.ts"
import type { Discovery, McpTarget, TargetFailure } from "../../../../../stages/6-dispatch/mcp/target/McpTarget.ts"
import type { Clock } from "../../../../../stages/ports/Timer.ts"
import { callerOf, callOf, runtimeOf, said } from "./calling.ts"

type Kind = "modern" | "legacy" | "sse"

/** A server that says which way it was asked, and what it speaks today. */
const server = (speaks: () => ReadonlySet<Kind>) => {
  const discovered: Array<Kind> = []
  const foreign: TargetFailure = { _tag: "Unreachable", target: "one", message: "what?", began: false, status: 404 }
  const make = (kind: Kind): McpTarget => ({
    name: "one",
    discover: () =>
      Effect.suspend((): Effect.Effect<Discovery, TargetFailure> => {
        discovered.push(kind)
        if (!speaks().has(kind)) return Effect.fail(foreign)
        const era = kind === "modern" ? "modern" : "legacy"
        const nothing = { capabilities: "{}", serverInfo: undefined, instructions: undefined }
        return Effect.succeed({ era, ...nothing, ttlMillis: 0, isPublic: false })
      }),
    call: () =>
      speaks().has(kind)
        ? Effect.succeed({
            _tag: "Result",
            result: JSON.stringify({ content: [{ type: "text", text: kind }] }),
            era: "modern",
          })
        : Effect.fail(foreign),
    notify: () => Effect.void,
    listen: () => Effect.never,
    held: () => undefined,
    restore: () => {},
    release: () => Effect.void,
    close: () => {},
  })
  return { discovered, make }
}

const started = (speaks: () => ReadonlySet<Kind>) => {
  let now = 0
  const clock: Clock = { nowMillis: () => now, wallMillis: () => now, random: () => 0.5, after: () => () => {} }
  const { discovered, make } = server(speaks)
  const target = new HttpTarget({ name: "one", runtime: runtimeOf(clock), make })
  const call = async (): Promise<unknown> =>
    said(await Effect.runPromise(target.call(callOf("tools/call", { name: "x" }))))
  return { call, discovered, pass: (millis: number) => void (now += millis) }
}

describe("what a server speaks", () => {
  it("is found out once, and an older way is doubted after a while, since only a question can tell", async () => {
    let speaks = new Set<Kind>(["legacy"])
    const { call, discovered, pass } = started(() => speaks)
    expect(await call()).toBe("legacy")
    speaks = new Set(["legacy", "modern"])
    expect(await call()).toBe("legacy")
    expect(discovered).toEqual(["modern", "legacy"])
    pass(11 * 60_000)
    // Whoever notices is not kept waiting.
    expect(await call()).toBe("legacy")
    await expect.poll(call).toBe("modern")
    expect(discovered).toEqual(["modern", "legacy", "modern"])
    pass(11 * 60_000)
    expect(await call()).toBe("modern")
    expect(discovered).toHaveLength(3)
  })

  it("may be the first revision, or turn out to be another way at once", async () => {
    let speaks = new Set<Kind>(["sse"])
    const { call, discovered } = started(() => speaks)
    expect(await call()).toBe("sse")
    expect(discovered).toEqual(["modern", "legacy", "sse"])
    speaks = new Set(["modern"])
    expect(await call()).toBe("modern")
    speaks = new Set(["legacy"])
    expect(await call()).toBe("legacy")
    expect(callerOf().session).toBeUndefined()
  })
})
