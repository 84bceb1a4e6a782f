import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { describe, expect, it } from "vitest"
import { answer } from "../../src/admin/cel.ts"
import * as Guard from "../../src/admin/guard.ts"
import { api } from "../../src/admin/api.ts"
import { serve } from "../../src/admin/serve.ts"
import { tryOut } from "../../src/cel/tryOut.ts"
import { cel } from "../../src/cli/cel.ts"
import { parse } from "../../src/cli/flags.ts"
import { Levels } from "../../src/telemetry/Levels.ts"

const data = {
  request: {
    method: "POST",
    uri: "http://a/p?x=1&x=2",
    headers: { "X-Many": ["1", "2"], Authorization: "secret" },
    body: btoa('{"model":"m"}'),
    startTime: "2026-01-02T03:04:05Z",
  },
  proxy: { upstreamDuration: "1.5s" },
  jwt: { sub: "ann", rawToken: "abc", roles: ["a"] },
  llm: { inputTokens: 3, cost: { total: 2 } },
}

const resultOf = (expression: string) => {
  const outcome = tryOut({ expression, data })
  return outcome._tag === "Evaluated" ? (outcome.error ?? outcome.result) : outcome
}

describe("an expression that is tried out", () => {
  it.each([
    ["json(request.body).model", "m"],
    ["request.headers.raw()['x-many']", ["1", "2"]],
    ["request.headers.redacted().authorization", "<redacted>"],
    ["request.uri.query('x')", ["1", "2"]],
    ["request.startTime.getFullYear()", 2026],
    ["string(proxy.upstreamDuration)", "1.5s"],
    ["jwt.rawToken", "<redacted>"],
    ["jwt.rawToken.unredacted()", "abc"],
    ["llm.inputTokens * 2u", 6],
    ["llm.cost.total / 4.0", 0.5],
    ["response == null", true],
    ["jwt.nope", "no such key: nope"],
  ])("%s", (expression, expected) => expect(resultOf(expression)).toEqual(expected))

  it("says of which type it is and what it needs", () => {
    expect(tryOut({ expression: "request.body == b'' || jwt.sub == 'a'" })).toMatchObject({
      type: "bool",
      needs: ["jwt", "request", "requestBody"],
    })
  })

  it("is checked for a place where that is asked", () => {
    expect(tryOut({ expression: "response.code", place: "route" })._tag).toBe("Invalid")
    expect(tryOut({ expression: "response.code", place: "response" })._tag).toBe("Evaluated")
  })

  it.each([
    [[], "expected a map of variables"],
    [{ nope: 1 }, "nope: there is no such variable"],
    [{ request: { nope: 1 } }, "request.nope: there is no such field"],
    [{ request: { body: "%" } }, "request.body: expected base 64"],
    [{ request: { method: 1 } }, "request.method: expected text"],
    [{ llm: { inputTokens: -1 } }, "llm.inputTokens: expected a whole number that is not negative"],
  ])("refuses variables that are not what they should be", (given, message) => {
    expect(tryOut({ expression: "1", data: given })).toEqual({ _tag: "Malformed", message })
  })
})

describe("sluice cel", () => {
  const asked = { context: undefined, place: undefined, json: false }

  it("is understood", () => {
    expect(parse(["cel", "1 + 1", "--context", "a", "--json"])).toEqual({
      _tag: "Cel",
      expression: "1 + 1",
      context: "a",
      place: undefined,
      json: true,
    })
    expect(parse(["cel"])).toMatchObject({ _tag: "Usage" })
    expect(parse(["cel", "a", "b"])).toMatchObject({ _tag: "Usage" })
  })

  it("prints the value, the type and the needs", () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-"))
    const file = path.join(directory, "context.yaml")
    fs.writeFileSync(file, "request: {method: GET, path: /a}\n")
    try {
      expect(cel({ ...asked, expression: "request.method + request.path", context: file })).toEqual({
        out: 'value: "GET/a"\ntype:  string\nneeds: request\n',
        error: "",
        exitCode: 0,
      })
    } finally {
      fs.rmSync(directory, { recursive: true })
    }
  })

  it("points at what is wrong", () => {
    const printed = cel({ ...asked, expression: "1 +\n  nope" })
    expect([printed.exitCode, printed.error]).toEqual([1, expect.stringMatching(/^2:3: .*nope.*\n {4}nope\n {4}\^\n$/)])
    expect(cel({ ...asked, expression: "1 / 0" })).toMatchObject({ exitCode: 1 })
    expect(cel({ ...asked, expression: "1", place: "nowhere" }).error).toContain("networkAuthorization")
    expect(cel({ ...asked, expression: "1", context: "/not/there" }).error).toContain("/not/there")
  })
})

