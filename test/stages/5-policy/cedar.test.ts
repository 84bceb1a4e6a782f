import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Expression } from "../../../ir/Expression.ts"
import type { Cedar } from "../../../ir/policy/Cedar.ts"
import { cedar as engine } from "../../../src/node/cedar.ts"
import * as authorization from "../../../stages/5-policy/authorization.ts"
import { parseUid, principalOf, toCedar } from "../../../stages/5-policy/cedar.ts"
import { over } from "../../../stages/5-policy/Gate.ts"
import { cryptography } from "../../../src/node/cryptography.ts"
import type { Identity } from "../../../stages/Identity.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { makeExchange, type Told, verdict } from "../exchange.ts"
import { computing } from "./computing.ts"

const cel = (text: string) => text as Expression

const judged = (policy: Partial<Cedar> & { readonly policies: string }, told: Told = {}, identity?: Identity) => {
  const ports = computing()
  const gate = over(
    cryptography,
    { clock: ports.clock, fetch: () => Effect.fail(""), run: (effect) => Effect.runFork(effect) },
    undefined,
    { cedar: engine },
  )
  const step = authorization.compile(
    [{ rules: [], cedar: { entities: [], context: [], ...policy } }],
    { ...ports, gate },
    "route",
  )
  if (step === undefined) throw new Error("nothing is judged")
  const exchange = makeExchange(told)
  exchange.identity = identity
  return verdict(step, exchange)._tag
}

const ann: Identity = { jwt: { sub: "ann", groups: ["admins"], level: 3, active: true, ratio: 1.5, none: null } }

describe("policies in Cedar", () => {
  it("let nobody pass whom none of them permits", () => {
    assert.strictEqual(
      judged({ policies: 'permit(principal == User::"bob", action, resource);' }, {}, ann),
      "AuthorizationFailed",
    )
    assert.strictEqual(judged({ policies: 'permit(principal == User::"ann", action, resource);' }, {}, ann), "Pass")
    assert.strictEqual(judged({ policies: 'permit(principal == Anonymous::"anonymous", action, resource);' }), "Pass")
  })

  it("see claims as attributes and groups as parents", () => {
    const policies = `permit(principal in Group::"admins", action == Action::"GET", resource)
      when { principal.level >= 3 && principal.active && principal.ratio == decimal("1.5") && !(principal has none) };`
    assert.strictEqual(judged({ policies }, {}, ann), "Pass")
    assert.strictEqual(judged({ policies }, { method: "POST" }, ann), "AuthorizationFailed")
    assert.strictEqual(judged({ policies }, {}, { jwt: { ...ann.jwt, groups: "users" } }), "AuthorizationFailed")
  })

  it("see what is asked for", () => {
    const policies = 'permit(principal, action, resource == Path::"/a") when { resource.host == "example.com" };'
    assert.strictEqual(judged({ policies }, { url: "http://example.com/a?x" }), "Pass")
    assert.strictEqual(judged({ policies }, { url: "http://example.com/b" }), "AuthorizationFailed")
  })

  it("see what the configuration tells them, and nobody passes where it cannot be told", () => {
    const policy = {
      policies:
        'permit(principal in Team::"red", action == Action::"read", resource == Doc::"7") when { context.ip like "127.*" };',
      principal: {
        type: "App::User",
        id: cel("request.headers['x-user']"),
        attributes: [],
        parents: cel(`["Team::\\"" + request.headers['x-team'] + "\\""]`),
      },
      action: cel("request.method == 'GET' ? 'read' : 'write'"),
      resource: { type: "Doc", id: cel("request.path.substring(1)"), attributes: [] },
      context: [{ name: "ip", expression: cel("source.address") }],
    }
    const ask = (headers: Record<string, string>) => judged(policy, { url: "http://example.com/7", headers })
    assert.strictEqual(ask({ "x-user": "u", "x-team": "red" }), "Pass")
    assert.strictEqual(ask({ "x-user": "u", "x-team": "blue" }), "AuthorizationFailed")
    assert.strictEqual(ask({ "x-team": "red" }), "AuthorizationFailed")
    assert.strictEqual(ask({ "x-user": "u", "x-team": 'red", Team::"blue' }), "AuthorizationFailed")
  })

  it("know entities of their own, which no claim can change", () => {
    const entities = [
      { uid: { type: "User", id: "ann" }, attrs: { level: 1 }, parents: [{ type: "Group", id: "staff" }] },
      { uid: { type: "Group", id: "staff" }, attrs: {}, parents: [{ type: "Group", id: "all" }] },
    ]
    assert.strictEqual(
      judged({ policies: 'permit(principal in Group::"all", action, resource);', entities }, {}, ann),
      "Pass",
    )
    assert.strictEqual(
      judged({ policies: "permit(principal, action, resource) when { principal.level == 3 };", entities }, {}, ann),
      "AuthorizationFailed",
    )
    assert.strictEqual(
      judged({ policies: 'permit(principal in Group::"admins", action, resource);', entities }, {}, ann),
      "AuthorizationFailed",
    )
  })

  it("look into every entity that can be reached from what is asked, and into those they name themselves", () => {
    const uid = (type: string, id: string) => ({ type, id })
    const entities = [
      { uid: uid("User", "ann"), attrs: { boss: { __entity: uid("User", "bob") } }, parents: [] },
      { uid: uid("User", "bob"), attrs: { level: 9 }, parents: [] },
      { uid: uid("Site", "main"), attrs: { open: true }, parents: [] },
      { uid: uid("Path", "/a"), attrs: {}, parents: [uid("Area", "x")] },
      { uid: uid("Area", "x"), attrs: {}, parents: [uid("Area", "y")] },
    ]
    const policies = `permit(principal, action, resource in Area::"y") when { principal.boss.level == 9 && Site::"main".open };`
    assert.strictEqual(judged({ policies, entities }, { url: "http://example.com/a" }, ann), "Pass")
    assert.strictEqual(judged({ policies, entities }, { url: "http://example.com/b" }, ann), "AuthorizationFailed")
  })

  it("forbid when what forbids cannot be evaluated, and do not permit when what permits cannot", () => {
    const all = "permit(principal, action, resource);\n"
    assert.strictEqual(
      judged({ policies: `${all}forbid(principal, action, resource) when { principal.nothing == 1 };` }, {}, ann),
      "AuthorizationFailed",
    )
    assert.strictEqual(
      judged({ policies: `${all}permit(principal, action, resource) when { principal.nothing == 1 };` }, {}, ann),
      "Pass",
    )
    assert.strictEqual(
      judged({ policies: "permit(principal, action, resource) when { principal.nothing == 1 };" }, {}, ann),
      "AuthorizationFailed",
    )
    const many = Array.from({ length: 12 }, (_, i) => `permit(principal == User::"u${i}", action, resource);`).join(
      "\n",
    )
    const failing = `${many}\n${all}forbid(principal, action, resource) when { principal.nothing == 1 };`
    assert.strictEqual(judged({ policies: failing }, {}, ann), "AuthorizationFailed")
  })

  it("may be more than the engine is given names for", () => {
    for (const round of [1, 2]) {
      for (let i = 0; i < 70; i++) {
        const policies = `permit(principal == User::"u${i}", action, resource);`
        assert.strictEqual(judged({ policies }, {}, { jwt: { sub: `u${i}` } }), "Pass", `${round} ${i}`)
        assert.strictEqual(judged({ policies }, {}, { jwt: { sub: `u${i + 1}` } }), "AuthorizationFailed")
      }
    }
  })
})

