import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { CelError, type CelValue, isError } from "../../../ir/cel/CelValue.ts"
import { compile, failing } from "../../../ir/cel/compile.ts"
import { environment } from "../../../ir/cel/Environment.ts"
import { flattened, Flattened } from "../../../ir/cel/functions/general.ts"
import { EVALUATION_STEPS_MAX, VALUE_LENGTH_MAX } from "../../../ir/cel/limits.ts"
import { EXPRESSION_DEPTH_MAX, EXPRESSION_LENGTH_MAX, parse } from "../../../ir/cel/parse.ts"
import { dyn } from "../../../ir/cel/Type.ts"
import { HeaderView, QueryText, RecordView, RedactedText } from "../../../ir/cel/views.ts"
import { programIn, raw, value, valueIn } from "./evaluating.ts"
import { natives } from "./natives.ts"

const headers = new HeaderView([
  "host",
  "a.example",
  "accept",
  "text/html, */*",
  "accept",
  "text/plain",
  "authorization",
  "Bearer secret",
  "cookie",
  "a=1; session=xyz",
  "x-latin",
  "caf\u00c3\u00a9",
  "x-broken",
  "\u00ff\u00fe",
])

describe("headers", () => {
  const of = (source: string) => valueIn("route", source, { request: { headers } as unknown as CelValue })
  it("give the first entry by index, all entries by name", () => {
    expect(of('request.headers["accept"]')).toBe("text/html, */*")
    expect(of("request.headers.accept")).toEqual(["text/html, */*", "text/plain"])
    expect(of("request.headers.host")).toBe("a.example")
  })
  it("give the same by a constant and by a computed index", () =>
    expect(
      of('request.headers["accept"] == request.headers["acc" + request.headers["cookie"].substring(0, 0) + "ept"]'),
    ).toBe(true))
  it("join, keep and split entries", () => {
    expect(of("request.headers.join().accept")).toBe("text/html, */*,text/plain")
    expect(of("request.headers.raw().host")).toEqual(["a.example"])
    expect(of('request.headers.split()["accept"]')).toEqual(["text/html", "*/*", "text/plain"])
    expect(of("request.headers.split().join().raw().accept")).toEqual(["text/html, */*", "text/plain"])
  })
  it("hide what is sensitive when asked", () => {
    expect(of("request.headers.redacted().authorization")).toBe("<redacted>")
    expect(of('request.headers.redacted().join()["host"]')).toBe("a.example")
  })
  it("find cookies", () => {
    expect(of('request.headers.cookie("session")')).toBe("xyz")
    expect(of('request.headers.cookie("none")')).toBe("error: no such key: cookie none")
  })
  it("are a map", () => {
    expect(of('"host" in request.headers && !("x-none" in request.headers)')).toBe(true)
    expect(of('request.headers.filterKeys(k, k == "host")')).toEqual({ host: "a.example" })
    expect(of("has(request.headers.host) && !has(request.headers.none)")).toBe(true)
    expect(of('request.headers["none"]')).toBe("error: no such key: none")
  })
  it("are read as UTF-8, and what is not has no value", () => {
    expect(of('request.headers["x-latin"]')).toBe("café")
    expect(of('"x-broken" in request.headers')).toBe(false)
  })
})

describe("addresses with a query", () => {
  const of = (source: string) =>
    valueIn("route", source, { request: { uri: new QueryText("http://a/b?x=1&y=a%20b&x=2#f") } })
  it("give parameters", () => {
    expect(of('request.uri.query("x")')).toEqual(["1", "2"])
    expect(of('request.uri.query("y")[0]')).toBe("a b")
    expect(of('request.uri.query("z")')).toBe("error: no such key: query parameter z")
  })
  it("are changed into new ones", () => {
    expect(of('request.uri.setQuery("x", "é")')).toBe("http://a/b?x=%C3%A9&y=a+b#f")
    expect(of('request.uri.addQuery("z", "1") + "!"')).toBe("http://a/b?x=1&y=a+b&x=2&z=1#f!")
  })
  it("are text everywhere else", () => {
    expect(of('request.uri.startsWith("http:") && request.uri != "" && size(request.uri) == 28')).toBe(true)
    expect(of('{"http://a/b?x=1&y=a%20b&x=2#f": 1}[request.uri]')).toBe(1)
  })
})

