import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import {
  compile,
  literalPrefix,
  patternLengthMax,
  programSizeMax,
  textLengthMax,
  workMax,
} from "../../../stages/4-route/Regex.ts"

const test = (pattern: string, text: string): boolean => Result.getOrThrow(compile(pattern)).test(text)
const refusal = (pattern: string): string => {
  const result = compile(pattern)
  return Result.isFailure(result) ? result.failure : assert.fail(`${pattern} was accepted`)
}

describe("matching", () => {
  it("is over the whole text", () => {
    assert.isTrue(test("a+", "aaa"))
    assert.isFalse(test("a+", "aab"))
    assert.isFalse(test("a+", "baa"))
    assert.isFalse(test("a", "a\n"))
    assert.isTrue(test("^a$", "a"))
  })
  it("finds the alternative that reaches the end, wherever it stands", () => {
    assert.isTrue(test("a|ab", "ab"))
    assert.isTrue(test("ab|a", "a"))
  })
  it("knows the RE2 dialect", () => {
    assert.isTrue(test("(?i)abc", "ABC"))
    assert.isTrue(test("[[:alpha:]]+", "abc"))
    assert.isTrue(test("(?P<name>x)\\pL", "xé"))
    assert.isTrue(test("\\Qa.b\\E", "a.b"))
    assert.isFalse(test("\\Qa.b\\E", "axb"))
    assert.isTrue(test("\\Qa|b\\E", "a|b"))
    assert.isTrue(test("a.b", "a\u{1f600}b"))
  })
  it("does not look at a text that would take too long", () => {
    const regex = Result.getOrThrow(compile("(a|b)*a(a|b){300}"))
    assert.isBelow(regex.textLengthMax, workMax / 300)
    const small = Result.getOrThrow(compile("a*"))
    assert.strictEqual(small.textLengthMax, textLengthMax)
    assert.isTrue(small.test("a".repeat(textLengthMax)))
    assert.isFalse(small.test("a".repeat(textLengthMax + 1)))
  })
})

describe("a pattern is refused", () => {
  it("for look-around, in so many words", () => {
    for (const pattern of ["(?=a)b", "(?!a)b", "(?<=a)b", "(?<!a)b"]) assert.match(refusal(pattern), /look-around/)
  })
  it("for back-references, in so many words", () => {
    for (const pattern of ["(a)\\1", "(?P<n>a)\\k<n>"]) assert.match(refusal(pattern), /back-reference/)
  })
  it("when it is malformed, with the place", () => {
    assert.match(refusal("a("), /missing closing \)/)
    assert.match(refusal("[z-a]"), /z-a/)
    assert.match(refusal("a**"), /\*\*/)
  })
  it("when it is too long", () => {
    assert.isTrue(Result.isSuccess(compile("a".repeat(programSizeMax - 10))))
    assert.match(refusal("[a]".repeat(patternLengthMax)), /4096/)
  })
  it("when it compiles to too much, before and after compiling", () => {
    assert.match(refusal("x{1000}x{1000}"), /repetitions/)
    assert.match(refusal("((a{10}){10}){10}((a{10}){10}){10}"), /steps/)
  })
})

describe("the plain text that a pattern begins with", () => {
  for (const [pattern, prefix] of [
    ["/api/v[0-9]+", "/api/v"],
    ["/api/v1", "/api/v1"],
    ["^/api/.*", "/api/"],
    ["/ab*", "/a"],
    ["/ab?c", "/a"],
    ["/ab{2}", "/a"],
    ["/ab+c", "/ab"],
    ["/a\\.b\\/.", "/a.b/"],
    ["/a\\d", "/a"],
    ["/a|/b", ""],
    ["/a(b|c)", "/a"],
    ["/a[|]b", "/a"],
    ["/a[)](b|c)", "/a"],
    ["/a[]|]b", "/a"],
    ["/a[[:alpha:]|]b", "/a"],
    ["/a\\|b", "/a|b"],
    ["/a[(]|b", ""],
    ["(?i)/a", ""],
    ["/\\Qa|b\\E", ""],
    ["/\u{1f600}*", "/"],
    ["", ""],
  ] as const)
    it(`of ${pattern} is ${prefix === "" ? "unknown" : prefix}`, () => {
      assert.strictEqual(literalPrefix(pattern), prefix)
    })
})
