import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Cors } from "../../../ir/policy/Cors.ts"
import { Headers } from "../../../protocols/http/headers.ts"
import { allowsOrigin, applyDecision, compileRules, decide } from "../../../stages/5-policy/cors.ts"
import { makeReply, makeRequest } from "../../../test/stages/exchange.ts"

const label = fc.constantFrom("a", "b", "ab", "evil", "x-1")
const hostname = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."))
const pattern = fc
  .array(fc.constantFrom("a", "b", "ab", "*", "x*", "*b", "a*b"), { minLength: 1, maxLength: 3 })
  .map((labels) => labels.join("."))
const scheme = fc.constantFrom("http", "https")
const port = fc.constantFrom("", ":80", ":443", ":8080")

const origin = fc.oneof(
  fc.constant("null"),
  fc.tuple(scheme, hostname, port).map(([a, b, c]) => `${a}://${b}${c}`),
  fc.string({ maxLength: 12 }),
)
const allowed = fc.oneof(
  { weight: 1, arbitrary: fc.constant("*") },
  { weight: 8, arbitrary: fc.tuple(scheme, pattern, port).map(([a, b, c]) => `${a}://${b}${c}`) },
  { weight: 2, arbitrary: origin },
)

const names = fc.array(fc.constantFrom("x-a", "x-b", "*"), { maxLength: 2 })
const policy: fc.Arbitrary<Cors> = fc.record({
  _tag: fc.constant("Cors" as const),
  allowCredentials: fc.boolean(),
  allowHeaders: names,
  allowMethods: fc.array(fc.constantFrom("GET", "PUT", "*"), { maxLength: 2 }),
  allowOrigins: fc.array(allowed, { maxLength: 3 }),
  exposeHeaders: names,
  maxAgeMillis: fc.integer({ min: 0, max: 10_000_000 }),
})

const standard = (scheme: string) => (scheme === "https" ? "443" : scheme === "http" ? "80" : "")

/** The rule as an expression: scheme and port alike, and each asterisk one character or more of a host. */
const naive = (allowed: string, origin: string): boolean => {
  if (allowed === "*" || allowed === origin) return true
  const read = (text: string) => /^(https?):\/\/([^:/?#@]+)(?::(\d+))?$/.exec(text)
  const rule = read(allowed)
  const it = read(origin)
  if (rule === null || it === null || rule[1] !== it[1]) return false
  if ((rule[3] ?? standard(rule[1] as string)) !== (it[3] ?? standard(it[1] as string))) return false
  const source = (rule[2] as string).split("*").map((part) => part.replaceAll(/[.-]/g, "\\$&"))
  return new RegExp(`^${source.join("[^:/]+")}$`).test(it[2] as string)
}

it("an origin is allowed when a rule taken by itself allows it", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(scheme, pattern, port).map(([a, b, c]) => `${a}://${b}${c}`),
        { maxLength: 3 },
      ),
      // Browsers leave the default port away.
      fc.tuple(scheme, hostname, fc.constantFrom("", ":8080", ":81")).map(([a, b, c]) => `${a}://${b}${c}`),
      (allowOrigins, from) => {
        const rules = compileRules({
          _tag: "Cors",
          allowCredentials: false,
          allowHeaders: [],
          allowMethods: [],
          allowOrigins,
          exposeHeaders: [],
        })
        assert.strictEqual(
          allowsOrigin(rules, from),
          allowOrigins.some((one) => naive(one, from)),
        )
      },
    ),
    { numRuns: 2000 },
  )
})

const requestHeaders = fc.record(
  {
    origin,
    "access-control-request-method": fc.constantFrom("PUT", "", "X"),
    "access-control-request-headers": fc.constantFrom("x-a", "", "x-c,x-d"),
  },
  { requiredKeys: [] },
)

it("a decision is made for every request, and it is a preflight exactly when a browser asks one", () => {
  fc.assert(
    fc.property(policy, requestHeaders, fc.constantFrom("GET", "OPTIONS", "PUT"), (told, headers, method) => {
      const rules = compileRules(told)
      const decision = decide(rules, makeRequest({ method, headers }))
      const asks =
        method === "OPTIONS" && headers.origin !== undefined && headers["access-control-request-method"] !== undefined
      assert.strictEqual(decision._tag === "Preflight", asks)
      assert.strictEqual(decision._tag === "Plain", headers.origin === undefined)
      if (decision._tag === "Allowed") assert.isTrue(allowsOrigin(rules, decision.origin))
      if (decision._tag === "Foreign") assert.isFalse(allowsOrigin(rules, headers.origin ?? ""))
      if (decision._tag === "Preflight") {
        const answer = new Headers(decision.headers)
        const permitted = allowsOrigin(rules, headers.origin ?? "")
        assert.strictEqual(answer.get("access-control-allow-origin"), permitted ? headers.origin : undefined)
        assert.strictEqual(
          answer.get("access-control-allow-credentials") === "true",
          permitted && told.allowCredentials,
        )
        // A browser takes an asterisk for a name once credentials are sent.
        if (told.allowCredentials) {
          assert.notStrictEqual(answer.get("access-control-allow-headers"), "*")
          assert.notStrictEqual(answer.get("access-control-allow-methods"), "*")
        }
      }
    }),
    { numRuns: 1000 },
  )
})

const upstream = fc.array(
  fc.tuple(
    fc.constantFrom(
      "access-control-allow-origin",
      "access-control-allow-credentials",
      "access-control-expose-headers",
      "vary",
      "content-type",
      "x-a",
    ),
    fc.constantFrom("*", "true", "Origin", "accept, ORIGIN", "x-origin", "https://evil"),
  ),
  { maxLength: 6 },
)

it("a reply permits what the policy permits and no more, depends on the origin, and is otherwise left alone", () => {
  fc.assert(
    fc.property(policy, origin, upstream, (told, from, fields) => {
      const rules = compileRules(told)
      const decision = decide(rules, makeRequest({ headers: { origin: from } }))
      const reply = { ...makeReply(), headers: new Headers(fields.flat()) }
      applyDecision(rules, decision, reply)
      const permitted = allowsOrigin(rules, from)
      assert.deepStrictEqual(reply.headers.all("access-control-allow-origin"), permitted ? [from] : [])
      assert.deepStrictEqual(
        reply.headers.all("access-control-allow-credentials"),
        permitted && told.allowCredentials ? ["true"] : [],
      )
      const tokens = reply.headers.all("vary").flatMap((value) => value.toLowerCase().split(/\s*,\s*/))
      assert.isTrue(tokens.includes("origin") || tokens.includes("*"))
      const rest = (pairs: Iterable<readonly [string, string]>) =>
        [...pairs].filter(([name]) => !name.startsWith("access-control-") && name !== "vary")
      assert.deepStrictEqual(rest(reply.headers), rest(fields) as Array<[string, string]>)
      const once = [...reply.headers.flat]
      applyDecision(rules, decision, reply)
      assert.deepStrictEqual(reply.headers.flat, once)
    }),
    { numRuns: 1000 },
  )
})