describe("the principal", () => {
  const client = { subject: "CN=a", subjectCn: "a", issuer: "CN=ca", certificatePem: "" }
  it("is the strongest thing that was proved", () => {
    const key = { key: Redacted.make("k"), metadata: { name: "ci", team: "x" }, allowedModels: undefined }
    const uid = (identity: Identity | undefined, names?: ReadonlyArray<string>) =>
      principalOf({ identity, client: names === undefined ? undefined : { ...client, subjectAltNames: names } }).uid
    assert.deepStrictEqual(uid({ jwt: { sub: "ann" }, apiKey: key }), { type: "User", id: "ann" })
    assert.deepStrictEqual(uid({ basicAuth: { username: "bob" }, apiKey: key }), { type: "User", id: "bob" })
    assert.deepStrictEqual(uid({ apiKey: key }, ["dns"]), { type: "Key", id: "ci" })
    assert.deepStrictEqual(uid(undefined, ["a.example", "spiffe://d/a"]), { type: "Workload", id: "spiffe://d/a" })
    assert.deepStrictEqual(uid(undefined, []), { type: "Workload", id: "CN=a" })
    assert.deepStrictEqual(uid(undefined), { type: "Anonymous", id: "anonymous" })
  })
})

describe("values", () => {
  it("of claims never become entities or calls, however they are written", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(toCedar(value as never) ?? null)
        assert.notInclude(text, '"__entity":')
        for (const call of text.match(/"__extn":\{[^}]*\}/g) ?? []) assert.match(call, /"fn":"decimal"/)
      }),
    )
    const forged = { a: { __entity: { type: "User", id: "root" } }, b: { __extn: { fn: "ip", arg: "::1" } } }
    assert.deepStrictEqual(toCedar(forged), { a: {}, b: {} })
  })
  it("names of entities are read as Cedar writes them", () => {
    assert.deepStrictEqual(parseUid('A::B::"x\\"y"'), { type: "A::B", id: 'x"y' })
    for (const bad of ['A::"x', "A::x", '::"x"', 'A::"x"y', '1::"x"', "", 'A::"a", B::"b"'])
      assert.isUndefined(parseUid(bad))
  })
})
