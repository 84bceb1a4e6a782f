import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { MaskedText } from "../../../../../protocols/llm/guard/MaskedText.ts"
import type { Judgement } from "../../../../../protocols/llm/guard/remote.ts"
import { scopes } from "../../../../../protocols/llm/guard/spots.ts"
import type { Checked, Guard, Judge } from "../../../../../stages/6-dispatch/llm/guard/Guard.ts"
import { ask, type Words } from "../../../../../stages/6-dispatch/llm/guard/judge.ts"
import { local } from "../../../../../stages/6-dispatch/llm/guard/local.ts"
import type { Try } from "../../../../../stages/6-dispatch/Target.ts"

const words = (text: string, more: Partial<Words> = {}): Words => ({
  masked: new MaskedText(text),
  scope: "messages",
  role: "user",
  group: 0,
  ...more,
})
const guard = (judge: Judge, more: Partial<Guard> = {}): Guard => ({
  name: judge._tag,
  judge,
  rejection: undefined,
  rejectionHeaders: undefined,
  scope: new Set(scopes),
  ...more,
})
const ssn = local({ _tag: "Regex", action: "mask", rules: [{ _tag: "Builtin", entity: "ssn" }] })
const pattern = (pattern: string, action: "mask" | "reject" = "mask") =>
  local({ _tag: "Regex", action, rules: [{ _tag: "Pattern", pattern }] })

/** Nothing here looks at the request. */
const nobody = {} as Try
const judged = async (
  guards: ReadonlyArray<Guard>,
  all: ReadonlyArray<Words>,
  side: "request" | "response" = "request",
) => {
  const checked: Array<Checked> = []
  const refused = await Effect.runPromise(
    ask(guards, all, { attempt: nobody, side, replyHeaders: undefined, tell: (one) => void checked.push(one) }),
  )
  return { refused, checked }
}

describe("long texts", () => {
  it("are looked at in pieces, and nothing is missed or found twice at their seams", async () => {
    const secret = "078-05-1120"
    // Every place is a seam for some length of what comes before.
    for (const lead of [32_768 - 1024 - 5, 32_768 - 1024, 31_000, 32_760, 0, 100]) {
      const filler = "word ".repeat(20_000)
      const text = `${"x ".repeat(Math.ceil(lead / 2)).slice(0, lead)} ${secret} ${filler}${secret} ${filler}${secret}`
      const one = words(text)
      await judged([guard(ssn)], [one])
      expect(one.masked.text).toBe(text.replaceAll(secret, "<SSN>"))
    }
  })

  it("are looked at with what stands before: half a number is none", async () => {
    const text = `${"x".repeat(31_742)} 9078-05-1120 ${"word ".repeat(20_000)}`
    for (let lead = 0; lead < 4; lead++) {
      const one = words(text.slice(lead))
      await judged([guard(ssn)], [one])
      expect(one.masked.isMasked).toBe(false)
    }
  })

  it("let other work happen in between", async () => {
    let turns = 0
    let isDone = false
    const count = (): void => {
      if (isDone) return
      turns++
      setImmediate(count)
    }
    setImmediate(count)
    const pieces = local({
      _tag: "Regex",
      action: "mask",
      rules: [{ _tag: "Pattern", pattern: "(a|b|c|d|e|f){1,40}z" }],
    })
    await judged([guard(pieces)], [words("abcdef".repeat(50_000))])
    isDone = true
    expect(turns).toBeGreaterThan(3)
  })
})

describe("guards in a row", () => {
  it("see what those before them left", async () => {
    const one = words("tell bob that alice called")
    const { checked } = await judged([guard(pattern("bob")), guard(pattern("<masked> that"))], [one])
    expect(one.masked.text).toBe("tell <masked> alice called")
    expect(checked.map(({ action }) => action)).toEqual(["mask", "mask"])
  })

  it("end with the first refusal", async () => {
    let isAsked = false
    const later: Judge = {
      _tag: "Remote",
      failsOpen: false,
      wants: "texts",
      ask: () => Effect.sync((): Judgement => ((isAsked = true), { kind: "pass" })),
    }
    const { checked, refused } = await judged([guard(pattern("bad", "reject")), guard(later)], [words("so bad")])
    expect(refused?.guard.name).toBe("Local")
    expect(checked).toEqual([{ phase: "request", guard: "Local", action: "reject" }])
    expect(isAsked).toBe(false)
  })

  it("look only where they are told to, in requests", async () => {
    const inSystem = words("bad", { scope: "systemPrompt" })
    const inTool = words("bad", { scope: "toolInput" })
    await judged([guard(pattern("bad"), { scope: new Set(["systemPrompt"]) })], [inSystem, inTool])
    expect([inSystem.masked.text, inTool.masked.text]).toEqual(["<masked>", "bad"])
  })
})

describe("a service that is sent messages", () => {
  const answering = (...texts: ReadonlyArray<string>): { readonly judge: Judge; readonly seen: Array<string> } => {
    const seen: Array<string> = []
    return {
      seen,
      judge: {
        _tag: "Remote",
        failsOpen: false,
        wants: "messages",
        ask: (_attempt, _side, messages) => {
          seen.push(...messages.map(({ content }) => content))
          return Effect.succeed<Judgement>({ kind: "mask", texts })
        },
      },
    }
  }

  it("gets the parts of a message as one, and they get back what is theirs", async () => {
    const all = [words("a\nb", { group: 0 }), words("c", { group: 0 }), words("d", { group: 1 })]
    const { judge, seen } = answering("A\nb\nC", "D")
    await judged([guard(judge)], all)
    expect(seen).toEqual(["a\nb\nc", "d"])
    expect(all.map(({ masked }) => masked.text)).toEqual(["A\nb", "C", "D"])
  })

  it("whose words have another shape has them said in the first part", async () => {
    const all = [words("a"), words("b")]
    await judged([guard(answering("all of it").judge)], all)
    expect(all.map(({ masked }) => masked.text)).toEqual(["all of it", ""])
  })

  it("that is unclear refuses, or is passed by and told of", async () => {
    const unclear = (failsOpen: boolean): Guard =>
      guard({ _tag: "Remote", failsOpen, wants: "texts", ask: () => Effect.succeed({ kind: "unclear", detail: "x" }) })
    expect((await judged([unclear(false)], [words("a")])).refused?.judgement.kind).toBe("unclear")
    const open = await judged([unclear(true)], [words("a")], "response")
    expect(open.refused).toBe(undefined)
    expect(open.checked).toEqual([{ phase: "response", guard: "Remote", action: "failOpen" }])
  })
})