describe("secrets", () => {
  const of = (source: string) =>
    valueIn("route", source, {
      jwt: new RecordView(["rawToken", "sub"], (one) =>
        one === "rawToken" ? new RedactedText("t.o.k") : one === "sub" ? "me" : undefined,
      ),
    })
  it("show as <redacted> until they are asked for", () => {
    expect(of("jwt.rawToken")).toBe("<redacted>")
    expect(of('"Bearer " + jwt.rawToken')).toBe("Bearer <redacted>")
    expect(of("jwt")).toEqual({ rawToken: "<redacted>", sub: "me" })
    expect(of('jwt.rawToken.unredacted() == "t.o.k"')).toBe(true)
  })
})

describe("absent variables", () => {
  it("are null, their fields are missing, and has() is false", () => {
    expect(valueIn("route", "jwt", {})).toBe(null)
    expect(valueIn("route", "jwt.sub", {})).toBe("error: no such key: sub")
    expect(valueIn("route", "has(jwt.sub)", {})).toBe(false)
    expect(valueIn("route", 'default(jwt.sub, "anonymous")', {})).toBe("anonymous")
    expect(valueIn("route", "jwt.?sub.orValue('x')", {})).toBe("x")
    expect(valueIn("route", "jwt[?'sub'].orValue('x')", {})).toBe("x")
  })
  it("are left out of variables()", () =>
    expect(valueIn("networkAuthorization", "variables()", { env: { namespace: "n" } })).toEqual({
      env: { namespace: "n" },
    }))
  it("of another place count as absent where that is allowed", () => {
    expect(valueIn("route", 'default(llm.requestModel, "none")', {})).toBe("none")
    expect(valueIn("route", "has(llm.requestModel)", {})).toBe(false)
  })
})

describe("errors and logic", () => {
  it("are forgotten on either side when the other side decides", () => {
    expect(value("1 / 0 == 1 || true")).toBe(true)
    expect(value("true || 1 / 0 == 1")).toBe(true)
    expect(value("x.y && false", { x: {} })).toBe(false)
    expect(value("x.y || false", { x: {} })).toBe("error: no such key: y")
  })
  it("are values that tell a failure from false", () => {
    const result = raw("x.admin == true", { x: {} })
    expect(isError(result)).toBe(true)
    expect(result).toBeInstanceOf(CelError)
  })
  it("come from every evaluation of a program that could not be compiled", () =>
    expect(failing("1 +", dyn).evaluate({ get: () => undefined })).toMatchObject({
      message: 'the expression "1 +" could not be compiled',
    }))
})

describe("names of JavaScript's own", () => {
  it("are not fields of maps", () => {
    for (const name of ["constructor", "__proto__", "hasOwnProperty", "toString"]) {
      expect(value(`has(x.${name})`, { x: {} })).toBe(false)
      expect(value(`x["${name}"]`, { x: {} })).toBe(`error: no such key: ${name}`)
      expect(value(`"${name}" in {"a": 1}`)).toBe(false)
    }
  })
  it("are keys when they are given", () => {
    expect(value('{"__proto__": 1, "constructor": 2}["__proto__"]')).toBe(1)
    expect(value('json("{\\"__proto__\\": {\\"admin\\": true}}").__proto__.admin')).toBe(true)
    expect(value('has(json("{\\"__proto__\\": {\\"admin\\": true}}").admin)')).toBe(false)
  })
  it("are not variables or functions", () => {
    const compiled = (source: string) =>
      Result.isFailure(compile(source, { environment: environment("route"), natives }))
    expect(compiled("constructor")).toBe(true)
    expect(compiled("request.path.constructor()")).toBe(true)
    expect(compiled("request.toString")).toBe(true)
  })
})

describe("what is constant is computed once", () => {
  it("has its value at hand", () => {
    const program = (source: string) => programIn(source, environment("route"))
    expect(program('"a" + "b"').constant).toBe("ab")
    expect(program("1 + 1 == 2 || request.path == ''").constant).toBe(true)
    expect(program("true ? 1 : source.port").constant).toBe(1)
    expect(program("request.path == '/'").constant).toBeUndefined()
  })
  it("chance and identifiers are not constant", () => {
    expect(programIn("random() < 0.5", environment("route")).constant).toBeUndefined()
    expect(programIn("uuid()", environment("route")).constant).toBeUndefined()
  })
})

