import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { check } from "../../../ir/cel/check.ts"
import { environment } from "../../../ir/cel/Environment.ts"
import { parse } from "../../../ir/cel/parse.ts"
import { bool, print, string } from "../../../ir/cel/Type.ts"
import type { Context } from "../../../ir/cel/variables.ts"
import { problems, remedies } from "./evaluating.ts"

const typeIn = (context: Context, source: string): string => {
  const parsed = parse(source)
  if (Result.isFailure(parsed)) throw new Error(parsed.failure.message)
  const { type, issues } = check(parsed.success, source, environment(context))
  expect(issues).toEqual([])
  return print(type)
}

describe("expressions that the guide shows are accepted where they are used", () => {
  const shown: ReadonlyArray<readonly [Context, string, string]> = [
    ["route", 'request.method != "DELETE" || (has(jwt.role) && jwt.role == "admin")', "bool"],
    [
      "route",
      'cidr("10.8.0.0/16").containsIP(source.address) || default(source.identity.namespace, "") == "batch"',
      "bool",
    ],
    ["route", 'apiKey.tier == "gold" || json(request.body).model.startsWith("small-")', "bool"],
    ["route", 'default(request.headers["x-session"], source.address)', "dyn"],
    ["log", "flatten(request.headers.redacted())", "map<string, dyn>"],
    ["log", "uint(llm.inputTokens + llm.outputTokens * 4u)", "uint"],
    ["mcpAuthorization", 'mcp.tool.target == "files" && mcp.tool.name in ["read", "list"]', "bool"],
    ["route", "random() < 0.05 ? 250 : 0", "int"],
    ["route", 'request.headers.split()["x-forwarded-for"][0].trim()', "string"],
    ["route", 'request.path.regexReplace("/users/[0-9]+", "/users/{id}")', "string"],
    ["route", 'request.uri.query("a")[0] + request.uri.addQuery("b", "c")', "string"],
    ["route", "jwt.rawToken.unredacted()", "string"],
    ["log", 'request.endTime - request.startTime > duration("1s")', "bool"],
    ["route", "source.port == 80u || source.port < 1024.0", "bool"],
    ["route", "request.body == null", "bool"],
    ["route", "size(request.headers) + request.headers.map(k, k).size()", "int"],
    ["response", "response.code >= 500 && response.code in [502, 503]", "bool"],
  ]
  for (const [context, source, type] of shown) it(source, () => expect(typeIn(context, source)).toBe(type))
})

describe("what cannot work is refused with its place", () => {
  const refused: ReadonlyArray<readonly [Context, string, string]> = [
    ["route", "reqest.method", "1:1 unknown variable reqest"],
    ["route", "request.metod == ''", "1:9 request has no field metod"],
    ["route", "true &&\n  response.code == 200", "2:3 response is not available in route policies"],
    ["networkAuthorization", "request.path == '/'", "1:1 request is not available in network authorization"],
    ["route", "request.path.startWith('/')", "1:14 unknown function startWith"],
    ["route", "request.path.startsWith()", "1:14 startsWith does not take 0 arguments"],
    ["route", "startsWith(request.path, '/')", "1:1 startsWith is called as a member: value.startsWith(…)"],
    ["route", "request.path.startsWith(1)", "1:14 startsWith does not take (string, int)"],
    ["route", "request.method == 1", "1:16 string and int are never equal"],
    ["route", "source.port + 1u", "1:13 int + uint is not possible"],
    ["route", "source.port < 'a'", "1:13 int < string is not possible"],
    ["route", "1 in ['a']", "1:3 a list<string> never contains int"],
    ["route", "!request.path", "1:10 ! takes bool, not string"],
    ["route", "request.path ? 1 : 2", "1:9 the condition before ? is bool, not string"],
    ["route", "request.path || true", "1:9 || takes bool, not string"],
    ["route", "request.path.all(x, true)", "1:14 all is for lists and maps, not string"],
    ["route", "[1].map(x, y)", "1:12 unknown variable y"],
    ["route", "[1].filter(x, x)", "1:15 the condition of filter is bool, not int"],
    ["route", "request.path[0]", "1:13 string cannot be indexed"],
    ["route", "Thing{a: 1}", "1:1 Thing{…} would make a protobuf message, and there are none here"],
    [
      "route",
      "request.path.matches('a(b')",
      "1:14 invalid regular expression: error parsing regexp: missing closing ): `a(b`",
    ],
    ["route", "cidr('10.0.0.0/33')", "1:1 not a range such as 10.0.0.0/8: 10.0.0.0/33"],
    ["route", "duration('5x')", "1:1 not a duration: 5x (write 1h30m, 1.5s, 250ms)"],
    ["route", "coalesce()", "1:1 coalesce() takes at least one expression"],
    ["route", "request.path = '/'", '1:14 unexpected character "="'],
    ["route", "has(request)", "1:1 has() takes one field selection, such as has(jwt.role)"],
    ["route", "1 +", "1:4 the expression ends too early"],
  ]
  for (const [context, source, problem] of refused)
    it(source, () => expect(problems(source, context)).toContain(problem))

  it("all problems of one expression are reported at once", () =>
    expect(problems("reqest.path == 1 || request.metod == 'x' || foo()", "route")).toHaveLength(3))

  it("a remedy says what to write instead", () => {
    expect(remedies("reqest.path == ''", "route")).toEqual(["did you mean request?"])
    expect(remedies("request.metod == ''", "route")).toEqual(["did you mean method?"])
    expect(remedies("request.path.startWith('')", "route")).toEqual(["did you mean startsWith?"])
    expect(remedies("request.method == 1", "route")).toEqual([
      "put the number in quotes, or convert the text with int(…)",
    ])
    expect(remedies("llm.requestModel == ''", "route")[0]).toMatch(/^it is in backend policies, /)
  })
})

it("what an empty list holds is not guessed from its first use", () => {
  expect(problems("[].all(x, size(x) == 1 && x > 2 && x == 'a' && x + 1 == 2)", "route")).toEqual([])
  expect(problems("[].map(x, x) + [1] == [2]", "route")).toEqual([])
})

describe("a variable of another place", () => {
  it("counts as absent inside default, coalesce and has", () => {
    expect(problems("default(llm.requestModel, 'none') == 'x'", "route")).toEqual([])
    expect(problems("coalesce(llm.requestModel, 'none') == 'x'", "route")).toEqual([])
    expect(problems("has(llm.requestModel)", "route")).toEqual([])
  })
  it("is still refused when nobody has it", () =>
    expect(problems("default(lm.requestModel, '')", "route")).toHaveLength(1))
})

describe("the result", () => {
  const wants = (source: string, ...expected: Parameters<typeof check>[3] & {}) => {
    const parsed = parse(source)
    return Result.isFailure(parsed)
      ? [parsed.failure.message]
      : check(parsed.success, source, environment("route"), expected).issues.map((one) => one.message)
  }
  it("must be of a type that the place can take", () => {
    expect(wants("request.path", bool)).toEqual(["the result is string, but bool is needed here"])
    expect(wants("request.path == '/'", bool)).toEqual([])
    expect(wants("request.uri", string)).toEqual([])
    expect(wants("1", string, bool)).toEqual(["the result is int, but string or bool is needed here"])
  })
  it("passes when its type is only known later", () => expect(wants("jwt.admin", bool)).toEqual([]))
})
