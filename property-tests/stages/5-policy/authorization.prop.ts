import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Rule } from "../../../ir/policy/RuleSet.ts"
import { compile, decide, type Outcome } from "../../../stages/5-policy/authorization.ts"
import { cel, computing } from "../../../test/stages/5-policy/computing.ts"
import { makeExchange, verdict } from "../../../test/stages/exchange.ts"

type Judged = readonly [effect: Rule["effect"], outcome: Outcome]

const judged: fc.Arbitrary<Judged> = fc.tuple(
  fc.constantFrom("allow", "deny", "require"),
  fc.constantFrom(true, false, undefined),
)

/** As the documentation has it, rule by rule and in no hurry. */
const mayPass = (rules: ReadonlyArray<Judged>): boolean => {
  const isDenied = rules.some(([effect, outcome]) => effect === "deny" && outcome !== false)
  const isRequired = rules.every(([effect, outcome]) => effect !== "require" || outcome === true)
  const allows = rules.filter(([effect]) => effect === "allow")
  return !isDenied && isRequired && (allows.length === 0 || allows.some(([, outcome]) => outcome === true))
}

const sorted = (rules: ReadonlyArray<Judged>) => ({
  deny: rules.filter(([effect]) => effect === "deny"),
  require: rules.filter(([effect]) => effect === "require"),
  allow: rules.filter(([effect]) => effect === "allow"),
})

it("the decision is the one that its definition gives", () => {
  fc.assert(
    fc.property(fc.array(judged, { maxLength: 8 }), (rules) => {
      assert.strictEqual(
        decide(sorted(rules), ([, outcome]) => outcome),
        mayPass(rules),
      )
    }),
  )
})

const sources = new Map<Outcome, ReadonlyArray<string>>([
  [true, ["true", 'request.method == "GET"', "1 < 2"]],
  [false, ["false", 'request.method == "PUT"']],
  [undefined, ["request.headers.nope == 'x'", "1 / 0 == 1", "request.method ==", "int(request.path) == 1"]],
])

const written: fc.Arbitrary<readonly [Judged, string]> = judged.chain((one) =>
  fc.constantFrom(...(sources.get(one[1]) ?? [])).map((source) => [one, source] as const),
)

it("rules count the same wherever they stand and in whichever order they are written", () => {
  fc.assert(
    fc.property(fc.array(fc.array(written, { maxLength: 4 }), { maxLength: 4 }), fc.nat(), (levels, turn) => {
      const all = levels.flat()
      const policies = levels.map((rules) => ({
        _tag: "Authorization" as const,
        rules: rules.map(([[effect], source]) => ({ effect, expression: cel(source) })),
      }))
      const turned = policies
        .slice(turn % (policies.length || 1))
        .concat(policies.slice(0, turn % (policies.length || 1)))
      const expected = mayPass(all.map(([one]) => one)) ? "Pass" : "AuthorizationFailed"
      for (const sets of [policies, turned]) {
        const step = compile(sets, computing(), "route")
        assert.strictEqual(step === undefined ? "Pass" : verdict(step, makeExchange())._tag, expected)
      }
    }),
  )
})

it("who adds a rule that denies or requires never lets anybody pass who did not", () => {
  fc.assert(
    fc.property(fc.array(judged, { maxLength: 6 }), judged, (rules, more) => {
      if (more[0] === "allow") return
      if (mayPass([...rules, more])) assert.isTrue(mayPass(rules))
    }),
  )
})
