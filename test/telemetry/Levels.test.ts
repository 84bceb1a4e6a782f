import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import { type Directive, Levels, parse, targetsMax } from "../../src/telemetry/Levels.ts"

const directive = (text: string): Directive => {
  const parsed = parse(text)
  if (Result.isFailure(parsed)) throw new Error(parsed.failure)
  return parsed.success
}

const levels = (text: string): Levels => {
  const { level = "info", targets } = directive(text)
  return new Levels({ level: level ?? "info", targets })
}

describe("log levels", () => {
  it("say what is said, and what is not", () => {
    const at = levels("warn")
    assert.isTrue(at.enabled("sluice", "error"))
    assert.isTrue(at.enabled("sluice", "warn"))
    assert.isFalse(at.enabled("sluice", "info"))
    assert.isFalse(levels("off").enabled("sluice", "error"))
    assert.isFalse(levels("trace").enabled("sluice", "off"))
  })

  it("of the longest name that fits decide", () => {
    const at = levels("info,a=debug,a::b=error,ab=off")
    assert.isTrue(at.enabled("a", "debug"))
    assert.isTrue(at.enabled("a::c", "debug"))
    assert.isFalse(at.enabled("a::b", "warn"))
    assert.isFalse(at.enabled("a::b::c", "warn"))
    assert.isFalse(at.enabled("abc", "debug"))
    assert.isTrue(at.enabled("abc", "info"))
    assert.isFalse(at.enabled("ab", "error"))
  })

  it("know at once whether requests are written", () => {
    const at = levels("info")
    assert.isTrue(at.request)
    assert.isFalse(at.requestDebug)
    at.set(directive("request=debug"))
    assert.isTrue(at.requestDebug)
    at.set(directive("request=off"))
    assert.isFalse(at.request)
    at.set(directive("debug"))
    assert.isFalse(at.request)
    at.reset()
    assert.isTrue(at.request)
  })

  it("add up, say how they are set, and can be handed on", () => {
    const at = levels("info,a=debug")
    at.set(directive("b=trace"))
    at.set(directive("error"))
    assert.equal(at.describe(), "error,a=debug,b=trace")
    const other = levels("info")
    other.replace(at.setting)
    assert.equal(other.describe(), at.describe())
    at.reset()
    assert.equal(at.describe(), "info,a=debug")
  })

  it("are refused by the part that cannot be read", () => {
    for (const [text, wrong] of [
      ["loud", "loud"],
      ["info,a=loud", "a=loud"],
      ["=debug", "=debug"],
      ["a b=debug", "a b=debug"],
      ["a=b=debug", "a=b=debug"],
    ] as const) {
      const parsed = parse(text)
      assert.isTrue(Result.isFailure(parsed) && parsed.failure === wrong, text)
    }
  })

  it("are set for so many targets and no more", () => {
    const at = levels("info")
    const many = Array.from({ length: targetsMax }, (_, i) => `t${i}=debug`).join(",")
    assert.isTrue(at.set(directive(many)))
    assert.isTrue(at.set(directive("t1=error")))
    assert.isFalse(at.set(directive("one.more=debug")))
    assert.isFalse(at.enabled("one.more", "debug"))
  })
})