describe("reading only what is asked for", () => {
  it("leaves the other variables alone", () => {
    const asked: Array<string> = []
    const program = programIn(
      "request.method == 'GET' || jwt.sub == 'x' || llmRequest.model == 'm'",
      environment("llm"),
    )
    program.evaluate({ get: (name) => (asked.push(name), name === "request" ? { method: "GET" } : undefined) })
    expect(asked).toEqual(["request"])
  })
})

describe("limits", () => {
  const list = `[${Array.from({ length: 100 }, (_, i) => i).join(",")}]`
  const fails = (source: string, values: Readonly<Record<string, CelValue>> = {}) => {
    const started = performance.now()
    const result = raw(source, values)
    expect(performance.now() - started).toBeLessThan(5_000)
    return isError(result) ? result.code : result
  }
  it("an expression that is too long is refused", () => {
    const parsed = parse(`"${"a".repeat(EXPRESSION_LENGTH_MAX)}"`)
    expect(Result.isFailure(parsed) && parsed.failure.message).toMatch(/more than 65536/)
  })
  it("an expression that is nested too deep is refused, whichever way", () => {
    const deep = (open: string, inner: string, close: string) => {
      const parsed = parse(open.repeat(EXPRESSION_DEPTH_MAX + 10) + inner + close.repeat(EXPRESSION_DEPTH_MAX + 10))
      return Result.isFailure(parsed) && parsed.failure.message
    }
    const message = `the expression is nested more than ${EXPRESSION_DEPTH_MAX} deep`
    for (const [open, inner, close] of [
      ["(", "1", ")"],
      ["[", "", "]"],
      ["!", "true", ""],
      ["- ", "x", ""],
      ["", "a", ".a"],
      ["", "a", "[0]"],
      ["", "1", " + 1"],
      ["f(", "1", ")"],
      ["true ? 1 : ", "1", ""],
    ] as const)
      expect(deep(open, inner, close)).toBe(message)
  })
  it("long chains of && and || are not deep", () =>
    expect(value(Array.from({ length: 2_000 }, () => "1 == 1").join(" && "))).toBe(true))
  it("nested loops end", () =>
    expect(fails(`l.all(a, l.all(b, l.all(c, l.all(d, true))))`, { l: Array.from({ length: 100 }, (_, i) => i) })).toBe(
      "tooMuch",
    ))
  it("comparing long lists in a loop ends", () =>
    expect(
      fails("l.map(a, l == m)", {
        l: Array.from({ length: EVALUATION_STEPS_MAX / 10 }, () => 1),
        m: Array.from({ length: EVALUATION_STEPS_MAX / 10 }, () => 1),
      }),
    ).toBe("tooMuch"))
  it("reading a long text in a loop ends", () =>
    expect(fails(`${list}.map(a, ${list}.map(b, size(t)))`, { t: "x".repeat(1_000_000) })).toBe("tooMuch"))
  it("doubling text ends", () => {
    const doubling = Array.from({ length: 40 }).reduce<string>((inner) => `cel.bind(x, x + x, ${inner})`, "size(x)")
    expect(fails(`cel.bind(x, "${"a".repeat(1000)}", ${doubling})`)).toBe("tooMuch")
  })
  it("replacing cannot make a value longer than the limit", () =>
    expect(fails("t.replace('a', t)", { t: "a".repeat(Math.sqrt(VALUE_LENGTH_MAX) * 2) })).toBe("tooMuch"))
  it("values nested deeper than the stack are an error, not an exception", () => {
    const nested = "[".repeat(200_000) + "]".repeat(200_000)
    expect(fails("json(t) == json(t + '')", { t: nested })).toBe("tooMuch")
  })
  it("deep JSON is cut, not followed", () => {
    const nested = "[".repeat(5_000) + "]".repeat(5_000)
    expect(typeof value("toJson(json(t))", { t: nested })).toBe("string")
  })
})

describe("flattened values", () => {
  it("become one field per key, one level or all", () => {
    const map = { a: 1, b: { c: [true, "x"] } }
    expect(flattened("f", new Flattened(map, false))).toEqual([
      ["f.a", 1],
      ["f.b", { c: [true, "x"] }],
    ])
    expect(flattened("f", new Flattened(map, true))).toEqual([
      ["f.a", 1],
      ["f.b.c.0", true],
      ["f.b.c.1", "x"],
    ])
  })
})
