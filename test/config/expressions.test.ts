import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { load } from "../../src/config/local/load.ts"
import { issuesOf, lineOf, memoryIo } from "./memoryIo.ts"

const linesOf = (text: string): Promise<ReadonlyArray<string>> =>
  Effect.runPromise(
    Effect.match(load(text, { file: "a.yaml", env: {}, io: memoryIo({}) }), {
      onFailure: (issues) => issues.map(({ column, line, message, path }) => `${line}:${column} ${path}: ${message}`),
      onSuccess: () => [],
    }),
  )

const inRoute = (policies: string) => `gateways: {default: {port: 1}}
routes:
- backends: [{host: 'a:1'}]
  policies:
${policies.replaceAll(/^/gm, "    ")}`

const pointed = async (text: string) => (await linesOf(text)).map((line) => line.split(" ")[0])

describe("an expression that cannot be used", () => {
  it("is refused where it is written, with its place inside the text", async () => {
    expect(
      await linesOf(inRoute(`authorization:\n  rules:\n  - request.method == "GET"\n  - deny: request.methd == "PUT"`)),
    ).toEqual([expect.stringMatching(/^8:23 routes\[0\]\.policies\.authorization\.rules\[1\]\.deny: .*methd/)])
  })

  it("is found inside quotes, blocks and flow collections", async () => {
    expect(await pointed(inRoute(`authorization: {rules: ['size(''a'') == nope']}`))).toEqual(["5:45"])
    expect(await pointed(inRoute(`authorization: {rules: ["size(\\"a\\") == nope"]}`))).toEqual(["5:45"])
    expect(
      await pointed(inRoute(`authorization:\n  rules:\n  - |\n    request.method == "GET" &&\n    nope == "x"`)),
    ).toEqual(["9:9"])
  })

  it("must give what its place takes", async () => {
    expect(await linesOf(inRoute(`authorization: {rules: ['request.method']}`))).toEqual([
      expect.stringContaining("the result is string, but bool is needed here"),
    ])
    expect(await linesOf(inRoute(`transformations: {request: {set: {a: 'size(request.path)'}}}`))).toEqual([
      expect.stringContaining("the result is int, but string or bytes is needed here"),
    ])
    expect(await linesOf(inRoute(`transformations: {response: {set: {':status': '"200"'}}}`))).toEqual([
      expect.stringContaining("but int or uint is needed here"),
    ])
  })

  it("may ask only for what is known at its place", async () => {
    expect(await linesOf(inRoute(`authorization: {rules: ['response.code == 200']}`))).toEqual([
      expect.stringMatching(/response.*(?:not available|route policies)/),
    ])
    expect(
      await linesOf(
        "gateways: {default: {port: 1}}\nfrontendPolicies: {networkAuthorization: {rules: ['request.method == \"GET\"']}}",
      ),
    ).toEqual([expect.stringMatching(/^2:52 .*request/)])
  })

  it.each([
    ["a condition", "transformations: {conditional: [{condition: nope, request: {set: {a: '\"b\"'}}}]}"],
    ["replace", "transformations: {request: {replace: nope}}"],
    ["metadata", "transformations: {request: {metadata: {a: nope}}}"],
    ["a body", "transformations: {response: {body: nope}}"],
    ["a direct response", "directResponse: {status: 200, bodyExpression: nope}"],
    ["a header of a direct response", "directResponse: {status: 200, headers: {a: nope}}"],
    ["a delay", "delay: {duration: nope}"],
    ["a precondition", "retry: {codes: [500], precondition: nope}"],
    ["a condition of retries", "retry: {codes: [500], condition: nope}"],
    ["health", "health: {unhealthyExpression: nope}"],
  ])("is refused in %s", async (_, policy) => {
    const issues = await issuesOf(inRoute(policy))
    const [first, ...rest] = issues.filter(({ severity }) => severity === "error").map(lineOf)
    expect(rest).toEqual([])
    expect(first).toMatch(/nope/)
    const column = policy.indexOf("nope") + 5
    expect(first).toMatch(new RegExp(`^5:${column} `))
  })

  it.each([
    ["access log", "frontendPolicies: {accessLog: {filter: nope}}"],
    ["added field", "frontendPolicies: {accessLog: {add: {a: nope}}}"],
    [
      "key of session affinity",
      "services: [{name: c, namespace: s, hostname: c.s, vips: [], ports: {80: 80}}]\nroutes: [{policies: {sessionAffinity: {source: nope}}, backends: [{service: {name: s/c.s, port: 80}}]}]",
    ],
    ["dynamic target", "routes: [{backends: [{dynamic: {target: nope}}]}]"],
    ["policy of a backend", "backends: [{name: x, host: 'a:1', policies: {authorization: {rules: [nope]}}}]"],
    [
      "attached policy",
      "policies: [{name: {name: a, namespace: b}, target: {gateway: {gatewayName: default, gatewayNamespace: default}}, phase: gateway, policy: {authorization: {rules: [nope]}}}]",
    ],
  ])("is refused in the %s", async (_, text) => {
    expect(await pointed(`gateways: {default: {port: 1}}\n${text}`)).toEqual([
      `${text.includes("\n") ? 3 : 2}:${(text.split("\n").at(-1) ?? "").indexOf("nope") + 1}`,
    ])
  })

  it("may be right and still have no effect where it stands", async () => {
    expect(await linesOf(inRoute("sessionAffinity: {source: source.address}"))).toEqual([
      expect.stringMatching(/^\d+:\d+ .*: session affinity chooses among the endpoints of a service$/),
    ])
  })

  it("is refused in custom functions, and where it calls one that is not there", async () => {
    const text = (functions: string, rule: string) =>
      `config:\n  customFunctions: |\n    ${functions}\n${inRoute(`authorization: {rules: ['${rule}']}`)}`
    expect(await linesOf(text('isGet(m) { m == "GET" }', "isGet(request.method)"))).toEqual([])
    expect(await pointed(text("isGet(m) { m == }", "true"))).toEqual(["3:21"])
    expect(await linesOf(text("a(m) { m }", "b(1) == 1"))).toEqual([expect.stringContaining("b")])
  })
})
