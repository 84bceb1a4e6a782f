import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { type CustomFunctions, parseFunctions } from "../../../ir/cel/customFunctions.ts"
import { problems, value } from "./evaluating.ts"

const functions = (source: string): CustomFunctions => {
  const parsed = parseFunctions(source)
  if (Result.isFailure(parsed)) throw new Error(parsed.failure.map((one) => one.message).join("; "))
  return parsed.success
}
const refused = (source: string) => {
  const parsed = parseFunctions(source)
  return Result.isSuccess(parsed) ? [] : parsed.failure.map((one) => `${one.line}:${one.column} ${one.message}`)
}

const library = functions(`
  # who may
  isAdmin(claims) { claims.role == "admin" }   # a comment with }
  this.between(low, high) { this >= low && this <= high }
  pick(first, rest...) { size(rest) > 0 ? rest[0] : first }
  braces() { {"a{": "}" + '\\'}', "b": r"\\}"} }   // not the end: }
  twice(x) { plus(x, x) }
  plus(a, b) { a + b }
  hides(request) { request }
`)

describe("custom functions", () => {
  it("are called by name, as members, and with any number of arguments", () => {
    expect(value('isAdmin({"role": "admin"})', {}, library)).toBe(true)
    expect(value("5.between(1, 9) && !dyn(10).between(1, 9)", {}, library)).toBe(true)
    expect(value("[pick(1), pick(1, 2, 3)]", {}, library)).toEqual([1, 2])
  })
  it("may contain braces in strings and maps", () =>
    expect(value("braces()", {}, library)).toEqual({ "a{": "}'}", b: "\\}" }))
  it("call each other in any order, also as each other's arguments", () =>
    expect(value("twice(twice(twice(1)))", {}, library)).toBe(8))
  it("have parameters that hide variables", () => expect(value("hides(3)", { request: 1 }, library)).toBe(3))
  it("see the variables of the request", () => expect(value("f()", { x: 2 }, functions("f() { x + 1 }"))).toBe(3))
  it("do not see the variables of the macro that calls them", () =>
    expect(() => value("[1].map(y, f())", {}, functions("f() { y }"))).toThrow("unknown variable y"))
  it("pass errors of their arguments on", () =>
    expect(value("twice(1 / 0)", {}, library)).toBe("error: division by zero"))
  it("are refused when called wrongly, with the place of the call", () => {
    expect(problems("true && isAdmin()", "route", library)).toEqual(["1:9 isAdmin does not take 0 arguments"])
    expect(problems("between(1, 2)", "route", library)).toEqual(["1:1 between is called as a member: value.between(…)"])
    expect(problems("f()", "route", functions("f() { response.code }"))).toEqual([
      "1:1 in the custom function f: response is not available in route policies",
    ])
  })
  it("end, however often they call each other", () => {
    const doubling = Array.from(
      { length: 60 },
      (_, i) => `f${i}(x) { ${i === 59 ? "x" : `f${i + 1}(x) + f${i + 1}(x)`} }`,
    ).join("\n")
    expect(value("f0(1)", {}, functions(doubling))).toMatch(/^error: the expression took more than/)
  })
})

it("a chain of functions too long to follow is an issue, not an exception", () => {
  const deep = (inner: string) => "(".repeat(60) + "-".repeat(120) + inner + ")".repeat(60)
  const chain = Array.from({ length: 900 }, (_, i) => `f${i}() { ${i === 899 ? "1" : deep(`f${i + 1}()`)} }`)
  expect(problems("f0()", "route", functions(chain.join("\n")))).toEqual([
    "1:1 the custom functions that this expression calls are nested too deep",
  ])
})

describe("definitions that cannot work are refused", () => {
  const table: ReadonlyArray<readonly [string, string]> = [
    ["f() { g() }\ng() { f() }", "1:1 f calls itself"],
    ["f() { 1 }\nf() { 2 }", "2:1 f is defined twice"],
    ["size(x) { 1 }", "1:1 size is already a function of the language"],
    ["map(x) { 1 }", "1:1 map is already a function of the language"],
    ["default(x) { 1 }", "1:1 default is already a function of the language"],
    ["f(this) { 1 }", "1:1 this cannot be a parameter of f"],
    ["f(a, a) { 1 }", "1:1 two parameters of f have the same name"],
    ["f() { 1 ", "1:1 the body of f is never closed"],
    ["f() {\n  1 +\n}", "3:1 f: the expression ends too early"],
    ["nonsense", "1:1 expected a function"],
  ]
  for (const [source, problem] of table) it(JSON.stringify(source), () => expect(refused(source)).toContain(problem))
})