describe("the evaluation of the admin interface", () => {
  const asked = (body: unknown) => {
    const { body: said, status } = answer(typeof body === "string" ? body : JSON.stringify(body), undefined)
    return [status, said] as const
  }

  it("answers with the result, and with 200 also where there is none", () => {
    expect(JSON.parse(asked({ expression: "1 + 1" })[1] as string)).toMatchObject({
      result: 2,
      error: null,
      type: "int",
    })
    const [status, said] = asked({ expression: "1 / 0" })
    expect([status, JSON.parse(said as string)]).toEqual([
      200,
      expect.objectContaining({ result: null, error: expect.stringMatching(/^Evaluation error: /) }),
    ])
  })

  it("says of which type it is and what it needs, with the variables that came along", () => {
    const data = { request: { method: "GET", body: btoa("{}") }, jwt: { sub: "ann" } }
    const [status, said] = asked({ expression: 'jwt.sub == "ann" && size(request.body) > 1', data, place: "route" })
    expect([status, JSON.parse(said as string)]).toEqual([
      200,
      { result: true, error: null, type: "bool", needs: ["jwt", "request", "requestBody"] },
    ])
  })

  it("says where something is wrong, also for a place where it would be wrong", () => {
    expect(asked({ expression: "true &&\n  nope" })).toEqual([400, expect.stringMatching(/^2:3: .*nope/)])
    expect(asked({ expression: "response.code == 200", place: "route" })).toEqual([
      400,
      expect.stringMatching(/^1:1: .*response/),
    ])
    expect(asked({ expression: "1", place: "nowhere" })).toEqual([400, expect.stringContaining("networkAuthorization")])
    expect(asked({ expression: "1", place: 7 })[0]).toBe(400)
  })

  it("answers with 400 to what it cannot understand", () => {
    for (const body of ["{", "[]", { data: {} }, { expression: "1 +" }, { expression: "1", data: { nope: 1 } }]) {
      expect(asked(body)[0]).toBe(400)
    }
  })

  it("takes a POST that may change things, with a body that is not too long", async () => {
    const scope = Effect.runSync(Scope.make())
    const address = { _tag: "Localhost", port: 0 } as const
    const answering = api({
      guard: Guard.make(address, Redacted.make("token")),
      levels: new Levels({ level: "info", targets: [] }),
      version: "1",
      dump: () => [],
      onLevels: () => {},
      quit: () => {},
    })
    const [served] = await Effect.runPromise(
      Scope.provide(serve({ setting: "adminAddr", variable: "ADMIN_ADDR", address, answer: answering }), scope),
    )
    if (served === undefined || !("port" in served)) throw new Error("nothing is served")
    const post = async (body: string, headers: Record<string, string> = { authorization: "Bearer token" }) => {
      const reply = await fetch(`http://127.0.0.1:${served.port}/api/cel`, { method: "POST", body, headers })
      return [reply.status, await reply.text()] as const
    }
    try {
      expect((await post('{"expression":"1"}'))[0]).toBe(200)
      expect((await post('{"expression":"1"}', {}))[0]).toBe(401)
      expect((await post("x".repeat(17_000_000)))[0]).toBe(413)
      expect((await fetch(`http://127.0.0.1:${served.port}/cel`)).status).toBe(405)
    } finally {
      await Effect.runPromise(Scope.close(scope, Exit.void))
    }
  })
})
